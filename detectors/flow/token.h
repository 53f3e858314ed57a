// A text cut into what the flow of a session is followed by: words, and the identifiers that name
// people, places, accounts and things.
//
// Equal things have equal hashes however they are written: case, the scheme and `www.` of a URL,
// the spaces and dashes of a long number, thousands separators, a plural s.  Hashes are of the text
// alone; whoever remembers them mixes in a seed of the session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tocsin::flow {

enum class TokenKind : std::uint8_t {
  kWord,
  kNumber,   // an amount, a date, a time, a short number
  kCode,     // letters and digits, or words joined by underscores
  kAccount,  // seven digits and more, or an IBAN: accounts, cards, telephones
  kEmail,
  kUrl,
  kName,  // dots within: a host or a file
  kPath,
};

// Names one thing in the world, so that finding it again says where it came from.
constexpr bool is_identifier(TokenKind kind) { return kind >= TokenKind::kCode; }

struct Token {
  std::uint64_t hash = 0;
  std::uint32_t begin = 0;  // bytes of the text
  std::uint32_t end = 0;
  TokenKind kind = TokenKind::kWord;
  bool capital = false;    // begins with a capital letter
  bool inflected = false;  // an s was taken off: "sends" has the hash of "send"
};

// Hash of one word or identifier as tokens have it.
std::uint64_t token_hash(std::string_view word);

inline constexpr std::size_t kTextBytesMax = std::size_t{64} << 10;  // looked at; see read_text
// Of a text.  A token and what parts it from the next take two bytes at least: whoever fills a text
// of kTextBytesMax cannot push out what stands at its end.
inline constexpr std::size_t kTokensMax = kTextBytesMax / 2 + 64;

// Appends the tokens of `text` to `out`, in order.  A URL is followed by its host, and a group of
// numbers ("4539 6468 4764 8021") by the number they are together; those stand at the same place.
// `text` is at most 4 GiB; at most kTokensMax tokens are appended.
void tokenize(std::string_view text, std::vector<Token>& out);

// The same, of the identifiers alone: of prose, which has few, in a quarter of the time.  The bound
// is the text's: a token takes two bytes at least.
void tokenize_identifiers(std::string_view text, std::vector<Token>& out);

}  // namespace tocsin::flow
