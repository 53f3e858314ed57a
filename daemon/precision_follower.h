// What people said of the rules' findings, on whichever partition, for every process: the rules'
// precision, and which of them are too often wrong.
//
// The owner of an incident writes judgements to `topics.judgements` (incident_worker.h); every
// process reads all of it, so that a rule is demoted wherever its findings are made, and stays so
// over restarts.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "daemon/config.h"
#include "daemon/event.h"
#include "daemon/incident/judgements.h"
#include "daemon/incident/precision.h"
#include "daemon/log.h"
#include "daemon/metrics/registry.h"
#include "daemon/source/compacted_follower.h"

namespace tocsin {

class PrecisionFollower {
 public:
  // Called on the follower's thread with the rules to lower, whenever they have changed.
  using OnChange = std::function<void(std::shared_ptr<const incident::RuleNames>)>;

  // `rules`: those of the policy, which have series from the start.
  static std::expected<std::unique_ptr<PrecisionFollower>, std::string> create(
      const Config& config, std::vector<std::string> rules, OnChange on_change,
      metrics::Registry& registry);

  // Another policy's rules.  Thread-safe.
  void adopt(std::vector<std::string> rules);

  // Runs until stopped.  True: nothing went wrong that another start would mend.
  bool run(const std::stop_token& stop);

  // One turn of `run`, at a time that the caller says.
  void turn(EventTime now);

 private:
  PrecisionFollower(const Config& config, OnChange on_change, metrics::Registry& registry);
  void take(std::int32_t partition, std::string_view key, const std::string_view* payload);
  void publish(EventTime now);
  void say(const incident::RuleNames& before, const incident::RuleNames& after) const;

  const Config& config_;
  OnChange on_change_;
  metrics::Registry& registry_;
  metrics::Shard& shard_;
  std::unique_ptr<CompactedFollower> source_;
  incident::JudgedReader reader_;
  incident::RulePrecision precision_;
  std::map<std::string, incident::Precision, std::less<>> known_;  // as last published
  std::shared_ptr<const incident::RuleNames> lowered_;
  std::vector<std::string> rules_;  // of the policy
  std::mutex pending_mutex_;
  std::optional<std::vector<std::string>> pending_;
  log::Sampler sampler_;
};

}  // namespace tocsin
