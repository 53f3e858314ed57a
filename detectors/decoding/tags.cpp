#include <cstddef>

#include "daemon/text.h"
#include "detectors/decoding/steps.h"
#include "detectors/decoding/utf8.h"

namespace tocsin::decoding {
namespace {

// Tags and supplementary variation selectors are U+E0000..E01EF, the others U+FE00..FE0F.
constexpr char kLeadOfTags = '\xF3';
constexpr char kLeadOfSelectors = '\xEF';
constexpr char32_t kFlag = 0x1F3F4;
constexpr char32_t kCancelTag = 0xE007F;

// Fewer are emoji's, one each, or a mistake.
constexpr std::size_t kTagsMin = 4;
constexpr std::size_t kSelectorsMin = 4;

char32_t code_point_at(std::string_view text, std::size_t i) {
  return i < text.size() ? first_code_point(text.substr(i)).value : 0;
}

bool is_tag(char32_t c) { return c >= 0xE0020 && c <= 0xE007E; }

// The flags of England, Scotland and Wales are a black flag, tags and a cancel tag; the position
// behind `i`, which is behind the black flag, when one is there.
std::size_t skip_flag(std::string_view text, std::size_t i) {
  for (const std::string_view region : {"gbeng", "gbsct", "gbwls"}) {
    std::size_t at = i;
    for (const char c : region) {
      if (code_point_at(text, at) != 0xE0000U + static_cast<unsigned char>(c)) break;
      at += 4;
    }
    if (at == i + 4 * region.size() && code_point_at(text, at) == kCancelTag) return at + 4;
  }
  return i;
}

void find_tag_characters(std::string_view text, Scratch& scratch, const OnHidden& on_hidden) {
  scratch.bytes.clear();
  for (std::size_t i = text.find(kLeadOfTags); i != std::string_view::npos;
       i = text.find(kLeadOfTags, i)) {
    if (i >= 4 && code_point_at(text, i - 4) == kFlag) {
      const std::size_t end = skip_flag(text, i);
      if (end != i) {
        i = end;
        continue;
      }
    }
    const CodePoint c = first_code_point(text.substr(i));
    if (is_tag(c.value)) scratch.bytes += static_cast<char>(c.value - 0xE0000);
    i += c.length;
  }
  if (scratch.bytes.size() >= kTagsMin) on_hidden(Step::kTags, scratch.bytes);
}

// The byte a variation selector stands for, -1 for another character.
int selector_byte(char32_t c) {
  if (c >= 0xFE00 && c <= 0xFE0F) return static_cast<int>(c - 0xFE00);
  if (c >= 0xE0100 && c <= 0xE01EF) return static_cast<int>(c - 0xE0100 + 16);
  return -1;
}

void find_selectors(std::string_view text, char lead, Scratch& scratch, const OnHidden& on_hidden) {
  for (std::size_t i = text.find(lead); i != std::string_view::npos; i = text.find(lead, i)) {
    scratch.bytes.clear();
    while (i < text.size()) {
      const CodePoint c = first_code_point(text.substr(i));
      const int byte = selector_byte(c.value);
      if (byte < 0) {
        if (scratch.bytes.empty()) i += c.length;
        break;
      }
      scratch.bytes += static_cast<char>(byte);
      i += c.length;
    }
    if (scratch.bytes.size() >= kSelectorsMin && to_text(scratch.bytes, scratch.text)) {
      on_hidden(Step::kTags, scratch.text);
    }
  }
}

}  // namespace

void find_tags(std::string_view text, Scratch& scratch, const OnHidden& on_hidden) {
  if (text.find(kLeadOfTags) != std::string_view::npos) {
    find_tag_characters(text, scratch, on_hidden);
    // ASCII letters need supplementary selectors: every run of them has this lead.  A run that
    // begins with one of the others loses a newline or a tab.
    find_selectors(text, kLeadOfTags, scratch, on_hidden);
  }
}

}  // namespace tocsin::decoding
