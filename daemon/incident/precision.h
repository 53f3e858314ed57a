// How often a rule is right, by what people said of its findings, and which rules are wrong too
// often to page anybody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/event.h"
#include "daemon/finding.h"

namespace tocsin::incident {

struct PrecisionLimits {
  double floor = 0.5;               // below: demoted
  std::size_t judgements_min = 10;  // fewer say nothing
  std::size_t window = 64;          // the latest of a rule that count
  std::size_t rules_max = 4096;     // judged; what is said of others is passed over
};

// Not thread-safe.  Bounded by the limits.
class RulePrecision {
 public:
  enum class Change : std::uint8_t { kNone, kDemoted, kLifted };

  explicit RulePrecision(PrecisionLimits limits = {}) : limits_(limits) {}

  // `what` was judged: a finding or an incident.  Said again, or otherwise, it replaces what was
  // said before.  An accepted risk is a true positive: the rule was right.
  Change judge(std::string_view rule, std::string_view what, Judgement judgement);

  [[nodiscard]] bool demoted(std::string_view rule) const;
  // True positives of what was judged; nothing: nobody judged it.
  [[nodiscard]] std::optional<double> precision(std::string_view rule) const;

  // Calls `visit(rule, true positives, judged)`.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [rule, judged] : rules_) visit(rule, judged.right, judged.window.size());
  }

 private:
  struct Judged {
    struct Item {
      std::uint64_t what = 0;  // hash
      bool right = false;
    };
    std::deque<Item> window;  // the latest last
    std::size_t right = 0;
    bool demoted = false;
  };

  PrecisionLimits limits_;
  std::map<std::string, Judged, std::less<>> rules_;
};

// What a demoted rule's findings are told at: one severity lower.
constexpr Severity one_lower(Severity severity) {
  return severity == Severity::kInfo ? Severity::kInfo
                                     : static_cast<Severity>(static_cast<int>(severity) - 1);
}

}  // namespace tocsin::incident
