// A regular expression, made wider and simpler until Hyperscan runs it well.
#pragma once

#include <cstdint>
#include <string>

#include "detectors/matcher/regex_node.h"

namespace tocsin::matcher {

// How much of a pattern's counting is kept.
struct Limits {
  std::uint32_t run_min = 32;          // lower bounds of runs of one class, at most
  std::uint32_t run_max = 64;          // upper bounds above it are left open
  std::uint32_t group_positions = 32;  // a repeated group of more is a run of its bytes
};

// An expression of bytes.
struct Expression {
  std::string text;
  bool caseless = false;  // in ASCII
};

// Matches wherever `node` does in a text with a newline before and behind every value, and perhaps
// elsewhere.  Of kBytes, kConcat, kAlternate and kRepeat only.
Node widen(Node node, const Limits& limits);
// Without what it begins with as long as that is in nearly every text (`[A-Z]{6}` before digits):
// an automaton that starts everywhere never rests.  Wider again.
Node without_broad_front(Node wide);
bool may_be_empty(const Node& node);
Expression to_expression(const Node& wide);

}  // namespace tocsin::matcher
