// Repeats of a finding within a session: told once, then less and less often, always with the
// count.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"

namespace tocsin {

// What a finding says about those before it that were alike.  `count` includes itself.
struct Repeats {
  std::uint64_t count = 1;
  EventTime first_time{};
  std::int64_t first_offset = 0;
  std::string first_finding_id;
};

// Alike are findings of one rule about one tool with the same evidence.  A rule that finds
// something else each time is folded by rule and tool after `kDistinctMax` of them, so that a
// session cannot flood.  Told are the first, then counts 2, 4, 8 ..., and one a minute of event
// time while they go on.  The first of a kind is always told.
//
// Deterministic in the session's events; bounded: beyond `kFoldsMax` kinds everything is told.
class FindingFolds {
 public:
  static constexpr std::size_t kFoldsMax = 128;
  static constexpr std::size_t kDistinctMax = 8;  // a rule and tool
  static constexpr std::chrono::seconds kTellEvery{60};

  // What is known of a match before it becomes a finding.
  struct Match {
    std::uint64_t rule = 0;      // hash of its id: positions change when rules are reloaded
    std::uint64_t tool = 0;      // hash
    std::uint64_t evidence = 0;  // hash of the text that matched
    EventTime time{};
    std::int64_t offset = 0;
    std::string_view finding_id;
  };
  struct Verdict {
    bool tell = true;
    Repeats repeats;  // meaningful when `tell`
  };
  Verdict admit(const Match& match);

  // Memory held beyond this object.
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Fold {
    std::uint64_t key = 0;
    std::uint64_t group = 0;  // rule and tool
    std::uint64_t count = 0;
    EventTime first_time{};
    EventTime told_time{};
    std::int64_t first_offset = 0;
    std::string first_finding_id;
  };
  Fold* find(std::uint64_t key);

  std::vector<Fold> folds_;
};

}  // namespace tocsin
