#include "daemon/incident/incident_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "daemon/incident/json_fields.h"
#include "daemon/redact.h"

namespace tocsin::incident {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kIdDigits = 32;
using Error = std::optional<RecordReject>;
using Element = JsonFields::Element;

Json time_or_null(const std::optional<EventTime>& time) {
  return time ? Json(format_time(*time)) : Json(nullptr);
}

Json json_of(const Position& source) {
  return {{"topic", source.topic}, {"partition", source.partition}, {"offset", source.offset}};
}

Json json_of(const Touched& touched) { return {{"names", touched.names}, {"more", touched.more}}; }

Json json_of(const Indicator& indicator) {
  return {{"kind", name_of(indicator.kind)}, {"hash", indicator.hash}};
}

Json json_of(const RuleFold& rule) {
  return {{"rule", rule.rule},
          {"category", name_of(rule.category)},
          {"severity", name_of(rule.severity)},
          {"count", rule.count},
          {"first_time", format_time(rule.first_time)},
          {"last_time", format_time(rule.last_time)},
          {"first_source", json_of(rule.first_source)},
          {"last_source", json_of(rule.last_source)}};
}

Json json_of(const Step& step) {
  Json json = {{"finding_id", step.finding_id},
               {"event_id", step.event_id},
               {"session_id", step.session_id},
               {"seq", step.seq},
               {"type", name_of(step.type)}};
  if (!step.tool.empty()) json["tool"] = step.tool;
  json["rule"] = step.rule;
  json["title"] = step.title;
  json["severity"] = name_of(step.severity);
  json["time"] = format_time(step.time);
  if (!step.origin_event_id.empty()) {
    json["origin"] = {{"event_id", step.origin_event_id}};
    if (!step.origin_tool.empty()) json["origin"]["tool"] = step.origin_tool;
  }
  if (!step.targets.empty()) {
    for (const Indicator& target : step.targets) json["targets"].push_back(json_of(target));
  }
  json["source"] = json_of(step.source);
  return json;
}

Json json_of(const SessionPart& part) {
  Json json = {{"session_id", part.session_id},
               {"ids", Json::array()},
               {"sources", Json::array()},
               {"sightings", Json::array()}};
  for (const KnownId& id : part.ids) {
    json["ids"].push_back({{"incident_id", id.incident_id}, {"opened", format_time(id.opened)}});
  }
  for (const SourceMark& mark : part.sources) {
    json["sources"].push_back({{"topic", mark.topic},
                               {"partition", mark.partition},
                               {"offset", mark.offset},
                               {"finding_ids", mark.finding_ids}});
  }
  for (const Sighting& sighting : part.sightings) {
    json["sightings"].push_back({{"kind", name_of(sighting.indicator.kind)},
                                 {"hash", sighting.indicator.hash},
                                 {"first", format_time(sighting.first)},
                                 {"last", format_time(sighting.last)}});
  }
  return json;
}

void write_clocks(const Incident& incident, Json& json) {
  json["first_misuse"] = format_time(incident.first_misuse);
  json["detected"] = format_time(incident.detected);
  json["acknowledged"] = nullptr;
  if (incident.acknowledged) {
    json["acknowledged"] = {{"time", format_time(incident.acknowledged->time)},
                            {"by", incident.acknowledged->by}};
  }
  json["contained"] = time_or_null(incident.contained);
  json["last_misuse"] = format_time(incident.last_misuse);
  json["last_unsafe"] = time_or_null(incident.last_unsafe);
  json["ended"] = time_or_null(incident.ended);
  json["reopened"] = incident.reopened;
}

void write_answers(const Incident& incident, Json& json) {
  for (const char* key : {"containments", "verdicts", "requests"}) json[key] = Json::array();
  for (const ContainmentDone& each : incident.containments) {
    Json one = {{"time", format_time(each.time)},
                {"action", name_of(each.action)},
                {"outcome", each.done ? "done" : "failed"},
                {"by", each.by}};
    if (each.broken_said) one["broken"] = true;
    json["containments"].push_back(std::move(one));
  }
  for (const VerdictGiven& each : incident.verdicts) {
    json["verdicts"].push_back(
        {{"time", format_time(each.time)}, {"verdict", name_of(each.judgement)}, {"by", each.by}});
  }
  for (const ContainmentRequest& each : incident.requests) {
    json["requests"].push_back({{"action", name_of(each.action)},
                                {"state", name_of(each.state)},
                                {"time", format_time(each.time)},
                                {"changed", format_time(each.changed)}});
  }
}

void write_merged(const Incident& incident, Json& json) {
  json["merged_into"] = incident.merged_into;
  json["severity"] = name_of(incident.severity);
  json["first_misuse"] = format_time(incident.first_misuse);
}

// What is written by a newer or an older tocsin, or by somebody else, keeps its lists sorted as
// ours are: searches rely on it.
template <typename List, typename Key>
void sort_once_each(List& list, Key key) {
  std::ranges::sort(list, {}, key);
  const auto repeated = std::ranges::unique(list, {}, key);
  list.erase(repeated.begin(), repeated.end());
}

Position read_source(JsonFields& fields, std::string_view key, Error& error) {
  const auto element = fields.member(key, true);
  if (!element) return {};
  JsonFields source(*element, error);
  return position_in(source);
}

Indicator read_indicator(JsonFields& fields) {
  return {.kind = fields.word<IndicatorKind>("kind", indicator_kind_names()),
          .hash = std::string(fields.text("hash"))};
}

void read_touched(JsonFields& fields, std::string_view key, Error& error, Touched& out) {
  const auto element = fields.member(key, true);
  if (!element) return;
  JsonFields touched(*element, error);
  touched.texts("names", kTouchedMax, out.names);
  out.more = touched.natural("more");
  sort_once_each(out.names, std::identity{});
}

void read_clocks(JsonFields& fields, Error& error, Incident& out) {
  out.first_misuse = fields.time("first_misuse");
  out.detected = fields.time("detected");
  if (const auto element = fields.member("acknowledged", false)) {
    JsonFields acknowledged(*element, error);
    out.acknowledged = {.time = acknowledged.time("time"),
                        .by = std::string(acknowledged.text("by"))};
  }
  out.contained = fields.optional_time("contained");
  out.last_misuse = fields.time("last_misuse");
  out.last_unsafe = fields.optional_time("last_unsafe");
  out.ended = fields.optional_time("ended");
  out.reopened = fields.natural("reopened");
}

void read_facts(JsonFields& fields, Error& error, Incident& out) {
  const auto categories = fields.member("categories", true);
  if (!categories) return;
  JsonFields by_category(*categories, error);
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    const std::string_view name = category_names()[i];
    if (!by_category.has(name)) continue;
    out.categories[i] = by_category.word<Severity>(name, severity_names());
  }
  out.findings = fields.natural("findings");
  out.context = fields.natural("context");
  fields.each("rules", kRulesMax, [&](const Element& item) {
    JsonFields rule(item, error);
    out.rules.push_back({.rule = std::string(rule.text("rule")),
                         .category = rule.word<Category>("category", category_names()),
                         .severity = rule.word<Severity>("severity", severity_names()),
                         .count = rule.natural("count"),
                         .first_time = rule.time("first_time"),
                         .last_time = rule.time("last_time"),
                         .first_source = read_source(rule, "first_source", error),
                         .last_source = read_source(rule, "last_source", error)});
  });
  out.more_rules = fields.natural("more_rules");
  const auto element = fields.member("blast_radius", true);
  if (!element) return;
  JsonFields radius(*element, error);
  read_touched(radius, "tenants", error, out.tenants);
  read_touched(radius, "tools", error, out.tools);
  read_touched(radius, "destinations", error, out.destinations);
}

void read_chain(JsonFields& fields, Error& error, Incident& out) {
  fields.each("chain", kChainMax + 2, [&](const Element& item) {
    JsonFields step(item, error);
    Step& read = out.chain.emplace_back();
    read.finding_id = step.text("finding_id");
    read.event_id = step.text("event_id");
    read.session_id = step.text("session_id");
    read.seq = step.natural("seq");
    read.type = step.word<EventType>("type", event_type_names());
    read.tool = step.text("tool", false);
    read.rule = step.text("rule");
    read.title = step.text("title");
    read.severity = step.word<Severity>("severity", severity_names());
    read.time = step.time("time");
    if (const auto element = step.member("origin", false)) {
      JsonFields origin(*element, error);
      read.origin_event_id = origin.text("event_id");
      read.origin_tool = origin.text("tool", false);
    }
    step.each("targets", kIndicatorsMax, [&](const Element& target) {
      JsonFields indicator(target, error);
      read.targets.push_back(read_indicator(indicator));
    });
    read.source = read_source(step, "source", error);
  });
}

void read_session(const Element& item, Error& error, SessionPart& out) {
  JsonFields part(item, error);
  out.session_id = kept_id(part.text("session_id"));
  part.each("ids", kSessionIdsMax, [&](const Element& each) {
    JsonFields id(each, error);
    out.ids.push_back(
        {.opened = id.time("opened"), .incident_id = std::string(id.text("incident_id"))});
  });
  part.each("sources", kSessionSourcesMax, [&](const Element& each) {
    JsonFields mark(each, error);
    const Position at = position_in(mark);
    SourceMark& read = out.sources.emplace_back(
        SourceMark{.topic = at.topic, .partition = at.partition, .offset = at.offset});
    mark.texts("finding_ids", kIdsAtOffsetMax, read.finding_ids);
  });
  part.each("sightings", kSessionIndicatorsMax, [&](const Element& each) {
    JsonFields sighting(each, error);
    out.sightings.push_back({.indicator = read_indicator(sighting),
                             .first = sighting.time("first"),
                             .last = sighting.time("last")});
  });
  if (out.ids.empty()) part.fail(RecordReject::kMissingField);
  std::ranges::sort(out.ids);
}

void read_answers(JsonFields& fields, Error& error, Incident& out) {
  fields.each("containments", kContainmentsMax, [&](const Element& item) {
    JsonFields each(item, error);
    constexpr std::array<std::string_view, 2> kOutcomes = {"failed", "done"};
    const bool broken = each.has("broken") && each.flag("broken");
    out.containments.push_back(
        {.time = each.time("time"),
         .action = each.word<ContainmentAction>("action", containment_action_names()),
         .done = each.word_index(each.text("outcome"), kOutcomes) == 1,
         .by = std::string(each.text("by")),
         .broken_said = broken});
  });
  fields.each("verdicts", kVerdictsMax, [&](const Element& item) {
    JsonFields each(item, error);
    const auto judgement = judgement_named(each.text("verdict"));
    if (!judgement) each.fail(RecordReject::kBadWord);
    out.verdicts.push_back({.time = each.time("time"),
                            .by = std::string(each.text("by")),
                            .judgement = judgement.value_or(Judgement::kTruePositive)});
  });
  fields.each("requests", kContainmentActionCount, [&](const Element& item) {
    JsonFields each(item, error);
    out.requests.push_back(
        {.action = each.word<ContainmentAction>("action", containment_action_names()),
         .state = each.word<RequestState>("state", request_state_names()),
         .time = each.time("time"),
         .changed = each.time("changed")});
  });
  std::ranges::sort(out.verdicts);
}

void read_whole(JsonFields& fields, Error& error, Incident& out) {
  read_clocks(fields, error, out);
  read_facts(fields, error, out);
  read_chain(fields, error, out);
  out.owner = fields.text("owner", false);
  out.contact = fields.text("contact", false);
  fields.texts("escalation", kEscalationMax, out.escalation);
  read_answers(fields, error, out);
  fields.each("sessions", kSessionsMax,
              [&](const Element& item) { read_session(item, error, out.sessions.emplace_back()); });
  if (out.sessions.empty() || out.chain.empty()) fields.fail(RecordReject::kMissingField);
  sort_once_each(out.rules, &RuleFold::rule);
  sort_once_each(out.sessions, &SessionPart::session_id);
  std::ranges::stable_sort(out.chain, {}, &Step::time);
  std::ranges::stable_sort(out.containments, {}, &ContainmentDone::time);
}

}  // namespace

std::string to_json(const Incident& incident) {
  Json json = {{"incident_id", incident.incident_id},
               {"system", incident.system},
               {"state", name_of(incident.state)}};
  if (incident.state == State::kMerged) {
    write_merged(incident, json);
    return json.dump(-1, ' ', true, Json::error_handler_t::replace);
  }
  json["severity"] = name_of(incident.severity);
  json["categories"] = Json::object();
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    if (!incident.categories[i]) continue;
    json["categories"][std::string(category_names()[i])] = name_of(*incident.categories[i]);
  }
  write_clocks(incident, json);
  json["findings"] = incident.findings;
  json["context"] = incident.context;
  for (const char* key : {"rules", "chain"}) json[key] = Json::array();
  for (const RuleFold& rule : incident.rules) json["rules"].push_back(json_of(rule));
  json["more_rules"] = incident.more_rules;
  for (const Step& step : incident.chain) json["chain"].push_back(json_of(step));
  json["blast_radius"] = {{"sessions", incident.sessions.size()},
                          {"tenants", json_of(incident.tenants)},
                          {"tools", json_of(incident.tools)},
                          {"destinations", json_of(incident.destinations)}};
  json["owner"] = incident.owner.empty() ? Json(nullptr) : Json(incident.owner);
  json["contact"] = incident.contact.empty() ? Json(nullptr) : Json(incident.contact);
  json["escalation"] = incident.escalation;
  write_answers(incident, json);
  json["sessions"] = Json::array();
  for (const SessionPart& part : incident.sessions) json["sessions"].push_back(json_of(part));
  // ASCII only: session ids and tool names are an attacker's, and incidents are looked at in
  // terminals.
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string to_json(const Incident& incident, const ContainmentRequest& request) {
  const std::string_view action = name_of(request.action);
  Json json = {
      {"request_id", sha256_hex(fmt::format("request\n{}\n{}", incident.incident_id, action))
                         .substr(0, kIdDigits)},
      {"time", format_time(request.time)},
      {"incident_id", incident.incident_id},
      {"system", incident.system},
      {"severity", name_of(incident.severity)},
      {"action", action},
      {"owner", incident.owner.empty() ? Json(nullptr) : Json(incident.owner)},
      {"contact", incident.contact.empty() ? Json(nullptr) : Json(incident.contact)},
      {"sessions", Json::array()}};
  for (const SessionPart& part : incident.sessions) json["sessions"].push_back(part.session_id);
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::expected<Incident, RecordReject> IncidentReader::read(std::string_view bytes) {
  Error error;
  const auto element = parse_record(parser_, bytes, kBytesMax, error);
  if (!element) return std::unexpected(*error);
  JsonFields fields(*element, error);
  Incident out;
  out.incident_id = fields.text("incident_id");
  out.system = kept_id(fields.text("system"));
  out.state = fields.word<State>("state", state_names());
  out.severity = fields.word<Severity>("severity", severity_names());
  if (out.state == State::kMerged) {
    out.merged_into = fields.text("merged_into");
    out.first_misuse = fields.time("first_misuse");
  } else {
    read_whole(fields, error, out);
  }
  if (out.incident_id.empty() || out.system.empty()) fields.fail(RecordReject::kMissingField);
  if (error) return std::unexpected(*error);
  return out;
}

}  // namespace tocsin::incident
