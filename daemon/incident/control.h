// What people and orchestrators say about incidents: containment, acknowledge and verdict events.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/event.h"

namespace tocsin::incident {

struct Control {
  EventType type = EventType::kContainment;  // or kAcknowledge, kVerdict
  EventTime time{};
  std::string system;
  std::string session_id;   // may be empty
  std::string incident_id;  // may be empty
  std::string finding_id;   // of an acknowledgement or a verdict; may be empty
  std::string by;
  ContainmentAction action = ContainmentAction::kKillSession;
  bool done = false;
  Judgement judgement = Judgement::kTruePositive;
  std::int64_t offset = 0;  // of its record
};

// A copy, with ids and times as incidents keep them; nothing when the event says nothing about
// incidents.
std::optional<Control> control_of(const Event& event);

}  // namespace tocsin::incident
