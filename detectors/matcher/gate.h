// What cheaply rules a pattern out: words that every match holds, or a run of digits.
//
// Looking for a thousand words costs less than running one automaton over every byte, and a pattern
// of prose ("ignore ... previous ... instructions") is in no text that lacks one of its words.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "detectors/matcher/regex_node.h"

namespace tocsin::matcher {

// One literal of the group stands in any text that the pattern matches: bytes of UTF-8, in lower
// case, looked for without regard to ASCII case.
using LiteralGroup = std::vector<std::string>;

inline constexpr std::size_t kGroupLiteralsMax = 256;
inline constexpr std::size_t kLiteralLengthMax = 24;  // longer ones are no rarer

// All groups hold together.  Empty: nothing is known.
std::vector<LiteralGroup> required_literals(const Node& node);

// The length of the longest literal that is sure to stand in any match: of a group the shortest
// counts, and of groups the best.  0: there is none.
std::size_t required_literal_bytes(const Node& node);

// Whether a character beyond ASCII is in every match.
bool requires_beyond_ascii(const Node& node);

// So many digits follow each other in any match, with at most one of `separators` between two.
struct DigitRun {
  std::size_t digits = 0;
  ByteSet separators;
};
DigitRun required_digits(const Node& node);

// What is asked of a text before the pattern itself is looked for in it: one literal of each group,
// or an expression.  Neither: the pattern cannot be ruled out cheaply.
struct Gate {
  std::vector<LiteralGroup> groups;
  std::string expression;  // Hyperscan's, of bytes; case counts

  [[nodiscard]] bool open() const { return groups.empty() && expression.empty(); }
};
Gate gate_of(const Node& node);

}  // namespace tocsin::matcher
