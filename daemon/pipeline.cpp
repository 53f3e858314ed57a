#include "daemon/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <set>
#include <utility>

#include "daemon/indicators.h"
#include "daemon/text.h"
#include "detectors/flow/tracker.h"
#include "detectors/session/tool_context.h"

namespace tocsin {
namespace {

Origin kept(const OriginView& of) {
  return {.event_id = std::string(of.event_id), .seq = of.seq, .tool = std::string(of.tool)};
}

constexpr std::size_t kFindingIdDigits = 32;
constexpr std::size_t kDescribedToolsMax = 256;  // a session
constexpr std::size_t kInferredToolsMax =
    4096;                                 // names whose inferred effect is remembered, a worker
constexpr std::size_t kIdBytesMax = 512;  // of an id copied into a finding
constexpr std::size_t kSystemsShare = 4;  // of the memory, at most, is for what is known of systems
constexpr double kCoverageDecay = 0.999;  // coverage speaks of the last thousand calls or so

std::string bounded(std::string_view text) {
  return std::string(text.substr(0, cut_at_character(text, kIdBytesMax)));
}

// Everything that names the event, not its id alone: whoever chooses an event's id must not be able
// to make a later finding look like a duplicate of an earlier one.
std::string finding_id(const Event& event, std::string_view rule) {
  const std::string identity =
      fmt::format("{}\n{}\n{}\n{}\n{}", event.system, event.session_id, event.event_id,
                  event.seq ? std::to_string(*event.seq) : "", rule);
  return sha256_hex(identity).substr(0, kFindingIdDigits);
}

double seconds_between(EventTime from, EventTime to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

// Turns what a rule or detector reports into drafts, masking evidence while the event's text is at
// hand.
class Pipeline::DraftReporter final : public Reporter {
 public:
  DraftReporter(Pipeline& pipeline, std::size_t first_rule)
      : pipeline_(pipeline), first_rule_(first_rule) {}
  // Of a detector; `system` is where its metrics are counted.
  DraftReporter(Pipeline& pipeline, const Policy::LoadedDetector& detector, std::size_t system)
      : pipeline_(pipeline),
        first_rule_(detector.first_rule),
        spec_(detector.spec),
        system_(system) {}

  using Reporter::report;
  void report(std::size_t rule, std::span<const EvidenceView> evidence,
              std::span<const MessageView> message) override {
    const std::size_t index = first_rule_ + rule;
    const RuleInfo& info = pipeline_.snapshot_.policy->reportable()[index];
    // One finding an event and rule id: the id of the finding says so.
    const bool said = std::ranges::any_of(pipeline_.drafts_, [&](const Draft& draft) {
      return pipeline_.snapshot_.policy->reportable()[draft.reportable].id == info.id;
    });
    if (said) return;
    Draft& draft = pipeline_.drafts_.emplace_back();
    draft.reportable = index;
    if (!evidence.empty()) draft.evidence_hash = hash64(evidence.front().text);
    for (const EvidenceView& item : evidence) {
      draft.evidence.push_back({.field = printable(item.field),
                                .excerpt = pipeline_.redactor_->excerpt(item.text, info.category),
                                .hash = pipeline_.redactor_->hash(item.text),
                                .decoded = std::string(item.decoded),
                                .origin = item.origin.transform(kept)});
    }
    for (const MessageView& part : message) {
      draft.message +=
          part.masked ? pipeline_.redactor_->excerpt(part.text, info.category) : part.text;
    }
  }
  void count(std::size_t metric, std::string_view label) override {
    if (spec_ == nullptr || pipeline_.replaying_) return;  // it was counted the first time
    pipeline_.detector_metrics_.count(spec_->metrics[metric], pipeline_.system_label(system_),
                                      label);
  }

 private:
  Pipeline& pipeline_;
  std::size_t first_rule_;
  const DetectorSpec* spec_ = nullptr;
  std::size_t system_ = 0;
};

Pipeline::Pipeline(PolicySnapshot snapshot, PipelineOptions options,
                   std::shared_ptr<const Redactor> redactor, metrics::Registry& registry)
    : snapshot_(std::move(snapshot)),
      options_(std::move(options)),
      redactor_(std::move(redactor)),
      registry_(registry),
      shard_(registry.make_shard()),
      decoder_(options_.decode),
      tracker_(std::make_unique<flow::Tracker>()),
      detector_metrics_(registry, shard_),
      coverage_(snapshot_.metrics->systems()) {
  constexpr std::string_view kEvicted = "tocsin_sessions_evicted_total";
  constexpr std::string_view kEvictedHelp =
      "Sessions forgotten: `idle` ended, `memory` lost their state to the bound.";
  replayed_events_ = registry.counter("tocsin_events_replayed_total",
                                      "Events read again to rebuild session state.");
  decoding_limited_ = registry.counter("tocsin_decoding_limited_total",
                                       "Events whose decoded views reached a bound: not every "
                                       "layer of encoding was looked through.");
  urls_limited_ = registry.counter("tocsin_urls_limited_total",
                                   "Events in which a value has more URLs than are looked at.");
  folded_findings_ = registry.counter("tocsin_findings_folded_total",
                                      "Findings alike to an earlier one of their session, counted "
                                      "but not told again.");
  passed_over_ = registry.counter("tocsin_rule_evaluations_passed_over_total",
                                  "Long events that a rule demoted for its cost was not tried on.");
  evicted_correlations_ = registry.counter("tocsin_correlation_windows_evicted_total",
                                           "Correlation windows forgotten before their time.");
  constexpr std::string_view kSkew = "tocsin_event_clock_skew_total";
  constexpr std::string_view kSkewHelp =
      "Events an hour or more ahead of their partition's event time, or a day or more behind it; "
      "they end nobody's session.";
  clocks_ahead_ = registry.counter(kSkew, kSkewHelp, {{"direction", "ahead"}});
  clocks_behind_ = registry.counter(kSkew, kSkewHelp, {{"direction", "behind"}});
  expired_sessions_ = registry.counter(kEvicted, kEvictedHelp, {{"reason", "idle"}});
  evicted_sessions_ = registry.counter(kEvicted, kEvictedHelp, {{"reason", "memory"}});
  evicted_systems_ = registry.counter(
      "tocsin_system_states_evicted_total",
      "Systems of which what detectors had learnt was forgotten for want of room.");
  limited_memories_ = registry.counter(
      "tocsin_session_memory_limited_total",
      "Sessions of which something that was said or read is not remembered: a bound was reached.");
  live_sessions_ = registry.gauge("tocsin_sessions_live", "Sessions remembered.");
  state_bytes_ =
      registry.gauge("tocsin_state_bytes", "Memory held by the state of sessions and systems.");
  for (std::size_t i = 0; i < snapshot_.policy->reportable().size(); ++i) {
    shard_.set(snapshot_.metrics->last_match(i), 0);
  }
  if (options_.budget == nullptr) {
    options_.budget = std::make_shared<StateBudget>(options_.sessions.bytes_max, 1);
  }
  watch_rules();
  mark_lowered();
  publish_rule_seconds();
  publish_gauges();
}

Pipeline::~Pipeline() = default;

void Pipeline::publish_rule_seconds() {
  for (std::size_t i = 0; i < rule_seconds_.size() && watch_; ++i) {
    shard_.set(snapshot_.metrics->rule_seconds(i), rule_seconds_[i]);
  }
}

// From here on, as nothing is known of the rules' costs yet.
void Pipeline::watch_rules() {
  const std::size_t rules = snapshot_.policy->rules().rules().size();
  rule_seconds_.assign(rules, 0);
  if (!options_.rule_watch) return;
  watch_.emplace(rules, *options_.rule_watch);
  rule_scratch_.timed = true;
  rule_scratch_.demoted.assign(rules, 0);
  for (std::size_t i = 0; i < snapshot_.policy->reportable().size(); ++i) {
    for (const metrics::GaugeId id : snapshot_.metrics->demoted(i)) shard_.set(id, 0);
  }
}

void Pipeline::lower(std::shared_ptr<const incident::RuleNames> rules) {
  lowered_names_ = std::move(rules);
  mark_lowered();
}

void Pipeline::mark_lowered() {
  const auto& reportable = snapshot_.policy->reportable();
  lowered_.assign(reportable.size(), false);
  if (lowered_names_ == nullptr) return;
  for (std::size_t i = 0; i < reportable.size(); ++i) {
    lowered_[i] = lowered_names_->contains(reportable[i].id);
  }
}

void Pipeline::adopt(PolicySnapshot snapshot) {
  const auto specs = [](const Policy& policy) {
    std::vector<const DetectorSpec*> all;
    for (const Policy::LoadedDetector& loaded : policy.detectors()) all.push_back(loaded.spec);
    return all;
  };
  const bool same_detectors = specs(*snapshot_.policy) == specs(*snapshot.policy);
  std::set<std::string_view> known;
  for (const RuleInfo& info : snapshot_.policy->reportable()) known.insert(info.id);
  for (std::size_t i = 0; i < snapshot.policy->reportable().size(); ++i) {
    if (!known.contains(snapshot.policy->reportable()[i].id)) {
      shard_.set(snapshot.metrics->last_match(i), 0);
    }
  }
  // Seconds are a counter: a rule that stays goes on from where it was.
  std::map<std::string, double> seconds;
  for (std::size_t i = 0; i < rule_seconds_.size(); ++i) {
    seconds.emplace(snapshot_.policy->rules().rules()[i].info.id, rule_seconds_[i]);
  }
  // The old one lives until nothing refers to it any more.
  const PolicySnapshot old = std::exchange(snapshot_, std::move(snapshot));
  rule_scratch_ = {};
  watch_rules();
  mark_lowered();
  for (std::size_t i = 0; i < rule_seconds_.size(); ++i) {
    const auto kept = seconds.find(snapshot_.policy->rules().rules()[i].info.id);
    if (kept != seconds.end()) rule_seconds_[i] = kept->second;
  }
  publish_rule_seconds();
  coverage_.assign(snapshot_.metrics->systems(), {});
  for (auto& [key, partition] : partitions_) {
    partition->correlations.adopt(snapshot_.policy->correlations());
    if (!same_detectors) partition->systems.clear();
    partition->sessions.for_each([&](Session& session) {
      const std::string_view name = session.key;
      session.system_index = snapshot_.policy->system_index(name.substr(0, name.find('\0')));
      if (same_detectors) return;
      session.states.clear();
      make_states(session);
      partition->sessions.update_bytes(session);
    });
  }
  publish_gauges();
}

void Pipeline::make_states(Session& session) const {
  const auto detectors = snapshot_.policy->detectors();
  session.states.reserve(detectors.size());
  for (const Policy::LoadedDetector& loaded : detectors) {
    session.states.push_back(loaded.detector->new_state());
  }
}

void Pipeline::run(std::span<const Record> batch, PipelineOutput& output) {
  share_memory();
  auto before = std::chrono::steady_clock::now();
  for (const Record& record : batch) {
    process(record, partition_of(record.source), output);
    keep_within_memory();
    if (!watch_) continue;
    const auto after = std::chrono::steady_clock::now();
    note_costs(std::chrono::duration<double>(after - before).count(), output);
    before = after;
  }
}

void Pipeline::note_costs(double seconds, PipelineOutput& output) {
  for (const auto& [rule, spent] : rule_scratch_.seconds) {
    rule_seconds_[rule] += spent;
    shard_.set(snapshot_.metrics->rule_seconds(rule), rule_seconds_[rule]);
    watch_->spent(rule, spent);
  }
  rule_scratch_.seconds.clear();
  for (const RuleDemotion& change : watch_->end_event(seconds)) demote(change, output);
}

void Pipeline::demote(const RuleDemotion& what, PipelineOutput& output) {
  const bool flood = what.reason == DemotionReason::kFlood;
  const std::size_t reportable =
      flood ? what.rule
            : snapshot_.policy->rules().reportable_of(
                  what.rule, snapshot_.policy->rules().rules()[what.rule].on.front());
  if (!flood) rule_scratch_.demoted[what.rule] = what.lifted ? 0 : 1;
  shard_.set(snapshot_.metrics->demoted(reportable)[static_cast<std::size_t>(what.reason)],
             what.lifted ? 0 : 1);
  const std::string_view system = flood ? system_label(what.system) : std::string_view();
  output.on_demotion(what, snapshot_.policy->reportable()[reportable].id, system);
}

void Pipeline::process(const Record& record, Partition& partition, PipelineOutput& output) {
  const auto decoded = decoder_.decode(record.payload, record.source);
  if (!decoded) {
    if (record.replayed) return;
    ++rejected_;
    shard_.add(partition.metrics.rejected[static_cast<std::size_t>(decoded.error())]);
    output.on_rejected(record, decoded.error());
    return;
  }
  const Event& event = **decoded;
  if (!record.replayed && decoder_.repaired()) shard_.add(partition.metrics.repaired);

  drafts_.clear();
  replaying_ = record.replayed;
  EventContext context;
  std::size_t system = 0;
  if (event.session_id.empty()) {  // a control event: about a system, not of a session
    system = snapshot_.policy->system_index(event.system);
  } else {
    Session& session = find_session(event, record.source.offset, partition);
    system = session.system_index;
    if (system < snapshot_.policy->systems().size()) {
      context.profile = &snapshot_.policy->systems()[system];
    }
    context.seq = event.seq.value_or(session.arrivals);
    context.tool = session::tool_context(event, context.profile, [&](std::string_view tool) {
      return inferred_effect(tool, session);
    });
    context.flow = &follow(event, context, session);
    detect(event, context, session, partition);
    if (!record.replayed) output.on_event(event, context);
    finish(record, event, context, system, session, output);
    partition.sessions.update_bytes(session);
  }
  if (record.replayed) {
    shard_.add(replayed_events_);
    return;
  }
  if (is_control(event.type)) output.on_control(event, record);
  count(event, context, system);
}

Session& Pipeline::find_session(const Event& event, std::int64_t offset, Partition& partition) {
  Session& session = partition.sessions.touch(event, offset);
  if (session.arrivals == 1) {
    session.system_index = snapshot_.policy->system_index(event.system);
    make_states(session);
  }
  return session;
}

const flow::Flow& Pipeline::follow(const Event& event, const EventContext& context,
                                   Session& session) {
  const bool was_limited = session.memory.limited;
  const flow::Flow& flow = tracker_->follow(event, context, session.memory);
  if (session.memory.limited && !was_limited && !replaying_) shard_.add(limited_memories_);
  return flow;
}

// What the session's definitions said of a tool goes before what its name says.
Effect Pipeline::inferred_effect(std::string_view tool, const Session& session) {
  if (!session.described.empty()) {
    const auto found = std::ranges::find(session.described, hash64(tool),
                                         &std::pair<std::uint64_t, Effect>::first);
    if (found != session.described.end()) return found->second;
  }
  return inferred_effect(tool);
}

Effect Pipeline::inferred_effect(std::string_view tool) {
  const std::uint64_t hash = hash64(tool);
  if (const auto found = inferred_.find(hash); found != inferred_.end()) return found->second;
  if (inferred_.size() >= kInferredToolsMax) inferred_.clear();
  return inferred_.emplace(hash, infer_effect(tool)).first->second;
}

void Pipeline::learn_definitions(const Event& event, Session& session) {
  for (const ToolDefinition& tool : event.tools) {
    const Effect effect = infer_effect(tool.name, tool.description);
    if (effect == inferred_effect(tool.name)) continue;
    if (session.described.size() >= kDescribedToolsMax) return;
    session.described.emplace_back(hash64(tool.name), effect);
  }
}

void Pipeline::detect(const Event& event, const EventContext& context, Session& session,
                      Partition& partition) {
  if (event.type == EventType::kToolDefinitions) learn_definitions(event, session);
  DraftReporter rules(*this, 0);
  snapshot_.policy->rules().evaluate(event, context, rule_scratch_, rules);
  if (rule_scratch_.decoding_exhausted) shard_.add(decoding_limited_);
  if (rule_scratch_.urls_limited) shard_.add(urls_limited_);
  shard_.add(passed_over_, rule_scratch_.passed_over);
  SystemStates& system = find_system(event, session.system_index, partition);
  for_each_detector(context, session, system,
                    [&](const Detector& detector, const EventContext& own, DetectorState& state,
                        Reporter& reporter) { detector.on_event(event, own, state, reporter); });
  correlate(event, context, partition);
  tell_findings(event, context, session, system);
  partition.systems.update_bytes(system);
}

SystemStates& Pipeline::find_system(const Event& event, std::size_t system,
                                    Partition& partition) const {
  SystemStates& found =
      partition.systems.touch(event.system, system < snapshot_.policy->systems().size());
  if (found.states.empty()) {
    const auto detectors = snapshot_.policy->detectors();
    found.states.reserve(detectors.size());
    for (const Policy::LoadedDetector& loaded : detectors) {
      found.states.push_back(loaded.detector->new_system_state());
    }
  }
  return found;
}

void Pipeline::tell_findings(const Event& event, const EventContext& context, Session& session,
                             const SystemStates& system) {
  found_.clear();
  for (const Draft& draft : drafts_) {
    const RuleInfo& info = snapshot_.policy->reportable()[draft.reportable];
    found_.push_back({.id = info.id, .severity = info.severity, .category = info.category});
  }
  for_each_detector(
      context, session, system,
      [&](const Detector& detector, const EventContext& own, DetectorState& state,
          Reporter& reporter) { detector.on_findings(event, own, found_, state, reporter); });
}

template <typename Use>
void Pipeline::for_each_detector(EventContext context, Session& session, const SystemStates& system,
                                 const Use& use) {
  const auto detectors = snapshot_.policy->detectors();
  for (std::size_t i = 0; i < detectors.size(); ++i) {
    DraftReporter reporter(*this, detectors[i], session.system_index);
    context.system_state = system.states[i].get();
    use(*detectors[i].detector, context, *session.states[i], reporter);
  }
}

std::string_view Pipeline::system_label(std::size_t system) const {
  const auto systems = snapshot_.policy->systems();
  return system < systems.size() ? std::string_view(systems[system].system)
                                 : std::string_view("unknown");
}

void Pipeline::correlate(const Event& event, const EventContext& context, Partition& partition) {
  if (snapshot_.policy->correlations().all().empty()) return;
  DraftReporter reporter(*this, snapshot_.policy->first_correlation());
  const std::size_t matched = drafts_.size();  // correlations do not wait for correlations
  for (std::size_t i = 0; i < matched; ++i) {
    partition.correlations.on_match(drafts_[i].reportable, event, context, rule_scratch_.values,
                                    reporter);
  }
  shard_.add(evicted_correlations_, partition.correlations.take_evicted());
}

void Pipeline::count(const Event& event, const EventContext& context, std::size_t system) {
  const PolicyMetrics::System& ids = snapshot_.metrics->system(system);
  ++events_;
  shard_.add(ids.events[static_cast<std::size_t>(event.type)]);

  Severity worst = Severity::kInfo;
  for (const Draft& draft : drafts_) {
    worst = std::max(worst, snapshot_.policy->reportable()[draft.reportable].severity);
  }
  if (event.type == EventType::kModelOutput) {
    shard_.add(ids.outputs);
    if (worst >= Severity::kMedium) shard_.add(ids.violating_outputs);
  }
  if (event.type == EventType::kToolCall) {
    const PolicyMetrics::ToolIds& tool =
        context.tool.declared != nullptr
            ? ids.declared_tools.at(context.tool.declared)
            : ids.undeclared_tools[static_cast<std::size_t>(context.tool.effect)];
    shard_.add(tool.calls);
    if (worst >= Severity::kHigh) shard_.add(tool.unsafe_calls);
    Coverage& coverage = coverage_[system];
    coverage.calls = coverage.calls * kCoverageDecay + 1;
    coverage.seen = coverage.seen * kCoverageDecay + (event.tool.has_arguments ? 1 : 0);
  }
}

void Pipeline::tone_down(Finding& finding, std::size_t reportable, std::size_t system) const {
  const Severity severity = finding.severity;
  if (watch_ && watch_->flooding(reportable, system)) {
    finding.severity = std::min(severity, Severity::kLow);
  } else if (lowered_[reportable]) {
    finding.severity = incident::one_lower(severity);
  }
  if (finding.severity == severity) return;
  finding.demoted_from = severity;
  if (finding.severity >= Severity::kMedium) return;
  finding.incident_id.clear();
  finding.indicators.clear();
}

void Pipeline::finish(const Record& record, const Event& event, const EventContext& context,
                      std::size_t system, Session& session, PipelineOutput& output) {
  const PolicyMetrics::System& ids = snapshot_.metrics->system(system);
  for (Draft& draft : drafts_) {
    const RuleInfo& rule = snapshot_.policy->reportable()[draft.reportable];
    const std::string id = finding_id(event, rule.id);
    // By the rule's own severity, and while replaying too: the same whatever was demoted meanwhile.
    if (session.incident_id.empty() && rule.severity >= Severity::kMedium) {
      session.incident_id = incident_id_of(event.system, event.session_id, id);
    }
    // Folded while replaying too: what was told then is not told again now.
    const auto [tell, repeats] = session.folds.admit({.rule = hash64(rule.id),
                                                      .tool = hash64(event.tool.name),
                                                      .evidence = draft.evidence_hash,
                                                      .time = event.time,
                                                      .offset = record.source.offset,
                                                      .finding_id = id});
    if (record.replayed) continue;
    shard_.add(ids.findings[draft.reportable]);
    if (watch_) watch_->found(draft.reportable, system);
    if (!tell) {
      shard_.add(folded_findings_);
      continue;
    }
    Finding finding = make_finding(event, context, session, draft);
    finding.finding_id = id;
    tone_down(finding, draft.reportable, system);
    finding.repeats = repeats;
    finding.topic = bounded(record.source.topic);
    finding.partition = record.source.partition;
    finding.offset = record.source.offset;
    shard_.set(snapshot_.metrics->last_match(draft.reportable),
               seconds_between(EventTime{}, event.time));
    if (options_.now) {
      // A producer's clock may run ahead of ours; that is no negative delay.
      shard_.observe(ids.detection_seconds[static_cast<std::size_t>(finding.severity)],
                     std::max(0.0, seconds_between(finding.time, finding.detected_at)));
    }
    output.on_finding(finding);
  }
}

Finding Pipeline::make_finding(const Event& event, const EventContext& context,
                               const Session& session, Draft& draft) const {
  const RuleInfo& rule = snapshot_.policy->reportable()[draft.reportable];
  Finding finding;
  finding.time = event.time;
  finding.detected_at = options_.now ? options_.now() : event.time;
  finding.system = bounded(event.system);
  finding.session_id = bounded(event.session_id);
  finding.event_id = bounded(event.event_id);
  finding.seq = context.seq;
  finding.type = event.type;
  finding.tool = bounded(event.tool.name);
  finding.rule = rule.id;
  finding.detector = rule.detector;
  finding.severity = rule.severity;
  finding.category = rule.category;
  finding.title = rule.title;
  finding.message = std::move(draft.message);
  finding.tags = rule.tags;
  finding.evidence = std::move(draft.evidence);
  finding.tenant = bounded(event.tenant);
  if (rule.severity >= Severity::kMedium) finding.incident_id = session.incident_id;
  finding.indicators = indicators_of(event, context, rule, finding.evidence, *redactor_);
  if (context.profile != nullptr) finding.owner = context.profile->owner.name;
  return finding;
}

Pipeline::Partition& Pipeline::partition_of(const SourcePosition& source) {
  if (last_partition_ != nullptr && last_partition_->number == source.partition &&
      last_partition_->topic == source.topic) {
    return *last_partition_;
  }
  auto key = std::make_pair(std::string(source.topic), source.partition);
  auto found = partitions_.find(key);
  if (found == partitions_.end()) {
    const std::string& label = options_.topic_label.empty() ? key.first : options_.topic_label;
    auto made = std::make_unique<Partition>(
        Partition{.topic = key.first,
                  .number = key.second,
                  .metrics = TopicMetrics(registry_, label),
                  .sessions = SessionTable(options_.sessions.idle),
                  .systems = {},
                  .correlations = CorrelationTable(snapshot_.policy->correlations())});
    found = partitions_.emplace(std::move(key), std::move(made)).first;
  }
  last_partition_ = found->second.get();
  return *last_partition_;
}

void Pipeline::forget_partition(std::string_view topic, std::int32_t partition) {
  count_forgotten();
  last_partition_ = nullptr;
  partitions_.erase({std::string(topic), partition});
  publish_gauges();
}

std::optional<std::int64_t> Pipeline::rewind_offset(std::string_view topic,
                                                    std::int32_t partition) const {
  const auto found = partitions_.find(std::make_pair(std::string(topic), partition));
  if (found == partitions_.end()) return std::nullopt;
  return found->second->sessions.oldest_offset();
}

void Pipeline::share_memory() {
  std::size_t bytes = 0;
  for (const auto& [key, partition] : partitions_) {
    bytes += partition->sessions.bytes() + partition->systems.bytes();
  }
  state_bytes_max_ = options_.budget->allow(options_.worker, bytes);
}

void Pipeline::keep_within_memory() {
  const std::size_t systems = shrink(&Partition::systems, state_bytes_max_ / kSystemsShare, [] {});
  const std::size_t left = state_bytes_max_ - std::min(state_bytes_max_, systems);
  shrink(&Partition::sessions, left, [this] { shard_.add(evicted_sessions_); });
}

template <typename Table, typename Evicted>
std::size_t Pipeline::shrink(Table Partition::* table, std::size_t bytes_max,
                             const Evicted& evicted) {
  const auto bytes_of = [table](const auto& entry) { return ((*entry.second).*table).bytes(); };
  std::size_t total = 0;
  for (const auto& entry : partitions_) total += bytes_of(entry);
  while (total > bytes_max) {
    // From the largest partition: it is the one that grew.
    Table& largest = (*std::ranges::max_element(partitions_, {}, bytes_of)->second).*table;
    const std::size_t before = largest.bytes();
    if (!largest.evict_oldest()) break;
    evicted();
    total -= before - largest.bytes();
  }
  return total;
}

void Pipeline::count_forgotten() {
  for (auto& [key, partition] : partitions_) {
    shard_.add(evicted_systems_, partition->systems.take_evicted());
    shard_.add(expired_sessions_, partition->sessions.take_expired());
    shard_.add(clocks_ahead_, partition->sessions.take_ahead());
    shard_.add(clocks_behind_, partition->sessions.take_behind());
  }
}

void Pipeline::publish_gauges() {
  share_memory();
  keep_within_memory();
  count_forgotten();
  std::size_t sessions = 0;
  std::size_t bytes = 0;
  for (auto& [key, partition] : partitions_) {
    sessions += partition->sessions.size();
    bytes += partition->sessions.bytes() + partition->systems.bytes();
  }
  shard_.set(live_sessions_, static_cast<double>(sessions));
  shard_.set(state_bytes_, static_cast<double>(bytes));
  publish_detector_gauges();
  for (std::size_t i = 0; i < coverage_.size(); ++i) {
    shard_.set_ratio(snapshot_.metrics->system(i).content_coverage, coverage_[i].seen,
                     coverage_[i].calls);
  }
}

void Pipeline::publish_detector_gauges() {
  detector_metrics_.begin_gauges();
  const auto detectors = snapshot_.policy->detectors();
  for (std::size_t i = 0; i < detectors.size(); ++i) {
    const std::span<const DetectorMetric> metrics = detectors[i].spec->metrics;
    if (metrics.empty()) continue;
    for (auto& [key, partition] : partitions_) {
      partition->systems.for_each([&](const SystemStates& system) {
        if (system.states.empty() || system.states[i] == nullptr) return;
        const std::string_view label = system_label(snapshot_.policy->system_index(system.name));
        system.states[i]->gauges([&](std::size_t metric, std::string_view value, double amount) {
          detector_metrics_.set_gauge(metrics[metric], label, value, amount);
        });
      });
    }
  }
  detector_metrics_.end_gauges();
}

}  // namespace tocsin
