// All rules of a policy, compiled, and the evaluation of one event against them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "detectors/detector.h"
#include "detectors/matcher/first_stage.h"
#include "detectors/rules/condition.h"
#include "detectors/rules/pattern_table.h"
#include "detectors/rules/rule.h"
#include "detectors/rules/values.h"

namespace tocsin {

// Immutable; thread-safe.  All rules are always evaluated: no rule hides another.
class RuleSet {
 public:
  // What one worker reuses between events.
  struct Scratch {
    EventValues values;
    matcher::FirstStage::Scratch first_stage;
    Candidates candidates;
    std::vector<std::uint32_t> found;          // by the first stage: its ids
    std::vector<std::uint32_t> considered_in;  // by rule: the number of the event it last began in
    std::vector<std::uint32_t> rules;          // to be evaluated
    std::uint32_t event = 0;
    // By rule, kept by the caller; not 0: it is not tried on events of more than
    // `kLongTextBytes`.  Shorter than there are rules: none is.
    std::vector<std::uint8_t> demoted;
    // Whether the time is taken; then of the last event which rules took how much of it.
    bool timed = false;
    std::vector<std::pair<std::uint32_t, double>> seconds;
    std::uint32_t passed_over = 0;  // demoted rules that would have been tried
    // What the last event cost beyond the ordinary.
    bool decoding_exhausted = false;
    bool urls_limited = false;
    std::uint32_t evaluations = 0;
  };

  // `cache`: where compiled databases are kept between starts; empty: nowhere.
  static std::expected<std::unique_ptr<const RuleSet>, std::string> compile(
      std::vector<Rule> rules, std::unique_ptr<PatternTable> patterns,
      const std::filesystem::path& cache = {});

  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }
  // What rules can say: one entry a rule and severity, in the order of the rules.
  [[nodiscard]] std::span<const RuleInfo> reportable() const { return reportable_; }
  [[nodiscard]] std::size_t reportable_of(std::size_t rule, EventType type) const {
    return reportable_of_[rule][static_cast<std::size_t>(type)];
  }
  [[nodiscard]] const matcher::FirstStage& first_stage() const { return *first_stage_; }
  [[nodiscard]] const PatternTable& patterns() const { return *patterns_; }
  // Rules that no pattern of theirs can start: each costs an evaluation an event.
  [[nodiscard]] std::span<const std::uint32_t> always(EventType type) const {
    return always_[static_cast<std::size_t>(type)];
  }

  // What a demoted rule is still tried on.
  static constexpr std::size_t kLongTextBytes = 4096;

  // Reports each rule at most once an event.  `Reporter::report` gets positions in `reportable()`.
  void evaluate(const Event& event, const EventContext& context, Scratch& scratch,
                Reporter& reporter) const;

 private:
  RuleSet() = default;
  void index_rule(std::uint32_t rule);
  void choose(const Event& event, Scratch& scratch) const;
  void report(std::uint32_t rule, const Subject& subject, std::span<const Hit> hits,
              Reporter& reporter) const;

  std::vector<Rule> rules_;
  std::vector<RuleInfo> reportable_;
  std::vector<std::array<std::uint32_t, kEventTypeCount>> reportable_of_;  // by rule
  std::unique_ptr<const PatternTable> patterns_;
  std::unique_ptr<const matcher::FirstStage> first_stage_;
  std::vector<PatternId> pattern_of_;                     // by the first stage's id
  std::vector<std::vector<std::uint32_t>> triggered_by_;  // rules, by pattern
  std::vector<std::uint16_t> types_of_;                   // by rule: bits by event type
  std::array<std::vector<std::uint32_t>, kEventTypeCount> always_;
  std::uint16_t types_with_rules_ = 0;
};

}  // namespace tocsin
