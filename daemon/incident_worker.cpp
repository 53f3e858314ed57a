#include "daemon/incident_worker.h"

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/incident/control.h"
#include "daemon/ocsf.h"

namespace tocsin {
namespace {

constexpr auto kTick = std::chrono::seconds(1);
constexpr std::size_t kQueueBytes = std::size_t{4} << 20;
constexpr auto kRestoreLimit = std::chrono::seconds(30);
constexpr std::array<double, 11> kSelftestBounds = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                    1,    2.5,   5,    15,  60};

EventTime now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

double unix_seconds(EventTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

std::vector<std::string> system_names(const Policy& policy) {
  std::vector<std::string> names;
  for (const SystemProfile& profile : policy.systems()) names.push_back(profile.system);
  return names;
}

}  // namespace

std::expected<std::unique_ptr<IncidentWorker>, std::string> IncidentWorker::create(
    const Config& config, std::shared_ptr<const Policy> policy, metrics::Registry& registry) {
  std::unique_ptr<IncidentWorker> worker(new IncidentWorker(config, std::move(policy), registry));
  auto sink = TransactionalSink::create(config, "incidents", registry);
  if (!sink) return std::unexpected(sink.error());
  worker->sink_ = std::move(*sink);
  auto reader = CompactedReader::create(config.kafka, "incidents-reader");
  if (!reader) return std::unexpected(reader.error());
  worker->reader_ = std::move(*reader);
  auto source = KafkaSource::create(config.kafka,
                                    {.topics = {config.topics.findings, config.topics.control},
                                     .group = config.kafka.at("group.id") + "-incidents",
                                     .stage = "incidents",
                                     .copartitioned = true,
                                     .queue_bytes_max = kQueueBytes},
                                    "incidents", *worker, worker->health_, registry);
  if (!source) return std::unexpected(source.error());
  worker->source_ = std::move(*source);
  return worker;
}

IncidentWorker::IncidentWorker(const Config& config, std::shared_ptr<const Policy> policy,
                               metrics::Registry& registry)
    : config_(config),
      registry_(registry),
      shard_(registry.make_shard()),
      policy_(std::move(policy)),
      decoder_(config.decode) {
  metrics_.emplace(registry_, shard_, system_names(*policy_));
  selftest_success_ = registry.gauge(
      "tocsin_selftest_last_success_timestamp_seconds",
      "When the latest self-test that came through all stages was sent.", {}, metrics::Merge::kMax);
  selftest_seconds_ = registry.histogram(
      "tocsin_selftest_seconds", "From sending a self-test event to its arrival behind all stages.",
      kSelftestBounds);
}

void IncidentWorker::adopt(std::shared_ptr<const Policy> policy) {
  const std::lock_guard lock(pending_mutex_);
  pending_ = std::move(policy);
  has_pending_.store(true, std::memory_order_release);
}

std::vector<std::string> IncidentWorker::denials() const {
  std::vector<std::string> lines = health_.denials.list();
  for (const kafka::Denials* some : {&reader_->denials(), &sink_->denials()}) {
    for (std::string& line : some->list()) lines.push_back(std::move(line));
  }
  return lines;
}

bool IncidentWorker::run(const std::stop_token& stop) {
  stop_ = stop;
  source_->watch(leaving_.emplace(stop));
  while (!stop.stop_requested() && !health_.failed) turn();
  process_batch();
  flush(true);
  const bool clean = changes_.empty() && !health_.failed;
  source_->close();
  return clean;
}

void IncidentWorker::turn() {
  if (has_pending_.load(std::memory_order_acquire)) {
    const std::lock_guard lock(pending_mutex_);
    policy_ = std::move(pending_);
    has_pending_.store(false, std::memory_order_relaxed);
    metrics_.emplace(registry_, shard_, system_names(*policy_));
  }
  source_->poll(batch_, config_.batch.records_max, config_.batch.wait);
  process_batch();
  const auto at = std::chrono::steady_clock::now();
  last_turn_ms_ =
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  const bool due = at - last_tick_ >= kTick;
  if (due) {
    last_tick_ = at;
    tick();
  }
  flush(due);
}

void IncidentWorker::tick() {
  if (must_reread_ && health_.broker_up) must_reread_ = !source_->reread();
  if (source_->paused() && !must_reread_) restore_lanes();
  for (auto& [partition, lane] : lanes_) {
    current_ = partition;
    // Behind a backlog the clock on the wall knows nothing of what the sessions still do.
    if (lane->restored)
      lane->table.advance(source_->caught_up() ? now() : lane->table.now(), *this);
  }
  source_->publish(next_);
  publish();
}

void IncidentWorker::publish() {
  std::vector<incident::IncidentTable*> tables;
  for (const auto& [partition, lane] : lanes_) tables.push_back(&lane->table);
  metrics_->publish(tables);
  if (alerts_ != nullptr) alerts_->put(alerts());
}

AlertSnapshot IncidentWorker::alerts() const {
  struct Open {
    const incident::Incident* incident;
    std::int32_t partition;
  };
  AlertSnapshot snapshot;
  std::vector<Open> open;
  for (const auto& [partition, lane] : lanes_) {
    if (!lane->restored) continue;
    snapshot.partitions.insert(partition);
    lane->table.for_each([&, number = partition](const incident::Incident& each) {
      if (each.state != incident::State::kOpen) return;
      if (each.severity >= config_.alertmanager.severity_min) open.push_back({&each, number});
    });
  }
  std::ranges::sort(open, [](const Open& a, const Open& b) {
    if (a.incident->severity != b.incident->severity) {
      return a.incident->severity > b.incident->severity;
    }
    return a.incident->first_misuse < b.incident->first_misuse;
  });
  if (open.size() > kAlertsMax) snapshot.left_out = open.size() - kAlertsMax;
  open.resize(open.size() - snapshot.left_out);
  for (const auto& [incident, partition] : open) {
    const SystemProfile* profile = policy_->profile_of(incident->system);
    snapshot.firing.push_back(alert_of(*incident, partition,
                                       profile == nullptr ? "unknown" : profile->system,
                                       config_.alertmanager.links));
  }
  return snapshot;
}

// ------------------------------------------------------------------ records

void IncidentWorker::process_batch() {
  for (const Record& record : batch_) process(record);
  batch_.clear();
  source_->release();
}

void IncidentWorker::process(const Record& record) {
  const TopicPartition at{.topic = std::string(record.source.topic),
                          .partition = record.source.partition};
  const auto lane = lanes_.find(at.partition);
  if (lane == lanes_.end()) return;     // taken away while it was on its way
  if (!lane->second->restored) return;  // comes again: reading starts over
  current_ = at.partition;
  if (record.source.topic == config_.topics.findings) {
    take_finding(record, *lane->second);
  } else {
    take_control(record, *lane->second);
  }
  next_.insert_or_assign(at, record.source.offset + 1);
}

void IncidentWorker::take_finding(const Record& record, Lane& lane) {
  const auto finding = findings_.read(record.payload);
  if (!finding) return reject(record, name_of(finding.error()));
  lane.table.apply(*finding, *this);
}

void IncidentWorker::take_control(const Record& record, Lane& lane) {
  const auto event = decoder_.decode(record.payload, record.source);
  if (!event) return reject(record, name_of(event.error()));
  if ((*event)->type == EventType::kSelftest) return take_selftest(**event);
  if (belongs_elsewhere((*event)->system, record.source.partition)) {
    changes_.emplace_back(KafkaSink::Message{.topic = config_.topics.control,
                                             .key = std::string((*event)->system),
                                             .payload = std::string(record.payload)});
    return;
  }
  auto control = incident::control_of(**event);
  if (!control) return;  // of another kind: releases and the like are for others
  control->time = std::min(control->time, now());
  lane.table.apply(*control, *this);
}

void IncidentWorker::take_selftest(const Event& event) {
  const EventTime sent = event.control->selftest.sent_at;
  const EventTime arrived = now();
  if (sent > arrived) return;  // somebody else's clock, or somebody's idea of a joke
  shard_.set(selftest_success_, unix_seconds(sent));
  shard_.observe(selftest_seconds_, unix_seconds(arrived) - unix_seconds(sent));
}

// Written by a client that spreads keys otherwise than findings are spread.
bool IncidentWorker::belongs_elsewhere(std::string_view system, std::int32_t partition) const {
  return partitions_ > 0 && kafka::partition_of(system, partitions_) != partition;
}

void IncidentWorker::reject(const Record& record, std::string_view reason) {
  shard_.add(registry_.counter(
      "tocsin_events_rejected_total", "",
      {{"topic", std::string(record.source.topic)}, {"reason", std::string(reason)}}));
  const log::Sampler::Verdict verdict = sampler_.admit(reason);
  if (!verdict.log) return;
  log::warn("incidents.rejected", "a record is no finding or control event",
            {{"reason", reason},
             {"topic", record.source.topic},
             {"partition", record.source.partition},
             {"offset", record.source.offset},
             {"suppressed", verdict.suppressed}});
}

// ------------------------------------------------------------------ what changes

void IncidentWorker::write(std::string_view id, std::optional<std::string> payload) {
  const std::string key(id);
  if (const auto earlier = change_of_.find(key); earlier != change_of_.end()) {
    changes_[earlier->second].reset();
  }
  change_of_[key] = changes_.size();
  changes_.emplace_back(KafkaSink::Message{.topic = config_.topics.incidents,
                                           .key = key,
                                           .payload = std::move(payload),
                                           .partition = current_});
}

// Written as it is when the batch is: many findings of a batch are of one incident.
void IncidentWorker::complete(KafkaSink::Message& message) const {
  const auto lane = lanes_.find(message.partition);
  if (lane == lanes_.end()) return;
  const incident::Incident* incident = lane->second->table.find(message.key);
  if (incident != nullptr && incident->incident_id == message.key) {
    message.payload = incident::to_json(*incident);
  }
}

void IncidentWorker::on_incident(const incident::Incident& incident,
                                 const incident::Before& before) {
  metrics_->on_incident(incident, before);
  const bool merged = incident.state == incident::State::kMerged;
  write(incident.incident_id, merged ? std::optional(incident::to_json(incident)) : std::nullopt);
}

void IncidentWorker::on_forgotten(const incident::Incident& /*incident*/,
                                  std::span<const std::string> ids) {
  for (const std::string& id : ids) write(id, std::nullopt);
}

void IncidentWorker::on_containment_failed(const Finding& finding) {
  changes_.emplace_back(KafkaSink::Message{
      .topic = config_.topics.findings, .key = finding.system, .payload = to_json(finding)});
  if (config_.topics.ocsf.empty()) return;
  changes_.emplace_back(KafkaSink::Message{
      .topic = config_.topics.ocsf, .key = finding.system, .payload = ocsf::of_finding(finding)});
}

// Its id depends on the incident and the action alone: whoever acts on it can drop a repeat.
void IncidentWorker::on_request(const incident::Incident& incident,
                                const incident::ContainmentRequest& request) {
  changes_.emplace_back(KafkaSink::Message{.topic = config_.topics.requests,
                                           .key = incident.system,
                                           .payload = incident::to_json(incident, request)});
}

void IncidentWorker::on_judgement(std::string_view rule, std::string_view what, Judgement judgement,
                                  EventTime said) {
  if (config_.topics.judgements.empty()) return;
  const incident::Judged* judged = lanes_.at(current_)->judged.judge(rule, what, judgement, said);
  if (judged == nullptr) return;
  changes_.emplace_back(KafkaSink::Message{.topic = config_.topics.judgements,
                                           .key = std::string(rule),
                                           .payload = incident::to_json(rule, *judged),
                                           .partition = current_});
}

std::vector<Position> IncidentWorker::positions() const {
  std::vector<Position> out;
  for (const auto& [at, reached] : next_) {
    std::int64_t next = reached;
    if (at.topic == config_.topics.control) {
      const auto lane = lanes_.find(at.partition);
      if (lane == lanes_.end()) continue;
      // What waits for its incident is read again after a crash.
      next = std::min(next, lane->second->table.oldest_waiting_offset().value_or(next));
    }
    const auto told = committed_.find(at);
    if (told != committed_.end() && told->second == next) continue;
    out.push_back({.at = at, .next = next, .rewind = next});
  }
  return out;
}

void IncidentWorker::flush(bool all) {
  if (changes_.empty() && !all) return;
  const std::vector<Position> reached = positions();
  if (changes_.empty() && reached.empty()) return;
  std::vector<KafkaSink::Message> messages;
  messages.reserve(changes_.size());
  for (auto& change : changes_) {
    if (!change) continue;
    if (!change->payload) complete(*change);
    messages.push_back(std::move(*change));
  }
  switch (sink_->write(messages, reached, *source_, *leaving_)) {
    case TransactionalSink::Result::kCommitted:
      for (const Position& position : reached) {
        committed_.insert_or_assign(position.at, position.next);
      }
      for (const KafkaSink::Message& written : messages) show(written);
      changes_.clear();
      change_of_.clear();
      return;
    case TransactionalSink::Result::kAborted: start_over(); return;
    case TransactionalSink::Result::kFailed:
      health_.failed = true;
      log::error("incidents.failed", "incidents cannot be written; leaving to be started anew");
      return;
  }
}

void IncidentWorker::show(const KafkaSink::Message& written) {
  if (board_ == nullptr || written.topic != config_.topics.incidents) return;
  if (!written.payload) return board_->remove_incident(written.key);
  const auto lane = lanes_.find(written.partition);
  if (lane == lanes_.end()) return;  // another's by now
  const incident::Incident* incident = lane->second->table.find(written.key);
  const bool open = incident != nullptr && incident->state == incident::State::kOpen;
  board_->put_incident(written.partition, written.key, open, *written.payload);
}

// What is remembered is ahead of what is written.
void IncidentWorker::start_over() {
  const log::Sampler::Verdict verdict = sampler_.admit("again");
  if (verdict.log) {
    log::warn("incidents.again", "a batch of incidents was not written; doing it again",
              {{"changes", changes_.size()}, {"suppressed", verdict.suppressed}});
  }
  changes_.clear();
  change_of_.clear();
  next_.clear();
  committed_.clear();
  batch_.clear();
  source_->release();
  if (revoking_) return;
  for (auto& [partition, lane] : lanes_) {
    lane = make_lane();
  }
  source_->pause();
  must_reread_ = true;
}

// ------------------------------------------------------------------ partitions

void IncidentWorker::on_assigned(std::span<const TopicPartition> partitions) {
  for (const TopicPartition& at : partitions) {
    if (lanes_.contains(at.partition)) continue;
    lanes_.emplace(at.partition, make_lane());
  }
  share_memory();
  if (partitions.empty()) return;
  const std::int32_t findings = source_->partitions_of(config_.topics.findings);
  partitions_ = source_->partitions_of(config_.topics.control);
  if (findings != partitions_ && findings > 0 && partitions_ > 0) {
    log::error("incidents.partitions",
               "findings and control events must have equally many partitions: control events of "
               "some systems do not reach their incidents",
               {{"findings", findings}, {"control", partitions_}});
  }
  source_->pause();
  must_reread_ = false;  // what was assigned starts at what is committed
  restore_lanes();
}

void IncidentWorker::on_revoked(std::span<const TopicPartition> partitions, bool lost) {
  revoking_ = true;
  process_batch();
  if (!lost) flush(true);
  revoking_ = false;
  for (const TopicPartition& at : partitions) {
    lanes_.erase(at.partition);
    if (board_ != nullptr) board_->forget(at.partition);
    next_.erase(at);
    committed_.erase(at);
  }
  share_memory();
  // What is left of a batch that others now own is theirs to write.
  if (lost) {
    changes_.clear();
    change_of_.clear();
  }
  publish();
}

// Nothing is read before what is known of it has been read.
void IncidentWorker::restore_lanes() {
  bool all = true;
  for (auto& [partition, lane] : lanes_) {
    if (stop_.stop_requested()) return;
    if (!lane->restored) {
      lane = make_lane();  // an attempt that failed may have left a part
      lane->restored = restore(partition, *lane);
    }
    all = all && lane->restored;
  }
  if (all) source_->resume();
}

bool IncidentWorker::restore(std::int32_t partition, Lane& lane) {
  const bool judged = config_.topics.judgements.empty() ||
                      restore(config_.topics.judgements, partition,
                              [&](std::string_view key, const std::string_view* payload) {
                                if (payload == nullptr) return lane.judged.restore(key, {}), true;
                                auto told = judged_.read(*payload);
                                if (told) lane.judged.restore(key, std::move(told->judged));
                                return told.has_value();
                              });
  if (!judged) return false;
  const bool known = restore(config_.topics.incidents, partition,
                             [&](std::string_view key, const std::string_view* payload) {
                               if (payload == nullptr) return lane.table.restore_deleted(key), true;
                               auto incident = incidents_.read(*payload);
                               if (!incident) return false;
                               if (board_ != nullptr) {
                                 board_->put_incident(partition, std::string(key),
                                                      incident->state == incident::State::kOpen,
                                                      std::string(*payload));
                               }
                               lane.table.restore(std::move(*incident));
                               return true;
                             });
  if (!known) return false;
  log::info("incidents.restored", "known incidents read",
            {{"partition", partition}, {"incidents", lane.table.size()}});
  return true;
}

// `take`: false when the record is none of ours.
bool IncidentWorker::restore(
    const std::string& topic, std::int32_t partition,
    const std::function<bool(std::string_view key, const std::string_view* payload)>& take) {
  std::uint64_t refused = 0;
  const auto done = reader_->read(topic, partition, kRestoreLimit, stop_,
                                  [&](std::string_view key, const std::string_view* payload) {
                                    refused += take(key, payload) ? 0 : 1;
                                  });
  if (!done && stop_.stop_requested()) return false;
  if (!done) {
    const log::Sampler::Verdict verdict = sampler_.admit("restore");
    if (verdict.log) {
      log::error("incidents.restore",
                 "what is known cannot be read; findings wait.  The topic must exist, with "
                 "cleanup.policy=compact and as many partitions as the findings'",
                 {{"topic", topic},
                  {"partition", partition},
                  {"error", done.error()},
                  {"suppressed", verdict.suppressed}});
    }
    return false;
  }
  if (refused > 0) {
    log::error("incidents.unreadable", "records are none of ours and are passed over",
               {{"topic", topic}, {"partition", partition}, {"records", refused}});
  }
  return true;
}

std::unique_ptr<IncidentWorker::Lane> IncidentWorker::make_lane() const {
  incident::Limits limits = config_.incidents;
  limits.bytes_max /= std::max<std::size_t>(1, lanes_.size());
  return std::make_unique<Lane>(
      limits, [this](std::string_view system) { return policy_->profile_of(system); });
}

// However many partitions this process has.
void IncidentWorker::share_memory() {
  for (auto& [partition, lane] : lanes_) {
    lane->table.limit_bytes(config_.incidents.bytes_max / lanes_.size());
  }
}

}  // namespace tocsin
