#include "daemon/sink/transaction.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <random>
#include <utility>

namespace tocsin {
namespace {

using Error = std::unique_ptr<rd_kafka_error_t, decltype(&rd_kafka_error_destroy)>;

Error owned(rd_kafka_error_t* error) { return {error, &rd_kafka_error_destroy}; }

// A step is waited for in pieces, between which a request to stop is seen.  Each step can be called
// again: it goes on waiting, or (the offsets) asks once more, for which a piece must be long
// enough.
constexpr std::chrono::milliseconds kPiece{2000};

// What the ACL of a transactional id must begin with; kafka::client_id begins so.
constexpr std::string_view kIdPrefix = "tocsin-";

// Nobody takes over another process's transactions: the group's generation is what fences.
std::string transactional_id(std::string_view name) {
  std::random_device random;
  return fmt::format("{}-{:08x}{:08x}", kafka::client_id(name), random(), random());
}

}  // namespace

std::expected<std::unique_ptr<TransactionalSink>, std::string> TransactionalSink::create(
    const Config& config, std::string_view name, metrics::Registry& registry) {
  kafka::Properties properties = config.kafka;
  properties.try_emplace("client.id", kafka::client_id(name));
  properties["partitioner"] = kafka::kPartitioner;
  properties["linger.ms"] = "0";  // the end of the transaction flushes
  properties["transaction.timeout.ms"] = std::to_string(kTimeLimit.count());
  properties["enable.idempotence"] = "true";
  properties["acks"] = "all";
  properties["message.timeout.ms"] = std::to_string(kTimeLimit.count());
  std::unique_ptr<TransactionalSink> sink(
      new TransactionalSink(std::move(properties), name, registry));
  if (auto done = sink->renew(); !done) return std::unexpected(done.error());
  return sink;
}

TransactionalSink::TransactionalSink(kafka::Properties properties, std::string_view name,
                                     metrics::Registry& registry)
    : properties_(std::move(properties)), name_(name), shard_(registry.make_shard()) {
  denials_.identify(properties_);
  aborted_ = registry.counter("tocsin_sink_transactions_aborted_total",
                              "Batches of incident changes that were not written and are done "
                              "again.");
}

std::expected<void, std::string> TransactionalSink::renew() {
  handle_.reset();
  initialised_ = false;
  properties_["transactional.id"] = transactional_id(name_);
  auto conf = kafka::make_conf(properties_, kafka::Scope::kProducer);
  if (!conf) return std::unexpected(conf.error());
  kafka::route_logs(conf->get());
  rd_kafka_conf_set_opaque(conf->get(), this);
  rd_kafka_conf_set_dr_msg_cb(conf->get(), &TransactionalSink::on_delivery);
  auto handle = kafka::make_handle(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!handle) return std::unexpected(handle.error());
  handle_ = std::move(*handle);
  return {};
}

std::chrono::milliseconds TransactionalSink::Limit::left() const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  return leaving.within(std::max(left, std::chrono::milliseconds(0)));
}

// Called while a transaction is committed.
void TransactionalSink::on_delivery(rd_kafka_t* /*handle*/, const rd_kafka_message_t* report,
                                    void* self) {
  if (!kafka::is_denial(report->err)) return;
  static_cast<TransactionalSink*>(self)->refused(report->err, rd_kafka_topic_name(report->rkt),
                                                 "produce");
}

void TransactionalSink::refused(rd_kafka_resp_err_t error, const char* topic,
                                std::string_view detail) {
  std::string area = "connection";
  std::string_view verb = "Write";
  if (error == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED) {
    area = fmt::format("transactional id {}*", kIdPrefix);
  } else if (error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
    area = "group " + group_;
    verb = "Read";
  } else if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
    // A step of a transaction does not say which of its topics.
    area = fmt::format("topic {}", topic == nullptr ? fmt::format("{}", fmt::join(topics_, " or "))
                                                    : std::string(topic));
  }
  denied_.insert(area);
  denials_.refused(area, error, verb, detail);
}

template <typename Step>
TransactionalSink::Result TransactionalSink::attempt(std::string_view what, const Limit& limit,
                                                     const Step& step) {
  while (true) {
    const Error error = owned(step(
        static_cast<int>(std::clamp(limit.left(), std::chrono::milliseconds(1), kPiece).count())));
    if (error == nullptr) return Result::kCommitted;
    const bool again = rd_kafka_error_is_retriable(error.get()) != 0 && limit.left().count() > 0;
    if (again && rd_kafka_error_code(error.get()) == RD_KAFKA_RESP_ERR__TIMED_OUT) continue;
    const auto code = rd_kafka_error_code(error.get());
    if (kafka::is_denial(code)) refused(code, nullptr, rd_kafka_error_string(error.get()));
    const log::Sampler::Verdict verdict = sampler_.admit(rd_kafka_error_name(error.get()));
    if (verdict.log) {
      log::warn("sink.transaction", "a step of a transaction failed",
                {{"step", what},
                 {"error", rd_kafka_error_string(error.get())},
                 {"suppressed", verdict.suppressed}});
    }
    if (rd_kafka_error_is_fatal(error.get()) != 0) return Result::kFailed;
    if (!again) return Result::kAborted;
  }
}

bool TransactionalSink::produce(const KafkaSink::Message& message) {
  // librdkafka copies: the message may go before the report comes.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): it does not write to it
  void* const payload = message.payload ? const_cast<char*>(message.payload->data()) : nullptr;
  const std::size_t size = message.payload ? message.payload->size() : 0;
  const auto error = rd_kafka_producev(handle_.get(), RD_KAFKA_V_TOPIC(message.topic.c_str()),
                                       RD_KAFKA_V_PARTITION(message.partition),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                       RD_KAFKA_V_KEY(message.key.data(), message.key.size()),
                                       RD_KAFKA_V_VALUE(payload, size), RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
  if (kafka::is_denial(error)) refused(error, message.topic.c_str(), "produce");
  const log::Sampler::Verdict verdict = sampler_.admit(rd_kafka_err2name(error));
  if (verdict.log) {
    log::error("sink.refused", "an incident was refused; the batch is done again",
               {{"topic", message.topic},
                {"error", rd_kafka_err2str(error)},
                {"suppressed", verdict.suppressed}});
  }
  return false;
}

TransactionalSink::Result TransactionalSink::write(std::span<const KafkaSink::Message> messages,
                                                   std::span<const Position> positions,
                                                   const KafkaSource& source,
                                                   const Leaving& leaving) {
  group_ = source.group();
  const Result done = transact(messages, positions, source,
                               {.deadline = Clock::now() + kTimeLimit, .leaving = leaving});
  if (done == Result::kCommitted) {
    for (const std::string& area : std::exchange(denied_, {})) denials_.allowed(area);
    return done;
  }
  shard_.add(aborted_);
  return done == Result::kAborted ? done : begin_anew();
}

TransactionalSink::Result TransactionalSink::transact(std::span<const KafkaSink::Message> messages,
                                                      std::span<const Position> positions,
                                                      const KafkaSource& source,
                                                      const Limit& limit) {
  topics_.clear();
  for (const KafkaSink::Message& message : messages) topics_.insert(message.topic);
  rd_kafka_t* const handle = handle_.get();
  if (!initialised_) {
    const Result done = attempt(
        "init", limit, [&](int wait_ms) { return rd_kafka_init_transactions(handle, wait_ms); });
    if (done != Result::kCommitted) return done;
    initialised_ = true;
  }
  Result done = attempt("begin", limit, [&](int) { return rd_kafka_begin_transaction(handle); });
  if (done != Result::kCommitted) return done;
  for (const KafkaSink::Message& message : messages) {
    if (!produce(message)) return abort(limit);
  }
  const kafka::PartitionList offsets = source.offsets(positions);
  const auto group = source.group_metadata();
  done = attempt("offsets", limit, [&](int wait_ms) {
    return rd_kafka_send_offsets_to_transaction(handle, offsets.get(), group.get(), wait_ms);
  });
  if (done == Result::kCommitted) {
    done = attempt("commit", limit,
                   [&](int wait_ms) { return rd_kafka_commit_transaction(handle, wait_ms); });
  }
  return done == Result::kAborted ? abort(limit) : done;
}

TransactionalSink::Result TransactionalSink::abort(const Limit& limit) {
  const Limit anew{.deadline = Clock::now() + kTimeLimit, .leaving = limit.leaving};
  const Result done = attempt("abort", anew, [&](int wait_ms) {
    return rd_kafka_abort_transaction(handle_.get(), wait_ms);
  });
  return done == Result::kCommitted ? Result::kAborted : Result::kFailed;
}

// A transaction that can neither be committed nor aborted, as when a broker went away within it:
// the brokers give it up after kTimeLimit, and another producer goes on.
TransactionalSink::Result TransactionalSink::begin_anew() {
  if (auto done = renew(); !done) {
    log::error("sink.transaction", "no producer can be made", {{"error", done.error()}});
    return Result::kFailed;
  }
  const log::Sampler::Verdict verdict = sampler_.admit("stuck");
  if (verdict.log) {
    log::warn("sink.transaction", "a transaction is stuck; going on with another producer",
              {{"suppressed", verdict.suppressed}});
  }
  return Result::kAborted;
}

}  // namespace tocsin
