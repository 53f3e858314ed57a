#pragma once

#include <cstdint>
#include <string>

#include "detectors/matcher/regex_node.h"

namespace tocsin::matcher {

struct Limits {
  std::uint32_t run_min = 32;
  std::uint32_t run_max = 64;
  std::uint32_t group_positions = 32;
};

struct Expression {
  std::string text;
  bool caseless = false;
};

Node widen(Node node, const Limits& limits);
bool may_be_empty(const Node& node);
Expression to_expression(const Node& node);

}  // namespace tocsin::matcher
