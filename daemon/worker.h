// A worker: a consumer, its partitions, their sessions, an engine and a producer, on one thread.
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
#include <vector>

#include "daemon/config.h"
#include "daemon/leaving.h"
#include "daemon/metrics/registry.h"
#include "daemon/offset_ledger.h"
#include "daemon/page/board.h"
#include "daemon/pipeline.h"
#include "daemon/sink/kafka_sink.h"
#include "daemon/source/kafka_source.h"

namespace tocsin {

class Worker final : private KafkaSource::Listener, private PipelineOutput {
 public:
  // Findings that may wait for delivery before reading pauses.
  static constexpr std::size_t kOutstandingMax = 10'000;
  static constexpr std::size_t kOutstandingBytesMax = std::size_t{16} << 20;
  // How long leaving may wait for deliveries; the rest of the ten seconds is for commits and the
  // group.
  static constexpr std::chrono::milliseconds kDrainLimit{5000};

  // One of the workers that share `budget`, and what the process may fetch ahead.
  static std::expected<std::unique_ptr<Worker>, std::string> create(
      std::size_t number, const Config& config, PolicySnapshot policy,
      std::shared_ptr<const Redactor> redactor, metrics::Registry& registry,
      std::shared_ptr<StateBudget> budget);

  // Findings worth a ticket or a page are shown there, too.  Before `run`; it outlives the worker.
  void show_on(Board& board) { board_ = &board; }

  // Another policy, from the next batch on.  Thread-safe.
  void adopt(PolicySnapshot policy);

  // The rules to tell one severity lower, from the next batch on.  Thread-safe.
  void lower(std::shared_ptr<const incident::RuleNames> rules);

  // Runs until stopped or failed; then drains.  True: everything read was delivered and committed.
  bool run(const std::stop_token& stop);

  [[nodiscard]] const SourceHealth& health() const { return health_; }
  // What the brokers do not let it do, a line each.  Thread-safe.
  [[nodiscard]] std::vector<std::string> denials() const;
  // Steady-clock milliseconds of the last turn of the loop, for the liveness probe.
  [[nodiscard]] std::int64_t last_turn_ms() const { return last_turn_ms_; }

 private:
  Worker(const Config& config, PolicySnapshot policy, std::shared_ptr<const Redactor> redactor,
         metrics::Registry& registry, std::size_t number, std::shared_ptr<StateBudget> budget);

  void on_assigned(std::span<const TopicPartition> partitions) override;
  void on_revoked(std::span<const TopicPartition> partitions, bool lost) override;
  void on_finding(const Finding& finding) override;
  void on_rejected(const Record& record, Reject reason) override;
  void on_control(const Event& event, const Record& record) override;
  void on_demotion(const RuleDemotion& what, std::string_view rule,
                   std::string_view system) override;

  void on_delivered(std::uint64_t ticket);
  void send_selftest(std::chrono::steady_clock::time_point at);
  void process_batch();
  void turn();
  void tick();
  bool drain();

  const Config& config_;
  metrics::Shard& shard_;
  Board* board_ = nullptr;
  Pipeline pipeline_;
  OffsetLedger ledger_;
  SourceHealth health_;
  std::unique_ptr<KafkaSink> sink_;
  std::unique_ptr<KafkaSource> source_;
  std::vector<Record> batch_;
  OffsetLedger::Ticket ticket_ = 0;                   // of the batch in hand
  std::map<TopicPartition, std::int64_t> processed_;  // the next offset, for the lag
  std::chrono::steady_clock::time_point last_tick_;
  std::atomic<std::int64_t> last_turn_ms_{0};
  std::mutex pending_mutex_;
  std::optional<PolicySnapshot> pending_;                       // to be adopted
  std::shared_ptr<const incident::RuleNames> pending_lowered_;  // likewise, or null
  std::atomic<bool> has_pending_{false};
  bool sends_selftests_ = false;
  bool selftest_on_its_way_ = false;
  std::chrono::steady_clock::time_point selftest_due_;
  std::uint64_t selftests_ = 0;
  std::optional<Leaving> leaving_;  // of `run`
  bool drained_ = false;  // what could be delivered has been: `on_revoked` does not wait again
  log::Sampler sampler_;
  metrics::GaugeId outstanding_;
  metrics::GaugeId outstanding_bytes_;
};

// What a dead letter says about where it came from.  No part of the payload.
KafkaSink::Headers dead_letter_headers(const Record& record, Reject reason, bool truncated);

}  // namespace tocsin
