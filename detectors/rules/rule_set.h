// All rules of a policy, compiled, and the evaluation of one event against them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "detectors/detector.h"
#include "detectors/matcher/pattern_set.h"
#include "detectors/rules/rule.h"

namespace tocsin {

// Immutable; thread-safe.  Rules are grouped by event type and field class, so that an event meets
// only the patterns that could look at it.  All of them are always evaluated: no rule hides
// another.
class RuleSet {
 public:
  // What one worker reuses between events.
  struct Scratch {
    std::vector<matcher::Match> matches;
    std::vector<std::uint64_t> reported_in;  // by rule: the number of the event it last reported
    std::uint64_t event = 0;
  };

  explicit RuleSet(std::vector<Rule> rules);

  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }

  // Reports each rule at most once an event, with the first match as evidence.  `Reporter::report`
  // gets positions in `rules()`.
  void evaluate(const Event& event, Scratch& scratch, Reporter& reporter) const;

 private:
  struct Group {
    std::unique_ptr<matcher::PatternSet> patterns;
    std::vector<std::uint32_t> rules;  // by pattern
  };
  void scan(const Group& group, std::string_view path, std::string_view text,
            std::string_view field, Scratch& scratch, Reporter& reporter) const;
  [[nodiscard]] const Group& group(EventType type, FieldClass field) const {
    return groups_[static_cast<std::size_t>(type)][static_cast<std::size_t>(field)];
  }

  std::vector<Rule> rules_;
  std::array<std::array<Group, kFieldClassCount>, kEventTypeCount> groups_;
};

}  // namespace tocsin
