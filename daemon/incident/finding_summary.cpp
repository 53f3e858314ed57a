#include "daemon/incident/finding_summary.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "daemon/incident/json_fields.h"
#include "daemon/redact.h"
#include "daemon/text.h"

namespace tocsin::incident {
namespace {

constexpr std::size_t kEvidenceMax = 1024;  // of a finding that is read

// NUL stands between the parts of the table's keys, and a control character is six bytes of JSON.
bool is_kept(std::string_view id) {
  return id.size() <= kIdBytesMax &&
         std::ranges::none_of(id, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

// The same whichever way a summary came about.
void bound(FindingSummary& summary) {
  for (std::string* text :
       {&summary.finding_id, &summary.incident_id, &summary.system, &summary.session_id,
        &summary.event_id, &summary.tenant, &summary.tool, &summary.origin_event_id,
        &summary.origin_tool, &summary.rule, &summary.detector, &summary.source.topic}) {
    if (!is_kept(*text)) *text = kept_id(*text);
  }
  summary.title.resize(cut_at_character(summary.title, kTitleBytesMax));
  summary.detected_at = kept_time(summary.detected_at);
  summary.time = std::min(kept_time(summary.time), summary.detected_at);
  if (summary.severity < Severity::kHigh) summary.indicators.clear();
  for (Indicator& indicator : summary.indicators) {
    indicator.hash.resize(cut_at_character(indicator.hash, kHashBytesMax));
  }
  std::ranges::sort(summary.indicators);
  const auto repeated = std::ranges::unique(summary.indicators);
  summary.indicators.erase(repeated.begin(), repeated.end());
  if (summary.incident_id.empty()) {
    summary.incident_id = incident_id_of(summary.system, summary.session_id, summary.finding_id);
  }
}

void read_indicators(JsonFields& fields, std::optional<RecordReject>& error,
                     std::vector<Indicator>& out) {
  fields.each("indicators", kIndicatorsMax, [&](const JsonFields::Element& item) {
    JsonFields indicator(item, error);
    out.push_back({.kind = indicator.word<IndicatorKind>("kind", indicator_kind_names()),
                   .hash = std::string(indicator.text("hash"))});
  });
}

void read_origin(JsonFields& fields, std::optional<RecordReject>& error, FindingSummary& out) {
  bool found = false;
  fields.each("evidence", kEvidenceMax, [&](const JsonFields::Element& item) {
    JsonFields evidence(item, error);
    const auto element = evidence.member("origin", false);
    if (!element || std::exchange(found, true)) return;
    JsonFields origin(*element, error);
    out.origin_event_id = origin.text("event_id");
    out.origin_tool = origin.text("tool", false);
  });
}

}  // namespace

EventTime kept_time(EventTime time) {
  using namespace std::chrono;
  constexpr EventTime kFirst{sys_days{year{1000} / January / 1}};
  constexpr EventTime kLast{sys_days{year{9000} / January / 1}};
  return std::clamp(time, kFirst, kLast);
}

std::string kept_id(std::string_view id) {
  return is_kept(id) ? std::string(id) : "sha256:" + sha256_hex(id);
}

FindingSummary summary_of(const Finding& finding) {
  FindingSummary summary{
      .finding_id = finding.finding_id,
      .incident_id = finding.incident_id,
      .system = finding.system,
      .session_id = finding.session_id,
      .event_id = finding.event_id,
      .seq = finding.seq,
      .type = finding.type,
      .tenant = finding.tenant,
      .tool = finding.tool,
      .origin_event_id = {},
      .origin_tool = {},
      .rule = finding.rule,
      .detector = finding.detector,
      .title = finding.title,
      .severity = finding.severity,
      .category = finding.category,
      .time = finding.time,
      .detected_at = finding.detected_at,
      .indicators = finding.indicators,
      .source = {.topic = finding.topic, .partition = finding.partition, .offset = finding.offset}};
  for (const Evidence& evidence : finding.evidence) {
    if (!evidence.origin) continue;
    summary.origin_event_id = evidence.origin->event_id;
    summary.origin_tool = evidence.origin->tool;
    break;
  }
  bound(summary);
  return summary;
}

std::expected<FindingSummary, RecordReject> FindingReader::read(std::string_view bytes) {
  std::optional<RecordReject> error;
  const auto element = parse_record(parser_, bytes, kBytesMax, error);
  if (!element) return std::unexpected(*error);
  JsonFields fields(*element, error);
  FindingSummary out;
  out.finding_id = fields.text("finding_id");
  out.incident_id = fields.text("incident_id", false);
  out.system = fields.text("system");
  out.session_id = fields.text("session_id");
  out.event_id = fields.text("event_id");
  out.seq = fields.natural("seq", false);
  out.type = fields.word<EventType>("type", event_type_names());
  out.tenant = fields.text("tenant", false);
  out.tool = fields.text("tool", false);
  out.rule = fields.text("rule");
  out.detector = fields.text("detector", false);
  out.title = fields.text("title", false);
  out.severity = fields.word<Severity>("severity", severity_names());
  out.category = fields.word<Category>("category", category_names());
  out.time = fields.time("time");
  out.detected_at = fields.time("detected_at");
  read_indicators(fields, error, out.indicators);
  read_origin(fields, error, out);
  if (const auto source = fields.member("source", true)) {
    JsonFields position(*source, error);
    out.source = position_in(position);
  }
  if (out.finding_id.empty() || out.system.empty() || out.rule.empty()) {
    fields.fail(RecordReject::kMissingField);
  }
  if (error) return std::unexpected(*error);
  bound(out);
  return out;
}

}  // namespace tocsin::incident
