#include "daemon/sink/kafka_sink.h"

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/check.h"

namespace tocsin {
namespace {

constexpr auto kRetryPause = std::chrono::seconds(1);
constexpr auto kRenewPause = std::chrono::seconds(5);
constexpr int kRenewFlushMs = 1000;

// About what a message takes while it waits, librdkafka's part included.
std::size_t bytes_of(const KafkaSink::Message& message) {
  constexpr std::size_t kBookkeepingBytes = 512;
  std::size_t bytes = kBookkeepingBytes + message.topic.size() + message.key.size() +
                      (message.payload ? message.payload->size() : 0);
  for (const auto& [name, value] : message.headers) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace

std::expected<std::unique_ptr<KafkaSink>, std::string> KafkaSink::create(
    const Config& config, std::string_view name, Delivered delivered, metrics::Registry& registry) {
  kafka::Properties properties = config.kafka;
  properties.try_emplace("client.id", kafka::client_id(name));
  properties.try_emplace("linger.ms", "5");
  properties["partitioner"] = kafka::kPartitioner;
  properties.try_emplace("allow.auto.create.topics", "true");
  // A dead letter carries what was too large for an event, up to what the source fetches at all.
  properties.try_emplace("message.max.bytes",
                         std::to_string(config.decode.event_bytes_max + (std::size_t{64} << 10)));
  properties["enable.idempotence"] = "true";
  properties["acks"] = "all";
  properties["message.timeout.ms"] = "0";  // never give up
  std::unique_ptr<KafkaSink> sink(
      new KafkaSink(std::move(properties), std::move(delivered), registry));
  if (auto done = sink->connect(); !done) return std::unexpected(done.error());
  return sink;
}

KafkaSink::KafkaSink(kafka::Properties properties, Delivered delivered, metrics::Registry& registry)
    : properties_(std::move(properties)),
      delivered_(std::move(delivered)),
      shard_(registry.make_shard()) {
  denials_.identify(properties_);
  retried_ = registry.counter("tocsin_sink_retries_total",
                              "Findings and dead letters sent again after a refusal.",
                              {{"sink", "kafka"}});
}

std::expected<void, std::string> KafkaSink::connect() {
  auto conf = kafka::make_conf(properties_, kafka::Scope::kProducer);
  if (!conf) return std::unexpected(conf.error());
  kafka::route_logs(conf->get());
  rd_kafka_conf_set_opaque(conf->get(), this);
  rd_kafka_conf_set_dr_msg_cb(conf->get(), &KafkaSink::on_delivery);
  rd_kafka_conf_set_error_cb(conf->get(), &KafkaSink::on_error);
  auto handle = kafka::make_handle(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!handle) return std::unexpected(handle.error());
  handle_ = std::move(*handle);  // an earlier one goes only now: there always is one
  return {};
}

KafkaSink::~KafkaSink() {
  if (handle_ == nullptr) return;
  // Reports for what is still queued free their messages.
  delivered_ = [](std::uint64_t) {};
  rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(handle_.get(), 100);
}

void KafkaSink::send(Message message) {
  const std::size_t bytes = bytes_of(message);
  ++outstanding_;
  outstanding_bytes_ += bytes;
  auto outgoing = std::make_unique<Outgoing>(std::move(message), ++sent_, bytes);
  Topic& topic = topics_[outgoing->message.topic];
  if (topic.held.empty()) {
    produce(std::move(outgoing));
  } else {
    topic.held.emplace(outgoing->number, std::move(outgoing));
  }
}

void KafkaSink::produce(std::unique_ptr<Outgoing> outgoing) {
  Message& message = outgoing->message;
  rd_kafka_headers_t* headers = nullptr;
  if (!message.headers.empty()) {
    headers = rd_kafka_headers_new(message.headers.size());
    for (const auto& [name, value] : message.headers) {
      rd_kafka_header_add(headers, name.c_str(), static_cast<ssize_t>(name.size()), value.data(),
                          static_cast<ssize_t>(value.size()));
    }
  }
  static_assert(kByKey == RD_KAFKA_PARTITION_UA);
  void* const payload = message.payload ? message.payload->data() : nullptr;
  const std::size_t size = message.payload ? message.payload->size() : 0;
  // Not copied: the message lives until its delivery report.
  const auto error = rd_kafka_producev(handle_.get(), RD_KAFKA_V_TOPIC(message.topic.c_str()),
                                       RD_KAFKA_V_PARTITION(message.partition),
                                       RD_KAFKA_V_KEY(message.key.data(), message.key.size()),
                                       RD_KAFKA_V_VALUE(payload, size), RD_KAFKA_V_HEADERS(headers),
                                       RD_KAFKA_V_OPAQUE(outgoing.get()), RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++topics_[message.topic].in_flight;
    static_cast<void>(outgoing.release());  // on_delivery takes it back
    return;
  }
  if (headers != nullptr) rd_kafka_headers_destroy(headers);
  hold(std::move(outgoing), error);
}

void KafkaSink::on_delivery(rd_kafka_t*, const rd_kafka_message_t* report, void* self) {
  auto& sink = *static_cast<KafkaSink*>(self);
  std::unique_ptr<Outgoing> outgoing(static_cast<Outgoing*>(report->_private));
  Topic& topic = sink.topics_[outgoing->message.topic];
  CHECK(topic.in_flight > 0);
  --topic.in_flight;
  if (report->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (report->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
        report->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
      if (!sink.renewing_) return;  // leaving; its offset stays uncommitted
    }
    sink.hold(std::move(outgoing), report->err);
    return;
  }
  if (!topic.held.empty()) {
    topic.refuses = false;
    topic.due = Clock::now();
  }
  CHECK(sink.outstanding_ > 0);
  --sink.outstanding_;
  sink.outstanding_bytes_ -= outgoing->bytes;
  if (sink.denials_.any()) {
    sink.denials_.allowed("producer");
    sink.denials_.allowed("topic " + outgoing->message.topic);
  }
  sink.delivered_(outgoing->message.ticket);
}

void KafkaSink::on_error(rd_kafka_t* handle, int error, const char* reason, void* self) {
  auto& sink = *static_cast<KafkaSink*>(self);
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> text{};
    const auto cause = rd_kafka_fatal_error(handle, text.data(), text.size());
    if (kafka::is_denial(cause)) {
      sink.denials_.refused("producer", cause, "Write", text.data());
      sink.refused_ = true;
      sink.renew_due_ = Clock::now() + kRenewPause;
      return;
    }
    sink.failed_ = true;
    log::error("sink.fatal", "the producer cannot go on", {{"error", text.data()}});
    return;
  }
  const auto code = static_cast<rd_kafka_resp_err_t>(error);
  const log::Sampler::Verdict verdict = sink.sampler_.admit(rd_kafka_err2name(code));
  if (!verdict.log) return;
  // Who may not even connect is told by the source, too, which knows when that is over.
  log::warn("sink.transport", "trouble with a broker; trying again",
            {{"error", reason}, {"suppressed", verdict.suppressed}});
}

void KafkaSink::hold(std::unique_ptr<Outgoing> outgoing, rd_kafka_resp_err_t error) {
  shard_.add(retried_);
  if (kafka::is_denial(error)) {
    denials_.refused("topic " + outgoing->message.topic, error, "Write", "produce");
  }
  const log::Sampler::Verdict verdict = sampler_.admit(rd_kafka_err2name(error));
  if (verdict.log) {
    log::error("sink.refused", "a finding or dead letter was refused; sending it again",
               {{"topic", outgoing->message.topic},
                {"error", rd_kafka_err2str(error)},
                {"outstanding", outstanding_},
                {"suppressed", verdict.suppressed}});
  }
  Topic& topic = topics_[outgoing->message.topic];
  topic.refuses = true;
  topic.due = Clock::now() + kRetryPause;
  topic.held.emplace(outgoing->number, std::move(outgoing));
}

// A producer that was refused as such is of no use for good.
void KafkaSink::begin_anew() {
  renewing_ = true;
  rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(handle_.get(), kRenewFlushMs);
  renewing_ = false;
  const bool all_held =
      std::ranges::all_of(topics_, [](const auto& each) { return each.second.in_flight == 0; });
  refused_ = false;
  if (auto done = connect(); !done || !all_held) {
    failed_ = true;
    log::error("sink.fatal", "no other producer can be made",
               {{"error", done ? "records got stuck in the old one" : done.error()}});
  }
}

void KafkaSink::poll(std::chrono::milliseconds wait) {
  rd_kafka_poll(handle_.get(), static_cast<int>(wait.count()));
  const auto now = Clock::now();
  if (refused_ && renew_due_ <= now) begin_anew();
  if (failed_) return;
  for (auto& [name, topic] : topics_) {
    // Only when nothing is on its way: what is might be refused, too, and would come behind.
    if (!topic.held.empty() && topic.in_flight == 0 && topic.due <= now) send_held(topic);
  }
}

// The first alone, to try; all, once one was accepted.
void KafkaSink::send_held(Topic& topic) {
  const bool trial = topic.refuses;
  do {
    auto first = topic.held.extract(topic.held.begin());
    produce(std::move(first.mapped()));
  } while (!trial && !topic.refuses && !topic.held.empty());
}

bool KafkaSink::flush(std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (outstanding_ > 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    poll(std::min(left, std::chrono::milliseconds(50)));
  }
  return true;
}

}  // namespace tocsin
