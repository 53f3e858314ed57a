// Properties of a captured text: how random it looks, what it is made of, whether it is a stand-in.
// Pure functions of the capture: no allocation, linear, at most the first kTextBytesMax bytes
// looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tocsin::validate {

inline constexpr std::size_t kTextBytesMax = 4096;

// Shannon entropy over bytes, in bits a byte: 0 for a repeated character, log2(n) at most for n
// bytes. A random hexadecimal string of 40 has about 3.6, one of letters and digits about 4.8.
double entropy(std::string_view capture);

// Sets of characters, as bits.
enum CharacterSet : std::uint8_t { kLower = 1, kUpper = 2, kDigit = 4, kSymbol = 8 };
// The sets that occur.  A symbol is any visible ASCII character that is no letter or digit.
std::uint8_t character_sets(std::string_view capture);

// False for what documentation prints in place of a secret:
//  * a reference, not a value: <...>, ${...}, {{...}}, %NAME%, $NAME, process.env, getenv(
//  * masking: three asterisks or dots, an ellipsis, four x
//  * filler: one character six times, a unit of two to four characters going on for six more, at
//  most
//    three different characters in twelve or more
//  * a run of the alphabet or of counting, up or down: six letters, seven digits
//  * words: example, sample, placeholder, changeme, dummy, redacted, insert, replace, foobar,
//  yourkey
//    and the like anywhere; your, here, fake, todo, xxx standing by themselves
//  * a name instead of a value: no digit, and one of key, token, secret, password ... stands in it
// Random tokens must pass: of 100,000 hexadecimal tokens of 32 to 64 characters 2 to 6 are refused,
// of base62 and base64 ones of 40 characters 4, of numbers of 16 digits 10 (measured; the unit test
// holds it under one in 5,000).  That is why "xxx", "0000" or "test" alone do not count: three x
// occur in one base62 token of 750, four zeros in one hexadecimal token of 1,800, and "test" stands
// in real prefixes.
bool not_placeholder(std::string_view capture);

// Decodes as base64 or base64url (RFC 4648), padded or not, line breaks allowed; at least four
// characters, one alphabet, no stray bits.
bool base64(std::string_view capture);

}  // namespace tocsin::validate
