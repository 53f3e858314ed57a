// Rule packs: `rules/packs/*.yaml` -> rules, with every mistake reported where it stands.
#pragma once

#include <vector>

#include "daemon/diagnostics.h"
#include "daemon/yaml/document.h"
#include "detectors/rules/rule.h"

namespace tocsin {

inline constexpr std::size_t kRegexBytesMax = 16 << 10;
inline constexpr std::size_t kExamplesMax = 1000;  // of each kind, a rule

// Appends the rules of one pack to `rules`.  A rule with a mistake (an id taken, a pattern RE2
// refuses, a `match` example that does not match, a `no_match` one that does) is reported and left
// out.
void read_pack(const yaml::Document& document, std::vector<Rule>& rules, Diagnostics& diagnostics);

}  // namespace tocsin
