#include "daemon/text.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <iterator>

#include "daemon/invisible.h"

namespace tocsin {
namespace {

constexpr bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

// Characters that are invisible, reorder text or end a line: shown by number, never as themselves.
constexpr bool is_deceptive(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || is_invisible(c);
}

constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr char lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

CodePoint first_code_point(std::string_view text) {
  constexpr CodePoint kBad{.value = 0xFFFD, .length = 1};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {.value = lead, .length = 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return kBad;
  char32_t value = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return kBad;
    value = (value << 6) | (byte(i) & 0x3FU);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return kBad;
  return {.value = value, .length = length};
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = first_code_point(text);
    if (c.value == 0xFFFD && c.length == 1) return false;
    text.remove_prefix(c.length);
  }
  return true;
}

std::size_t cut_at_character(std::string_view text, std::size_t length) {
  if (length >= text.size()) return text.size();
  while (length > 0 && is_continuation(text[length])) --length;
  return length;
}

std::string printable(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view kCut = "…";
  std::string out;
  out.reserve(std::min(text.size(), bytes_max) + 4);
  std::size_t cut = 0;  // the last place that leaves room for the ellipsis
  while (!text.empty()) {
    const CodePoint c = first_code_point(text);
    if (out.size() + kCut.size() <= bytes_max) cut = out.size();
    if (c.value == 0xFFFD && c.length == 1) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (is_deceptive(c.value)) {
      fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", static_cast<std::uint32_t>(c.value));
    } else {
      out.append(text.substr(0, c.length));
    }
    if (out.size() > bytes_max) {
      out.resize(cut);
      out += kCut;
      return out;
    }
    text.remove_prefix(c.length);
  }
  return out;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

std::vector<std::string> identifier_words(std::string_view identifier) {
  std::vector<std::string> words;
  std::string word;
  const auto finish = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (std::size_t i = 0; i < identifier.size(); ++i) {
    const char c = identifier[i];
    if (!is_upper(c) && !is_lower(c)) {
      finish();
      continue;
    }
    // aB starts a word; so does the last capital of a run before a small letter (HTTPGet -> http,
    // get).
    const bool after_small = i > 0 && is_lower(identifier[i - 1]);
    const bool ends_capitals = i > 0 && is_upper(identifier[i - 1]) && i + 1 < identifier.size() &&
                               is_lower(identifier[i + 1]);
    if (is_upper(c) && (after_small || ends_capitals)) finish();
    word += lower(c);
  }
  finish();
  return words;
}

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace tocsin
