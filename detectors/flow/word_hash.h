// The hash of a plain word, for the tokenizer and, when the program is compiled, for the words that
// are looked for by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "detectors/lexical/word_hash.h"

namespace tocsin::flow {
namespace word {

using lexical::kChunkBytes;
using lexical::kLowerBits;

inline constexpr std::uint64_t kStart = 0xcbf29ce484222325;

// Of the mixed chunks and how many bytes there were.
constexpr std::uint64_t finish(std::uint64_t state, std::size_t bytes) {
  constexpr std::uint64_t kMix = 0x9fb21c651e98df25;
  state ^= bytes;
  state ^= state >> 32U;
  state *= kMix;
  return state ^ (state >> 28U);
}

// Of bytes that come one after the other, since they are normalised on the way.
class Hash {
 public:
  constexpr void add(char byte) {
    chunk_ |= std::uint64_t{static_cast<unsigned char>(byte)} << (8 * (bytes_ % kChunkBytes));
    if (++bytes_ % kChunkBytes != 0) return;
    state_ = lexical::mix(state_, chunk_);
    chunk_ = 0;
  }
  [[nodiscard]] constexpr std::uint64_t value() const {
    const bool rest = bytes_ % kChunkBytes != 0;
    return finish(rest ? lexical::mix(state_, chunk_) : state_, bytes_);
  }

 private:
  std::uint64_t state_ = kStart;
  std::uint64_t chunk_ = 0;  // those that are not mixed in yet, the first lowest
  std::size_t bytes_ = 0;
};

constexpr char lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : byte;
}
constexpr bool is_ascii_letter(char byte) {
  const auto folded = static_cast<unsigned char>(byte | 0x20);
  return folded >= 'a' && folded <= 'z';
}

// "users", not "us", "process", "status", "this".
constexpr bool is_plural(std::string_view word) {
  constexpr std::size_t kBytesMin = 4;
  if (word.size() < kBytesMin || lower(word.back()) != 's') return false;
  const char before = lower(word[word.size() - 2]);
  return before != 's' && before != 'u' && before != 'i';
}

// The same of ASCII letters in whatever case.
constexpr std::uint64_t hash_letters(std::string_view letters) {
  std::uint64_t state = kStart;
  std::size_t at = 0;
  for (; at + kChunkBytes <= letters.size(); at += kChunkBytes) {
    state = lexical::mix(state, lexical::load_bytes(letters.data() + at, kChunkBytes) | kLowerBits);
  }
  if (const std::size_t rest = letters.size() - at; rest > 0) {
    const std::uint64_t used = ~std::uint64_t{0} >> (8 * (kChunkBytes - rest));
    const std::uint64_t chunk = lexical::load_bytes(letters.data() + at, rest);
    state = lexical::mix(state, (chunk | kLowerBits) & used);
  }
  return finish(state, letters.size());
}

// ASCII letters from `begin` on, up to `end`.
struct PlainWord {
  std::size_t end = 0;
  std::uint64_t hash = 0;
  bool plural = false;  // the hash is of all but the last
};

constexpr PlainWord read_plain(std::string_view text, std::size_t begin) {
  PlainWord word{.end = begin};
  while (word.end < text.size() && is_ascii_letter(text[word.end])) ++word.end;
  const std::string_view letters = text.substr(begin, word.end - begin);
  word.plural = is_plural(letters);
  word.hash = hash_letters(letters.substr(0, letters.size() - (word.plural ? 1 : 0)));
  return word;
}

// Of the first letters of eight bytes, one at least; the first lowest.
constexpr std::uint64_t hash_short(std::uint64_t chunk, std::size_t letters) {
  const std::uint64_t used = ~std::uint64_t{0} >> (8 * (kChunkBytes - letters));
  return finish(lexical::mix(kStart, (chunk | kLowerBits) & used), letters);
}

}  // namespace word

// What `token_hash` gives for a word of ASCII letters.
consteval std::uint64_t word_hash(std::string_view text) {
  const word::PlainWord plain = word::read_plain(text, 0);
  if (plain.end != text.size() || text.empty()) throw "not a word of ASCII letters";
  return plain.hash;
}

}  // namespace tocsin::flow
