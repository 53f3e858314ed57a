// The metric series that a policy gives rise to: systems, their tools, and everything that can be
// found in them.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/decode/reject.h"
#include "daemon/event.h"
#include "daemon/metrics/registry.h"
#include "daemon/policy.h"

namespace tocsin {

// Made once a policy, before anything is counted under it; immutable then.  Names: contracts.md
// section 3.
class PolicyMetrics {
 public:
  struct ToolIds {
    metrics::CounterId calls;
    metrics::CounterId unsafe_calls;
  };
  struct System {
    std::array<metrics::CounterId, kEventTypeCount> events;
    std::unordered_map<const ToolProfile*, ToolIds> declared_tools;
    std::array<ToolIds, kEffectCount> undeclared_tools;  // by inferred effect
    metrics::CounterId outputs;
    metrics::CounterId violating_outputs;
    std::vector<metrics::CounterId> findings;  // by position in `reportable`
    std::array<metrics::HistogramId, kSeverityCount> detection_seconds;
    metrics::GaugeId content_coverage;
  };

  PolicyMetrics(metrics::Registry& registry, const Policy& policy);

  // By `Policy::system_index`; the last is "unknown".
  [[nodiscard]] const System& system(std::size_t index) const { return systems_[index]; }
  [[nodiscard]] std::size_t systems() const { return systems_.size(); }
  [[nodiscard]] metrics::GaugeId last_match(std::size_t reportable) const {
    return last_match_[reportable];
  }
  // By position among the rules.
  [[nodiscard]] metrics::GaugeId rule_seconds(std::size_t rule) const {
    return rule_seconds_[rule];
  }
  // By DemotionReason.
  [[nodiscard]] const std::array<metrics::GaugeId, 2>& demoted(std::size_t reportable) const {
    return demoted_[reportable];
  }

 private:
  std::vector<System> systems_;
  std::vector<metrics::GaugeId> rule_seconds_;
  std::vector<std::array<metrics::GaugeId, 2>> demoted_;
  std::vector<metrics::GaugeId> last_match_;
};

// What one input topic gives rise to.
struct TopicMetrics {
  TopicMetrics(metrics::Registry& registry, std::string_view topic);

  std::array<metrics::CounterId, kRejectCount> rejected;
  metrics::CounterId repaired;
};

}  // namespace tocsin
