#include "daemon/incident/containment.h"

#include <algorithm>
#include <utility>

namespace tocsin::incident {

std::size_t add_requests(Incident& incident, std::span<const ContainmentPolicy> policy,
                         RequestMode mode, EventTime now) {
  if (mode == RequestMode::kOff || incident.state != State::kOpen) return 0;
  std::size_t added = 0;
  for (const ContainmentPolicy& each : policy) {
    const auto& severity = incident.categories[std::to_underlying(each.category)];
    if (!severity || *severity < each.severity) continue;
    if (std::ranges::find(incident.requests, each.action, &ContainmentRequest::action) !=
        incident.requests.end()) {
      continue;
    }
    incident.requests.push_back(
        {.action = each.action,
         .state = mode == RequestMode::kDryRun ? RequestState::kDryRun : RequestState::kRequested,
         .time = now,
         .changed = now});
    ++added;
  }
  return added;
}

bool answer_request(Incident& incident, ContainmentAction action, bool done, EventTime time) {
  const auto request = std::ranges::find(incident.requests, action, &ContainmentRequest::action);
  if (request == incident.requests.end() || request->state == RequestState::kDryRun) return false;
  // Done is done, whatever is said later.
  if (request->state == RequestState::kAcknowledged) return false;
  const RequestState state = done ? RequestState::kAcknowledged : RequestState::kFailed;
  if (request->state == state) return false;
  request->state = state;
  request->changed = time;
  return true;
}

bool expire_requests(Incident& incident, std::chrono::seconds timeout, EventTime now) {
  bool any = false;
  for (ContainmentRequest& request : incident.requests) {
    if (request.state != RequestState::kRequested || now < request.time + timeout) continue;
    request.state = RequestState::kTimedOut;
    request.changed = request.time + timeout;
    any = true;
  }
  return any;
}

std::optional<EventTime> next_expiry(const Incident& incident, std::chrono::seconds timeout) {
  std::optional<EventTime> next;
  for (const ContainmentRequest& request : incident.requests) {
    if (request.state != RequestState::kRequested) continue;
    const EventTime at = request.time + timeout;
    next = next ? std::min(*next, at) : at;
  }
  return next;
}

}  // namespace tocsin::incident
