// Hostile text made safe to show, and the small string tools several stages share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin {

// `text` for a terminal, a log line or a label: control characters (C0, C1, DEL), bidi and
// zero-width characters, tag characters, line separators and bytes that are not UTF-8 become \u{..}
// or \x..; at most `bytes_max` bytes of output, cut at a character with "…".
std::string printable(std::string_view text, std::size_t bytes_max = 256);

bool is_valid_utf8(std::string_view text);

// One code point and how many bytes it took; {U+FFFD, 1} for a byte that is not UTF-8.  `text` must
// not be empty.
struct CodePoint {
  char32_t value;
  std::size_t length;
};
CodePoint first_code_point(std::string_view text);

// The largest length <= `length` that does not cut a UTF-8 character of `text`.
std::size_t cut_at_character(std::string_view text, std::size_t length);

std::string ascii_lower(std::string_view text);

// Words of an identifier: snake_case, camelCase, dots, dashes and digits are boundaries;
// lower-cased. "sendDirect_message" -> send, direct, message.
std::vector<std::string> identifier_words(std::string_view identifier);

// XXH3, 64 bits: fast, not cryptographic.  For state an attacker may fill with collisions on
// purpose, pass a seed made at start.
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

}  // namespace tocsin
