#include "daemon/source/kafka_source.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace tocsin {
namespace {

constexpr std::chrono::milliseconds kCallLimit{4000};
constexpr std::chrono::milliseconds kCommitLimit{2000};
constexpr auto kStartDeadline = std::chrono::seconds(60);
constexpr std::string_view kMetadataPrefix = "tocsin rewind=";

TopicPartition to_partition(const rd_kafka_topic_partition_t& element) {
  return {.topic = element.topic, .partition = element.partition};
}

std::vector<TopicPartition> to_partitions(const rd_kafka_topic_partition_list_t& list) {
  std::vector<TopicPartition> out;
  for (int i = 0; i < list.cnt; ++i) out.push_back(to_partition(list.elems[i]));
  return out;
}

// The group is being rebalanced, or has done so without us: no failure of ours or of the brokers'.
bool is_moving(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS ||
         error == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
         error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID;
}

std::optional<std::int64_t> rewind_of(const rd_kafka_topic_partition_t& element) {
  if (element.metadata == nullptr) return std::nullopt;
  return parse_rewind_metadata({static_cast<const char*>(element.metadata), element.metadata_size});
}

}  // namespace

std::string rewind_metadata(std::int64_t rewind) {
  return fmt::format("{}{}", kMetadataPrefix, rewind);
}

std::optional<std::int64_t> parse_rewind_metadata(std::string_view metadata) {
  while (metadata.ends_with('\0')) metadata.remove_suffix(1);  // librdkafka counts the terminator
  if (!metadata.starts_with(kMetadataPrefix)) return std::nullopt;
  metadata.remove_prefix(kMetadataPrefix.size());
  std::int64_t value = 0;
  const char* const end = metadata.data() + metadata.size();
  const auto [stop, error] = std::from_chars(metadata.data(), end, value);
  if (error != std::errc{} || stop != end || value < 0) return std::nullopt;
  return value;
}

StartPosition start_position(std::optional<std::int64_t> committed,
                             std::optional<std::int64_t> rewind, std::int64_t low,
                             std::int64_t high, StartAt start_at, std::int64_t rewind_max) {
  if (!committed) {
    const std::int64_t start = start_at == StartAt::kEarliest ? low : high;
    return {.read_from = start, .resume_at = start};
  }
  if (*committed > high) {  // the topic was made anew, or an unclean leader lost its end
    return {.read_from = low, .resume_at = low, .out_of_range = true};
  }
  if (*committed < low) {  // retention was faster than we were
    return {.read_from = low, .resume_at = low, .lost = low - *committed, .out_of_range = true};
  }
  const std::int64_t wanted = std::max(rewind.value_or(*committed), *committed - rewind_max);
  return {.read_from = std::clamp(wanted, low, *committed), .resume_at = *committed};
}

std::expected<std::unique_ptr<KafkaSource>, std::string> KafkaSource::create(
    const kafka::Properties& kafka, Subscription subscription, std::string_view name,
    Listener& listener, SourceHealth& health, metrics::Registry& registry) {
  kafka::Properties properties = kafka;
  properties.try_emplace("client.id", kafka::client_id(name));
  properties["group.id"] = subscription.group;
  if (subscription.copartitioned) {
    properties["partition.assignment.strategy"] = "range";
  } else {
    properties.try_emplace("partition.assignment.strategy", "cooperative-sticky");
  }
  // Bounds memory.  Large enough for a second of peak traffic, and in bytes alone: a librdkafka
  // before 2.2 looks only once a second whether a queue that was full has room again, so that a
  // backlog is worked off at one queue a second.  One answer may come on top.
  properties.try_emplace("queued.max.messages.kbytes",
                         std::to_string(subscription.queue_bytes_max >> 10));
  properties.try_emplace("queued.min.messages", "10000000");
  properties.try_emplace("fetch.message.max.bytes", "524288");
  properties.try_emplace("fetch.max.bytes", "4194304");
  // Whether a broker is there and the group joined.  Writing it down is a third of what an idle
  // process does when it is asked every second.
  properties.try_emplace("statistics.interval.ms", "2000");
  properties["enable.auto.commit"] = "false";
  properties["enable.auto.offset.store"] = "false";
  properties["enable.partition.eof"] = "true";
  properties["auto.offset.reset"] = "error";  // we choose where to start, and count when we must

  auto conf = kafka::make_conf(properties, kafka::Scope::kConsumer);
  if (!conf) return std::unexpected(conf.error());
  std::unique_ptr<KafkaSource> source(
      new KafkaSource(std::move(subscription), listener, health, registry));
  kafka::route_logs(conf->get());
  rd_kafka_conf_set_opaque(conf->get(), source.get());
  rd_kafka_conf_set_rebalance_cb(conf->get(), &KafkaSource::on_rebalance);
  rd_kafka_conf_set_offset_commit_cb(conf->get(), &KafkaSource::on_commit);
  rd_kafka_conf_set_error_cb(conf->get(), &KafkaSource::on_error);
  rd_kafka_conf_set_stats_cb(conf->get(), &KafkaSource::on_statistics);

  health.denials.identify(kafka);
  auto handle = kafka::make_handle(RD_KAFKA_CONSUMER, std::move(*conf));
  if (!handle) return std::unexpected(handle.error());
  source->handle_ = std::move(*handle);
  rd_kafka_poll_set_consumer(source->handle_.get());

  const std::vector<std::string>& names = source->subscription_.topics;
  const kafka::PartitionList topics(
      rd_kafka_topic_partition_list_new(static_cast<int>(names.size())));
  for (const std::string& topic : names) {
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  if (const auto failed = rd_kafka_subscribe(source->handle_.get(), topics.get())) {
    return std::unexpected(std::string(rd_kafka_err2str(failed)));
  }
  return source;
}

KafkaSource::KafkaSource(Subscription subscription, Listener& listener, SourceHealth& health,
                         metrics::Registry& registry)
    : subscription_(std::move(subscription)),
      listener_(listener),
      health_(health),
      registry_(registry),
      shard_(registry.make_shard()) {
  rebalances_ =
      registry.counter("tocsin_kafka_rebalances_total", "Changes of this process's partitions.");
  lost_records_ = registry.counter("tocsin_events_dropped_total",
                                   "Events nobody looked at; anything but 0 is a page.",
                                   {{"reason", "deleted_before_read"}});
  offset_resets_ = registry.counter("tocsin_kafka_offset_resets_total",
                                    "Starts elsewhere than at the committed offset.");
  assigned_partitions_ =
      registry.gauge("tocsin_kafka_assigned_partitions", "Partitions this process reads.",
                     {{"stage", subscription_.stage}});
  shard_.set(assigned_partitions_, 0);
  for (const char* kind : {"transport", "denied", "rebalance", "commit", "consume", "fatal"}) {
    static_cast<void>(registry.counter("tocsin_kafka_errors_total",
                                       "Errors reported by the Kafka client.", {{"kind", kind}}));
  }
}

KafkaSource::~KafkaSource() { close(); }

void KafkaSource::close() {
  if (handle_ == nullptr || std::exchange(closed_, true)) return;
  rd_kafka_consumer_close(handle_.get());
  messages_.clear();
  health_.joined = false;
}

void KafkaSource::poll(std::vector<Record>& batch, std::size_t max,
                       std::chrono::milliseconds wait) {
  auto timeout = static_cast<int>(wait.count());
  std::size_t bytes = 0;
  while (batch.size() < max && bytes < kPollBytesMax) {
    kafka::Message message(rd_kafka_consumer_poll(handle_.get(), timeout));
    if (message == nullptr) return;
    timeout = 0;
    const bool at_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && !at_end) {
      handle_poll_error(*message);
      return;
    }
    // The handle knows the topic's name for as long as it lives; the message does not outlive it.
    const char* topic = rd_kafka_topic_name(message->rkt);
    const auto owner = assigned_.find({.topic = topic, .partition = message->partition});
    if (owner == assigned_.end()) continue;  // taken away while it was on its way
    if (at_end) {
      owner->second.end_met = message->offset;
      continue;
    }
    if (!unreadable_.empty() && unreadable_.erase(owner->first.topic) > 0) {
      health_.denials.allowed("topic " + owner->first.topic);
    }
    batch.push_back({.payload = {static_cast<const char*>(message->payload), message->len},
                     .source = {.topic = owner->first.topic,
                                .partition = message->partition,
                                .offset = message->offset},
                     .replayed = message->offset < owner->second.resume_at,
                     .written_ms = rd_kafka_message_timestamp(message.get(), nullptr)});
    bytes += message->len;
    messages_.push_back(std::move(message));
  }
}

void KafkaSource::handle_poll_error(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && message.rkt != nullptr) {
    // Records were deleted under us.  Go to what is left, and say how much was never read.
    const char* topic = rd_kafka_topic_name(message.rkt);
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto failed = rd_kafka_query_watermark_offsets(handle_.get(), topic, message.partition,
                                                         &low, &high, wait_ms(kCallLimit));
    const kafka::PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic, message.partition);
    rd_kafka_position(handle_.get(), list.get());
    const std::int64_t position = list->elems[0].offset;
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (position >= 0 && position < low) {
        shard_.add(lost_records_, static_cast<std::uint64_t>(low - position));
      }
      shard_.add(offset_resets_);
      list->elems[0].offset = low;
      rd_kafka_error_t* error =
          rd_kafka_seek_partitions(handle_.get(), list.get(), wait_ms(kCallLimit));
      if (error != nullptr) rd_kafka_error_destroy(error);
      log::error(
          "kafka.offset_out_of_range",
          "records were deleted before they were read; continuing with what is left",
          {{"topic", topic}, {"partition", message.partition}, {"from", position}, {"to", low}});
    }
  }
  if (kafka::is_denial(message.err)) {
    refused(message.err, message.rkt == nullptr ? nullptr : rd_kafka_topic_name(message.rkt),
            rd_kafka_message_errstr(&message));
    return;
  }
  count_error("consume");
  const log::Sampler::Verdict verdict = sampler_.admit(rd_kafka_err2name(message.err));
  if (!verdict.log) return;
  log::warn("kafka.consume", "the consumer reports an error and goes on",
            {{"error", rd_kafka_message_errstr(&message)}, {"suppressed", verdict.suppressed}});
}

void KafkaSource::on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t error,
                               rd_kafka_topic_partition_list_t* partitions, void* self) {
  auto& source = *static_cast<KafkaSource*>(self);
  source.shard_.add(source.rebalances_);
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    source.assign(partitions);
    return;
  }
  if (error != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    source.count_error("rebalance");
    log::error("kafka.rebalance", "rebalance failed", {{"error", rd_kafka_err2str(error)}});
  }
  source.revoke(partitions);
}

namespace {

bool is_cooperative(rd_kafka_t* handle) {
  const char* protocol = rd_kafka_rebalance_protocol(handle);
  return protocol != nullptr && std::string_view(protocol) == "COOPERATIVE";
}

// Hands the change to librdkafka in the way its protocol asks for; a null list takes everything
// away.
std::string apply(rd_kafka_t* handle, rd_kafka_topic_partition_list_t* partitions, bool add) {
  if (is_cooperative(handle)) {
    rd_kafka_error_t* error = add ? rd_kafka_incremental_assign(handle, partitions)
                                  : rd_kafka_incremental_unassign(handle, partitions);
    if (error == nullptr) return {};
    std::string text = rd_kafka_error_string(error);
    rd_kafka_error_destroy(error);
    return text;
  }
  const auto error = rd_kafka_assign(handle, add ? partitions : nullptr);
  return error == RD_KAFKA_RESP_ERR_NO_ERROR ? std::string() : rd_kafka_err2str(error);
}

}  // namespace

void KafkaSource::assign(rd_kafka_topic_partition_list_t* partitions) {
  if (partitions->cnt > 0 && !find_start(partitions)) return;
  if (const std::string error = apply(handle_.get(), partitions, true); !error.empty()) {
    fail("kafka.assign", error);
    return;
  }
  // New partitions arrive running; a consumer that holds back holds them back too.
  if (paused_) rd_kafka_pause_partitions(handle_.get(), partitions);
  shard_.set(assigned_partitions_, static_cast<double>(assigned_.size()));
  const std::vector<TopicPartition> added = to_partitions(*partitions);
  log::info("kafka.assigned", "partitions assigned",
            {{"added", added.size()}, {"assigned", assigned_.size()}});
  listener_.on_assigned(added);
  for (const TopicPartition& at : added) {
    if (hidden_.erase(at.topic) > 0) health_.denials.allowed("topic " + at.topic);
  }
}

void KafkaSource::refused(rd_kafka_resp_err_t error, const char* topic, std::string_view detail) {
  count_error("denied");
  if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED && topic == nullptr) {
    for (const std::string& each : subscription_.topics) {  // one of them
      unreadable_.insert(each);
      health_.denials.refused("topic " + each, error, "Read", detail);
    }
    return;
  }
  if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
    const bool owned =
        std::ranges::any_of(assigned_, [&](const auto& each) { return each.first.topic == topic; });
    (owned ? unreadable_ : hidden_).insert(topic);
    health_.denials.refused(fmt::format("topic {}", topic), error, "Read", detail);
  } else if (error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
    health_.denials.refused("group " + subscription_.group, error, "Read", detail);
  } else {
    health_.denials.refused("connection", error, "Read", detail);
  }
}

// A member without partitions is not told when a topic that was hidden comes into sight.
void KafkaSource::look_for_hidden_topics() {
  if (hidden_.empty() || !health_.broker_up) return;
  std::erase_if(hidden_, [this](const std::string& topic) {
    if (partitions_of(topic) == 0) return false;
    health_.denials.allowed("topic " + topic);
    return true;
  });
}

// Fills in the offsets to start from.  Without the committed ones nothing can be started: guessing
// would skip or repeat, so this insists, and gives up for good when the brokers stay away.
bool KafkaSource::find_start(rd_kafka_topic_partition_list_t* partitions) {
  const auto deadline = std::chrono::steady_clock::now() + kStartDeadline;
  while (true) {
    auto error = rd_kafka_committed(handle_.get(), partitions, wait_ms(kCallLimit));
    for (int i = 0; i < partitions->cnt && error == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      error = start_of(partitions->elems[i], wait_ms(kCallLimit));
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
    if (leaving()) return false;  // where to start is no concern any more
    count_error("rebalance");
    if (kafka::is_denial(error)) refused(error, nullptr, "committed offsets");
    log::warn("kafka.committed", "cannot read committed offsets yet",
              {{"error", rd_kafka_err2str(error)}});
    if (std::chrono::steady_clock::now() > deadline) {
      fail("kafka.committed", "committed offsets stayed out of reach");
      return false;
    }
  }
}

rd_kafka_resp_err_t KafkaSource::start_of(rd_kafka_topic_partition_t& element, int wait_ms) {
  if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) return element.err;
  std::int64_t low = 0;
  std::int64_t high = 0;
  if (const auto error = rd_kafka_query_watermark_offsets(
          handle_.get(), element.topic, element.partition, &low, &high, wait_ms)) {
    return error;
  }
  const auto committed = element.offset >= 0 ? std::optional(element.offset) : std::nullopt;
  const StartPosition start =
      start_position(committed, rewind_of(element), low, high, subscription_.start_at,
                     subscription_.rewind_records_max);
  if (start.lost > 0) shard_.add(lost_records_, static_cast<std::uint64_t>(start.lost));
  if (start.out_of_range) {
    shard_.add(offset_resets_);
    log::error("kafka.offset_out_of_range", "the committed offset is not in the topic",
               {{"topic", element.topic},
                {"partition", element.partition},
                {"committed", element.offset},
                {"low", low},
                {"high", high},
                {"lost", start.lost}});
  }
  log::debug("kafka.start", "start position",
             {{"topic", element.topic},
              {"partition", element.partition},
              {"read_from", start.read_from},
              {"resume_at", start.resume_at},
              {"high", high}});
  element.offset = start.read_from;
  assigned_[to_partition(element)] = {.resume_at = start.resume_at, .high = high};
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

int KafkaSource::wait_ms(std::chrono::milliseconds limit) const {
  return static_cast<int>((leaving_ == nullptr ? limit : leaving_->within(limit)).count());
}

void KafkaSource::revoke(rd_kafka_topic_partition_list_t* partitions) {
  const bool lost = rd_kafka_assignment_lost(handle_.get()) != 0;
  const std::vector<TopicPartition> removed = to_partitions(*partitions);
  listener_.on_revoked(removed, lost);
  for (const TopicPartition& at : removed) {
    assigned_.erase(at);
    unconfirmed_.erase(at);
    shard_.clear(lag_of(at));
  }
  if (const std::string error = apply(handle_.get(), partitions, false); !error.empty()) {
    fail("kafka.unassign", error);
  }
  shard_.set(assigned_partitions_, static_cast<double>(assigned_.size()));
  log::info("kafka.revoked", lost ? "partitions lost" : "partitions revoked",
            {{"removed", removed.size()}, {"assigned", assigned_.size()}});
}

bool KafkaSource::commit(std::span<const Position> positions, bool wait) {
  for (const Position& position : positions) unconfirmed_[position.at] = position;
  if (unconfirmed_.empty()) return true;
  // One at a time: while the coordinator is away they would only pile up.
  if (!wait && commit_in_flight_) return true;
  std::vector<Position> open;
  open.reserve(unconfirmed_.size());
  for (const auto& [at, position] : unconfirmed_) open.push_back(position);
  const kafka::PartitionList list = offsets(open);
  if (!wait) {
    const auto error = rd_kafka_commit(handle_.get(), list.get(), 1);
    commit_in_flight_ = error == RD_KAFKA_RESP_ERR_NO_ERROR;  // then on_commit tells
    return true;
  }
  const auto error = commit_and_wait(list.get());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR__NO_OFFSET) {
    unconfirmed_.clear();
    return true;
  }
  count_error("commit");
  if (kafka::is_denial(error)) refused(error, nullptr, "commit");
  const bool moving = is_moving(error);
  log::warn("kafka.commit",
            moving
                ? "the partitions are on their way to another owner, who reads some records again"
                : "offsets could not be committed; the records will be read again",
            {{"error", rd_kafka_err2str(error)}});
  return moving;
}

kafka::PartitionList KafkaSource::offsets(std::span<const Position> positions) const {
  kafka::PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const Position& position : positions) {
    rd_kafka_topic_partition_t* element = rd_kafka_topic_partition_list_add(
        list.get(), position.at.topic.c_str(), position.at.partition);
    element->offset = position.next;
    const std::string text = rewind_metadata(position.rewind);
    element->metadata = strdup(text.c_str());  // freed with the list
    element->metadata_size = text.size();
  }
  return list;
}

kafka::GroupMetadata KafkaSource::group_metadata() const {
  return kafka::GroupMetadata(rd_kafka_consumer_group_metadata(handle_.get()));
}

std::int32_t KafkaSource::partitions_of(const std::string& topic) const {
  const std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> handle(
      rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr), &rd_kafka_topic_destroy);
  const rd_kafka_metadata_t* metadata = nullptr;
  if (handle == nullptr || rd_kafka_metadata(handle_.get(), 0, handle.get(), &metadata,
                                             wait_ms(kCallLimit)) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return 0;
  }
  const std::int32_t count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
  rd_kafka_metadata_destroy(metadata);
  return count;
}

bool KafkaSource::reread() {
  const kafka::PartitionList list = assignment();
  if (list->cnt == 0) return true;
  if (!find_start(list.get())) return false;
  rd_kafka_error_t* error =
      rd_kafka_seek_partitions(handle_.get(), list.get(), wait_ms(kCallLimit));
  if (error == nullptr) return true;
  fail("kafka.seek", rd_kafka_error_string(error));
  rd_kafka_error_destroy(error);
  return false;
}

// librdkafka's own waiting commit waits for a coordinator for as long as it takes, and we may be
// leaving.
rd_kafka_resp_err_t KafkaSource::commit_and_wait(const rd_kafka_topic_partition_list_t* offsets) {
  const std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)> queue(
      rd_kafka_queue_new(handle_.get()), &rd_kafka_queue_destroy);
  const auto error = rd_kafka_commit_queue(handle_.get(), offsets, queue.get(), nullptr, nullptr);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  const std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)> event(
      rd_kafka_queue_poll(queue.get(), wait_ms(kCommitLimit)), &rd_kafka_event_destroy);
  return event == nullptr ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event.get());
}

void KafkaSource::on_commit(rd_kafka_t*, rd_kafka_resp_err_t error,
                            rd_kafka_topic_partition_list_t* offsets, void* self) {
  auto& source = *static_cast<KafkaSource*>(self);
  source.commit_in_flight_ = false;
  if (error == RD_KAFKA_RESP_ERR__NO_OFFSET || offsets == nullptr) return;
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    source.count_error("commit");
    if (kafka::is_denial(error)) source.refused(error, nullptr, "commit");
    const log::Sampler::Verdict verdict = source.sampler_.admit("commit");
    if (verdict.log) {
      log::warn("kafka.commit", "a commit failed and will be repeated",
                {{"error", rd_kafka_err2str(error)}, {"suppressed", verdict.suppressed}});
    }
    return;
  }
  for (int i = 0; i < offsets->cnt; ++i) {
    const rd_kafka_topic_partition_t& element = offsets->elems[i];
    if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const auto found = source.unconfirmed_.find(to_partition(element));
    if (found != source.unconfirmed_.end() && found->second.next == element.offset) {
      source.unconfirmed_.erase(found);
    }
  }
}

void KafkaSource::on_error(rd_kafka_t* handle, int error, const char* reason, void* self) {
  auto& source = *static_cast<KafkaSource*>(self);
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> text{};
    rd_kafka_fatal_error(handle, text.data(), text.size());
    source.count_error("fatal");
    source.fail("kafka.fatal", text.data());
    return;
  }
  const auto code = kafka::cause_of(static_cast<rd_kafka_resp_err_t>(error), reason);
  if (kafka::is_denial(code)) return source.refused(code, nullptr, reason);
  source.count_error("transport");
  const log::Sampler::Verdict verdict = source.sampler_.admit(rd_kafka_err2name(code));
  if (!verdict.log) return;
  log::warn("kafka.transport", "trouble with a broker; trying again",
            {{"error", reason}, {"suppressed", verdict.suppressed}});
}

int KafkaSource::on_statistics(rd_kafka_t*, char* json, std::size_t size, void* self) {
  auto& source = *static_cast<KafkaSource*>(self);
  // Every other second, a few KB: a fresh parser costs nothing that matters.
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(json, size).get(root) != simdjson::SUCCESS) return 0;
  bool up = false;
  simdjson::dom::object brokers;
  if (root["brokers"].get(brokers) == simdjson::SUCCESS) {
    for (const auto [name, broker] : brokers) {
      std::string_view state;
      std::int64_t node = -1;
      if (broker["state"].get(state) != simdjson::SUCCESS) continue;
      if (broker["nodeid"].get(node) != simdjson::SUCCESS) continue;
      up = up || state == "UP";
    }
  }
  std::string_view join_state;
  const bool joined =
      root["cgrp"]["join_state"].get(join_state) == simdjson::SUCCESS && join_state == "steady";
  if (source.health_.broker_up.exchange(up) != up) {
    if (up) {
      log::info("kafka.up", "connected to the brokers");
    } else {
      log::warn("kafka.down", "no broker connection; trying again, nothing is lost");
    }
  }
  source.health_.joined = joined;
  if (up) source.health_.denials.allowed("connection");
  if (joined) source.health_.denials.allowed("group " + source.subscription_.group);
  return 0;
}

void KafkaSource::pause() {
  if (std::exchange(paused_, true)) return;
  const kafka::PartitionList list = assignment();
  rd_kafka_pause_partitions(handle_.get(), list.get());
}

void KafkaSource::resume() {
  if (!std::exchange(paused_, false)) return;
  const kafka::PartitionList list = assignment();
  rd_kafka_resume_partitions(handle_.get(), list.get());
}

kafka::PartitionList KafkaSource::assignment() const {
  kafka::PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(assigned_.size())));
  for (const auto& [at, state] : assigned_) {
    rd_kafka_topic_partition_list_add(list.get(), at.topic.c_str(), at.partition);
  }
  return list;
}

void KafkaSource::publish(const std::map<TopicPartition, std::int64_t>& next) {
  look_for_hidden_topics();
  caught_up_ = true;
  for (auto& [at, state] : assigned_) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    rd_kafka_get_watermark_offsets(handle_.get(), at.topic.c_str(), at.partition, &low, &high);
    state.high = std::max(state.high, high);
    const auto found = next.find(at);
    const std::int64_t reached =
        std::max({state.resume_at, state.end_met, found == next.end() ? 0 : found->second});
    caught_up_ = caught_up_ && reached >= state.high;
    shard_.set(lag_of(at), static_cast<double>(std::max<std::int64_t>(0, state.high - reached)));
  }
}

metrics::GaugeId KafkaSource::lag_of(const TopicPartition& at) const {
  metrics::Labels labels = {{"topic", at.topic}, {"partition", std::to_string(at.partition)}};
  if (!subscription_.consumer.empty()) labels.emplace_back("consumer", subscription_.consumer);
  return registry_.gauge("tocsin_kafka_lag", "Records of the partition that are not processed yet.",
                         std::move(labels));
}

void KafkaSource::count_error(std::string_view kind) {
  shard_.add(registry_.counter("tocsin_kafka_errors_total", "", {{"kind", std::string(kind)}}));
}

void KafkaSource::fail(std::string_view event, std::string_view reason) {
  health_.failed = true;
  log::error(event, "the Kafka client cannot go on; leaving", {{"error", reason}});
}

}  // namespace tocsin
