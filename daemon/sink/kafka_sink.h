// A Kafka producer that does not give up: findings and dead letters out, acknowledged by all
// in-sync replicas.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/metrics/registry.h"
#include "daemon/source/denials.h"
#include "daemon/source/kafka_client.h"

namespace tocsin {

// Not thread-safe: a worker owns one, and everything happens on its thread.
class KafkaSink {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  using Delivered = std::function<void(std::uint64_t ticket)>;

  struct Message {
    std::string topic;
    std::string key;
    std::optional<std::string> payload;  // nothing: a tombstone
    Headers headers;
    std::uint64_t ticket = 0;  // handed to `delivered`
    std::int32_t partition = kByKey;
  };
  static constexpr std::int32_t kByKey = -1;  // as Java's clients choose it

  // `delivered` is called from `poll` and `flush`, once a message.
  static std::expected<std::unique_ptr<KafkaSink>, std::string> create(const Config& config,
                                                                       std::string_view name,
                                                                       Delivered delivered,
                                                                       metrics::Registry& registry);

  KafkaSink(const KafkaSink&) = delete;
  KafkaSink& operator=(const KafkaSink&) = delete;
  ~KafkaSink();

  // Queues a message.  One that the broker refuses is sent again after a pause, for as long as it
  // takes, and what is for the same topic waits behind it: readers find the findings of a session
  // in their order.  The caller bounds how many are outstanding.
  void send(Message message);

  // Serves delivery reports and sends again what is due.
  void poll(std::chrono::milliseconds wait = std::chrono::milliseconds(0));

  // Waits for everything outstanding; false when time ran out.
  bool flush(std::chrono::milliseconds limit);

  [[nodiscard]] std::size_t outstanding() const { return outstanding_; }
  [[nodiscard]] std::size_t outstanding_bytes() const { return outstanding_bytes_; }
  // The producer cannot go on (its idempotence was broken, say): the process must be started anew.
  [[nodiscard]] bool failed() const { return failed_; }
  // What the brokers do not let it write.
  [[nodiscard]] const kafka::Denials& denials() const { return denials_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Outgoing {
    Message message;
    std::uint64_t number = 0;  // in the order of `send`
    std::size_t bytes = 0;
  };
  struct Topic {
    std::map<std::uint64_t, std::unique_ptr<Outgoing>> held;  // by number
    std::size_t in_flight = 0;
    bool refuses = false;  // until one that was held is accepted
    Clock::time_point due;
  };

  KafkaSink(kafka::Properties properties, Delivered delivered, metrics::Registry& registry);
  static void on_delivery(rd_kafka_t* handle, const rd_kafka_message_t* message, void* self);
  static void on_error(rd_kafka_t* handle, int error, const char* reason, void* self);
  void produce(std::unique_ptr<Outgoing> outgoing);
  void hold(std::unique_ptr<Outgoing> outgoing, rd_kafka_resp_err_t error);
  void send_held(Topic& topic);
  std::expected<void, std::string> connect();
  void begin_anew();

  kafka::Properties properties_;
  Delivered delivered_;
  metrics::Shard& shard_;
  metrics::CounterId retried_;
  kafka::Handle handle_;
  std::map<std::string, Topic> topics_;  // those of the configuration
  std::uint64_t sent_ = 0;
  std::size_t outstanding_ = 0;
  std::size_t outstanding_bytes_ = 0;
  bool failed_ = false;
  bool refused_ = false;   // as a producer at all: another one must be made
  bool renewing_ = false;  // what the old one had is held for the next
  Clock::time_point renew_due_;
  kafka::Denials denials_;
  log::Sampler sampler_;
};

}  // namespace tocsin
