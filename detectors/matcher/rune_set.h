// Sets of Unicode code points, for reading character classes.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tocsin::matcher {

using Rune = std::uint32_t;
using ByteSet = std::bitset<256>;

inline constexpr Rune kRuneMax = 0x10FFFF;
inline constexpr Rune kAsciiMax = 0x7F;
// The two code points beyond ASCII whose simple case folding is an ASCII letter: s and k.
inline constexpr Rune kLongS = 0x17F;
inline constexpr Rune kKelvin = 0x212A;

struct RuneRange {
  Rune lo = 0;
  Rune hi = 0;
};

class RuneSet {
 public:
  RuneSet() = default;
  RuneSet(Rune lo, Rune hi) { add(lo, hi); }

  void add(Rune lo, Rune hi);
  void add(const RuneSet& other);
  void remove(Rune rune);
  void negate();
  // Adds what RE2's (?i) holds equal to a member, and more: with a member beyond ASCII that may
  // have case, everything beyond ASCII.  Which code points fold alike differs by Unicode's version.
  // True: it added that much, and the opposite of the set would hold too little.
  bool fold();
  // Long s and Kelvin sign become the letters they fold to, for texts in which they have become
  // them too (first_stage.h).
  void read_letters_as_ascii();

  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] bool contains(Rune rune) const;
  [[nodiscard]] std::span<const RuneRange> ranges() const { return ranges_; }
  // The members below 0x80, as a set of bytes.
  [[nodiscard]] ByteSet ascii() const;
  [[nodiscard]] bool has_non_ascii() const { return !empty() && ranges_.back().hi > kAsciiMax; }

 private:
  std::vector<RuneRange> ranges_;  // sorted, neither overlapping nor touching
};

// A run of UTF-8 sequences of one length that is a product of byte ranges.
struct ByteSequences {
  unsigned length = 0;  // 2..4
  struct {
    std::uint8_t lo = 0;
    std::uint8_t hi = 0;
  } bytes[4];
};

std::string to_utf8(Rune rune);

// Appends the encodings of the members above ASCII, in order; stops after `max` entries.  False
// when there would have been more.
bool utf8_sequences(const RuneSet& set, std::size_t max, std::vector<ByteSequences>& out);

}  // namespace tocsin::matcher
