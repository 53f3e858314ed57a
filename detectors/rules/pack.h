// Rule packs: `rules/packs/*.yaml` -> rules, with every mistake reported where it stands.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "daemon/diagnostics.h"
#include "daemon/yaml/document.h"
#include "detectors/rules/example.h"
#include "detectors/rules/pattern_table.h"
#include "detectors/rules/rule.h"

namespace tocsin {

inline constexpr std::size_t kRulesMax = 20'000;  // of a policy

// The rules of all packs, read together: lists and macros of one are known in the others.  A rule
// with a mistake (an id taken, a pattern RE2 refuses, a `match` example that is not found, a
// `no_match` one that is) is reported and left out.  With `failures`, examples that come out wrong
// go there, and their rules stay.
std::vector<Rule> read_packs(std::span<const yaml::Document> packs, PatternTable& patterns,
                             Diagnostics& diagnostics,
                             std::vector<ExampleFailure>* failures = nullptr);

}  // namespace tocsin
