#include "daemon/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "daemon/log.h"
#include "daemon/ocsf.h"
#include "daemon/text.h"

namespace tocsin {
namespace {

constexpr auto kTick = std::chrono::seconds(1);
// A topic takes a million bytes unless it was told otherwise, and one that refuses a letter would
// hold back everything behind it.
constexpr std::size_t kDeadLetterBytesMax = 900'000;
// Of what is fetched ahead, all workers together.  librdkafka's own record of a message is about
// as large as a message.
constexpr std::size_t kQueuesBytes = std::size_t{32} << 20;
constexpr std::size_t kQueueBytesMin = std::size_t{4} << 20;
constexpr OffsetLedger::Ticket kSelftest = std::numeric_limits<OffsetLedger::Ticket>::max();

EventTime now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace

KafkaSink::Headers dead_letter_headers(const Record& record, Reject reason, bool truncated) {
  KafkaSink::Headers headers = {
      {"tocsin-dlq-reason", std::string(name_of(reason))},
      {"tocsin-dlq-topic", std::string(record.source.topic)},
      {"tocsin-dlq-partition", std::to_string(record.source.partition)},
      {"tocsin-dlq-offset", std::to_string(record.source.offset)},
  };
  if (truncated) headers.emplace_back("tocsin-dlq-truncated", "true");
  return headers;
}

Worker::Worker(const Config& config, PolicySnapshot policy,
               std::shared_ptr<const Redactor> redactor, metrics::Registry& registry,
               std::size_t number, std::shared_ptr<StateBudget> budget)
    : config_(config),
      shard_(registry.make_shard()),
      pipeline_(
          std::move(policy),
          {.decode = config.decode,
           .sessions = config.sessions,
           .now = &now,
           .rule_watch = config.rules.demote ? std::optional(RuleWatchLimits{}) : std::nullopt,
           .topic_label = {},
           .budget = std::move(budget),
           .worker = number},
          std::move(redactor), registry) {
  outstanding_ = registry.gauge("tocsin_sink_outstanding",
                                "Findings and dead letters that wait for their acknowledgement.",
                                {{"sink", "kafka"}});
  outstanding_bytes_ =
      registry.gauge("tocsin_sink_outstanding_bytes", "Their size.", {{"sink", "kafka"}});
}

std::expected<std::unique_ptr<Worker>, std::string> Worker::create(
    std::size_t number, const Config& config, PolicySnapshot policy,
    std::shared_ptr<const Redactor> redactor, metrics::Registry& registry,
    std::shared_ptr<StateBudget> budget) {
  const std::string name = std::to_string(number);
  const std::size_t workers = budget->workers();
  std::unique_ptr<Worker> worker(new Worker(config, std::move(policy), std::move(redactor),
                                            registry, number, std::move(budget)));
  auto sink = KafkaSink::create(
      config, "findings-" + name,
      [worker = worker.get()](std::uint64_t ticket) { worker->on_delivered(ticket); }, registry);
  if (!sink) return std::unexpected(sink.error());
  worker->sink_ = std::move(*sink);
  auto source =
      KafkaSource::create(config.kafka,
                          {.topics = config.topics.events,
                           .group = config.kafka.at("group.id"),
                           .start_at = config.topics.start_at,
                           .rewind_records_max = config.rewind_records_max,
                           .queue_bytes_max = std::max(kQueueBytesMin, kQueuesBytes / workers)},
                          "events-" + name, *worker, worker->health_, registry);
  if (!source) return std::unexpected(source.error());
  worker->source_ = std::move(*source);
  worker->sends_selftests_ =
      number == 0 && config.selftest_interval.count() > 0 && !config.topics.incidents.empty();
  return worker;
}

std::vector<std::string> Worker::denials() const {
  std::vector<std::string> lines = health_.denials.list();
  for (std::string& line : sink_->denials().list()) lines.push_back(std::move(line));
  return lines;
}

bool Worker::run(const std::stop_token& stop) {
  source_->watch(leaving_.emplace(stop));
  while (!stop.stop_requested() && !health_.failed) turn();
  return drain() && !health_.failed;
}

void Worker::adopt(PolicySnapshot policy) {
  const std::lock_guard lock(pending_mutex_);
  pending_ = std::move(policy);
  has_pending_.store(true, std::memory_order_release);
}

void Worker::lower(std::shared_ptr<const incident::RuleNames> rules) {
  const std::lock_guard lock(pending_mutex_);
  pending_lowered_ = std::move(rules);
  has_pending_.store(true, std::memory_order_release);
}

void Worker::turn() {
  if (has_pending_.load(std::memory_order_acquire)) {
    const std::lock_guard lock(pending_mutex_);
    if (pending_) pipeline_.adopt(std::move(*pending_));
    pending_.reset();
    if (pending_lowered_ != nullptr) pipeline_.lower(std::move(pending_lowered_));
    has_pending_.store(false, std::memory_order_relaxed);
  }
  source_->poll(batch_, config_.batch.records_max, config_.batch.wait);
  process_batch();
  sink_->poll();
  if (sink_->failed()) health_.failed = true;
  // Findings that pile up mean that their topic refuses them: stop reading, keep the group
  // membership alive.
  const auto waits = [this](std::size_t share) {
    return sink_->outstanding() > kOutstandingMax / share ||
           sink_->outstanding_bytes() > kOutstandingBytesMax / share;
  };
  if (waits(1)) {
    if (!source_->paused()) {
      log::warn("worker.paused", "too many findings wait for delivery; reading pauses",
                {{"outstanding", sink_->outstanding()}, {"bytes", sink_->outstanding_bytes()}});
    }
    source_->pause();
  } else if (source_->paused() && !waits(2)) {
    source_->resume();
    log::info("worker.resumed", "findings are delivered again; reading goes on");
  }
  const auto at = std::chrono::steady_clock::now();
  last_turn_ms_ =
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  if (at - last_tick_ >= kTick) {
    last_tick_ = at;
    tick();
  }
}

void Worker::on_delivered(std::uint64_t ticket) {
  if (ticket == kSelftest) {
    selftest_on_its_way_ = false;
  } else {
    ledger_.delivered(ticket);
  }
}

// One at a time: while the topic refuses it, its age says enough.
void Worker::send_selftest(std::chrono::steady_clock::time_point at) {
  if (!sends_selftests_ || selftest_on_its_way_ || at < selftest_due_) return;
  selftest_due_ = at + config_.selftest_interval;
  selftest_on_its_way_ = true;
  const std::string time = format_time(now());
  const std::string id = fmt::format("{}-{}", kafka::client_id("selftest"), ++selftests_);
  sink_->send({.topic = config_.topics.events.front(),
               .key = id,
               .payload = fmt::format(
                   R"({{"type":"selftest","time":"{0}","system":"tocsin","event_id":"{1}",)"
                   R"("selftest":{{"id":"{1}","sent_at":"{0}"}}}})",
                   time, id),
               .ticket = kSelftest});
}

void Worker::tick() {
  send_selftest(last_tick_);
  source_->commit(ledger_.take_settled(), false);
  source_->publish(processed_);
  pipeline_.publish_gauges();
  shard_.set(outstanding_, static_cast<double>(sink_->outstanding()));
  shard_.set(outstanding_bytes_, static_cast<double>(sink_->outstanding_bytes()));
}

void Worker::process_batch() {
  if (batch_.empty()) return;
  ticket_ = ledger_.open();
  pipeline_.run(batch_, *this);
  std::map<TopicPartition, std::int64_t> reached;
  for (const Record& record : batch_) {
    const std::int64_t next = record.source.offset + 1;
    const TopicPartition at{.topic = std::string(record.source.topic),
                            .partition = record.source.partition};
    // While state is rebuilt, what is committed stands further ahead: do not move it back.
    if (!record.replayed) reached.insert_or_assign(at, next);
  }
  for (const auto& [at, next] : reached) {
    const std::int64_t rewind = pipeline_.rewind_offset(at.topic, at.partition).value_or(next);
    ledger_.cover(ticket_, {.at = at, .next = next, .rewind = std::min(rewind, next)});
    processed_.insert_or_assign(at, next);
  }
  ledger_.close(ticket_);
  batch_.clear();
  source_->release();
}

void Worker::on_finding(const Finding& finding) {
  std::string json = to_json(finding);
  if (board_ != nullptr && finding.severity >= Severity::kMedium) board_->add_finding(json);
  ledger_.expect(ticket_);
  sink_->send({.topic = config_.topics.findings,
               .key = finding.system,
               .payload = std::move(json),
               .ticket = ticket_});
  if (config_.topics.ocsf.empty()) return;
  ledger_.expect(ticket_);
  sink_->send({.topic = config_.topics.ocsf,
               .key = finding.system,
               .payload = ocsf::of_finding(finding),
               .ticket = ticket_});
}

// Incidents are stage two's, and so is all that is said about them.
void Worker::on_control(const Event& event, const Record& record) {
  if (config_.topics.incidents.empty()) return;
  ledger_.expect(ticket_);
  sink_->send({.topic = config_.topics.control,
               .key = std::string(event.system),
               .payload = std::string(record.payload),
               .ticket = ticket_});
}

void Worker::on_demotion(const RuleDemotion& what, std::string_view rule, std::string_view system) {
  const bool flood = what.reason == DemotionReason::kFlood;
  if (what.lifted) {
    log::info("rule.restored", "a demoted rule is itself again",
              {{"rule", rule}, {"reason", flood ? "flood" : "time"}, {"system", system}});
    return;
  }
  log::warn("rule.demoted",
            flood ? "a rule floods: its findings in this system are told as low until it stops"
                  : "a rule takes too much time: it is not tried on long events until it stops",
            {{"rule", rule},
             {"reason", flood ? "flood" : "time"},
             {"system", system},
             {"share", what.share}});
}

void Worker::on_rejected(const Record& record, Reject reason) {
  const log::Sampler::Verdict verdict = sampler_.admit(name_of(reason));
  if (verdict.log) {
    log::warn("event.rejected", "a record is not an event",
              {{"reason", name_of(reason)},
               {"topic", record.source.topic},
               {"partition", record.source.partition},
               {"offset", record.source.offset},
               {"bytes", record.payload.size()},
               {"suppressed", verdict.suppressed}});
  }
  if (config_.topics.dead_letter.empty()) return;
  const std::string_view letter =
      record.payload.substr(0, std::min(config_.decode.event_bytes_max, kDeadLetterBytesMax));
  const bool truncated = letter.size() < record.payload.size();
  ledger_.expect(ticket_);
  sink_->send({.topic = config_.topics.dead_letter,
               .payload = std::string(letter),
               .headers = dead_letter_headers(record, reason, truncated),
               .ticket = ticket_});
}

void Worker::on_assigned(std::span<const TopicPartition> partitions) {
  // Another owner may have gone on since we last had them: what we remember is stale.
  for (const TopicPartition& at : partitions) {
    pipeline_.forget_partition(at.topic, at.partition);
    processed_.erase(at);
  }
}

void Worker::on_revoked(std::span<const TopicPartition> partitions, bool lost) {
  process_batch();
  if (!lost && !drained_) {
    if (!sink_->flush(leaving_->within(kDrainLimit))) {
      log::warn("worker.revoked",
                "partitions leave with findings undelivered; their records will "
                "be read again by the next owner",
                {{"outstanding", sink_->outstanding()}});
    }
    source_->commit(ledger_.take_settled(), true);
  }
  for (const TopicPartition& at : partitions) {
    ledger_.forget(at);
    pipeline_.forget_partition(at.topic, at.partition);
    processed_.erase(at);
  }
}

bool Worker::drain() {
  process_batch();
  const bool delivered = sink_->flush(leaving_->within(kDrainLimit));
  const bool committed = source_->commit(ledger_.take_settled(), true);
  drained_ = true;
  source_->close();  // revokes, which finds nothing left to do
  if (!delivered) {
    log::warn("worker.undelivered",
              "leaving with findings undelivered; their records will be read again",
              {{"outstanding", sink_->outstanding()}});
  }
  return delivered && committed;
}

}  // namespace tocsin
