// Several matches that together mean more than each: Sigma's correlations, in event time.
//
// Types and words are those of Sigma's correlation specification 2.1 (event_count, value_count,
// temporal, temporal_ordered, value_sum; group-by, timespan, condition).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/diagnostics.h"
#include "daemon/event.h"
#include "daemon/finding.h"
#include "daemon/yaml/document.h"
#include "detectors/detector.h"
#include "detectors/rules/condition.h"
#include "detectors/rules/field.h"
#include "detectors/rules/values.h"

namespace tocsin {

enum class CorrelationType : std::uint8_t {
  kEventCount,       // so many matches
  kValueCount,       // so many different values of `field` among them
  kTemporal,         // every one of the rules, in any order
  kTemporalOrdered,  // ... in the order they are listed in
  kValueSum,         // the values of `field` add up to so much
};
inline constexpr std::array<std::string_view, 5> kCorrelationTypeNames = {
    "event_count", "value_count", "temporal", "temporal_ordered", "value_sum"};

struct Correlation {
  // A count needs that many matches kept: no more than `kMatchesMax`.
  static constexpr std::size_t kMatchesMax = 1'000;
  static constexpr std::size_t kRulesMax = 32;
  static constexpr std::chrono::hours kTimespanMax{24};

  enum class Key : std::uint8_t { kSession, kSystem, kTenant, kTool, kModel, kField };
  struct GroupBy {
    Key key = Key::kSession;
    FieldSelector field;
  };

  RuleInfo info;
  std::string description;
  CorrelationType type = CorrelationType::kEventCount;
  std::vector<std::string> rules;  // ids of rules of packs and detectors
  std::vector<GroupBy> group_by;
  std::chrono::microseconds timespan{};
  NumberTest condition;
  FieldSelector field;  // kValueCount, kValueSum
  std::string file;
  std::size_t line = 0;
};

// `correlations:` of one pack.  `known`: every id that can be found.
void read_correlations(const yaml::Node& list, std::span<const std::string_view> known,
                       std::vector<Correlation>& out, Diagnostics& diagnostics);

// All correlations of a policy, by what they wait for.  Immutable.
class CorrelationSet {
 public:
  struct Member {
    std::uint32_t correlation = 0;
    std::uint32_t ordinal = 0;  // which of its rules
  };
  CorrelationSet(std::vector<Correlation> correlations, std::span<const RuleInfo> reportable);

  [[nodiscard]] const std::vector<Correlation>& all() const { return correlations_; }
  [[nodiscard]] std::span<const Member> members(std::size_t reportable) const {
    return members_[reportable];
  }

 private:
  std::vector<Correlation> correlations_;
  std::vector<std::vector<Member>> members_;  // by position in the policy's `reportable`
};

// What the correlations of one partition remember.  Bounded in windows and in matches a window; a
// window is forgotten when its timespan has passed by the partition's event time, and the one
// touched longest ago when there are too many, which is counted.
//
// Rebuilt like sessions by reading again: exact for timespans up to `session.idle_seconds`; a
// longer window starts anew when the partition changes hands.
class CorrelationTable {
 public:
  static constexpr std::size_t kWindowsMax = 20'000;

  explicit CorrelationTable(const CorrelationSet& set) : set_(&set) {}

  // Another policy: windows of correlations that are still there go on.
  void adopt(const CorrelationSet& set) { set_ = &set; }

  // The event satisfied `reportable`.  Reports with positions in `set.all()`.
  void on_match(std::size_t reportable, const Event& event, const EventContext& context,
                const EventValues& values, Reporter& reporter);
  [[nodiscard]] std::uint64_t take_evicted() { return std::exchange(evicted_, 0); }

 private:
  struct Match {
    EventTime time{};
    std::uint64_t seq = 0;
    std::uint64_t value = 0;  // hash, of kValueCount
    double number = 0;        // of kValueSum
    std::uint32_t ordinal = 0;
    std::string event_id;
  };
  struct Window {
    std::uint64_t key = 0;
    EventTime last{};
    std::chrono::microseconds timespan{};
    std::vector<Match> matches;  // by time
  };
  using List = std::list<Window>;  // touched longest ago first

  Window& window(std::uint64_t key, const Correlation& correlation, EventTime now);
  void expire(EventTime now);
  static void add(Window& window, Match match, const Correlation& correlation);
  static bool holds(const Window& window, const Correlation& correlation);

  const CorrelationSet* set_;
  List windows_;
  std::unordered_map<std::uint64_t, List::iterator> index_;
  EventTime watermark_ = EventTime::min();
  std::uint64_t evicted_ = 0;
};

}  // namespace tocsin
