// Asking for containment: what the profile's policy wants of an incident, and what became of it.
// Pure: nothing is sent here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "daemon/incident/incident.h"
#include "daemon/incident/limits.h"
#include "daemon/profile/system_profile.h"

namespace tocsin::incident {

// Adds to the incident, while it is open, a request for each action that the policy asks for and
// that was not asked for before; at most one an incident and action, for ever.  Returns how many;
// they stand at the end of `incident.requests`.
std::size_t add_requests(Incident& incident, std::span<const ContainmentPolicy> policy,
                         RequestMode mode, EventTime now);

// A containment event with that action answers the request, late or not; true when that changed it.
bool answer_request(Incident& incident, ContainmentAction action, bool done, EventTime time);

// Requests that nobody answered within `timeout`; true when there were any.
bool expire_requests(Incident& incident, std::chrono::seconds timeout, EventTime now);

// When the next one expires; nothing: none waits.
std::optional<EventTime> next_expiry(const Incident& incident, std::chrono::seconds timeout);

}  // namespace tocsin::incident
