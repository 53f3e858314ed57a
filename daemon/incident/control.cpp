#include "daemon/incident/control.h"

#include "daemon/incident/finding_summary.h"

namespace tocsin::incident {

std::optional<Control> control_of(const Event& event) {
  if (event.control == nullptr) return std::nullopt;
  Control out{.type = event.type,
              .time = kept_time(event.time),
              .system = kept_id(event.system),
              .session_id = kept_id(event.session_id),
              .offset = event.source.offset};
  if (event.type == EventType::kContainment) {
    const Containment& containment = event.control->containment;
    out.incident_id = kept_id(containment.incident_id);
    out.by = kept_id(containment.by);
    out.action = containment.action;
    out.done = containment.done;
    return out;
  }
  if (event.type != EventType::kAcknowledge && event.type != EventType::kVerdict) {
    return std::nullopt;
  }
  const AnalystWord& word = event.control->analyst;
  out.incident_id = kept_id(word.incident_id);
  out.finding_id = kept_id(word.finding_id);
  out.by = kept_id(word.by);
  out.judgement = word.judgement;
  return out;
}

}  // namespace tocsin::incident
