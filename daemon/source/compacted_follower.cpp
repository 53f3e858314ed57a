#include "daemon/source/compacted_follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tocsin {
namespace {

constexpr std::chrono::seconds kAskAgain{60};
constexpr std::chrono::seconds kAskSoon{5};  // after a failure, or while there is no such topic

}  // namespace

std::expected<std::unique_ptr<CompactedFollower>, std::string> CompactedFollower::create(
    const kafka::Properties& kafka, std::string topic, std::string_view name) {
  kafka::Properties properties = kafka::without_group(kafka, name);
  properties["isolation.level"] = "read_committed";
  // Whatever is told again replaces what was told before.
  properties["auto.offset.reset"] = "earliest";
  // A topic with little in it: small buffers, and a fetch that waits long costs nothing.
  properties["queued.max.messages.kbytes"] = "1024";
  properties["fetch.wait.max.ms"] = "5000";
  auto conf = kafka::make_conf(properties, kafka::Scope::kConsumer);
  if (!conf) return std::unexpected(conf.error());
  kafka::route_logs(conf->get());
  std::unique_ptr<CompactedFollower> follower(new CompactedFollower(std::move(topic)));
  auto handle = kafka::make_handle(RD_KAFKA_CONSUMER, std::move(*conf));
  if (!handle) return std::unexpected(handle.error());
  follower->handle_ = std::move(*handle);
  rd_kafka_poll_set_consumer(follower->handle_.get());
  return follower;
}

std::expected<void, std::string> CompactedFollower::look_for_partitions(
    std::chrono::milliseconds wait) {
  const auto now = Clock::now();
  if (now < ask_at_) return {};
  ask_at_ = now + kAskSoon;
  const std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> topic(
      rd_kafka_topic_new(handle_.get(), topic_.c_str(), nullptr), &rd_kafka_topic_destroy);
  if (topic == nullptr) return std::unexpected(rd_kafka_err2str(rd_kafka_last_error()));
  const rd_kafka_metadata_t* answer = nullptr;
  const auto failed =
      rd_kafka_metadata(handle_.get(), 0, topic.get(), &answer, static_cast<int>(wait.count()));
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(rd_kafka_err2str(failed));
  const std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)> metadata(
      answer, &rd_kafka_metadata_destroy);
  if (metadata->topic_cnt != 1) return {};
  const auto error = metadata->topics[0].err;
  if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return {};  // nobody wrote to it yet
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(rd_kafka_err2str(error));
  const int count = metadata->topics[0].partition_cnt;
  if (count <= 0) return {};
  ask_at_ = now + kAskAgain;
  if (static_cast<std::size_t>(count) == partitions_) return {};
  // From the beginning, those that were read before as well: it is little, and rare.
  const kafka::PartitionList list(rd_kafka_topic_partition_list_new(count));
  for (std::int32_t i = 0; i < count; ++i) {
    rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), i)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
  }
  if (const auto refused = rd_kafka_assign(handle_.get(), list.get())) {
    return std::unexpected(rd_kafka_err2str(refused));
  }
  partitions_ = static_cast<std::size_t>(count);
  return {};
}

std::expected<void, std::string> CompactedFollower::poll(std::chrono::milliseconds wait,
                                                         const Visit& visit) {
  if (auto found = look_for_partitions(wait); !found) return found;
  auto timeout = static_cast<int>(wait.count());
  while (true) {
    const kafka::Message message(rd_kafka_consumer_poll(handle_.get(), timeout));
    if (message == nullptr) return {};
    timeout = 0;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {  // librdkafka tries again
      return std::unexpected(rd_kafka_message_errstr(message.get()));
    }
    const std::string_view key(static_cast<const char*>(message->key), message->key_len);
    const std::string_view payload(static_cast<const char*>(message->payload), message->len);
    visit(message->partition, key, message->payload == nullptr ? nullptr : &payload);
  }
}

}  // namespace tocsin
