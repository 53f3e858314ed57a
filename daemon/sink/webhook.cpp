#include "daemon/sink/webhook.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/check.h"
#include "daemon/leaving.h"
#include "daemon/sink/webhook_signature.h"

namespace tocsin {
namespace {

constexpr auto kTick = std::chrono::seconds(1);
constexpr std::size_t kReadMax = 50;  // records of one poll
// Also the pace at which a stop is seen while waiting.
constexpr std::chrono::milliseconds kWaitMax{100};

constexpr std::array<std::string_view, 5> kOutcomes = {"delivered", "retried", "refused", "expired",
                                                       "unreadable"};

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::expected<std::unique_ptr<Webhook>, std::string> Webhook::create(const Config& config,
                                                                     const WebhookConfig& webhook,
                                                                     metrics::Registry& registry,
                                                                     RetryLimits retry) {
  std::unique_ptr<Webhook> out(new Webhook(config, webhook, registry, retry));
  const std::string name = "webhook-" + webhook.name;
  std::vector<std::string> topics;
  if (webhook.findings) topics.push_back(config.topics.findings);
  if (webhook.incidents) topics.push_back(config.topics.incidents);
  if (webhook.requests) topics.push_back(config.topics.requests);
  kafka::Properties kafka = config.kafka;
  kafka["isolation.level"] = "read_committed";  // incidents are written in transactions
  auto source = KafkaSource::create(kafka,
                                    {.topics = std::move(topics),
                                     .group = fmt::format("{}-{}", kafka.at("group.id"), name),
                                     .rewind_records_max = config.rewind_records_max,
                                     .stage = name,
                                     .consumer = name},
                                    name, *out, out->health_, registry);
  if (!source) return std::unexpected(source.error());
  out->source_ = std::move(*source);
  return out;
}

Webhook::Webhook(const Config& config, const WebhookConfig& webhook, metrics::Registry& registry,
                 RetryLimits retry)
    : config_(config),
      webhook_(webhook),
      shard_(registry.make_shard()),
      retry_(retry),
      reader_(webhook),
      client_(webhook.http) {
  const metrics::Labels name = {{"webhook", webhook.name}};
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    outcomes_[i] = registry.counter(
        "tocsin_webhook_deliveries_total",
        "What became of records to be sent; refused and expired ones were given up.",
        {{"webhook", webhook.name}, {"outcome", std::string(kOutcomes[i])}});
  }
  incidents_forgotten_ = registry.counter(
      "tocsin_webhook_incidents_forgotten_total",
      "How often the states of all incidents of a partition were forgotten for want of room; each "
      "is then sent once more.",
      name);
  last_success_ =
      registry.gauge("tocsin_webhook_last_success_timestamp_seconds",
                     "When the receiver last took something.", name, metrics::Merge::kMax);
  oldest_ = registry.gauge("tocsin_webhook_oldest_undelivered_timestamp_seconds",
                           "When the oldest record that waits for its delivery was written; absent "
                           "while none does.",
                           name);
}

bool Webhook::run(const std::stop_token& stop) {
  log::info("webhook.started", "sending to a webhook",
            {{"webhook", webhook_.name}, {"host", webhook_.url.host}});
  const Leaving leaving(stop);
  source_->watch(leaving);
  while (!stop.stop_requested() && !health_.failed) turn(stop);
  const bool committed = source_->commit(positions(), true);
  source_->close();
  return committed && !health_.failed;
}

void Webhook::turn(const std::stop_token& stop) {
  pass_over_the_unsent();
  const Clock::time_point now = Clock::now();
  auto wait = config_.batch.wait;
  if (!queue_.empty()) {
    wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(due_ - now, Clock::duration(0)));
  }
  // Polled although it is full: that is what keeps us in the group.
  read(std::min(wait, kWaitMax));
  pass_over_the_unsent();
  if (!queue_.empty() && Clock::now() >= due_) attempt(stop);
  if (Clock::now() - last_tick_ >= kTick) tick();
}

// ------------------------------------------------------------------ records

void Webhook::read(std::chrono::milliseconds wait) {
  if (full()) {
    source_->pause();
  } else if (queue_.size() < kQueuedMax / 2 && queued_bytes_ < kQueuedBytesMax / 2) {
    source_->resume();
  }
  source_->poll(batch_, kReadMax, wait);
  take_batch();
}

void Webhook::take_batch() {
  for (const Record& record : batch_) take(record);
  batch_.clear();
  source_->release();
}

WebhookTopic Webhook::kind_of(std::string_view topic) const {
  if (webhook_.findings && topic == config_.topics.findings) return WebhookTopic::kFindings;
  if (webhook_.incidents && topic == config_.topics.incidents) return WebhookTopic::kIncidents;
  return WebhookTopic::kRequests;
}

void Webhook::take(const Record& record) {
  const TopicPartition at{.topic = std::string(record.source.topic),
                          .partition = record.source.partition};
  Milestones& milestones = milestones_[at];
  const std::uint64_t overflows = milestones.overflows();
  WebhookReader::Result result = reader_.read(kind_of(at.topic), record, milestones);
  shard_.add(incidents_forgotten_, milestones.overflows() - overflows);
  if (record.replayed) return;
  if (result.unreadable) {
    count(Outcome::kUnreadable);
    const log::Sampler::Verdict verdict = sampler_.admit("unreadable");
    if (verdict.log) {
      log::error("webhook.unreadable", "a record is none of ours and is not sent",
                 {{"webhook", webhook_.name},
                  {"topic", at.topic},
                  {"partition", at.partition},
                  {"offset", record.source.offset},
                  {"suppressed", verdict.suppressed}});
    }
  }
  if (result.message) queued_bytes_ += result.message->body.size();
  queue_.push_back({.at = at,
                    .offset = record.source.offset,
                    .written_ms = record.written_ms,
                    .message = std::move(result.message)});
}

void Webhook::pass_over_the_unsent() {
  while (!queue_.empty() && !queue_.front().message) finish_first();
}

void Webhook::finish_first() {
  const Item& item = queue_.front();
  next_.insert_or_assign(item.at, item.offset + 1);
  if (item.message) queued_bytes_ -= item.message->body.size();
  queue_.pop_front();
  first_failure_.reset();
}

// ------------------------------------------------------------------ deliveries

void Webhook::attempt(const std::stop_token& stop) {
  const Item& item = queue_.front();
  const std::int64_t timestamp = unix_seconds();
  const HttpResult result = client_.post(
      webhook_.url,
      {{"Content-Type", "application/json"},
       {"webhook-id", item.message->id},
       {"webhook-timestamp", std::to_string(timestamp)},
       {"webhook-signature",
        webhook_signature(webhook_.key, item.message->id, timestamp, item.message->body)}},
      item.message->body, stop);
  if (result.stopped) return;
  switch (reception_of(result.status)) {
    case Reception::kTaken:
      count(Outcome::kDelivered);
      shard_.set(last_success_, static_cast<double>(unix_seconds()));
      if (std::exchange(failures_, 0) > 0) {
        log::info("webhook.recovered", "the receiver takes records again",
                  {{"webhook", webhook_.name}, {"queued", queue_.size()}});
      }
      finish_first();
      return;
    case Reception::kRefused:
      failures_ = 0;  // it is there
      give_up(Outcome::kRefused, result.status);
      return;
    case Reception::kLater: attempt_failed(result); return;
  }
}

void Webhook::attempt_failed(const HttpResult& result) {
  const Clock::time_point now = Clock::now();
  ++failures_;
  const double random = std::generate_canonical<double, 32>(random_);
  const std::chrono::milliseconds pause =
      retry_pause(retry_, failures_, random, result.retry_after);
  due_ = now + pause;
  // That nobody can be reached says nothing of the record: the others would fare no better.
  if (result.reached) {
    if (!first_failure_) first_failure_ = now;
    if (now - *first_failure_ >= webhook_.give_up) {
      return give_up(Outcome::kExpired, result.status);
    }
  }
  count(Outcome::kRetried);
  const log::Sampler::Verdict verdict = sampler_.admit("failing");
  if (!verdict.log) return;
  log::error("webhook.failing", "the receiver does not take records; trying again",
             {{"webhook", webhook_.name},
              {"host", webhook_.url.host},
              {"status", result.status},
              {"error", result.error},
              {"failures", failures_},
              {"again_in_ms", pause.count()},
              {"queued", queue_.size()},
              {"suppressed", verdict.suppressed}});
}

void Webhook::give_up(Outcome outcome, int status) {
  const Item& item = queue_.front();
  count(outcome);
  const std::string_view why = kOutcomes[static_cast<std::size_t>(outcome)];
  const log::Sampler::Verdict verdict = sampler_.admit(why);
  if (verdict.log) {
    log::error("webhook.given_up", "a record was not delivered and will not be",
               {{"webhook", webhook_.name},
                {"outcome", why},
                {"status", status},
                {"id", item.message->id},
                {"topic", item.at.topic},
                {"partition", item.at.partition},
                {"offset", item.offset},
                {"suppressed", verdict.suppressed}});
  }
  finish_first();
}

void Webhook::count(Outcome outcome) { shard_.add(outcomes_[static_cast<std::size_t>(outcome)]); }

void Webhook::tick() {
  last_tick_ = Clock::now();
  const std::vector<Position> reached = positions();
  source_->commit(reached, false);  // the source repeats those that fail
  for (const Position& position : reached) told_.insert_or_assign(position.at, position.next);
  source_->publish(next_);
  std::int64_t oldest_ms = -1;
  for (const Item& item : queue_) {
    if (!item.message || item.written_ms < 0) continue;
    oldest_ms = oldest_ms < 0 ? item.written_ms : std::min(oldest_ms, item.written_ms);
  }
  if (oldest_ms < 0) {
    shard_.clear(oldest_);
  } else {
    shard_.set(oldest_, static_cast<double>(oldest_ms) / 1000);
  }
}

// ------------------------------------------------------------------ partitions

std::vector<Position> Webhook::positions() const {
  std::vector<Position> out;
  for (const auto& [at, next] : next_) {
    const auto told = told_.find(at);
    if (told != told_.end() && told->second == next) continue;
    // A newcomer reads all that is known of incidents, to know what was told of them.
    const bool rereads = kind_of(at.topic) == WebhookTopic::kIncidents;
    out.push_back({.at = at, .next = next, .rewind = rereads ? 0 : next});
  }
  return out;
}

void Webhook::on_assigned(std::span<const TopicPartition> partitions) {
  for (const TopicPartition& at : partitions) {
    milestones_.erase(at);
    next_.erase(at);
    told_.erase(at);
  }
}

void Webhook::on_revoked(std::span<const TopicPartition> partitions, bool lost) {
  take_batch();  // of the poll that we are called from: what is not ours any more goes below
  if (!lost) source_->commit(positions(), true);
  const auto is_gone = [&](const TopicPartition& at) {
    return std::ranges::find(partitions, at) != partitions.end();
  };
  if (!queue_.empty() && is_gone(queue_.front().at)) first_failure_.reset();
  std::erase_if(queue_, [&](const Item& item) {
    if (!is_gone(item.at)) return false;
    if (item.message) queued_bytes_ -= item.message->body.size();
    return true;
  });
  for (const TopicPartition& at : partitions) {
    milestones_.erase(at);
    next_.erase(at);
    told_.erase(at);
  }
}

}  // namespace tocsin
