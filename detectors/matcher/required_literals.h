// Strings of which every match of an expression holds at least one.
#pragma once

#include <string>
#include <vector>

#include "detectors/matcher/regex_node.h"

namespace tocsin::matcher {

// In lower case, to be looked for without regard to ASCII case; bytes, not characters.  The set whose
// shortest member is longest, of the sets found; empty when there is none.  `node` has no kRunes
// and no assertions left (see widen.h).
std::vector<std::string> required_literals(const Node& node);

}  // namespace tocsin::matcher
