// A Kafka consumer: records in, positions committed when the worker says they are safe.
//
// Each message is taken with rd_kafka_consumer_poll, not with the batch API: in librdkafka
// before 2.1 that one loses messages around a rebalance.  Offsets are committed explicitly with
// metadata, because that is where the place to rewind to is kept: when a partition arrives, reading
// starts at the first record of the oldest session that was live at the committed offset, and what
// lies before that offset is marked as replayed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/leaving.h"
#include "daemon/log.h"
#include "daemon/metrics/registry.h"
#include "daemon/pipeline.h"
#include "daemon/source/denials.h"
#include "daemon/source/kafka_client.h"

namespace tocsin {

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

// Everything before `next` is done; a newcomer must read from `rewind` to know the sessions that
// are live at `next`.
struct Position {
  TopicPartition at;
  std::int64_t next = 0;
  std::int64_t rewind = 0;
};

// What the commit's metadata says and understands.
std::string rewind_metadata(std::int64_t rewind);
std::optional<std::int64_t> parse_rewind_metadata(std::string_view metadata);

// Where to start reading a partition, and from where on records count.
struct StartPosition {
  std::int64_t read_from = 0;
  std::int64_t resume_at = 0;  // records before it are replayed
  std::int64_t lost = 0;       // records the topic deleted before anybody processed them
  bool out_of_range = false;   // the committed offset is not in the topic any more
};
StartPosition start_position(std::optional<std::int64_t> committed,
                             std::optional<std::int64_t> rewind, std::int64_t low,
                             std::int64_t high, StartAt start_at, std::int64_t rewind_max);

// Written by the worker's thread, read by the HTTP server's.
struct SourceHealth {
  std::atomic<bool> broker_up{false};  // at least one broker connection
  std::atomic<bool> joined{false};     // a steady member of the consumer group
  std::atomic<bool> failed{false};     // will not recover; the process is about to end
  kafka::Denials denials;              // what the brokers do not let the source do
};

class KafkaSource {
 public:
  // Called from within `poll`, on its thread.
  class Listener {
   public:
    virtual void on_assigned(std::span<const TopicPartition> partitions) = 0;
    // Settle what was polled and commit it before returning.  `lost`: others own the partitions
    // already, so commits would be refused.
    virtual void on_revoked(std::span<const TopicPartition> partitions, bool lost) = 0;

   protected:
    ~Listener() = default;
  };

  // What is read, as whom, and from where.
  struct Subscription {
    std::vector<std::string> topics;
    std::string group;
    StartAt start_at = StartAt::kEarliest;  // for a group without committed offsets
    std::int64_t rewind_records_max = 0;    // of one partition
    std::string stage = "events";           // label of its metrics
    // Partition n of every topic goes to the same member of the group.
    bool copartitioned = false;
    // Of what was fetched ahead, unless `kafka` says otherwise.
    std::size_t queue_bytes_max = std::size_t{16} << 20;
    // Label of the lag, where others in this process read the same topics; empty: none.
    std::string consumer;
  };
  // Of the records of one `poll`; the last one may go beyond.
  static constexpr std::size_t kPollBytesMax = std::size_t{4} << 20;

  static std::expected<std::unique_ptr<KafkaSource>, std::string> create(
      const kafka::Properties& kafka, Subscription subscription, std::string_view name,
      Listener& listener, SourceHealth& health, metrics::Registry& registry);

  KafkaSource(const KafkaSource&) = delete;
  KafkaSource& operator=(const KafkaSource&) = delete;
  ~KafkaSource();

  // From now on no call waits for a broker longer than `leaving` allows, also those from within
  // `poll`.  It outlives the source's last call.
  void watch(const Leaving& leaving) { leaving_ = &leaving; }

  // Adds up to `max` records, or kPollBytesMax, to the batch: waits for the first one, takes what
  // else is there.  Must
  // be called at least every max.poll.interval.ms, also while paused.
  void poll(std::vector<Record>& batch, std::size_t max, std::chrono::milliseconds wait);
  // Frees the messages behind all records polled so far.
  void release() { messages_.clear(); }

  // Commits are sent in the background unless `wait`, which takes two seconds at most; one that
  // fails is repeated with the next.  False: waited for, and failed; that the partitions are about
  // to have another owner, who refuses our commit, is no failure.
  bool commit(std::span<const Position> positions, bool wait);

  // For whoever commits them in a transaction: as a list, and as which member.
  [[nodiscard]] kafka::PartitionList offsets(std::span<const Position> positions) const;
  [[nodiscard]] kafka::GroupMetadata group_metadata() const;

  [[nodiscard]] const std::string& group() const { return subscription_.group; }
  // As the brokers have it now; 0: it cannot be had.
  [[nodiscard]] std::int32_t partitions_of(const std::string& topic) const;
  // Whether everything that was there at the last `publish` has been read.
  [[nodiscard]] bool caught_up() const { return caught_up_; }

  // Everything assigned is read again from what is committed.  False: the source has failed.
  bool reread();

  void pause();
  void resume();
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] bool failed() const { return health_.failed; }

  // Lag and assignment, to be called about once a second; `next` is what was processed up to.
  void publish(const std::map<TopicPartition, std::int64_t>& next);

  // Leaves the group.  Calls `on_revoked`.
  void close();

 private:
  struct Assigned {
    std::int64_t resume_at = 0;
    std::int64_t high = 0;  // when it was assigned
    // Where the end was met: behind the marks of transactions, too, which are no records.
    std::int64_t end_met = 0;
  };

  KafkaSource(Subscription subscription, Listener& listener, SourceHealth& health,
              metrics::Registry& registry);

  static void on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                           rd_kafka_topic_partition_list_t* partitions, void* self);
  static void on_commit(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                        rd_kafka_topic_partition_list_t* offsets, void* self);
  static void on_error(rd_kafka_t* handle, int error, const char* reason, void* self);
  static int on_statistics(rd_kafka_t* handle, char* json, std::size_t size, void* self);

  void assign(rd_kafka_topic_partition_list_t* partitions);
  void revoke(rd_kafka_topic_partition_list_t* partitions);
  bool find_start(rd_kafka_topic_partition_list_t* partitions);
  rd_kafka_resp_err_t start_of(rd_kafka_topic_partition_t& element, int wait_ms);
  [[nodiscard]] bool leaving() const { return leaving_ != nullptr && leaving_->asked(); }
  [[nodiscard]] int wait_ms(std::chrono::milliseconds limit) const;
  rd_kafka_resp_err_t commit_and_wait(const rd_kafka_topic_partition_list_t* offsets);
  void handle_poll_error(const rd_kafka_message_t& message);
  // `topic`: null for what is about none.
  void refused(rd_kafka_resp_err_t error, const char* topic, std::string_view detail);
  void look_for_hidden_topics();
  void fail(std::string_view event, std::string_view reason);
  void count_error(std::string_view kind);
  [[nodiscard]] metrics::GaugeId lag_of(const TopicPartition& at) const;
  [[nodiscard]] kafka::PartitionList assignment() const;

  Subscription subscription_;
  Listener& listener_;
  SourceHealth& health_;
  metrics::Registry& registry_;
  metrics::Shard& shard_;
  const Leaving* leaving_ = nullptr;
  kafka::Handle handle_;
  std::vector<kafka::Message> messages_;
  std::map<TopicPartition, Assigned> assigned_;
  std::map<TopicPartition, Position> unconfirmed_;  // committed in the background, not confirmed
  std::set<std::string> unreadable_;                // topics that we may not fetch
  std::set<std::string> hidden_;                    // topics that we may not even see
  log::Sampler sampler_;
  bool commit_in_flight_ = false;
  bool paused_ = false;
  bool caught_up_ = false;
  bool closed_ = false;

  metrics::CounterId rebalances_;
  metrics::CounterId lost_records_;
  metrics::CounterId offset_resets_;
  metrics::GaugeId assigned_partitions_;
};

}  // namespace tocsin
