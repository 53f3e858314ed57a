// `match:` and `no_match:`: events made from a few words, and the rule tried on them.
#pragma once

#include <cstddef>

#include "daemon/diagnostics.h"
#include "daemon/yaml/document.h"
#include "detectors/rules/pattern_table.h"
#include "detectors/rules/rule.h"

namespace tocsin {

inline constexpr std::size_t kExamplesMax = 1000;  // of each kind, a rule

// Tries the examples of one kind: a string is the value of every text field that the rule names, in
// an event of each type in `on`; a map says more.  Reports those that come out wrong, and those
// that are not examples.  Returns how many there were.
std::size_t try_examples(const yaml::Node* examples, bool wanted, const Rule& rule,
                         const PatternTable& patterns, EventValues& values,
                         yaml::ReadContext& context);

// Whether the rule finds one example in an event of this type; a type that is not in `on` never
// holds one.  An example that is none is reported, and then not found.
bool example_found(const yaml::Node& example, EventType type, const Rule& rule,
                   const PatternTable& patterns, EventValues& values, yaml::ReadContext& context);

}  // namespace tocsin
