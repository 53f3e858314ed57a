#include "detectors/rules/rule_set.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tocsin {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t bit(EventType type) {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(type));
}
static_assert(kEventTypeCount <= 16);

}  // namespace

std::expected<std::unique_ptr<const RuleSet>, std::string> RuleSet::compile(
    std::vector<Rule> rules, std::unique_ptr<PatternTable> patterns,
    const std::filesystem::path& cache) {
  std::unique_ptr<RuleSet> set(new RuleSet);
  set->rules_ = std::move(rules);
  set->triggered_by_.resize(patterns->size());
  for (std::uint32_t i = 0; i < set->rules_.size(); ++i) set->index_rule(i);
  // What starts no rule is only asked for where another pattern has started one: RE2 can do that.
  // Literals cost next to nothing.
  for (PatternId id = 0; id < patterns->size(); ++id) {
    if (set->triggered_by_[id].empty() && patterns->kind(id) == PatternTable::Kind::kRegex) {
      patterns->leave_out_of_scan(id);
    }
  }
  set->patterns_ = std::move(patterns);

  std::vector<std::uint16_t> wanted_in(set->patterns_->size());  // event types
  for (std::size_t i = 0; i < set->rules_.size(); ++i) {
    std::vector<PatternId> ids;
    set->rules_[i].where.collect_patterns(ids);
    for (const PatternId id : ids) wanted_in[id] |= set->types_of_[i];
  }
  std::vector<matcher::Pattern> scanned;
  for (PatternId id = 0; id < set->patterns_->size(); ++id) {
    if (set->triggered_by_[id].empty() && !set->patterns_->scanned(id)) continue;
    using Kind = matcher::Pattern::Kind;
    scanned.push_back({.text = std::string(set->patterns_->text(id)),
                       .kind = set->patterns_->kind(id) == PatternTable::Kind::kLiteral
                                   ? Kind::kLiteral
                                   : Kind::kRegex,
                       .texts = wanted_in[id]});
    set->pattern_of_.push_back(id);
  }
  auto first_stage = matcher::FirstStage::compile(scanned, cache);
  if (!first_stage) return std::unexpected(first_stage.error());
  set->first_stage_ = std::move(*first_stage);
  return set;
}

void RuleSet::index_rule(std::uint32_t index) {
  const Rule& rule = rules_[index];
  std::uint16_t types = 0;
  auto& reportable = reportable_of_.emplace_back();
  const std::size_t first = reportable_.size();
  for (const EventType type : rule.on) {
    types |= bit(type);
    const Severity severity = rule.severities[static_cast<std::size_t>(type)];
    std::size_t at = first;
    while (at < reportable_.size() && reportable_[at].severity != severity) ++at;
    if (at == reportable_.size()) {
      RuleInfo& info = reportable_.emplace_back(rule.info);
      info.severity = severity;
    }
    reportable[static_cast<std::size_t>(type)] = static_cast<std::uint32_t>(at);
  }
  types_of_.push_back(types);
  types_with_rules_ |= types;
  if (const auto triggers = rule.where.triggers()) {
    for (const PatternId id : *triggers) {
      std::vector<std::uint32_t>& started = triggered_by_[id];
      if (started.empty() || started.back() != index) started.push_back(index);
    }
    return;
  }
  for (const EventType type : rule.on) always_[static_cast<std::size_t>(type)].push_back(index);
}

// Which rules the event may satisfy, in their order.
void RuleSet::choose(const Event& event, Scratch& scratch) const {
  scratch.rules.clear();
  scratch.considered_in.resize(rules_.size());
  if (++scratch.event == 0) {
    std::ranges::fill(scratch.considered_in, 0);
    scratch.event = 1;
  }
  const std::uint16_t type = bit(event.type);
  const auto consider = [&](std::uint32_t rule) {
    if (scratch.considered_in[rule] == scratch.event || (types_of_[rule] & type) == 0) return;
    scratch.considered_in[rule] = scratch.event;
    scratch.rules.push_back(rule);
  };
  for (const std::uint32_t rule : always(event.type)) consider(rule);
  scratch.found.clear();
  first_stage_->scan(scratch.values.joined(), scratch.values.separators(), type,
                     scratch.first_stage, scratch.found);
  scratch.candidates.reset(patterns_->size());
  for (const std::uint32_t found : scratch.found) {
    const PatternId id = pattern_of_[found];
    scratch.candidates.add(id);
    for (const std::uint32_t rule : triggered_by_[id]) consider(rule);
  }
  std::ranges::sort(scratch.rules);
}

void RuleSet::evaluate(const Event& event, const EventContext& context, Scratch& scratch,
                       Reporter& reporter) const {
  scratch.decoding_exhausted = false;
  scratch.urls_limited = false;
  scratch.evaluations = 0;
  scratch.seconds.clear();
  scratch.passed_over = 0;
  if ((types_with_rules_ & bit(event.type)) == 0) return;
  scratch.values.lay_out(event);
  scratch.decoding_exhausted = scratch.values.exhausted();
  choose(event, scratch);
  if (scratch.rules.empty()) return;
  const Subject subject{.event = event,
                        .context = context,
                        .values = scratch.values,
                        .patterns = *patterns_,
                        .candidates = &scratch.candidates};
  Evaluation evaluation(subject);
  const bool is_long = scratch.values.joined().size() > kLongTextBytes;
  auto before = scratch.timed ? Clock::now() : Clock::time_point{};
  for (const std::uint32_t rule : scratch.rules) {
    if (is_long && rule < scratch.demoted.size() && scratch.demoted[rule] != 0) {
      ++scratch.passed_over;
      continue;
    }
    evaluation.clear();
    ++scratch.evaluations;
    if (evaluation.holds(rules_[rule].where)) {
      report(rule, subject, evaluation.hits(), reporter);
    }
    if (!scratch.timed) continue;
    const auto after = Clock::now();
    scratch.seconds.emplace_back(rule, std::chrono::duration<double>(after - before).count());
    before = after;
  }
  scratch.urls_limited = evaluation.urls_limited();
}

void RuleSet::report(std::uint32_t rule, const Subject& subject, std::span<const Hit> hits,
                     Reporter& reporter) const {
  std::array<std::string, Evaluation::kHitsMax> fields;
  std::array<std::string, Evaluation::kHitsMax> chains;
  std::array<EvidenceView, Evaluation::kHitsMax> evidence;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const Value& value = *hits[i].value;
    fields[i] = kFieldClassNames[static_cast<std::size_t>(value.field)];
    if (!value.path.empty()) fields[i].append(".").append(value.path);
    chains[i] = value.chain.to_string();
    evidence[i] = {.field = fields[i],
                   .text = value.text.substr(hits[i].begin, hits[i].end - hits[i].begin),
                   .decoded = chains[i]};
  }
  const std::vector<MessagePart>& message = rules_[rule].message;
  std::vector<MessageView> parts;
  parts.reserve(message.size());
  for (const MessagePart& part : message) {
    switch (part.kind) {
      case MessagePart::Kind::kLiteral:
        parts.push_back({.text = part.literal, .masked = false});
        break;
      case MessagePart::Kind::kMatch:
        if (!hits.empty()) parts.push_back({.text = evidence[0].text, .masked = true});
        break;
      case MessagePart::Kind::kField:
        parts.push_back({.text = subject.first_value(part.field), .masked = true});
        break;
    }
  }
  reporter.report(reportable_of(rule, subject.event.type), std::span(evidence).first(hits.size()),
                  parts);
}

}  // namespace tocsin
