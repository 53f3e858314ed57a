#include "detectors/decoding/utf8.h"

#include <cstddef>
#include <cstdint>

#include "daemon/text.h"
#include "detectors/decoding/chars.h"

namespace tocsin::decoding {
namespace {

constexpr std::size_t kAllPrintableBytes = 32;

unsigned byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<unsigned char>(bytes[i]);
}

bool is_two_byte_ascii(std::string_view bytes) {
  return bytes.size() >= 2 && (byte_at(bytes, 0) & 0xFEU) == 0xC0 &&
         (byte_at(bytes, 1) & 0xC0U) == 0x80;
}

bool is_printable(char32_t c) {
  return (c >= 0x20 && c < 0x7F) || c == '\t' || c == '\n' || c == '\r' || c >= 0xA0;
}

bool is_utf8_text(std::string_view bytes) {
  std::size_t bad = 0;
  const std::size_t bad_max = bytes.size() <= kAllPrintableBytes ? 0 : bytes.size() / 8;
  while (!bytes.empty()) {
    if (is_ascii(bytes[0])) {
      if (!is_printable(byte_at(bytes, 0)) && ++bad > bad_max) return false;
      bytes.remove_prefix(1);
      continue;
    }
    const CodePoint c = first_code_point(bytes);
    if (c.value == 0xFFFD && c.length == 1) {
      if (bytes.size() < 4 && byte_at(bytes, 0) >= 0xC2) return true;  // cut within a character
      ++bad;
    } else if (!is_printable(c.value)) {
      ++bad;
    }
    if (bad > bad_max) return false;
    bytes.remove_prefix(c.length);
  }
  return true;
}

// What PowerShell's -EncodedCommand takes: every other byte of it is zero.
bool is_utf16(std::string_view bytes) {
  if (bytes.find('\0') == std::string_view::npos) return false;
  std::size_t zeros = 0;
  for (std::size_t i = 1; i < bytes.size(); i += 2) zeros += bytes[i] == '\0' ? 1 : 0;
  return bytes.size() >= 8 && zeros * 8 >= bytes.size() * 3;
}

void append_utf16(std::string& out, std::string_view bytes) {
  char32_t high = 0;  // a surrogate waiting for its other half
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    const char32_t unit = byte_at(bytes, i) | (byte_at(bytes, i + 1) << 8U);
    const bool is_low = is_low_surrogate(unit);
    if (high != 0) {
      append_code_point(out, is_low ? joined_surrogates(high, unit) : 0xFFFD);
      high = 0;
      if (is_low) continue;
    }
    if (is_high_surrogate(unit)) {
      high = unit;
    } else {
      append_code_point(out, unit);
    }
  }
}

}  // namespace

void append_code_point(std::string& out, char32_t c) {
  if (is_high_surrogate(c) || is_low_surrogate(c) || c > 0x10FFFF) c = 0xFFFD;
  const auto byte = [&](char32_t bits) { out += static_cast<char>(bits); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xC0 | (c >> 6U));
    byte(0x80 | (c & 0x3FU));
  } else if (c < 0x10000) {
    byte(0xE0 | (c >> 12U));
    byte(0x80 | ((c >> 6U) & 0x3FU));
    byte(0x80 | (c & 0x3FU));
  } else {
    byte(0xF0 | (c >> 18U));
    byte(0x80 | ((c >> 12U) & 0x3FU));
    byte(0x80 | ((c >> 6U) & 0x3FU));
    byte(0x80 | (c & 0x3FU));
  }
}

void append_bytes(std::string& out, std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t ascii = 0;
    while (ascii < bytes.size() && is_ascii(bytes[ascii])) ++ascii;
    out.append(bytes.substr(0, ascii));
    bytes.remove_prefix(ascii);
    if (bytes.empty()) return;
    if (is_two_byte_ascii(bytes)) {
      out += static_cast<char>(((byte_at(bytes, 0) & 1U) << 6U) | (byte_at(bytes, 1) & 0x3FU));
      bytes.remove_prefix(2);
      continue;
    }
    const CodePoint c = first_code_point(bytes);
    append_code_point(out, c.value);
    bytes.remove_prefix(c.length);
  }
}

bool to_text(std::string_view bytes, std::string& text) {
  text.clear();
  if (is_utf16(bytes)) {
    append_utf16(text, bytes);
    return is_utf8_text(text);
  }
  if (!is_utf8_text(bytes)) return false;
  append_bytes(text, bytes);
  return !text.empty();
}

}  // namespace tocsin::decoding
