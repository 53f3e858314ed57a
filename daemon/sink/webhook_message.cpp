#include "daemon/sink/webhook_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "daemon/incident/json_fields.h"
#include "daemon/ocsf.h"

namespace tocsin {
namespace {

using incident::JsonFields;
using incident::RecordReject;

constexpr std::size_t kIdBytesMax = 128;
constexpr std::size_t kRecordBytesMax = std::size_t{1} << 20;

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kIdBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

// Our own records are plain ASCII; others that write to the topics may be less careful, and what is
// shown to people must not turn their text around.
std::string plain(std::string_view json) {
  const bool is_plain =
      std::ranges::all_of(json, [](char c) { return c >= ' ' && static_cast<int>(c) < 0x7F; });
  if (is_plain) return std::string(json);
  using Json = nlohmann::ordered_json;
  return Json::parse(json, nullptr, false).dump(-1, ' ', true, Json::error_handler_t::replace);
}

constexpr WebhookReader::Result kNotSent{.message = std::nullopt, .unreadable = false};
constexpr WebhookReader::Result kUnreadable{.message = std::nullopt, .unreadable = true};

}  // namespace

Milestones::Change Milestones::note(std::string_view incident_id, const Milestone& milestone) {
  std::string id(incident_id);
  const auto found = known_.find(id);
  if (found != known_.end()) {
    const bool changed = found->second != milestone;
    found->second = milestone;
    return {.changed = changed, .first = false};
  }
  if (known_.size() >= kIncidentsMax) {
    known_.clear();
    ++overflows_;
  }
  known_.emplace(std::move(id), milestone);
  return {.changed = true, .first = true};
}

WebhookReader::Result WebhookReader::read(WebhookTopic topic, const Record& record,
                                          Milestones& milestones) {
  switch (topic) {
    case WebhookTopic::kFindings: return read_finding(record);
    case WebhookTopic::kIncidents: return read_incident(record, milestones);
    case WebhookTopic::kRequests: break;
  }
  return read_request(record);
}

WebhookReader::Result WebhookReader::read_finding(const Record& record) {
  std::optional<RecordReject> error;
  const auto element = incident::parse_record(parser_, record.payload, kRecordBytesMax, error);
  if (!element) return kUnreadable;
  JsonFields fields(*element, error);
  const std::string id(fields.text("finding_id"));
  const auto severity = fields.word<Severity>("severity", severity_names());
  if (error || !is_id(id)) return kUnreadable;
  if (severity < config_.severity_min) return kNotSent;
  if (config_.format == SinkFormat::kTocsin) {
    return {.message = WebhookMessage{.id = id, .body = plain(record.payload)}};
  }
  auto event = ocsf::of_finding_json(record.payload);
  if (!event) return kUnreadable;
  return {.message = WebhookMessage{.id = id, .body = *std::move(event)}};
}

WebhookReader::Result WebhookReader::read_incident(const Record& record, Milestones& milestones) {
  // A tombstone.  Which one it is of stands in the record's key; what is not told of again need not
  // be forgotten.
  if (record.payload.empty()) return kNotSent;
  std::optional<RecordReject> error;
  const auto element = incident::parse_record(parser_, record.payload, kRecordBytesMax, error);
  if (!element) return kUnreadable;
  JsonFields fields(*element, error);
  const std::string incident_id(fields.text("incident_id"));
  const Milestone milestone{.state = fields.word<incident::State>("state", incident::state_names()),
                            .severity = fields.word<Severity>("severity", severity_names()),
                            .acknowledged = fields.has("acknowledged"),
                            .reopened = fields.natural("reopened", false)};
  const std::string id =
      fmt::format("{}-{}-{}", incident_id, record.source.partition, record.source.offset);
  if (error || !is_id(id)) return kUnreadable;
  const Milestones::Change change = milestones.note(incident_id, milestone);
  if (!change.changed || milestone.severity < config_.severity_min) return kNotSent;
  if (config_.format == SinkFormat::kTocsin) {
    return {.message = WebhookMessage{.id = id, .body = plain(record.payload)}};
  }
  auto event = ocsf::of_incident_json(record.payload, change.first);
  if (!event) return kUnreadable;
  return {.message = WebhookMessage{.id = id, .body = *std::move(event)}};
}

WebhookReader::Result WebhookReader::read_request(const Record& record) {
  std::optional<RecordReject> error;
  const auto element = incident::parse_record(parser_, record.payload, kRecordBytesMax, error);
  if (!element) return kUnreadable;
  JsonFields fields(*element, error);
  const std::string id(fields.text("request_id"));
  if (error || !is_id(id)) return kUnreadable;
  // Requests are what they are in either format: OCSF has no word for them in this class.
  return {.message = WebhookMessage{.id = id, .body = plain(record.payload)}};
}

}  // namespace tocsin
