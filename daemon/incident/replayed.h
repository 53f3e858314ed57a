// Incidents of recorded events: stage two in memory, behind a pipeline, in record order.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "daemon/event.h"
#include "daemon/finding.h"
#include "daemon/incident/incident_table.h"

namespace tocsin::incident {

class ReplayedIncidents final : private Listener {
 public:
  using FindingSink = std::function<void(const Finding&)>;

  // `own_findings`: takes what incidents find, that misuse went on after a containment.
  ReplayedIncidents(const Limits& limits, IncidentTable::Profiles profiles,
                    FindingSink own_findings);

  void on_event(const Event& event) { seen_ = std::max(seen_, event.time); }
  void on_finding(const Finding& finding) { table_.apply(summary_of(finding), *this); }
  void on_control(const Event& event);
  // What has gone silent by now has ended.  To be called now and then, and at the end.
  void advance() { table_.advance(seen_, *this); }

  // A line each, by first misuse: those remembered, and those that were no longer to be.
  [[nodiscard]] std::string lines() const;
  // "12 incidents: 3 critical, 9 high; 2 open, 1 contained, 9 ended"
  [[nodiscard]] std::string summary() const;

 private:
  void on_incident(const Incident& /*incident*/, const Before& /*before*/) override {}
  void on_forgotten(const Incident& incident, std::span<const std::string> ids) override;
  void on_containment_failed(const Finding& finding) override { own_findings_(finding); }

  [[nodiscard]] std::vector<const Incident*> all() const;

  IncidentTable table_;
  FindingSink own_findings_;
  EventTime seen_ = EventTime::min();
  std::map<std::string, Incident> forgotten_;
};

}  // namespace tocsin::incident
