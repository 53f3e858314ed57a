#include "detectors/decoding/hex.h"

#include <algorithm>
#include <cstddef>

#include "detectors/decoding/chars.h"
#include "detectors/decoding/steps.h"
#include "detectors/decoding/utf8.h"

namespace tocsin::decoding {
namespace {

// Between two bytes of a list: ", " or "\r\n    ".
constexpr std::size_t kListGapMax = 12;

bool is_list_gap(char c) {
  return is_blank(c) || c == ',' || c == ':' || c == ';' || c == '-' || c == '|';
}

// Reads a list of bytes from `i` on into `bytes`; the end of the last one.
std::size_t read_list(std::string_view text, std::size_t i, std::string& bytes) {
  bytes.clear();
  std::size_t end = i;
  while (i < text.size()) {
    if (text.substr(i, 2) == "0x" || text.substr(i, 2) == "0X") i += 2;
    char32_t value = 0;
    if (read_hex(text.substr(i), 2, value) != 2) break;
    if (i + 2 < text.size() && is_any(text[i + 2], kAlnum)) break;
    bytes += static_cast<char>(value);
    i += 2;
    end = i;
    const std::size_t gap_end = std::min(text.size(), i + kListGapMax);
    while (i < gap_end && is_list_gap(text[i])) ++i;
    if (i == end) break;
  }
  return end;
}

bool is_mostly_letters(std::string_view text) {
  const auto letters =
      std::ranges::count_if(text, [](char c) { return is_any(c, kAlpha) || c == ' '; });
  return static_cast<std::size_t>(letters) * 4 >= text.size() * 3;
}

}  // namespace

bool hex_to_text(std::string_view bytes, bool has_letters, std::string& text) {
  return to_text(bytes, text) && (has_letters || is_mostly_letters(text));
}

bool decode_hex(std::string_view digits, Scratch& scratch) {
  scratch.bytes.clear();
  bool has_letters = false;
  int high = -1;
  for (const char c : digits) {
    const int digit = hex_value(c);
    if (digit < 0) continue;
    has_letters = has_letters || digit > 9;
    if (high < 0) {
      high = digit;
    } else {
      scratch.bytes += static_cast<char>(high * 16 + digit);
      high = -1;
    }
  }
  return high < 0 && hex_to_text(scratch.bytes, has_letters, scratch.text);
}

void find_hex_lists(std::string_view text, std::span<const Spot> spots, Scratch& scratch,
                    const OnHidden& on_hidden) {
  // A spot may show all of a list but its first three bytes: the block before had no more.
  constexpr std::size_t kBefore = 24;
  std::size_t next = 0;
  for (const Spot& spot : spots) {
    if (!spot.pairs) continue;
    const std::size_t offset = spot.offset;
    std::size_t i = std::max(next, offset - std::min(offset, kBefore));
    const std::size_t spot_end = std::min<std::size_t>(offset + 64, text.size());
    while (i < spot_end) {
      const bool begins = is_any(text[i], kHexDigit) && (i == 0 || !is_any(text[i - 1], kAlnum));
      const std::size_t end = begins ? read_list(text, i, scratch.bytes) : i;
      if (scratch.bytes.size() < kHexPairsMin || end == i) {
        ++i;
        continue;
      }
      const bool has_letters = std::ranges::any_of(
          text.substr(i, end - i), [](char c) { return is_any(c, kAlpha) && c != 'x'; });
      if (hex_to_text(scratch.bytes, has_letters, scratch.text)) {
        on_hidden(Step::kHex, scratch.text);
      }
      i = end;
    }
    next = std::max(next, i);
  }
}

}  // namespace tocsin::decoding
