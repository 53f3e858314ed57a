#include "daemon/rule_watch.h"

#include <algorithm>

namespace tocsin {

RuleWatch::RuleWatch(std::size_t rules, RuleWatchLimits limits)
    : limits_(limits), seconds_(rules), slow_(rules) {}

std::span<const RuleDemotion> RuleWatch::end_event(double seconds) {
  all_seconds_ += seconds;
  if (++events_ < limits_.window_events) return {};
  changes_.clear();
  judge_time();
  judge_floods();
  events_ = 0;
  all_seconds_ = 0;
  std::ranges::fill(seconds_, 0);
  findings_.clear();
  return changes_;
}

void RuleWatch::judge_time() {
  for (std::size_t rule = 0; rule < seconds_.size(); ++rule) {
    const double share = all_seconds_ > 0 ? seconds_[rule] / all_seconds_ : 0;
    std::uint8_t& state = slow_[rule];
    if (seconds_[rule] > limits_.time_seconds_min && share > limits_.time_share) {
      if (state == kNot) {
        changes_.push_back({.reason = DemotionReason::kTime, .rule = rule, .share = share});
      }
      state = kExceeded;
    } else if (state == kExceeded) {
      state = kQuiet;
    } else if (state == kQuiet) {
      state = kNot;
      changes_.push_back(
          {.reason = DemotionReason::kTime, .rule = rule, .lifted = true, .share = share});
    }
  }
}

void RuleWatch::judge_floods() {
  const auto change = [&](std::uint64_t key, bool lifted, double share) {
    changes_.push_back({.reason = DemotionReason::kFlood,
                        .rule = static_cast<std::size_t>(key >> 32U),
                        .system = static_cast<std::uint32_t>(key),
                        .lifted = lifted,
                        .share = share});
  };
  const auto share_of = [&](std::uint32_t findings) {
    return static_cast<double>(findings) / static_cast<double>(events_);
  };
  for (auto at = floods_.begin(); at != floods_.end();) {
    if (at->second == kExceeded) {
      at->second = kQuiet;  // unless it is found exceeded again below
      ++at;
      continue;
    }
    const auto still = findings_.find(at->first);
    const std::uint32_t findings = still == findings_.end() ? 0 : still->second;
    if (findings > limits_.findings_min && share_of(findings) > limits_.findings_share) {
      ++at;
      continue;
    }
    change(at->first, true, share_of(findings));
    at = floods_.erase(at);
  }
  for (const auto& [key, findings] : findings_) {
    if (findings <= limits_.findings_min || share_of(findings) <= limits_.findings_share) continue;
    const auto [at, is_new] = floods_.try_emplace(key, kExceeded);
    at->second = kExceeded;
    if (is_new) change(key, false, share_of(findings));
  }
}

}  // namespace tocsin
