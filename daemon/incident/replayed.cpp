#include "daemon/incident/replayed.h"

#include <fmt/format.h>

#include <array>
#include <tuple>
#include <utility>

#include "daemon/incident/control.h"
#include "daemon/incident/incident_json.h"

namespace tocsin::incident {

ReplayedIncidents::ReplayedIncidents(const Limits& limits, IncidentTable::Profiles profiles,
                                     FindingSink own_findings)
    : table_(limits, std::move(profiles)), own_findings_(std::move(own_findings)) {}

void ReplayedIncidents::on_control(const Event& event) {
  seen_ = std::max(seen_, event.time);
  if (const auto control = control_of(event)) table_.apply(*control, *this);
}

void ReplayedIncidents::on_forgotten(const Incident& incident,
                                     std::span<const std::string> /*ids*/) {
  forgotten_[incident.incident_id] = incident;
}

std::vector<const Incident*> ReplayedIncidents::all() const {
  std::vector<const Incident*> out;
  for (const auto& [id, incident] : forgotten_) {
    if (table_.find(id) == nullptr) out.push_back(&incident);
  }
  table_.for_each([&](const Incident& incident) { out.push_back(&incident); });
  std::ranges::sort(out, {}, [](const Incident* incident) {
    return std::tie(incident->first_misuse, incident->incident_id);
  });
  return out;
}

std::string ReplayedIncidents::lines() const {
  std::string out;
  for (const Incident* incident : all()) out += to_json(*incident) + '\n';
  return out;
}

std::string ReplayedIncidents::summary() const {
  std::array<std::size_t, kSeverityCount> by_severity{};
  std::array<std::size_t, kStateCount> by_state{};
  const auto incidents = all();
  for (const Incident* incident : incidents) {
    ++by_severity[std::to_underlying(incident->severity)];
    ++by_state[std::to_underlying(incident->state)];
  }
  std::string severities;
  for (std::size_t i = kSeverityCount; i-- > 0;) {
    if (by_severity[i] == 0) continue;
    severities += fmt::format("{}{} {}", severities.empty() ? ": " : ", ", by_severity[i],
                              severity_names()[i]);
  }
  std::string states;
  for (std::size_t i = 0; i < kStateCount; ++i) {
    if (by_state[i] == 0) continue;
    states += fmt::format("{}{} {}", states.empty() ? "; " : ", ", by_state[i], state_names()[i]);
  }
  return fmt::format("{} {}{}{}", incidents.size(),
                     incidents.size() == 1 ? "incident" : "incidents", severities, states);
}

}  // namespace tocsin::incident
