// What cheaply rules a pattern out: words that every match holds.
//
// Looking for a thousand words costs less than running one automaton over every byte, and a pattern
// of prose ("ignore ... previous ... instructions") is in no text that lacks one of its words.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "detectors/matcher/regex_node.h"
#include "detectors/matcher/sign.h"

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

// The most bytes that a match has; nothing: no bound, or one beyond `kMatchBytesMax`.
inline constexpr std::size_t kMatchBytesMax = 16'384;
std::optional<std::size_t> longest_match(const Node& node);

// What is asked of a text before the pattern itself is looked for in it: one literal of each group,
// and one mark of each set.  No group: the pattern has no words that are rare enough.
struct Gate {
  std::vector<LiteralGroup> groups;  // the rarest first
  std::vector<Marks> marks;
};
Gate gate_of(const Node& node);

}  // namespace tocsin::matcher
