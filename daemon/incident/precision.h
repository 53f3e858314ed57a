// How often a rule is right, by what people said of its findings, and which rules are wrong too
// often to page anybody.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "daemon/event.h"
#include "daemon/finding.h"
#include "daemon/incident/judgements.h"

namespace tocsin::incident {

struct PrecisionLimits {
  double floor = 0.5;               // below: demoted
  std::size_t judgements_min = 10;  // fewer say nothing
  // What was said longer ago counts no more: a rule that was demoted gets another chance.
  std::chrono::days age_max{90};
};

struct Precision {
  std::size_t right = 0;
  std::size_t judged = 0;

  bool operator==(const Precision&) const = default;
  [[nodiscard]] double ratio() const {
    return static_cast<double>(right) / static_cast<double>(judged);
  }
};

using RuleNames = std::set<std::string, std::less<>>;

// What the partitions know of each rule, together.  Not thread-safe.  Bounded by what
// `Judgements` holds of each partition.
class RulePrecision {
 public:
  explicit RulePrecision(PrecisionLimits limits = {}) : limits_(limits) {}

  // In place of what the partition said before; an empty one takes it back.
  void set(std::int32_t partition, std::string_view rule, Judged judged);

  // Of the rules with judgements that count at `now`: the latest Judgements::kWindow of all
  // partitions.
  [[nodiscard]] std::map<std::string, Precision, std::less<>> at(EventTime now) const;
  // Those below the floor.
  [[nodiscard]] RuleNames demoted(const std::map<std::string, Precision, std::less<>>& all) const;

 private:
  using ByPartition = std::map<std::int32_t, Judged>;

  PrecisionLimits limits_;
  std::map<std::string, ByPartition, std::less<>> rules_;
};

// What a demoted rule's findings are told at: one severity lower.
constexpr Severity one_lower(Severity severity) {
  return severity == Severity::kInfo ? Severity::kInfo
                                     : static_cast<Severity>(static_cast<int>(severity) - 1);
}

}  // namespace tocsin::incident
