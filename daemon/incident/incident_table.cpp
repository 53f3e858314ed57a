#include "daemon/incident/incident_table.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <tuple>

#include "daemon/check.h"
#include "daemon/redact.h"

namespace tocsin::incident {
namespace {

constexpr std::size_t kFindingIdDigits = 32;
constexpr std::size_t kMarkedIdDigits = 16;

std::string session_key(std::string_view system, std::string_view session_id) {
  return std::string(system).append(1, '\0').append(session_id);
}

std::string indicator_key(std::string_view system, const Indicator& indicator) {
  return std::string(system)
      .append(1, '\0')
      .append(name_of(indicator.kind))
      .append(1, ' ')
      .append(indicator.hash);
}

// Time between two stretches of time; zero when they meet.
EventTime::duration gap(const Sighting& a, const Sighting& b) {
  return std::max({EventTime::duration::zero(), b.first - a.last, a.first - b.last});
}

// Of one that is merged, what is still written of it.
Incident stub_of(const Incident& incident) {
  Incident stub;
  stub.incident_id = incident.incident_id;
  stub.system = incident.system;
  stub.state = State::kMerged;
  stub.severity = incident.severity;
  stub.first_misuse = incident.first_misuse;
  return stub;
}

EventTime last_event(const Incident& incident) {
  EventTime last = incident.last_misuse;
  if (!incident.containments.empty()) last = std::max(last, incident.containments.back().time);
  if (!incident.verdicts.empty()) last = std::max(last, incident.verdicts.back().time);
  return last;
}

std::vector<std::string> ids_of(const Incident& incident) {
  std::vector<std::string> ids;
  for (const SessionPart& part : incident.sessions) {
    for (const KnownId& id : part.ids) ids.push_back(id.incident_id);
  }
  return ids;
}

void take_owner(const SystemProfile* profile, Incident& incident) {
  if (profile == nullptr) return;
  incident.owner = profile->owner.name;
  incident.contact = profile->owner.contact;
  incident.escalation = profile->owner.escalation;
  if (incident.escalation.size() > kEscalationMax) incident.escalation.resize(kEscalationMax);
}

Finding broken_finding(const Incident& incident, const ContainmentDone& containment) {
  const auto after = std::ranges::find_if(incident.chain, [&](const Step& step) {
    return step.severity >= Severity::kHigh && step.time > containment.time;
  });
  const Step& step = after == incident.chain.end() ? incident.chain.back() : *after;
  Finding finding;
  // By the containment, whatever is known of the incident by then.
  finding.finding_id = sha256_hex(fmt::format("{}\n{}\n{}\n{}\n{}", kContainmentFailed,
                                              incident.system, format_time(containment.time),
                                              name_of(containment.action), containment.by))
                           .substr(0, kFindingIdDigits);
  finding.time = step.time;
  finding.detected_at = step.time;
  finding.system = incident.system;
  finding.session_id = step.session_id;
  finding.event_id = step.event_id;
  finding.seq = step.seq;
  finding.type = step.type;
  finding.tool = step.tool;
  finding.rule = kContainmentFailed;
  finding.detector = kDetector;
  finding.severity = Severity::kCritical;
  finding.category = Category::kGuardrailFailure;
  finding.title = "Misuse went on after a containment";
  finding.message =
      fmt::format("{} at {}", name_of(containment.action), format_time(containment.time));
  finding.incident_id = incident.incident_id;
  finding.owner = incident.owner;
  finding.topic = step.source.topic;
  finding.partition = step.source.partition;
  finding.offset = step.source.offset;
  return finding;
}

void judge_rules(const Incident& incident, const Control& control, Listener& listener) {
  if (control.finding_id.empty()) {
    for (const RuleFold& rule : incident.rules) {
      listener.on_judgement(rule.rule, incident.incident_id, control.judgement, control.time);
    }
    return;
  }
  const auto step = std::ranges::find(incident.chain, control.finding_id, &Step::finding_id);
  if (step == incident.chain.end()) return;
  listener.on_judgement(step->rule, step->finding_id, control.judgement, control.time);
}

// A control event that may concern incidents that are yet to come, whatever it found.
bool is_broad(const Control& control) {
  return control.type == EventType::kContainment && control.incident_id.empty();
}

bool concerns(const Control& control, Incident& incident) {
  if (control.system != incident.system) return false;
  if (!control.incident_id.empty()) {
    return std::ranges::any_of(incident.sessions, [&](const SessionPart& part) {
      return std::ranges::find(part.ids, control.incident_id, &KnownId::incident_id) !=
             part.ids.end();
    });
  }
  if (!control.finding_id.empty()) {
    return std::ranges::find(incident.chain, control.finding_id, &Step::finding_id) !=
           incident.chain.end();
  }
  if (!control.session_id.empty()) return incident.session(control.session_id) != nullptr;
  return incident.first_misuse <= control.time;
}

}  // namespace

IncidentTable::IncidentTable(Limits limits, Profiles profiles)
    : limits_(limits), profiles_(std::move(profiles)) {}

IncidentTable::~IncidentTable() = default;

Outcome IncidentTable::apply(const FindingSummary& finding, Listener& listener) {
  if (finding.detector == kDetector) return Outcome::kIgnored;
  see(finding.time);
  const bool misuse = finding.severity >= Severity::kMedium;
  const std::string key = session_key(finding.system, finding.session_id);
  const auto known = by_session_.find(key);
  if (known == by_session_.end() && !misuse) return Outcome::kIgnored;
  Entry& entry = known == by_session_.end() ? entry_for(finding, key) : *known->second;
  SessionPart* part = entry.incident.session(finding.session_id);
  CHECK(part != nullptr);
  if (!note_source(*part, finding)) {
    ++counts_.duplicates;
    return Outcome::kDuplicate;
  }
  ++counts_.findings;
  if (misuse) {
    note_id(entry, *part, finding);
    absorb(entry.incident, finding);
    link(entry, finding);
    try_waiting(entry, listener);
  } else {
    ++entry.incident.context;
  }
  finish(entry, listener);
  keep_within_limits(entry, listener);
  return Outcome::kApplied;
}

// The incident of a session that is new.
IncidentTable::Entry& IncidentTable::entry_for(const FindingSummary& finding,
                                               const std::string& key) {
  std::string id = finding.incident_id;
  const auto taken = by_id_.find(id);
  Entry* entry = nullptr;
  if (taken != by_id_.end() && taken->second->incident.system == finding.system &&
      taken->second->incident.sessions.size() < kSessionsMax) {
    entry = taken->second;  // two sessions say that they are one incident
  }
  if (entry == nullptr) {
    // An id that is another system's is nobody's here.
    while (by_id_.contains(id)) id = incident_id_of(finding.system, finding.session_id, id);
    auto made = std::make_unique<Entry>();
    made->incident.incident_id = id;
    made->incident.system = finding.system;
    entry = entries_.emplace(id, std::move(made)).first->second.get();
    by_id_[id] = entry;
  }
  auto& sessions = entry->incident.sessions;
  const auto at =
      std::ranges::lower_bound(sessions, finding.session_id, {}, &SessionPart::session_id);
  sessions.insert(
      at, {.session_id = finding.session_id, .ids = {{.opened = finding.time, .incident_id = id}}});
  by_session_[key] = entry;
  return *entry;
}

// False: it was taken before.
bool IncidentTable::note_source(SessionPart& part, const FindingSummary& finding) {
  const Position& source = finding.source;
  const std::string id = sha256_hex(finding.finding_id).substr(0, kMarkedIdDigits);
  auto mark = std::ranges::find_if(part.sources, [&](const SourceMark& each) {
    return each.partition == source.partition && each.topic == source.topic;
  });
  if (mark == part.sources.end()) {
    if (part.sources.size() >= kSessionSourcesMax) {
      part.sources.erase(part.sources.begin());
      ++counts_.marks_lost;
    }
    part.sources.push_back({.topic = source.topic,
                            .partition = source.partition,
                            .offset = source.offset,
                            .finding_ids = {id}});
    return true;
  }
  if (source.offset < mark->offset) return false;
  if (source.offset > mark->offset) {
    mark->offset = source.offset;
    mark->finding_ids = {id};
    return true;
  }
  if (std::ranges::find(mark->finding_ids, id) != mark->finding_ids.end()) {
    return false;
  }
  if (mark->finding_ids.size() < kIdsAtOffsetMax) {
    mark->finding_ids.push_back(id);
  } else {
    ++counts_.marks_lost;
  }
  return true;
}

void IncidentTable::note_id(Entry& entry, SessionPart& part, const FindingSummary& finding) {
  if (by_id_.contains(finding.incident_id)) return;  // this session's, or not ours to give
  if (part.ids.size() >= kSessionIdsMax) {
    ++counts_.marks_lost;
    return;
  }
  const KnownId id{.opened = finding.time, .incident_id = finding.incident_id};
  part.ids.insert(std::ranges::lower_bound(part.ids, id), id);
  by_id_[finding.incident_id] = &entry;
}

void IncidentTable::link(Entry& entry, const FindingSummary& finding) {
  std::vector<std::string> linked;
  const std::string key = session_key(finding.system, finding.session_id);
  SessionPart* part = entry.incident.session(finding.session_id);
  for (const Indicator& indicator : finding.indicators) {
    if (!note_sighting(*part, indicator, finding.time, key)) {
      ++counts_.marks_lost;
      continue;
    }
    const auto own = std::ranges::find(part->sightings, indicator, &Sighting::indicator);
    find_linked(*own, key, linked);
  }
  for (const std::string& other : linked) {
    Entry& found = *by_session_.at(other);
    if (&found != &entry) merge(entry, found);
  }
}

// False: there is no room for another one.
bool IncidentTable::note_sighting(SessionPart& part, const Indicator& indicator, EventTime time,
                                  const std::string& key) {
  const auto seen = std::ranges::find(part.sightings, indicator, &Sighting::indicator);
  if (seen != part.sightings.end()) {
    seen->first = std::min(seen->first, time);
    seen->last = std::max(seen->last, time);
    return true;
  }
  if (part.sightings.size() >= kSessionIndicatorsMax) return false;
  part.sightings.push_back({.indicator = indicator, .first = time, .last = time});
  const std::string_view system = std::string_view(key).substr(0, key.find('\0'));
  by_indicator_[indicator_key(system, indicator)].push_back(key);
  return true;
}

void IncidentTable::find_linked(const Sighting& own, const std::string& key,
                                std::vector<std::string>& linked) {
  const std::size_t system_end = key.find('\0');
  const std::string_view system = std::string_view(key).substr(0, system_end);
  const auto& sessions = by_indicator_.at(indicator_key(system, own.indicator));
  if (sessions.size() > limits_.link_sessions_max) {
    ++counts_.common_indicators;
    return;
  }
  for (const std::string& other : sessions) {
    if (other == key) continue;
    SessionPart* part = by_session_.at(other)->incident.session(other.substr(system_end + 1));
    const auto theirs = std::ranges::find(part->sightings, own.indicator, &Sighting::indicator);
    if (gap(own, *theirs) <= limits_.link) linked.push_back(other);
  }
}

void IncidentTable::merge(Entry& into, Entry& from) {
  if (into.incident.sessions.size() + from.incident.sessions.size() > kSessionsMax) {
    ++counts_.joins_refused;
    return;
  }
  ++counts_.merged;
  for (const SessionPart& part : from.incident.sessions) {
    by_session_[session_key(from.incident.system, part.session_id)] = &into;
    for (const KnownId& id : part.ids) by_id_[id.incident_id] = &into;
  }
  auto own = entries_.extract(into.incident.incident_id);
  const auto taken = entries_.extract(from.incident.incident_id);  // alive until the end
  const bool is_later = least_id(into.incident) < least_id(from.incident);
  if (is_later) {
    retire(from.incident, from.told);
  } else {
    retire(into.incident, into.told);
    into.incident.incident_id = from.incident.incident_id;
    into.told = from.told;
  }
  bytes_ -= from.bytes;
  unqueue(from);
  absorb(into.incident, std::move(from.incident));
  own.key() = into.incident.incident_id;
  entries_.insert(std::move(own));
}

void IncidentTable::retire(const Incident& incident, const Before& told) {
  if (told.known) retired_.push_back({.incident = stub_of(incident), .told = told});
}

// An earlier id may have come to light.
void IncidentTable::rename(Entry& entry) {
  const std::string id = least_id(entry.incident).incident_id;
  if (id == entry.incident.incident_id) return;
  retire(entry.incident, entry.told);
  entry.told = {};
  auto node = entries_.extract(entry.incident.incident_id);
  entry.incident.incident_id = id;
  node.key() = id;
  entries_.insert(std::move(node));
}

void IncidentTable::finish(Entry& entry, Listener& listener) {
  rename(entry);
  Incident& incident = entry.incident;
  const SystemProfile* profile = profiles_ ? profiles_(incident.system) : nullptr;
  take_owner(profile, incident);
  settle(incident, {.now = now_, .idle = limits_.idle});
  for (ContainmentDone& containment : incident.containments) {
    if (containment.broken_said || !is_broken(incident, containment)) continue;
    containment.broken_said = true;
    listener.on_containment_failed(broken_finding(incident, containment));
  }
  const std::size_t added =
      profile == nullptr ? 0 : add_requests(incident, profile->containment, limits_.requests, now_);
  update_bytes(entry);
  queue(entry);
  tell(entry, listener);
  tell_retired(listener);
  if (limits_.requests != RequestMode::kOn) return;
  for (std::size_t i = incident.requests.size() - added; i < incident.requests.size(); ++i) {
    listener.on_request(incident, incident.requests[i]);
  }
}

void IncidentTable::tell(Entry& entry, Listener& listener) {
  const Before before =
      std::exchange(entry.told, {.known = true,
                                 .state = entry.incident.state,
                                 .acknowledged = entry.incident.acknowledged.has_value()});
  listener.on_incident(entry.incident, before);
}

void IncidentTable::tell_retired(Listener& listener) {
  for (Retired& each : std::exchange(retired_, {})) {
    const auto now = by_id_.find(each.incident.incident_id);
    if (now == by_id_.end()) continue;
    each.incident.merged_into = now->second->incident.incident_id;
    listener.on_incident(each.incident, each.told);
  }
}

Outcome IncidentTable::apply(const Control& control, Listener& listener) {
  const std::vector<Entry*> found = matches(control);
  bool changed = false;
  for (Entry* entry : found) {
    if (!take_control(*entry, control, listener)) continue;
    finish(*entry, listener);
    changed = true;
  }
  if (found.empty() || is_broad(control)) wait_for_match(control, !found.empty());
  if (changed) return Outcome::kApplied;
  if (found.empty()) return Outcome::kWaits;
  ++counts_.duplicates;
  return Outcome::kDuplicate;
}

std::vector<IncidentTable::Entry*> IncidentTable::matches(const Control& control) {
  std::vector<Entry*> found;
  if (!control.incident_id.empty()) {
    const auto at = by_id_.find(control.incident_id);
    if (at != by_id_.end() && concerns(control, at->second->incident)) found.push_back(at->second);
    return found;
  }
  if (control.finding_id.empty() && !control.session_id.empty()) {
    const auto at = by_session_.find(session_key(control.system, control.session_id));
    if (at != by_session_.end()) found.push_back(at->second);
    return found;
  }
  for (const auto& [id, entry] : entries_) {
    if (concerns(control, entry->incident)) found.push_back(entry.get());
  }
  return found;
}

// False: nothing is new about it.
bool IncidentTable::take_control(Entry& entry, const Control& control, Listener& listener) {
  Incident& incident = entry.incident;
  switch (control.type) {
    case EventType::kContainment: {
      const bool is_new = absorb(incident, ContainmentDone{.time = control.time,
                                                           .action = control.action,
                                                           .done = control.done,
                                                           .by = control.by});
      if (!is_new) return false;
      answer_request(incident, control.action, control.done, control.time);
      return true;
    }
    case EventType::kAcknowledge:
      return absorb(incident, Acknowledged{.time = control.time, .by = control.by});
    case EventType::kVerdict: {
      if (!control.finding_id.empty()) {
        judge_rules(incident, control, listener);
        return true;
      }
      const bool is_new = absorb(
          incident,
          VerdictGiven{.time = control.time, .by = control.by, .judgement = control.judgement});
      if (is_new) judge_rules(incident, control, listener);
      return is_new;
    }
    default: return false;
  }
}

void IncidentTable::wait_for_match(const Control& control, bool matched) {
  if (waiting_.size() >= limits_.waiting_max) {
    if (!waiting_.front().matched) ++counts_.unmatched;
    waiting_.pop_front();
  }
  waiting_.push_back(
      {.control = control, .since = std::max(now_, control.time), .matched = matched});
  next_wait_ends_ = std::min(next_wait_ends_, waiting_.back().since + limits_.wait);
}

void IncidentTable::try_waiting(Entry& entry, Listener& listener) {
  std::erase_if(waiting_, [&](Waiting& each) {
    if (!concerns(each.control, entry.incident)) return false;
    take_control(entry, each.control, listener);
    each.matched = true;
    return !is_broad(each.control);
  });
}

std::optional<std::int64_t> IncidentTable::oldest_waiting_offset() const {
  if (waiting_.empty()) return std::nullopt;
  return std::ranges::min_element(waiting_, {},
                                  [](const Waiting& each) { return each.control.offset; })
      ->control.offset;
}

void IncidentTable::advance(EventTime now, Listener& listener) {
  see(now);
  tell_retired(listener);
  if (now_ >= next_wait_ends_) sweep_waiting();
  std::vector<Entry*> due;
  for (const auto& [at, entry] : by_due_) {
    if (at.first > now_) break;
    due.push_back(entry);
  }
  for (Entry* entry : due) sweep_entry(*entry, listener);
}

void IncidentTable::sweep_waiting() {
  next_wait_ends_ = EventTime::max();
  std::erase_if(waiting_, [&](const Waiting& each) {
    if (now_ < each.since + limits_.wait) {
      next_wait_ends_ = std::min(next_wait_ends_, each.since + limits_.wait);
      return false;
    }
    if (!each.matched) ++counts_.unmatched;
    return true;
  });
}

void IncidentTable::sweep_entry(Entry& entry, Listener& listener) {
  Incident& incident = entry.incident;
  if (incident.state != State::kOpen && now_ >= last_event(incident) + limits_.retention) {
    ++counts_.forgotten;
    forget(entry, listener);
    return;
  }
  const bool expired = expire_requests(incident, limits_.request_timeout, now_);
  const State before = incident.state;
  settle(incident, {.now = now_, .idle = limits_.idle});
  if (expired || incident.state != before) tell(entry, listener);
  queue(entry);
}

EventTime IncidentTable::due(const Incident& incident) const {
  const EventTime silent = incident.state == State::kOpen
                               ? incident.last_misuse + limits_.idle
                               : last_event(incident) + limits_.retention;
  const auto expiry = next_expiry(incident, limits_.request_timeout);
  return expiry ? std::min(silent, *expiry) : silent;
}

// To be called after whatever changes an incident.
void IncidentTable::queue(Entry& entry) {
  if (entry.number == 0) entry.number = ++arrivals_;
  const Incident& incident = entry.incident;
  const Age age{incident.state == State::kOpen, incident.last_misuse, entry.number};
  const Due due_at{due(incident), entry.number};
  if (age == entry.age && due_at == entry.due) return;
  unqueue(entry);
  entry.age = age;
  entry.due = due_at;
  by_age_.emplace(age, &entry);
  by_due_.emplace(due_at, &entry);
}

void IncidentTable::unqueue(Entry& entry) {
  by_age_.erase(std::exchange(entry.age, {}));
  by_due_.erase(std::exchange(entry.due, {}));
}

void IncidentTable::forget(Entry& entry, Listener& listener) {
  listener.on_forgotten(entry.incident, ids_of(entry.incident));
  drop(entry);
}

void IncidentTable::keep_within_limits(const Entry& spared, Listener& listener) {
  while (entries_.size() > limits_.incidents_max || bytes_ > limits_.bytes_max) {
    auto oldest = by_age_.begin();
    if (oldest != by_age_.end() && oldest->second == &spared) ++oldest;
    if (oldest == by_age_.end()) return;
    Entry& entry = *oldest->second;
    ++(entry.incident.state == State::kOpen ? counts_.evicted_open : counts_.evicted_closed);
    forget(entry, listener);
  }
}

void IncidentTable::restore(Incident incident) {
  if (incident.state == State::kMerged) {
    std::erase_if(retired_, [&](const Retired& each) {
      return each.incident.incident_id == incident.incident_id;
    });
    restore_deleted(incident.incident_id);
    return;
  }
  const auto ids = ids_of(incident);
  if (std::ranges::find(ids, incident.incident_id) == ids.end()) {
    ++counts_.restore_conflicts;
    return;
  }
  const bool foreign = std::ranges::any_of(ids, [&](const std::string& id) {
    const auto at = by_id_.find(id);
    return at != by_id_.end() && at->second->incident.system != incident.system;
  });
  if (foreign) {
    ++counts_.restore_conflicts;
    return;
  }
  restore_deleted(incident.incident_id);
  // What shares a session or an id with it is older: it became part of this one, and the record
  // that says so was not written any more.
  for (const std::string& id : ids) {
    if (const auto at = by_id_.find(id); at != by_id_.end()) {
      retire(at->second->incident, at->second->told);
      drop(*at->second);
    }
  }
  for (const SessionPart& part : incident.sessions) {
    const auto at = by_session_.find(session_key(incident.system, part.session_id));
    if (at == by_session_.end()) continue;
    ++counts_.restore_conflicts;
    drop(*at->second);
  }
  see(incident.last_misuse);
  auto made = std::make_unique<Entry>();
  made->told = {
      .known = true, .state = incident.state, .acknowledged = incident.acknowledged.has_value()};
  made->incident = std::move(incident);
  Entry& entry = *made;
  entries_.emplace(entry.incident.incident_id, std::move(made));
  index(entry);
  update_bytes(entry);
  queue(entry);
}

void IncidentTable::restore_deleted(std::string_view incident_id) {
  const auto at = entries_.find(incident_id);
  if (at != entries_.end()) drop(*at->second);
}

const Incident* IncidentTable::find(std::string_view incident_id) const {
  const auto at = by_id_.find(incident_id);
  return at == by_id_.end() ? nullptr : &at->second->incident;
}

void IncidentTable::index(Entry& entry) {
  const Incident& incident = entry.incident;
  for (const SessionPart& part : incident.sessions) {
    const std::string key = session_key(incident.system, part.session_id);
    by_session_[key] = &entry;
    for (const KnownId& id : part.ids) by_id_[id.incident_id] = &entry;
    for (const Sighting& sighting : part.sightings) {
      by_indicator_[indicator_key(incident.system, sighting.indicator)].push_back(key);
    }
  }
}

void IncidentTable::drop(Entry& entry) {
  const Incident& incident = entry.incident;
  for (const SessionPart& part : incident.sessions) {
    const std::string key = session_key(incident.system, part.session_id);
    by_session_.erase(key);
    for (const KnownId& id : part.ids) by_id_.erase(id.incident_id);
    for (const Sighting& sighting : part.sightings) {
      const auto at = by_indicator_.find(indicator_key(incident.system, sighting.indicator));
      if (at == by_indicator_.end()) continue;
      std::erase(at->second, key);
      if (at->second.empty()) by_indicator_.erase(at);
    }
  }
  bytes_ -= entry.bytes;
  unqueue(entry);
  entries_.erase(entries_.find(incident.incident_id));
}

void IncidentTable::update_bytes(Entry& entry) {
  // Its nodes in the maps by id, by age and by due time, as libstdc++ and glibc lay them out.
  constexpr std::size_t kNodesBytes = 320;
  const std::size_t bytes = sizeof(Entry) + kNodesBytes + bytes_of(entry.incident);
  bytes_ = bytes_ - entry.bytes + bytes;
  entry.bytes = bytes;
}

}  // namespace tocsin::incident
