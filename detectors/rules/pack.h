// Rule packs: `rules/packs/*.yaml` -> rules, with every mistake reported where it stands.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "daemon/diagnostics.h"
#include "daemon/yaml/document.h"
#include "detectors/rules/example.h"
#include "detectors/rules/pattern_table.h"
#include "detectors/rules/rule.h"
#include "detectors/rules/values.h"

namespace tocsin {

inline constexpr std::size_t kRulesMax = 20'000;  // of a policy

// The rules of all packs, read together: lists and macros of one are known in the others.  A rule
// with a mistake (an id taken, a pattern RE2 refuses, a `match` example that is not found, a
// `no_match` one that is) is reported and left out.  With `failures`, examples that come out wrong
// go there, and their rules stay.
std::vector<Rule> read_packs(std::span<const yaml::Document> packs, PatternTable& patterns,
                             Diagnostics& diagnostics,
                             std::vector<ExampleFailure>* failures = nullptr);

// What the rules of one load share beside their patterns.
struct RuleLoad {
  PatternTable& patterns;
  EventValues& values;                   // for examples
  std::unordered_set<std::string>& ids;  // taken; the rule's is added
};

// One rule that was written in another language and translated into the map of a pack's rule.  Its
// examples are its importer's business: `match` and `no_match` need not be there.
std::optional<Rule> read_translated_rule(const yaml::Node& rule, RuleLoad load,
                                         Diagnostics& diagnostics);

}  // namespace tocsin
