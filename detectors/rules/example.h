// `match:` and `no_match:`: events made from a few words, and the rule tried on them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "daemon/diagnostics.h"
#include "daemon/event.h"
#include "daemon/yaml/document.h"
#include "detectors/rules/pattern_table.h"
#include "detectors/rules/rule.h"

namespace tocsin {

inline constexpr std::size_t kExamplesMax = 1000;  // of each kind, a rule

// One that came out wrong.
struct ExampleFailure {
  std::string file;
  std::size_t line = 0;
  std::size_t column = 0;
  std::string rule;
  std::string example;           // the text, or the map on one line; cut when long
  bool wanted = true;            // it stands under `match`
  std::vector<EventType> types;  // of the events in which it came out wrong
  std::string found;             // in a `no_match`: what the rule found; may be empty
};

// Tries the examples of one kind: a string is the value of every text field that the rule names, in
// an event of each type in `on`; a map says more.  Reports what is not an example.  Those that come
// out wrong are errors too, or go to `failures` when there is one.  None is tried where the
// patterns are proven.  Returns how many there are.
std::size_t try_examples(const yaml::Node* examples, bool wanted, const Rule& rule,
                         const PatternTable& patterns, EventValues& values,
                         yaml::ReadContext& context,
                         std::vector<ExampleFailure>* failures = nullptr);

// Whether the rule finds one example in an event of this type; a type that is not in `on` never
// holds one.  An example that is none is reported, and then not found.
bool example_found(const yaml::Node& example, EventType type, const Rule& rule,
                   const PatternTable& patterns, EventValues& values, yaml::ReadContext& context);

}  // namespace tocsin
