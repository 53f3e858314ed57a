// What kind of character an ASCII byte is, by table: the steps ask it for every byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tocsin::decoding {

inline constexpr std::uint8_t kUpper = 1;
inline constexpr std::uint8_t kLower = 2;
inline constexpr std::uint8_t kDigit = 4;
inline constexpr std::uint8_t kBase64Mark = 8;  // + / - _
inline constexpr std::uint8_t kHexDigit = 16;
inline constexpr std::uint8_t kAlpha = kUpper | kLower;
inline constexpr std::uint8_t kAlnum = kAlpha | kDigit;
inline constexpr std::uint8_t kBase64Char = kAlnum | kBase64Mark;

inline constexpr auto kCharKinds = [] {
  std::array<std::uint8_t, 256> kinds{};
  for (unsigned c = 'A'; c <= 'Z'; ++c) kinds[c] = kUpper;
  for (unsigned c = 'a'; c <= 'z'; ++c) kinds[c] = kLower;
  for (unsigned c = '0'; c <= '9'; ++c) kinds[c] = kDigit;
  for (const char c : std::string_view("+/-_")) kinds[static_cast<unsigned char>(c)] = kBase64Mark;
  for (const char c : std::string_view("0123456789abcdefABCDEF")) {
    kinds[static_cast<unsigned char>(c)] |= kHexDigit;
  }
  return kinds;
}();

constexpr std::uint8_t char_kinds(char c) { return kCharKinds[static_cast<unsigned char>(c)]; }
constexpr bool is_any(char c, std::uint8_t kinds) { return (char_kinds(c) & kinds) != 0; }
constexpr bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }
constexpr bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The value of a hex digit, -1 for any other byte.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Reads hex digits at the beginning of `text`, no more than `digits_max` (8 at most).  How many
// there were; `value` is what they say.
constexpr std::size_t read_hex(std::string_view text, std::size_t digits_max, char32_t& value) {
  value = 0;
  std::size_t digits = 0;
  for (; digits < digits_max && digits < text.size(); ++digits) {
    const int digit = hex_value(text[digits]);
    if (digit < 0) break;
    value = value * 16 + static_cast<char32_t>(digit);
  }
  return digits;
}

constexpr bool is_high_surrogate(char32_t c) { return c >= 0xD800 && c <= 0xDBFF; }
constexpr bool is_low_surrogate(char32_t c) { return c >= 0xDC00 && c <= 0xDFFF; }
constexpr char32_t joined_surrogates(char32_t high, char32_t low) {
  return 0x10000 + ((high - 0xD800) << 10U) + (low - 0xDC00);
}

}  // namespace tocsin::decoding
