// One batch of records through every stage.  Read this first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/decode/native.h"
#include "daemon/event.h"
#include "daemon/finding.h"
#include "daemon/incident/precision.h"
#include "daemon/metrics/detector_metrics.h"
#include "daemon/metrics/policy_metrics.h"
#include "daemon/metrics/registry.h"
#include "daemon/policy.h"
#include "daemon/redact.h"
#include "daemon/rule_watch.h"
#include "daemon/session/session_table.h"
#include "daemon/session/state_budget.h"
#include "daemon/session/system_table.h"

namespace tocsin::flow {
class Tracker;
struct Flow;
}  // namespace tocsin::flow

namespace tocsin {

// One record as it came, owned by the caller for the duration of `Pipeline::run`.
struct Record {
  std::string_view payload;
  SourcePosition source;
  // Read before, by this process or another, and read again to rebuild session state: changes
  // state, says nothing.
  bool replayed = false;
  std::int64_t written_ms = -1;  // Unix time, by Kafka's account; -1: not known
};

// Where the pipeline's results go.  Called in record order, from within `run`.
class PipelineOutput {
 public:
  virtual void on_finding(const Finding& finding) = 0;
  // An event of a session, followed by what was found in it.
  virtual void on_event(const Event& /*event*/, const EventContext& /*context*/) {}
  // A control event and what it was read from, after `on_event` when it names a session.
  virtual void on_control(const Event& /*event*/, const Record& /*record*/) {}
  virtual void on_rejected(const Record& record, Reject reason) = 0;
  // A rule was demoted, or is no more; `system` empty: in all of them.
  virtual void on_demotion(const RuleDemotion& /*what*/, std::string_view /*rule*/,
                           std::string_view /*system*/) {}

 protected:
  ~PipelineOutput() = default;
};

// What a policy needs at run time; shared by all workers.
struct PolicySnapshot {
  std::shared_ptr<const Policy> policy;
  std::shared_ptr<const PolicyMetrics> metrics;
};

struct PipelineOptions {
  DecodeLimits decode;
  SessionLimits sessions;
  // The time of detection; empty: the event's own, for replays of recorded traffic.
  std::function<EventTime()> now;
  // When rules are demoted; nothing: never, for replays, where each event is to be judged alone.
  std::optional<RuleWatchLimits> rule_watch;
  // Label value that stands for every topic; empty: the topic itself.  (A file's name is not a
  // bounded label.)
  std::string topic_label;
  // Shared with the process's other pipelines, of which this is number `worker`; nothing: all of
  // `sessions.bytes_max` is this one's.
  std::shared_ptr<StateBudget> budget = {};
  std::size_t worker = 0;
};

// decode -> session -> detect -> finding, for one worker.  Not thread-safe; shares nothing but
// immutable parts.
class Pipeline {
 public:
  Pipeline(PolicySnapshot snapshot, PipelineOptions options,
           std::shared_ptr<const Redactor> redactor, metrics::Registry& registry);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  ~Pipeline();

  void run(std::span<const Record> batch, PipelineOutput& output);

  // Sets the gauges, counts the sessions and systems forgotten since, and gives back memory that
  // other workers want: to be called once a second or before they are read.  (Detectors' gauges
  // take a walk over all systems: too much for each batch.)
  void publish_gauges();

  // Another policy from the next batch on.  Sessions stay; what detectors know of them stays too,
  // as long as the detectors are the same.
  void adopt(PolicySnapshot snapshot);

  // The rules whose findings are told one severity lower from the next batch on.
  void lower(std::shared_ptr<const incident::RuleNames> rules);

  // The state of a partition that is no longer this worker's.
  void forget_partition(std::string_view topic, std::int32_t partition);
  // Where reading must start to rebuild the partition's state; nothing: it has none.
  [[nodiscard]] std::optional<std::int64_t> rewind_offset(std::string_view topic,
                                                          std::int32_t partition) const;

  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] std::uint64_t rejected() const { return rejected_; }

 private:
  // A finding before it is written out: which rule, and its masked evidence.
  struct Draft {
    std::size_t reportable = 0;
    std::vector<Evidence> evidence;
    std::string message;
    std::uint64_t evidence_hash = 0;  // of the first text, for folding
  };
  class DraftReporter;
  struct Partition {
    std::string topic;
    std::int32_t number = 0;
    TopicMetrics metrics;
    SessionTable sessions;
    SystemTable systems;
    CorrelationTable correlations;
  };
  struct Coverage {
    double seen = 0;
    double calls = 0;
  };

  void process(const Record& record, Partition& partition, PipelineOutput& output);
  Session& find_session(const Event& event, std::int64_t offset, Partition& partition);
  void make_states(Session& session) const;
  const flow::Flow& follow(const Event& event, const EventContext& context, Session& session);
  void detect(const Event& event, const EventContext& context, Session& session,
              Partition& partition);
  SystemStates& find_system(const Event& event, std::size_t system, Partition& partition) const;
  // Tells the detectors what was found, for those that judge by it.
  void tell_findings(const Event& event, const EventContext& context, Session& session,
                     const SystemStates& system);
  // Calls `use` with each detector, its view of the event, its state and its reporter.
  template <typename Use>
  void for_each_detector(EventContext context, Session& session, const SystemStates& system,
                         const Use& use);
  [[nodiscard]] std::string_view system_label(std::size_t system) const;
  void correlate(const Event& event, const EventContext& context, Partition& partition);
  void learn_definitions(const Event& event, Session& session);
  void count(const Event& event, const EventContext& context, std::size_t system);
  void finish(const Record& record, const Event& event, const EventContext& context,
              std::size_t system, Session& session, PipelineOutput& output);
  Finding make_finding(const Event& event, const EventContext& context, const Session& session,
                       Draft& draft) const;
  Effect inferred_effect(std::string_view tool);
  Effect inferred_effect(std::string_view tool, const Session& session);
  Partition& partition_of(const SourcePosition& source);
  // Asks how much memory is this one's until the next time.
  void share_memory();
  void keep_within_memory();
  // Evicts from the largest of the partitions' tables until all hold `bytes_max` together; what
  // they hold then.  `evicted`: called for each.
  template <typename Table, typename Evicted>
  std::size_t shrink(Table Partition::* table, std::size_t bytes_max, const Evicted& evicted);
  void watch_rules();
  void mark_lowered();
  // A demoted rule's finding, told as what it is worth.
  void tone_down(Finding& finding, std::size_t reportable, std::size_t system) const;
  void note_costs(double seconds, PipelineOutput& output);
  void demote(const RuleDemotion& what, PipelineOutput& output);
  void publish_rule_seconds();
  void count_forgotten();
  void publish_detector_gauges();

  PolicySnapshot snapshot_;
  PipelineOptions options_;
  std::shared_ptr<const Redactor> redactor_;
  metrics::Registry& registry_;
  metrics::Shard& shard_;
  NativeDecoder decoder_;
  RuleSet::Scratch rule_scratch_;
  std::unique_ptr<flow::Tracker> tracker_;
  std::vector<Draft> drafts_;     // of the event in hand
  std::vector<FoundRule> found_;  // the same, as detectors are told
  DetectorMetrics detector_metrics_;
  bool replaying_ = false;  // the event in hand
  std::map<std::pair<std::string, std::int32_t>, std::unique_ptr<Partition>, std::less<>>
      partitions_;
  Partition* last_partition_ = nullptr;
  std::size_t state_bytes_max_ = 0;
  std::unordered_map<std::uint64_t, Effect> inferred_;  // by hash of the tool's name
  std::vector<Coverage> coverage_;                      // by system
  std::optional<RuleWatch> watch_;
  std::vector<double> rule_seconds_;  // by rule
  std::shared_ptr<const incident::RuleNames> lowered_names_;
  std::vector<bool> lowered_;  // by position in `reportable`
  std::uint64_t events_ = 0;
  std::uint64_t rejected_ = 0;

  metrics::CounterId replayed_events_;
  metrics::CounterId decoding_limited_;
  metrics::CounterId urls_limited_;
  metrics::CounterId folded_findings_;
  metrics::CounterId passed_over_;
  metrics::CounterId evicted_correlations_;
  metrics::CounterId clocks_ahead_;
  metrics::CounterId clocks_behind_;
  metrics::CounterId expired_sessions_;
  metrics::CounterId evicted_sessions_;
  metrics::CounterId evicted_systems_;
  metrics::CounterId limited_memories_;
  metrics::GaugeId live_sessions_;
  metrics::GaugeId state_bytes_;
};

}  // namespace tocsin
