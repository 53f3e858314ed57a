#include "daemon/incident/incident.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>
#include <utility>

#include "daemon/check.h"

namespace tocsin::incident {
namespace {

constexpr std::array<std::string_view, kStateCount> kStates = {"open", "contained", "ended",
                                                               "closed", "merged"};
constexpr std::array<std::string_view, kRequestStateCount> kRequestStates = {
    "requested", "acknowledged", "failed", "timed_out", "dry_run"};

auto when(const Step& step) { return std::tie(step.time, step.finding_id); }

bool same_kind(const Step& a, const Step& b) {
  return a.severity == b.severity && a.session_id == b.session_id && a.rule == b.rule &&
         a.tool == b.tool && a.targets == b.targets;
}

Step step_of(const FindingSummary& finding) {
  return {.finding_id = finding.finding_id,
          .event_id = finding.event_id,
          .session_id = finding.session_id,
          .seq = finding.seq,
          .type = finding.type,
          .tool = finding.tool,
          .rule = finding.rule,
          .title = finding.title,
          .severity = finding.severity,
          .time = finding.time,
          .origin_event_id = finding.origin_event_id,
          .origin_tool = finding.origin_tool,
          .targets = finding.indicators,
          .source = finding.source};
}

// Which steps stay.  What is dropped here would be dropped too had it come later: of a kind only
// the first counts, and a kind that is out stays out, since those before it can only get better.
void select_steps(std::vector<Step>& steps) {
  std::ranges::sort(steps, {}, when);
  const auto repeated = std::ranges::unique(steps, {}, &Step::finding_id);
  steps.erase(repeated.begin(), repeated.end());
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool is_first = std::ranges::none_of(
        kept, [&](std::size_t earlier) { return same_kind(steps[earlier], steps[i]); });
    if (is_first) kept.push_back(i);
  }
  std::ranges::stable_sort(kept, std::ranges::greater(),
                           [&](std::size_t i) { return steps[i].severity; });
  kept.resize(std::min(kept.size(), kChainMax));
  kept.push_back(0);
  kept.push_back(steps.size() - 1);
  std::ranges::sort(kept);
  const auto twice = std::ranges::unique(kept);
  kept.erase(twice.begin(), twice.end());
  std::vector<Step> out;
  out.reserve(kept.size());
  for (const std::size_t i : kept) out.push_back(std::move(steps[i]));
  steps = std::move(out);
}

void absorb_rule(Incident& incident, const RuleFold& other) {
  const auto at = std::ranges::lower_bound(incident.rules, other.rule, {}, &RuleFold::rule);
  if (at == incident.rules.end() || at->rule != other.rule) {
    if (incident.rules.size() >= kRulesMax) {
      incident.more_rules += other.count;
    } else {
      incident.rules.insert(at, other);
    }
    return;
  }
  at->count += other.count;
  // Of one rule and different severities the category is the more severe one's.
  if (std::tie(other.severity, other.category) > std::tie(at->severity, at->category)) {
    at->category = other.category;
    at->severity = other.severity;
  }
  if (std::tie(other.first_time, other.first_source) < std::tie(at->first_time, at->first_source)) {
    at->first_time = other.first_time;
    at->first_source = other.first_source;
  }
  if (std::tie(other.last_time, other.last_source) > std::tie(at->last_time, at->last_source)) {
    at->last_time = other.last_time;
    at->last_source = other.last_source;
  }
}

void absorb_category(Incident& incident, std::size_t category, Severity severity) {
  std::optional<Severity>& at = incident.categories[category];
  at = std::max(at.value_or(severity), severity);
  incident.severity = std::max(incident.severity, severity);
}

template <typename T>
bool insert_sorted(std::vector<T>& items, T item) {
  const auto at = std::ranges::lower_bound(items, item);
  if (at != items.end() && *at == item) return false;
  items.insert(at, std::move(item));
  return true;
}

auto identity(const ContainmentDone& one) {
  return std::tie(one.time, one.action, one.done, one.by);
}

// The first containment that held: nothing unsafe followed.
std::optional<EventTime> containment_time(const Incident& incident) {
  for (const ContainmentDone& each : incident.containments) {
    if (!each.done || each.time < incident.first_misuse) continue;
    if (!incident.last_unsafe || each.time >= *incident.last_unsafe) return each.time;
  }
  return std::nullopt;
}

// The last verdict says that nobody need do anything, and nothing unsafe came since.
bool is_closed(const Incident& incident) {
  if (incident.verdicts.empty()) return false;
  const VerdictGiven& last = incident.verdicts.back();
  return last.judgement != Judgement::kTruePositive &&
         (!incident.last_unsafe || last.time >= *incident.last_unsafe);
}

std::size_t held(const std::string& text) { return sizeof(std::string) + text.capacity(); }

std::size_t held(const Touched& touched) {
  std::size_t bytes = 0;
  for (const std::string& name : touched.names) bytes += held(name);
  return bytes;
}

std::size_t held(const Step& step) {
  std::size_t bytes = sizeof(step) + step.targets.capacity() * (sizeof(Indicator) + kHashBytesMax);
  for (const std::string* text :
       {&step.finding_id, &step.event_id, &step.session_id, &step.tool, &step.rule, &step.title,
        &step.origin_event_id, &step.origin_tool, &step.source.topic}) {
    bytes += text->capacity();
  }
  return bytes;
}

std::size_t held(const SessionPart& part) {
  // The table's indexes hold the id three times more.
  std::size_t bytes = sizeof(part) + 4 * held(part.session_id);
  for (const KnownId& id : part.ids) bytes += sizeof(id) + 2 * held(id.incident_id);
  for (const Sighting& sighting : part.sightings) {
    bytes += sizeof(sighting) + 2 * held(sighting.indicator.hash);
  }
  for (const SourceMark& mark : part.sources) {
    bytes += sizeof(mark) + held(mark.topic);
    for (const std::string& id : mark.finding_ids) bytes += held(id);
  }
  return bytes;
}

}  // namespace

std::span<const std::string_view> state_names() { return kStates; }
std::string_view name_of(State state) { return kStates[std::to_underlying(state)]; }
std::span<const std::string_view> request_state_names() { return kRequestStates; }
std::string_view name_of(RequestState state) { return kRequestStates[std::to_underlying(state)]; }

void Touched::add(const std::string& name) {
  if (name.empty()) return;
  const auto at = std::ranges::lower_bound(names, name);
  if (at != names.end() && *at == name) return;
  if (names.size() >= kTouchedMax) {
    ++more;
  } else {
    names.insert(at, name);
  }
}

void Touched::add(const Touched& others) {
  for (const std::string& name : others.names) add(name);
  more += others.more;
}

SessionPart* Incident::session(std::string_view session_id) {
  const auto at = std::ranges::lower_bound(sessions, session_id, {}, &SessionPart::session_id);
  return at == sessions.end() || at->session_id != session_id ? nullptr : &*at;
}

void absorb(Incident& incident, const FindingSummary& finding) {
  CHECK(finding.severity >= Severity::kMedium);
  Step step = step_of(finding);
  if (incident.chain.empty() || when(step) < when(incident.chain.front())) {
    incident.first_misuse = finding.time;
    incident.detected = finding.detected_at;
  }
  incident.last_misuse =
      incident.chain.empty() ? finding.time : std::max(incident.last_misuse, finding.time);
  if (finding.severity >= Severity::kHigh) {
    incident.last_unsafe = std::max(incident.last_unsafe.value_or(finding.time), finding.time);
  }
  incident.chain.push_back(std::move(step));
  select_steps(incident.chain);
  absorb_category(incident, std::to_underlying(finding.category), finding.severity);
  absorb_rule(incident, {.rule = finding.rule,
                         .category = finding.category,
                         .severity = finding.severity,
                         .count = 1,
                         .first_time = finding.time,
                         .last_time = finding.time,
                         .first_source = finding.source,
                         .last_source = finding.source});
  ++incident.findings;
  incident.tenants.add(finding.tenant);
  incident.tools.add(finding.tool);
  for (const Indicator& indicator : finding.indicators) {
    if (indicator.kind != IndicatorKind::kCredential) incident.destinations.add(indicator.hash);
  }
}

void absorb(Incident& incident, Incident&& other) {
  if (when(other.chain.front()) < when(incident.chain.front())) {
    incident.first_misuse = other.first_misuse;
    incident.detected = other.detected;
  }
  incident.last_misuse = std::max(incident.last_misuse, other.last_misuse);
  incident.last_unsafe = std::max(incident.last_unsafe, other.last_unsafe);
  std::ranges::move(other.chain, std::back_inserter(incident.chain));
  select_steps(incident.chain);
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    if (other.categories[i]) absorb_category(incident, i, *other.categories[i]);
  }
  for (const RuleFold& rule : other.rules) absorb_rule(incident, rule);
  incident.more_rules += other.more_rules;
  incident.findings += other.findings;
  incident.context += other.context;
  incident.tenants.add(other.tenants);
  incident.tools.add(other.tools);
  incident.destinations.add(other.destinations);
  std::ranges::move(other.sessions, std::back_inserter(incident.sessions));
  std::ranges::sort(incident.sessions, {}, &SessionPart::session_id);
  for (ContainmentDone& each : other.containments) absorb(incident, std::move(each));
  for (const VerdictGiven& verdict : other.verdicts) absorb(incident, verdict);
  if (other.acknowledged) absorb(incident, *other.acknowledged);
  for (const ContainmentRequest& request : other.requests) {
    const auto same =
        std::ranges::find(incident.requests, request.action, &ContainmentRequest::action);
    if (same == incident.requests.end()) {
      incident.requests.push_back(request);
    } else if (request.time < same->time) {
      *same = request;
    }
  }
}

bool absorb(Incident& incident, ContainmentDone containment) {
  const auto at = std::ranges::lower_bound(incident.containments, identity(containment), {},
                                           [](const auto& one) { return identity(one); });
  if (at != incident.containments.end() && identity(*at) == identity(containment)) {
    at->broken_said |= containment.broken_said;
    return false;
  }
  incident.containments.insert(at, std::move(containment));
  if (incident.containments.size() > kContainmentsMax) {
    incident.containments.erase(incident.containments.begin());
  }
  return true;
}

bool absorb(Incident& incident, const VerdictGiven& verdict) {
  if (!insert_sorted(incident.verdicts, verdict)) return false;
  if (incident.verdicts.size() > kVerdictsMax) incident.verdicts.erase(incident.verdicts.begin());
  return true;
}

bool absorb(Incident& incident, const Acknowledged& acknowledged) {
  if (incident.acknowledged && *incident.acknowledged <= acknowledged) return false;
  incident.acknowledged = acknowledged;
  return true;
}

bool is_broken(const Incident& incident, const ContainmentDone& containment) {
  return containment.done && containment.time >= incident.first_misuse && incident.last_unsafe &&
         containment.time < *incident.last_unsafe;
}

void settle(Incident& incident, const Watch& watch) {
  incident.contained = containment_time(incident);
  incident.ended = std::nullopt;
  incident.reopened = static_cast<std::uint64_t>(std::ranges::count_if(
      incident.containments, [&](const auto& each) { return is_broken(incident, each); }));
  if (is_closed(incident)) {
    incident.state = State::kClosed;
  } else if (incident.contained) {
    incident.state = State::kContained;
  } else if (watch.now >= incident.last_misuse + watch.idle) {
    incident.state = State::kEnded;
    incident.ended = incident.last_misuse + watch.idle;
  } else {
    incident.state = State::kOpen;
  }
}

const KnownId& least_id(const Incident& incident) {
  CHECK(!incident.sessions.empty());
  const auto least = [](const SessionPart& part) -> const KnownId& { return part.ids.front(); };
  return least(*std::ranges::min_element(incident.sessions, {}, least));
}

std::size_t bytes_of(const Incident& incident) {
  std::size_t bytes = sizeof(incident) + held(incident.incident_id) + held(incident.owner) +
                      held(incident.contact) + held(incident.tenants) + held(incident.tools) +
                      held(incident.destinations);
  for (const RuleFold& rule : incident.rules) {
    bytes += sizeof(rule) + rule.rule.capacity() + rule.first_source.topic.capacity() +
             rule.last_source.topic.capacity();
  }
  for (const Step& step : incident.chain) bytes += held(step);
  for (const SessionPart& part : incident.sessions) bytes += held(part);
  for (const std::string& step : incident.escalation) bytes += held(step);
  for (const ContainmentDone& each : incident.containments) bytes += sizeof(each) + held(each.by);
  for (const VerdictGiven& each : incident.verdicts) bytes += sizeof(each) + held(each.by);
  return bytes + incident.requests.capacity() * sizeof(ContainmentRequest);
}

}  // namespace tocsin::incident
