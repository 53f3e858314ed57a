// Findings and control events for tests of incidents, and a listener that remembers.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/incident/incident_json.h"
#include "daemon/incident/incident_table.h"

namespace tocsin::incident::testing {

constexpr EventTime kStart{std::chrono::seconds(1'767'600'000)};

inline EventTime at(std::int64_t seconds) { return kStart + std::chrono::seconds(seconds); }

struct FindingOf {
  std::string session = "s1";
  std::int64_t time = 0;  // seconds after kStart
  Severity severity = Severity::kHigh;
  std::string rule = "test.rule";
  std::vector<std::string> destinations;
  Category category = Category::kExfiltration;
  std::string tool = "send_email";
  std::string tenant{};
  std::int64_t offset = -1;  // -1: the time
  std::string system = "bot";
  std::string id{};           // empty: made from session, time and rule
  std::string incident_id{};  // empty: made from the session
  std::string topic = "events";
};

inline FindingSummary finding(const FindingOf& of) {
  FindingSummary out;
  out.finding_id = of.id.empty() ? fmt::format("f-{}-{}-{}", of.session, of.time, of.rule) : of.id;
  out.incident_id = of.incident_id.empty() ? "i-" + of.session : of.incident_id;
  out.system = of.system;
  out.session_id = of.session;
  out.event_id = fmt::format("e-{}-{}", of.session, of.time);
  out.seq = static_cast<std::uint64_t>(of.time < 0 ? 0 : of.time);
  out.tenant = of.tenant;
  out.tool = of.tool;
  out.rule = of.rule;
  out.detector = "rules";
  out.title = "A title";
  out.severity = of.severity;
  out.category = of.category;
  out.time = at(of.time);
  out.detected_at = at(of.time + 1);
  if (of.severity >= Severity::kHigh) {
    for (const std::string& each : of.destinations) {
      out.indicators.push_back({.kind = IndicatorKind::kDestination, .hash = each});
    }
  }
  out.source = {.topic = of.topic, .partition = 0, .offset = of.offset < 0 ? of.time : of.offset};
  return out;
}

inline Control containment(std::int64_t time, std::string incident_id, bool done = true,
                           std::string session_id = {},
                           ContainmentAction action = ContainmentAction::kKillSession) {
  return {.type = EventType::kContainment,
          .time = at(time),
          .system = "bot",
          .session_id = std::move(session_id),
          .incident_id = std::move(incident_id),
          .by = "soc",
          .action = action,
          .done = done};
}

inline Control acknowledge(std::int64_t time, std::string incident_id, std::string by = "ann") {
  return {.type = EventType::kAcknowledge,
          .time = at(time),
          .system = "bot",
          .incident_id = std::move(incident_id),
          .by = std::move(by)};
}

inline Control verdict(std::int64_t time, std::string incident_id, Judgement judgement,
                       std::string finding_id = {}) {
  return {.type = EventType::kVerdict,
          .time = at(time),
          .system = "bot",
          .incident_id = std::move(incident_id),
          .finding_id = std::move(finding_id),
          .by = "ann",
          .judgement = judgement};
}

class Recorder final : public Listener {
 public:
  void on_incident(const Incident& incident, const Before& before) override {
    if (incident.state == State::kMerged) {
      said.push_back(fmt::format("{} merged into {}", incident.incident_id, incident.merged_into));
    } else {
      said.push_back(fmt::format("{} {}{}", incident.incident_id, name_of(incident.state),
                                 before.known ? "" : " new"));
    }
    records.emplace_back(incident.incident_id, to_json(incident));
    befores.push_back(before);
  }
  void on_forgotten(const Incident& incident, std::span<const std::string> ids) override {
    said.push_back(fmt::format("{} forgotten", incident.incident_id));
    forgotten.insert(forgotten.end(), ids.begin(), ids.end());
  }
  void on_containment_failed(const Finding& found) override { findings.push_back(found); }
  void on_request(const Incident& incident, const ContainmentRequest& request) override {
    requests.push_back(fmt::format("{} {}", incident.incident_id, name_of(request.action)));
  }
  void on_judgement(std::string_view rule, std::string_view what, Judgement judgement,
                    EventTime /*said*/) override {
    judgements.push_back(fmt::format("{} {} {}", rule, what, name_of(judgement)));
  }
  std::vector<std::string> take() { return std::exchange(said, {}); }

  std::vector<std::string> said;
  std::vector<std::pair<std::string, std::string>> records;  // id, JSON; as written
  std::vector<Before> befores;
  std::vector<std::string> forgotten;
  std::vector<Finding> findings;
  std::vector<std::string> requests;
  std::vector<std::string> judgements;
};

// A listener for those who look at the table alone.
class Silent final : public Listener {
 public:
  void on_incident(const Incident& /*incident*/, const Before& /*before*/) override {}
  void on_forgotten(const Incident& /*incident*/, std::span<const std::string> /*ids*/) override {}
  void on_containment_failed(const Finding& /*finding*/) override {}
};

// What a table holds, as JSON by id.
inline std::map<std::string, std::string> held(const IncidentTable& table) {
  std::map<std::string, std::string> out;
  table.for_each([&](const Incident& each) { out[each.incident_id] = to_json(each); });
  return out;
}

}  // namespace tocsin::incident::testing
