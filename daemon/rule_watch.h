// Which rules cost too much time, and which say too much: one worker's view, window by window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace tocsin {

// A rule is demoted while one of these is exceeded, and for one quiet window after that.
struct RuleWatchLimits {
  std::uint32_t window_events = 4096;
  // Of the worker's time; and seconds a window, below which nobody would notice.
  double time_share = 0.25;
  double time_seconds_min = 0.1;
  // Findings of one rule in one system, of the events of the window; and a number below which
  // people can still read them all.
  double findings_share = 0.2;
  std::uint32_t findings_min = 400;
};

enum class DemotionReason : std::uint8_t {
  kTime,   // not tried on long texts for a while
  kFlood,  // its findings in one system are told at severity low at most
};

struct RuleDemotion {
  DemotionReason reason = DemotionReason::kTime;
  std::size_t rule = 0;    // kTime: position among the rules; kFlood: among the reportable
  std::size_t system = 0;  // kFlood
  bool lifted = false;
  double share = 0;  // of the window's time, or findings an event
};

// Not thread-safe.  Bounded: counts of one window, and what is demoted.
class RuleWatch {
 public:
  explicit RuleWatch(std::size_t rules, RuleWatchLimits limits = {});

  void spent(std::size_t rule, double seconds) { seconds_[rule] += seconds; }
  void found(std::size_t reportable, std::size_t system) { ++findings_[key(reportable, system)]; }
  // `seconds`: all that the worker spent on it.  What changed at the end of a window, valid until
  // the next call; mostly nothing.
  std::span<const RuleDemotion> end_event(double seconds);

  [[nodiscard]] bool slow(std::size_t rule) const { return slow_[rule] != kNot; }
  [[nodiscard]] bool flooding(std::size_t reportable, std::size_t system) const {
    return !floods_.empty() && floods_.contains(key(reportable, system));
  }

 private:
  // How a demotion stands.
  static constexpr std::uint8_t kNot = 0;
  static constexpr std::uint8_t kQuiet = 1;     // the last window was within the limits
  static constexpr std::uint8_t kExceeded = 2;  // it was not

  static std::uint64_t key(std::size_t reportable, std::size_t system) {
    return static_cast<std::uint64_t>(reportable) << 32U | static_cast<std::uint32_t>(system);
  }
  void judge_time();
  void judge_floods();

  RuleWatchLimits limits_;
  std::uint32_t events_ = 0;     // of this window
  double all_seconds_ = 0;       // ... as all that follows
  std::vector<double> seconds_;  // by rule
  std::unordered_map<std::uint64_t, std::uint32_t> findings_;
  std::vector<std::uint8_t> slow_;  // by rule
  std::unordered_map<std::uint64_t, std::uint8_t> floods_;
  std::vector<RuleDemotion> changes_;
};

}  // namespace tocsin
