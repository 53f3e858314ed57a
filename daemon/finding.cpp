#include "daemon/finding.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "daemon/names.h"
#include "daemon/redact.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, kSeverityCount> kSeverities = {"info", "low", "medium",
                                                                      "high", "critical"};
constexpr std::array<std::string_view, kCategoryCount> kCategories = {
    "prompt_injection",
    "jailbreak",
    "prompt_leak",
    "exfiltration",
    "secret",
    "pii",
    "shell_command",
    "code_execution",
    "sql",
    "ssrf",
    "path_traversal",
    "unsafe_tool",
    "undeclared_tool",
    "tool_poisoning",
    "resource_abuse",
    "output_policy",
    "guardrail_failure",
    "regression",
};
constexpr std::array<std::string_view, kIndicatorKindCount> kIndicatorKinds = {
    "destination", "account", "credential"};
constexpr std::size_t kIncidentIdDigits = 32;

}  // namespace

std::span<const std::string_view> severity_names() { return kSeverities; }
std::string_view name_of(Severity severity) { return kSeverities[std::to_underlying(severity)]; }
std::optional<Severity> severity_named(std::string_view name) {
  return named<Severity>(kSeverities, name);
}
std::span<const std::string_view> category_names() { return kCategories; }
std::string_view name_of(Category category) { return kCategories[std::to_underlying(category)]; }

std::span<const std::string_view> indicator_kind_names() { return kIndicatorKinds; }
std::string_view name_of(IndicatorKind kind) { return kIndicatorKinds[std::to_underlying(kind)]; }

std::string incident_id_of(std::string_view system, std::string_view session_id,
                           std::string_view first_finding_id) {
  return sha256_hex(fmt::format("incident\n{}\n{}\n{}", system, session_id, first_finding_id))
      .substr(0, kIncidentIdDigits);
}

std::string format_time(EventTime time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  const std::int64_t micros = clock.subseconds().count();
  std::string out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  out +=
      micros % 1000 != 0 ? fmt::format(".{:06}Z", micros) : fmt::format(".{:03}Z", micros / 1000);
  return out;
}

std::string to_json(const Finding& finding) {
  using Json = nlohmann::ordered_json;
  Json evidence = Json::array();
  for (const Evidence& item : finding.evidence) {
    Json entry = {{"field", item.field}, {"excerpt", item.excerpt}, {"hash", item.hash}};
    if (!item.decoded.empty()) entry["decoded"] = item.decoded;
    if (item.origin) {
      entry["origin"] = {{"event_id", item.origin->event_id}, {"seq", item.origin->seq}};
      if (!item.origin->tool.empty()) entry["origin"]["tool"] = item.origin->tool;
    }
    evidence.push_back(std::move(entry));
  }
  Json json = {
      {"finding_id", finding.finding_id},
      {"time", format_time(finding.time)},
      {"detected_at", format_time(finding.detected_at)},
      {"system", finding.system},
      {"session_id", finding.session_id},
      {"event_id", finding.event_id},
      {"seq", finding.seq},
      {"type", name_of(finding.type)},
  };
  if (!finding.tenant.empty()) json["tenant"] = finding.tenant;
  if (!finding.tool.empty()) json["tool"] = finding.tool;
  json["rule"] = finding.rule;
  json["detector"] = finding.detector;
  json["severity"] = name_of(finding.severity);
  if (finding.demoted_from) json["demoted_from"] = name_of(*finding.demoted_from);
  json["category"] = name_of(finding.category);
  json["title"] = finding.title;
  if (!finding.message.empty()) json["message"] = finding.message;
  json["tags"] = finding.tags;
  json["evidence"] = std::move(evidence);
  if (!finding.indicators.empty()) {
    for (const Indicator& indicator : finding.indicators) {
      json["indicators"].push_back({{"kind", name_of(indicator.kind)}, {"hash", indicator.hash}});
    }
  }
  json["incident_id"] = finding.incident_id.empty() ? Json(nullptr) : Json(finding.incident_id);
  if (finding.repeats.count > 1) {
    json["repeats"] = {{"count", finding.repeats.count},
                       {"first_finding_id", finding.repeats.first_finding_id},
                       {"first_time", format_time(finding.repeats.first_time)},
                       {"first_offset", finding.repeats.first_offset}};
  }
  json["exception"] = nullptr;
  json["owner"] = finding.owner.empty() ? Json(nullptr) : Json(finding.owner);
  json["source"] = {
      {"topic", finding.topic}, {"partition", finding.partition}, {"offset", finding.offset}};
  // ASCII only: session ids and tool names are an attacker's, and findings are looked at in
  // terminals.
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace tocsin
