// The syntax of an RE2 pattern as a tree, for those who judge patterns (lint.h).  Matching is
// RE2's.
//
// Which characters a part accepts is known for ASCII; beyond it there is one bit.  Greediness and
// the numbers of groups are not kept.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace tocsin::syntax {

// One bit an ASCII character, and one for everything beyond.
inline constexpr std::size_t kBeyondAscii = 128;
using CharSet = std::bitset<kBeyondAscii + 1>;

struct Node {
  enum class Op : std::uint8_t {
    kEmpty,
    kChar,       // one character that was written as such; `set` has its other case under (?i)
    kAny,        // the dot
    kClass,      // [...], \d, \pL ...
    kConcat,     // `subs`, one after the other
    kAlternate,  // one of `subs`
    kRepeat,     // subs[0], `min` to `max` times
    kBegin,      // ^, \A
    kEnd,        // $, \z
    kBoundary,   // \b, \B
  };
  static constexpr std::uint32_t kUnbounded = std::numeric_limits<std::uint32_t>::max();

  Op op = Op::kEmpty;
  bool fold = false;       // case is ignored
  bool negated = false;    // of kClass: [^...], \D ...
  bool bracketed = false;  // of kClass: written with brackets
  char32_t character = 0;  // of kChar
  CharSet set;             // of kChar, kAny, kClass: what it accepts
  std::uint32_t min = 0;   // of kRepeat
  std::uint32_t max = 0;
  std::size_t begin = 0;  // where it stands in the pattern
  std::size_t end = 0;
  std::vector<Node> subs;

  [[nodiscard]] bool is_character() const {
    return op == Op::kChar || op == Op::kAny || op == Op::kClass;
  }
};

// Nothing where the syntax is not understood; a pattern that RE2 refuses gives nothing or any tree.
std::optional<Node> parse(std::string_view pattern);

// Whether it can match the empty text.
bool nullable(const Node& node);

}  // namespace tocsin::syntax
