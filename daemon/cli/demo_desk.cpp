#include "daemon/cli/demo_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "daemon/cli/cli.h"
#include "daemon/decode/rfc3339.h"
#include "daemon/text.h"

namespace tocsin::cli {
namespace {

using Json = nlohmann::json;

std::string text_of(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_string() ? printable(json[key].get<std::string>())
                                                     : std::string();
}

std::string after(const Json& incident, const std::string& time) {
  const auto from = parse_rfc3339(text_of(incident, "first_misuse"));
  const auto to = parse_rfc3339(time);
  if (!from || !to) return {};
  return fmt::format(" {:.1f} s after the first misuse",
                     std::chrono::duration<double>(*to - *from).count());
}

std::string touched(const Json& incident) {
  const Json& blast = incident.value("blast_radius", Json::object());
  const auto sessions = blast.value("sessions", std::size_t{1});
  return fmt::format("{} finding{} in {} session{}, owner {}", incident.value("findings", 0),
                     incident.value("findings", 0) == 1 ? "" : "s", sessions,
                     sessions == 1 ? "" : "s", text_of(incident, "owner"));
}

DemoRecord control(const Json& incident, EventTime at, std::string_view type, Json more) {
  more["type"] = type;
  more["time"] = format_time(at);
  more["system"] = incident["system"];
  return {.key = incident["system"].get<std::string>(), .payload = more.dump()};
}

}  // namespace

std::string DemoDesk::see(std::string_view record) {
  const Json incident = Json::parse(record, nullptr, false);
  if (!incident.is_object() || text_of(incident, "incident_id").empty()) return {};
  const std::lock_guard lock(mutex_);
  return changes(incident);
}

std::string DemoDesk::changes(const Json& incident) {
  const std::string id = text_of(incident, "incident_id");
  const std::string state = text_of(incident, "state");
  const std::string severity = text_of(incident, "severity");
  if (!known_.contains(id) && known_.size() >= kKnownMax) known_.clear();
  const bool fresh = !known_.contains(id);
  Known& known = known_[id];
  std::string out;
  const auto tell = [&](const std::string& time, const std::string& what) {
    out += fmt::format("{}  {}{:<8}{}  {:<14}  incident {} {}\n",
                       time.size() > 19 ? time.substr(11, 8) : time,
                       coloured_ ? colour_of(severity) : "", severity, coloured_ ? "\033[0m" : "",
                       text_of(incident, "system"), id.substr(0, 12), what);
  };
  const std::string last = text_of(incident, "last_misuse");
  if (fresh) {
    tell(last, "opened: " + touched(incident));
  } else if (severity != known.severity) {
    tell(last, fmt::format("is {} now: {}", severity, touched(incident)));
  }
  if (severity == "critical" && known.severity != "critical") answer(incident);
  const Json& acknowledged = incident.value("acknowledged", Json());
  if (acknowledged.is_object() && !known.acknowledged) {
    known.acknowledged = true;
    const std::string time = text_of(acknowledged, "time");
    tell(time,
         fmt::format("acknowledged by {}{}", text_of(acknowledged, "by"), after(incident, time)));
  }
  if (!fresh && state != known.state) {
    const std::string when = state == "contained" ? text_of(incident, "contained")
                             : state == "ended"   ? text_of(incident, "ended")
                                                  : last;
    tell(when, (state == "open" ? "reopened" : state) + after(incident, when));
  }
  known.state = state;
  known.severity = severity;
  return out;
}

void DemoDesk::answer(const Json& incident) {
  const auto first = parse_rfc3339(text_of(incident, "first_misuse"));
  if (!first || answers_.size() >= kKnownMax) return;
  const EventTime seen = *first + kAcknowledgeAfter;
  answers_.push_back(
      {.at = seen,
       .record = control(incident, seen, "acknowledge",
                         {{"incident_id", incident["incident_id"]}, {"by", "demo-analyst"}})});
  const EventTime done = *first + kContainAfter;
  answers_.push_back({.at = done,
                      .record = control(incident, done, "containment",
                                        {{"containment",
                                          {{"action", "kill_session"},
                                           {"by", "demo-orchestrator"},
                                           {"incident_id", incident["incident_id"]},
                                           {"outcome", "done"}}}})});
}

std::vector<DemoRecord> DemoDesk::due(EventTime now) {
  const std::lock_guard lock(mutex_);
  std::vector<DemoRecord> out;
  std::erase_if(answers_, [&](Answer& answer) {
    if (answer.at > now) return false;
    out.push_back(std::move(answer.record));
    return true;
  });
  return out;
}

}  // namespace tocsin::cli
