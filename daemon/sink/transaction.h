// A transactional Kafka producer: what a batch changes and how far it was read, together or not at
// all.
//
// The offsets go with the transaction (KIP-447), so that a member whom the group has expelled, and
// who does not know it yet, is refused: what it wrote is never seen by readers of committed
// records.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "daemon/config.h"
#include "daemon/leaving.h"
#include "daemon/log.h"
#include "daemon/metrics/registry.h"
#include "daemon/sink/kafka_sink.h"
#include "daemon/source/kafka_client.h"
#include "daemon/source/kafka_source.h"

namespace tocsin {

// Not thread-safe: one thread owns it and the source whose offsets it commits.
class TransactionalSink {
 public:
  enum class Result : std::uint8_t {
    kCommitted,
    kAborted,  // nothing was written; read again from what is committed
    kFailed,   // no producer can be had: the process must be started anew
  };
  // How long one transaction may take in all, brokers away included; readers of committed records
  // wait this long at most for one that a killed process left open.
  static constexpr std::chrono::milliseconds kTimeLimit{10'000};

  static std::expected<std::unique_ptr<TransactionalSink>, std::string> create(
      const Config& config, std::string_view name, metrics::Registry& registry);
  TransactionalSink(const TransactionalSink&) = delete;
  TransactionalSink& operator=(const TransactionalSink&) = delete;
  ~TransactionalSink() = default;

  // Messages in order; tickets mean nothing here.  Waits for the brokers, up to kTimeLimit and no
  // longer than `leaving` allows.
  Result write(std::span<const KafkaSink::Message> messages, std::span<const Position> positions,
               const KafkaSource& source, const Leaving& leaving);
  // What the brokers do not let it write.
  [[nodiscard]] const kafka::Denials& denials() const { return denials_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Limit {
    Clock::time_point deadline;
    const Leaving& leaving;
    [[nodiscard]] std::chrono::milliseconds left() const;
  };

  TransactionalSink(kafka::Properties properties, std::string_view name,
                    metrics::Registry& registry);
  // A producer without a past.  The error says why there is none.
  std::expected<void, std::string> renew();
  // Calls `step` until it succeeds, has failed for good, or time is up.
  template <typename Step>
  Result attempt(std::string_view what, const Limit& limit, const Step& step);
  static void on_delivery(rd_kafka_t* handle, const rd_kafka_message_t* report, void* self);
  void refused(rd_kafka_resp_err_t error, const char* topic, std::string_view detail);
  [[nodiscard]] bool produce(const KafkaSink::Message& message);
  Result transact(std::span<const KafkaSink::Message> messages, std::span<const Position> positions,
                  const KafkaSource& source, const Limit& limit);
  Result abort(const Limit& limit);
  Result begin_anew();

  kafka::Properties properties_;
  std::string name_;
  metrics::Shard& shard_;
  metrics::CounterId aborted_;
  kafka::Handle handle_;
  bool initialised_ = false;
  log::Sampler sampler_;
  std::set<std::string> topics_;  // of the transaction in hand
  std::string group_;             // whose offsets go with the transaction
  std::set<std::string> denied_;  // what `denials_` holds
  kafka::Denials denials_;
};

}  // namespace tocsin
