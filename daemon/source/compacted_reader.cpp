#include "daemon/source/compacted_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tocsin {
namespace {

constexpr int kCallTimeoutMs = 2000;

std::expected<kafka::Handle, std::string> make_handle(kafka::Properties properties,
                                                      const char* isolation) {
  properties["isolation.level"] = isolation;
  auto conf = kafka::make_conf(properties, kafka::Scope::kConsumer);
  if (!conf) return std::unexpected(conf.error());
  kafka::route_logs(conf->get());
  auto handle = kafka::make_handle(RD_KAFKA_CONSUMER, std::move(*conf));
  if (handle) rd_kafka_poll_set_consumer(handle->get());
  return handle;
}

// Lets go of the partition whatever happens.
class Assignment {
 public:
  Assignment(rd_kafka_t* handle, const rd_kafka_topic_partition_list_t* partitions)
      : handle_(handle), error_(rd_kafka_assign(handle, partitions)) {}
  Assignment(const Assignment&) = delete;
  Assignment& operator=(const Assignment&) = delete;
  ~Assignment() { rd_kafka_assign(handle_, nullptr); }
  [[nodiscard]] rd_kafka_resp_err_t error() const { return error_; }

 private:
  rd_kafka_t* handle_;
  rd_kafka_resp_err_t error_;
};

}  // namespace

std::expected<std::unique_ptr<CompactedReader>, std::string> CompactedReader::create(
    const kafka::Properties& kafka, std::string_view name) {
  kafka::Properties properties = kafka::without_group(kafka, name);
  properties["auto.offset.reset"] = "error";
  properties["enable.partition.eof"] = "true";
  std::unique_ptr<CompactedReader> reader(new CompactedReader);
  auto committed = make_handle(properties, "read_committed");
  if (!committed) return std::unexpected(committed.error());
  auto all = make_handle(properties, "read_uncommitted");
  if (!all) return std::unexpected(all.error());
  reader->denials_.identify(kafka);
  reader->handle_ = std::move(*committed);
  reader->all_ = std::move(*all);
  return reader;
}

std::expected<void, std::string> CompactedReader::read(const std::string& topic,
                                                       std::int32_t partition,
                                                       std::chrono::milliseconds limit,
                                                       const std::stop_token& stop,
                                                       const Visit& visit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::int64_t low = 0;
  std::int64_t end = 0;
  const auto timeout = std::min<std::int64_t>(kCallTimeoutMs, limit.count());
  if (const auto error = rd_kafka_query_watermark_offsets(all_.get(), topic.c_str(), partition,
                                                          &low, &end, static_cast<int>(timeout))) {
    return std::unexpected(fail("its end cannot be asked for", topic, error));
  }
  if (low >= end) {
    denials_.allowed("topic " + topic);
    return {};
  }
  const kafka::PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset =
      RD_KAFKA_OFFSET_BEGINNING;
  const Assignment assignment(handle_.get(), list.get());
  if (assignment.error() != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(fail("it cannot be read", topic, assignment.error()));
  }
  constexpr int kWaitMs = 100;
  for (std::int64_t next = low; next < end;) {
    if (stop.stop_requested() || std::chrono::steady_clock::now() > deadline) {
      return std::unexpected(fmt::format("read {} of {} records in time", next - low, end - low));
    }
    const kafka::Message message(rd_kafka_consumer_poll(handle_.get(), kWaitMs));
    if (message == nullptr) continue;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // The end of what is decided, control records included; what is not yet comes later.
      next = std::max(next, message->offset);
      continue;
    }
    if (kafka::is_denial(message->err)) {
      return std::unexpected(fail("it cannot be read", topic, message->err));
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;  // librdkafka tries again
    const std::string_view key(static_cast<const char*>(message->key), message->key_len);
    const std::string_view payload(static_cast<const char*>(message->payload), message->len);
    visit(key, message->payload == nullptr ? nullptr : &payload);
    next = message->offset + 1;
  }
  denials_.allowed("topic " + topic);
  return {};
}

std::string CompactedReader::fail(std::string_view what, const std::string& topic,
                                  rd_kafka_resp_err_t error) {
  if (kafka::is_denial(error)) denials_.refused("topic " + topic, error, "Read", what);
  return fmt::format("{}: {}", what, rd_kafka_err2str(error));
}

}  // namespace tocsin
