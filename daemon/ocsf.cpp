#include "daemon/ocsf.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <array>
#include <chrono>
#include <utility>

#include <nlohmann/json.hpp>

#include "daemon/check.h"
#include "daemon/decode/rfc3339.h"
#include "daemon/version.h"

namespace tocsin::ocsf {
namespace {

using Json = nlohmann::ordered_json;

// Enumerations of the schema.
enum class Status : std::uint8_t {
  kNew = 1,
  kInProgress = 2,
  kSuppressed = 3,
  kResolved = 4,
  kOther = 99
};
constexpr int kAnalyticRule = 1;
constexpr int kAnalyticBehavioral = 2;
constexpr int kAnalyticOther = 99;
constexpr int kObservableOther = 99;  // a keyed hash is no hash of a file, which is what 8 means

constexpr std::array<std::string_view, kSeverityCount> kSeverityCaptions = {
    "Informational", "Low", "Medium", "High", "Critical"};

std::string_view caption(Status status) {
  switch (status) {
    case Status::kNew: return "New";
    case Status::kInProgress: return "In Progress";
    case Status::kSuppressed: return "Suppressed";
    case Status::kResolved: return "Resolved";
    case Status::kOther: break;
  }
  return "Other";
}

std::string_view caption(Activity activity) {
  switch (activity) {
    case Activity::kCreate: return "Create";
    case Activity::kUpdate: return "Update";
    case Activity::kClose: break;
  }
  return "Close";
}

// Members that may be missing or of another type: records come from a topic.
const Json& member(const Json& object, const char* key) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

std::string text(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::optional<std::int64_t> unix_ms(const Json& object, const char* key) {
  const auto time = parse_rfc3339(text(object, key));
  if (!time) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(time->time_since_epoch()).count();
}

void put(Json& object, const char* key, std::string value) {
  if (!value.empty()) object[key] = std::move(value);
}

void put(Json& object, const char* key, std::optional<std::int64_t> value) {
  if (value) object[key] = *value;
}

void put(Json& object, const char* key, const Json& value) {
  const bool empty = value.is_null() || ((value.is_array() || value.is_object()) && value.empty());
  if (!empty) object[key] = value;
}

// Nothing: not a JSON object.  simdjson first: it bounds the depth, on which nlohmann's writer
// recurses.
std::optional<Json> parse(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) return std::nullopt;
  Json out = Json::parse(json, nullptr, false);
  if (!out.is_object()) return std::nullopt;
  return out;
}

// What every event has, whatever it tells of.
struct Frame {
  Activity activity = Activity::kCreate;
  Severity severity = Severity::kMedium;
  Status status = Status::kNew;
  std::string status_text;  // of kOther
  std::int64_t time = 0;
  std::string uid;
  const Json* tags = nullptr;
};

Json event_in(const Frame& frame) {
  const int activity = std::to_underlying(frame.activity);
  const auto severity = static_cast<std::size_t>(frame.severity);
  Json metadata = {
      {"version", kSchemaVersion},
      {"product", {{"name", "tocsin"}, {"vendor_name", "tocsin"}, {"version", version()}}},
      {"uid", frame.uid}};
  if (frame.tags != nullptr) put(metadata, "labels", *frame.tags);
  return {{"category_uid", kCategoryUid},
          {"category_name", "Findings"},
          {"class_uid", kClassUid},
          {"class_name", "Detection Finding"},
          {"activity_id", activity},
          {"activity_name", caption(frame.activity)},
          {"type_uid", kClassUid * 100 + activity},
          {"type_name", fmt::format("Detection Finding: {}", caption(frame.activity))},
          {"severity_id", severity + 1},
          {"severity", kSeverityCaptions[severity]},
          {"status_id", std::to_underlying(frame.status)},
          {"status",
           frame.status == Status::kOther ? frame.status_text : std::string(caption(frame.status))},
          {"is_alert", frame.severity >= Severity::kHigh && frame.activity != Activity::kClose},
          {"time", frame.time},
          {"metadata", std::move(metadata)}};
}

std::string written(const Json& event) {
  return event.dump(-1, ' ', true, Json::error_handler_t::replace);
}

// The AI system: what is affected.
Json resource_of(const Json& record) {
  const std::string system = text(record, "system");
  Json resource = {{"type", "AI system"}, {"name", system}, {"uid", system}};
  if (const std::string owner = text(record, "owner"); !owner.empty()) {
    resource["owner"] = {{"name", owner}};
  }
  return resource;
}

// ------------------------------------------------------------------ findings

Json evidences_of(const Json& finding) {
  Json out = Json::array();
  const Json& evidence = member(finding, "evidence");
  if (!evidence.is_array()) return out;
  for (const Json& item : evidence) {
    Json data = Json::object();
    for (const char* key : {"field", "hash", "decoded"}) put(data, key, text(item, key));
    put(data, "origin", member(item, "origin"));
    if (!data.empty()) out.push_back({{"data", std::move(data)}});
  }
  return out;
}

Json observables_of(const Json& finding) {
  Json out = Json::array();
  const Json& indicators = member(finding, "indicators");
  if (!indicators.is_array()) return out;
  for (const Json& item : indicators) {
    out.push_back({{"name", "unmapped.indicators"},
                   {"type_id", kObservableOther},
                   {"type", text(item, "kind") + ", keyed hash"},
                   {"value", text(item, "hash")}});
  }
  return out;
}

Json finding_info_of(const Json& finding, std::int64_t detected) {
  const std::string detector = text(finding, "detector");
  Json info = {{"uid", text(finding, "finding_id")},
               {"title", text(finding, "title")},
               {"types", Json::array({text(finding, "category")})},
               {"analytic",
                {{"uid", text(finding, "rule")},
                 {"name", text(finding, "rule")},
                 {"type_id", detector == "rules" ? kAnalyticRule : kAnalyticBehavioral},
                 {"type", detector == "rules" ? "Rule" : "Behavioral"},
                 {"category", detector}}},
               {"created_time", detected}};
  put(info, "desc", text(finding, "message"));
  const auto first = unix_ms(member(finding, "repeats"), "first_time");
  put(info, "first_seen_time", first ? first : unix_ms(finding, "time"));
  put(info, "last_seen_time", unix_ms(finding, "time"));
  return info;
}

std::optional<std::string> map_finding(const Json& finding) {
  const auto severity = severity_named(text(finding, "severity"));
  const auto detected = unix_ms(finding, "detected_at");
  if (!severity || !detected || text(finding, "finding_id").empty()) return std::nullopt;
  Json event = event_in({.severity = *severity,
                         .status_text = {},
                         .time = *detected,
                         .uid = text(finding, "finding_id"),
                         .tags = &member(finding, "tags")});
  put(event, "message", text(finding, "title"));
  put(event, "start_time", unix_ms(finding, "time"));
  put(event, "end_time", unix_ms(finding, "time"));
  event["finding_info"] = finding_info_of(finding, *detected);
  put(event, "evidences", evidences_of(finding));
  event["resources"] = Json::array({resource_of(finding)});
  put(event, "observables", observables_of(finding));
  Json unmapped = Json::object();
  for (const char* key : {"session_id", "event_id", "seq", "type", "tenant", "tool", "demoted_from",
                          "indicators", "incident_id", "repeats", "exception", "source"}) {
    put(unmapped, key, member(finding, key));
  }
  event["unmapped"] = std::move(unmapped);
  return written(event);
}

// ------------------------------------------------------------------ incidents

// How it stands, in the schema's words.
void set_state(const Json& incident, std::string_view state, bool first, Frame& frame) {
  if (state == "open") {
    const bool known = !member(incident, "acknowledged").is_null();
    frame.status = known ? Status::kInProgress : Status::kNew;
    frame.activity = first ? Activity::kCreate : Activity::kUpdate;
    return;
  }
  frame.activity = Activity::kClose;
  if (state == "contained") {
    frame.status = Status::kResolved;
  } else if (state == "closed") {  // a person judged it to be none, or accepted the risk
    frame.status = Status::kSuppressed;
  } else {
    frame.status = Status::kOther;
    frame.status_text = state;  // "ended", "merged"
  }
}

// Of the first of its most severe steps.
std::string title_of(const Json& incident, std::string_view severity) {
  const Json& chain = member(incident, "chain");
  if (chain.is_array()) {
    for (const Json& step : chain) {
      if (text(step, "severity") == severity && !text(step, "title").empty()) {
        return text(step, "title");
      }
    }
  }
  return "Incident";
}

Json related_events_of(const Json& incident) {
  Json out = Json::array();
  const Json& chain = member(incident, "chain");
  if (!chain.is_array()) return out;
  for (const Json& step : chain) {
    if (text(step, "finding_id").empty()) continue;
    out.push_back({{"uid", text(step, "finding_id")},
                   {"type", "Detection Finding: Create"},
                   {"type_uid", kClassUid * 100 + std::to_underlying(Activity::kCreate)}});
  }
  return out;
}

Json incident_info_of(const Json& incident) {
  Json types = Json::array();
  const Json& categories = member(incident, "categories");
  if (categories.is_object()) {
    for (const auto& item : categories.items()) types.push_back(item.key());
  }
  Json info = {{"uid", text(incident, "incident_id")},
               {"title", title_of(incident, text(incident, "severity"))},
               {"analytic",
                {{"uid", "incident"},
                 {"name", "incident"},
                 {"type_id", kAnalyticOther},
                 {"type", "findings that belong together"}}}};
  put(info, "types", types);
  put(info, "created_time", unix_ms(incident, "detected"));
  put(info, "first_seen_time", unix_ms(incident, "first_misuse"));
  put(info, "last_seen_time", unix_ms(incident, "last_misuse"));
  put(info, "related_events", related_events_of(incident));
  return info;
}

}  // namespace

std::string of_finding(const Finding& finding) {
  auto event = of_finding_json(to_json(finding));
  CHECK(event.has_value());
  return *std::move(event);
}

std::optional<std::string> of_finding_json(std::string_view json) {
  const auto finding = parse(json);
  if (!finding) return std::nullopt;
  return map_finding(*finding);
}

std::optional<std::string> of_incident_json(std::string_view json, bool first) {
  const auto parsed = parse(json);
  if (!parsed) return std::nullopt;
  const Json& incident = *parsed;
  const auto severity = severity_named(text(incident, "severity"));
  const auto detected = unix_ms(incident, "detected");
  const auto time = detected ? detected : unix_ms(incident, "first_misuse");  // a merged one
  if (!severity || !time || text(incident, "incident_id").empty()) return std::nullopt;
  Frame frame{.severity = *severity,
              .status_text = {},
              .time = *time,
              .uid = text(incident, "incident_id")};
  set_state(incident, text(incident, "state"), first, frame);
  Json event = event_in(frame);
  event["finding_info"] = incident_info_of(incident);
  put(event, "message", event["finding_info"]["title"].get<std::string>());
  put(event, "start_time", unix_ms(incident, "first_misuse"));
  put(event, "end_time", unix_ms(incident, "last_misuse"));
  event["resources"] = Json::array({resource_of(incident)});
  Json unmapped = Json::object();
  // Not `sessions`: what tocsin needs to go on.
  for (const char* key :
       {"incident_id", "state", "merged_into", "categories", "acknowledged", "contained", "ended",
        "reopened", "findings", "context", "rules", "chain", "blast_radius", "contact",
        "escalation", "containments", "verdicts", "requests"}) {
    put(unmapped, key, member(incident, key));
  }
  event["unmapped"] = std::move(unmapped);
  return written(event);
}

}  // namespace tocsin::ocsf
