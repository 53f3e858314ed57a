// The hash of a plain word, for the tokenizer and, when the program is compiled, for the words that
// are looked for by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tocsin::flow {
namespace word {

// FNV-1a's step, with a last mix: a byte a multiplication, which is what normalising on the way
// costs anyway.
constexpr std::uint64_t kOffset = 0xcbf29ce484222325;
constexpr std::uint64_t kPrime = 0x00000100000001b3;
constexpr std::uint64_t step(std::uint64_t state, char byte) {
  return (state ^ static_cast<unsigned char>(byte)) * kPrime;
}
constexpr std::uint64_t finish(std::uint64_t state) {
  constexpr std::uint64_t kMix = 0x9fb21c651e98df25;
  state ^= state >> 32U;
  state *= kMix;
  return state ^ (state >> 28U);
}

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

// ASCII letters from `at` on.
struct PlainWord {
  std::size_t end = 0;
  std::uint64_t state = kOffset;   // of all of them
  std::uint64_t before = kOffset;  // of all but the last
  bool plural = false;

  [[nodiscard]] constexpr std::uint64_t hash() const { return finish(plural ? before : state); }
};

constexpr PlainWord read_plain(std::string_view text, std::size_t at) {
  PlainWord word{.end = at};
  while (word.end < text.size() && is_ascii_letter(text[word.end])) {
    word.before = word.state;
    word.state = step(word.state, lower(text[word.end]));
    ++word.end;
  }
  word.plural = is_plural(text.substr(at, word.end - at));
  return word;
}

}  // namespace word

// What `token_hash` gives for a word of ASCII letters.
consteval std::uint64_t word_hash(std::string_view text) {
  const word::PlainWord plain = word::read_plain(text, 0);
  if (plain.end != text.size() || text.empty()) throw "not a word of ASCII letters";
  return plain.hash();
}

}  // namespace tocsin::flow
