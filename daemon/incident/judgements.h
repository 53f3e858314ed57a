// What people said of the findings of each rule, in the incidents of one partition.
//
// Judgements outlive the incidents they were given for, and concern a rule whatever partition its
// incidents are in.  So they have a compacted topic of their own: key, the rule; value, the latest
// of the partition; read by every process as a whole (daemon/precision_follower.h).
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "daemon/incident/record_reject.h"

namespace tocsin::incident {

struct JudgedFinding {
  std::uint64_t what = 0;  // hash of the finding's or the incident's id
  EventTime time{};        // of the verdict
  bool right = false;      // an accepted risk too: the rule was right

  bool operator==(const JudgedFinding&) const = default;
};
using Judged = std::vector<JudgedFinding>;  // in order of time, the latest last

// One line: {"rule", "judged": [{"what", "time", "right"}]}.
std::string to_json(std::string_view rule, const Judged& judged);

struct RuleJudged {
  std::string rule;
  Judged judged;
};

// Reads what `to_json` wrote; hostile input is refused or bounded like our own.  Not thread-safe.
class JudgedReader {
 public:
  static constexpr std::size_t kBytesMax = std::size_t{64} << 10;

  std::expected<RuleJudged, RecordReject> read(std::string_view bytes);

 private:
  simdjson::dom::parser parser_;
};

// Not thread-safe.  Bounded: so many rules, so many judgements of each.
class Judgements {
 public:
  static constexpr std::size_t kWindow = 64;      // the latest of a rule that count
  static constexpr std::size_t kRulesMax = 4096;  // what is said of others is passed over
  static constexpr std::size_t kRuleBytesMax = 256;

  // `what` was judged: a finding or an incident.  Said again, or otherwise, it replaces what was
  // said before.  The rule's judgements when they have changed, else null.
  const Judged* judge(std::string_view rule, std::string_view what, Judgement judgement,
                      EventTime time);
  // As it was written; an empty one forgets the rule.
  void restore(std::string_view rule, Judged judged);

  // Calls `visit(rule, judged)`.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [rule, judged] : rules_) visit(rule, judged);
  }

 private:
  std::map<std::string, Judged, std::less<>> rules_;
};

}  // namespace tocsin::incident
