// Stage two: findings and control events into incidents.
//
// One a process, on its own thread, in a consumer group of its own.  It reads `topics.findings` and
// `topics.control`, both keyed by system, so that all that concerns a system comes to one member;
// it writes incidents to the same partition of `topics.incidents`, which is compacted, and reads
// that partition anew when it arrives.  What a batch changes and how far it was read are one
// transaction (sink/transaction.h): after a crash nothing is counted twice and nothing is missing.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/config.h"
#include "daemon/decode/native.h"
#include "daemon/incident/finding_summary.h"
#include "daemon/incident/incident_json.h"
#include "daemon/incident/incident_metrics.h"
#include "daemon/incident/incident_table.h"
#include "daemon/incident/judgements.h"
#include "daemon/leaving.h"
#include "daemon/log.h"
#include "daemon/metrics/policy_metrics.h"
#include "daemon/metrics/registry.h"
#include "daemon/page/board.h"
#include "daemon/policy.h"
#include "daemon/sink/alertmanager.h"
#include "daemon/sink/transaction.h"
#include "daemon/source/compacted_reader.h"
#include "daemon/source/kafka_source.h"

namespace tocsin {

class IncidentWorker final : private KafkaSource::Listener, private incident::Listener {
 public:
  static std::expected<std::unique_ptr<IncidentWorker>, std::string> create(
      const Config& config, std::shared_ptr<const Policy> policy, metrics::Registry& registry);
  IncidentWorker(const IncidentWorker&) = delete;
  IncidentWorker& operator=(const IncidentWorker&) = delete;
  ~IncidentWorker() = default;

  // Incidents are shown there, too, once they are written.  Before `run`; it outlives the worker.
  void show_on(Board& board) { board_ = &board; }

  // Other profiles, from the next batch on.  Thread-safe.
  void adopt(std::shared_ptr<const Policy> policy);

  // Tells of open incidents there, at least every second.  To be called before `run`; the mailbox
  // must outlive the worker.
  void tell_alerts(AlertMailbox& mailbox) { alerts_ = &mailbox; }

  // Runs until stopped or failed.  True: everything read is written and committed.
  bool run(const std::stop_token& stop);

  [[nodiscard]] const SourceHealth& health() const { return health_; }
  // What the brokers do not let it do, a line each.  Thread-safe.
  [[nodiscard]] std::vector<std::string> denials() const;
  // Steady-clock milliseconds of the last turn of the loop, for the liveness probe.
  [[nodiscard]] std::int64_t last_turn_ms() const { return last_turn_ms_; }

 private:
  // One partition number of both topics.
  struct Lane {
    Lane(const incident::Limits& limits, incident::IncidentTable::Profiles profiles)
        : table(limits, std::move(profiles)) {}
    incident::IncidentTable table;
    incident::Judgements judged;
    bool restored = false;
  };

  IncidentWorker(const Config& config, std::shared_ptr<const Policy> policy,
                 metrics::Registry& registry);

  void on_assigned(std::span<const TopicPartition> partitions) override;
  void on_revoked(std::span<const TopicPartition> partitions, bool lost) override;

  void on_incident(const incident::Incident& incident, const incident::Before& before) override;
  void on_forgotten(const incident::Incident& incident, std::span<const std::string> ids) override;
  void on_containment_failed(const Finding& finding) override;
  void on_request(const incident::Incident& incident,
                  const incident::ContainmentRequest& request) override;
  void on_judgement(std::string_view rule, std::string_view what, Judgement judgement,
                    EventTime said) override;

  void turn();
  void tick();
  void process_batch();
  void process(const Record& record);
  void take_finding(const Record& record, Lane& lane);
  void take_control(const Record& record, Lane& lane);
  void take_selftest(const Event& event);
  [[nodiscard]] bool belongs_elsewhere(std::string_view system, std::int32_t partition) const;
  void reject(const Record& record, std::string_view reason);
  // Without a payload: the incident as it is when the batch is written, or that it is no more.
  void write(std::string_view id, std::optional<std::string> payload);
  void complete(KafkaSink::Message& message) const;
  // Writes what has changed; offsets alone only when `all`.
  void flush(bool all);
  [[nodiscard]] std::vector<Position> positions() const;
  void start_over();
  void show(const KafkaSink::Message& written);
  [[nodiscard]] std::unique_ptr<Lane> make_lane() const;
  void share_memory();
  void restore_lanes();
  bool restore(std::int32_t partition, Lane& lane);
  bool restore(
      const std::string& topic, std::int32_t partition,
      const std::function<bool(std::string_view key, const std::string_view* payload)>& take);
  void publish();
  [[nodiscard]] AlertSnapshot alerts() const;

  const Config& config_;
  metrics::Registry& registry_;
  metrics::Shard& shard_;
  Board* board_ = nullptr;
  std::shared_ptr<const Policy> policy_;
  incident::FindingReader findings_;
  incident::IncidentReader incidents_;
  NativeDecoder decoder_;
  incident::JudgedReader judged_;
  std::optional<incident::Metrics> metrics_;
  std::stop_token stop_;            // of `run`
  std::optional<Leaving> leaving_;  // of `run`
  AlertMailbox* alerts_ = nullptr;  // null: nobody wants them
  SourceHealth health_;
  std::unique_ptr<TransactionalSink> sink_;
  std::unique_ptr<CompactedReader> reader_;
  std::unique_ptr<KafkaSource> source_;
  std::map<std::int32_t, std::unique_ptr<Lane>> lanes_;  // by partition
  std::int32_t current_ = 0;                             // the partition of the record in hand
  std::map<TopicPartition, std::int64_t> next_;          // read so far
  std::map<TopicPartition, std::int64_t> committed_;     // of those, told to the broker
  std::vector<Record> batch_;
  std::vector<std::optional<KafkaSink::Message>>
      changes_;  // in order; a later one empties its like
  std::unordered_map<std::string, std::size_t> change_of_;  // by incident id
  bool must_reread_ = false;                                // once the brokers are there
  bool revoking_ = false;        // what is not written now is the next owner's to do
  std::int32_t partitions_ = 0;  // of the control topic; 0: not known
  std::chrono::steady_clock::time_point last_tick_;
  std::atomic<std::int64_t> last_turn_ms_{0};
  std::mutex pending_mutex_;
  std::shared_ptr<const Policy> pending_;  // to be adopted
  std::atomic<bool> has_pending_{false};
  log::Sampler sampler_;
  metrics::GaugeId selftest_success_;
  metrics::HistogramId selftest_seconds_;
};

}  // namespace tocsin
