// One webhook: a consumer of our own topics that posts what it reads, signed, until it is taken.
//
// Kafka is its spool.  Each webhook is a consumer group of its own, `<group.id>-webhook-<name>`,
// and commits a record when the receiver took it (2xx), so that a receiver that is away blocks no
// detection and loses nothing over restarts, for as long as the topics keep their records.  What is
// read ahead is bounded; beyond the bound reading pauses.  A record that is refused for good (4xx),
// or that a receiver which can be reached has not taken for `give_up`, is counted, logged and
// passed over: no record holds up the others for ever.
//
// Records of a partition are sent in order, one at a time; partitions are shared out among the
// processes of the group.  A receiver sees each at least once, always under the same id.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/metrics/registry.h"
#include "daemon/sink/http_client.h"
#include "daemon/sink/retry.h"
#include "daemon/sink/webhook_message.h"
#include "daemon/source/kafka_source.h"

namespace tocsin {

class Webhook final : private KafkaSource::Listener {
 public:
  // Read ahead at most, and what one poll brings beyond it.
  static constexpr std::size_t kQueuedMax = 1000;
  static constexpr std::size_t kQueuedBytesMax = std::size_t{16} << 20;

  // `config` and `webhook` must outlive it.
  static std::expected<std::unique_ptr<Webhook>, std::string> create(const Config& config,
                                                                     const WebhookConfig& webhook,
                                                                     metrics::Registry& registry,
                                                                     RetryLimits retry = {});
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;
  ~Webhook() = default;

  // Runs until stopped or failed, and ends within seconds, in the middle of a request too.  True:
  // everything the receiver took is committed.
  bool run(const std::stop_token& stop);

 private:
  using Clock = std::chrono::steady_clock;

  // What a record came to, for the label `outcome`.
  enum class Outcome : std::uint8_t {
    kDelivered,
    kRetried,     // this attempt failed; there will be another
    kRefused,     // given up: the receiver will never take it
    kExpired,     // given up: tried for long enough
    kUnreadable,  // passed over: no record of ours
  };
  static constexpr std::size_t kOutcomeCount = 5;

  struct Item {
    TopicPartition at;
    std::int64_t offset = 0;
    std::int64_t written_ms = -1;
    std::optional<WebhookMessage> message;  // nothing: not to be sent
  };

  Webhook(const Config& config, const WebhookConfig& webhook, metrics::Registry& registry,
          RetryLimits retry);

  void on_assigned(std::span<const TopicPartition> partitions) override;
  void on_revoked(std::span<const TopicPartition> partitions, bool lost) override;

  void turn(const std::stop_token& stop);
  void read(std::chrono::milliseconds wait);
  void take_batch();
  void take(const Record& record);
  void attempt(const std::stop_token& stop);
  void attempt_failed(const HttpResult& result);
  void give_up(Outcome outcome, int status);
  void pass_over_the_unsent();
  void finish_first();
  void count(Outcome outcome);
  void tick();
  [[nodiscard]] std::vector<Position> positions() const;
  [[nodiscard]] WebhookTopic kind_of(std::string_view topic) const;
  [[nodiscard]] bool full() const {
    return queue_.size() >= kQueuedMax || queued_bytes_ >= kQueuedBytesMax;
  }

  const Config& config_;
  const WebhookConfig& webhook_;
  metrics::Shard& shard_;
  RetryLimits retry_;
  WebhookReader reader_;
  HttpClient client_;
  SourceHealth health_;
  std::unique_ptr<KafkaSource> source_;
  std::deque<Item> queue_;  // in the order read
  std::size_t queued_bytes_ = 0;
  std::map<TopicPartition, Milestones> milestones_;  // of the incidents' topic
  std::map<TopicPartition, std::int64_t> next_;      // done with everything before
  std::map<TopicPartition, std::int64_t> told_;      // of those, handed to the source to commit
  std::vector<Record> batch_;
  std::optional<Clock::time_point> first_failure_;  // of the first in the queue, if it was reached
  Clock::time_point due_;                           // of the next attempt
  std::uint32_t failures_ = 0;                      // in a row
  Clock::time_point last_tick_;
  std::minstd_rand random_{std::random_device{}()};
  log::Sampler sampler_;
  std::array<metrics::CounterId, kOutcomeCount> outcomes_;
  metrics::CounterId incidents_forgotten_;
  metrics::GaugeId last_success_;
  metrics::GaugeId oldest_;
};

}  // namespace tocsin
