// What Unicode lets one write so that people and models read it and patterns do not.
#include <utf8proc.h>

#include <array>
#include <span>
#include <vector>

#include "daemon/text.h"
#include "detectors/decoding/homoglyphs.h"
#include "detectors/decoding/steps.h"

namespace tocsin::decoding {
namespace {

constexpr char32_t kFirstTag = 0xE0020;  // U+E0000 plus an ASCII character
constexpr char32_t kLastTag = 0xE007E;
constexpr std::size_t kHiddenCharactersMin = 4;
constexpr std::size_t kDisguisedLettersMin = 4;

bool is_ascii_letter(char32_t code) {
  return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z');
}

bool is_letter(char32_t code) {
  if (code < 0x80) return is_ascii_letter(code);
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

// One word in which some letters only look like Latin ones: all of them are mapped.  A word of
// another script stays what it is, unless it is long and every letter of it is a look-alike.
void map_look_alikes(std::span<char32_t> word) {
  bool ascii = false;
  bool all = true;
  for (const char32_t code : word) {
    ascii = ascii || is_ascii_letter(code);
    all = all && (code < 0x80 || latin_look_alike(code) != 0);
  }
  if (!ascii && (!all || word.size() < kDisguisedLettersMin)) return;
  for (char32_t& code : word) {
    if (const char latin = latin_look_alike(code); latin != 0) {
      code = static_cast<unsigned char>(latin);
    }
  }
}

// Where the next character beyond ASCII is; the text's size when there is none.
std::size_t skip_ascii(std::string_view text, std::size_t from) {
  while (from < text.size() && static_cast<unsigned char>(text[from]) < 0x80) ++from;
  return from;
}

// Dashes, quotes, bullets, arrows, signs of currency, boxes, ideographs, kana, hangul: what
// ordinary text is full of and nothing hides behind.
bool is_plain(char32_t code) {
  return (code >= 0xA1 && code <= 0xBF && code != 0xAD && code != 0xAA && code != 0xBA) ||
         (code >= 0x2010 && code <= 0x2027) || (code >= 0x2030 && code <= 0x205E) ||
         (code >= 0x20A0 && code <= 0x20BF) || (code >= 0x2190 && code <= 0x23FF) ||
         (code >= 0x2500 && code <= 0x27BF) || (code >= 0x3001 && code <= 0x30FF) ||
         (code >= 0x3400 && code <= 0x9FFF) || (code >= 0xAC00 && code <= 0xD7A3) ||
         (code >= 0x1F300 && code <= 0x1FAFF);
}

bool has_disguise(std::string_view text) {
  for (std::size_t at = skip_ascii(text, 0); at < text.size();) {
    const CodePoint point = first_code_point(text.substr(at));
    if (!is_plain(point.value)) return true;
    at = skip_ascii(text, at + point.length);
  }
  return false;
}

// A byte smuggled in a variation selector, or nothing (> 0xFF).
char32_t smuggled_byte(char32_t code) {
  if (code >= 0xFE00 && code <= 0xFE0F) return code - 0xFE00;
  if (code >= 0xE0100 && code <= 0xE01EF) return code - 0xE0100 + 16;
  return 0x100;
}

}  // namespace

bool decode_unicode(std::string_view text, std::size_t bytes_max, std::string& out) {
  if (!has_disguise(text)) return false;
  std::vector<char32_t> word;
  const auto end_word = [&] {
    map_look_alikes(word);
    for (const char32_t code : word) append_code_point(code, out);
    word.clear();
  };
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT |
                                                           UTF8PROC_STRIPMARK | UTF8PROC_IGNORE);
  std::array<utf8proc_int32_t, 32> decomposed{};
  for (std::string_view rest = text; !rest.empty() && out.size() + word.size() < bytes_max;) {
    const CodePoint point = first_code_point(rest);
    rest.remove_prefix(point.length);
    utf8proc_ssize_t count = 1;
    decomposed[0] = static_cast<utf8proc_int32_t>(point.value);
    if (point.value >= 0x80) {
      int boundary = 0;
      count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(point.value), decomposed.data(),
                                      decomposed.size(), kOptions, &boundary);
      if (count < 0 || count > static_cast<utf8proc_ssize_t>(decomposed.size())) continue;
    }
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      const auto code = static_cast<char32_t>(decomposed[static_cast<std::size_t>(i)]);
      if (is_letter(code)) {
        word.push_back(code);
        continue;
      }
      end_word();
      append_code_point(code, out);
    }
  }
  end_word();
  return true;
}

bool decode_tags(std::string_view text, std::size_t bytes_max, std::string& out) {
  std::size_t hidden = 0;
  std::string bytes;
  for (std::size_t at = skip_ascii(text, 0);
       at < text.size() && out.size() + bytes.size() < bytes_max;) {
    const CodePoint point = first_code_point(text.substr(at));
    at = skip_ascii(text, at + point.length);
    if (point.value >= kFirstTag && point.value <= kLastTag) {
      append_code_point(point.value - 0xE0000, out);
      ++hidden;
    } else if (const char32_t byte = smuggled_byte(point.value); byte <= 0xFF) {
      bytes += static_cast<char>(byte);
    }
  }
  // One emoji has one variation selector; a sentence in them is no emoji.
  if (bytes.size() >= kHiddenCharactersMin && is_valid_utf8(bytes)) {
    hidden += bytes.size();
    for (const char c : bytes) {
      if (c == 0) return hidden - bytes.size() >= kHiddenCharactersMin;
    }
    out += bytes;
  }
  return hidden >= kHiddenCharactersMin;
}

}  // namespace tocsin::decoding
