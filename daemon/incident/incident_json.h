// Incidents as JSON: the value of a record on `tocsin.incidents`, and a line of
// `tocsin replay --incidents`.
//
// ```
// {"incident_id", "system", "state", "severity", "categories": {"<category>": "<severity>"},
//  "first_misuse", "detected", "acknowledged": {"time", "by"} | null, "contained" | null,
//  "last_misuse", "last_unsafe" | null, "ended" | null, "reopened", "findings", "context",
//  "rules": [{"rule", "category", "severity", "count", "first_time", "last_time", "first_source",
//             "last_source"}], "more_rules",
//  "chain": [{"finding_id", "event_id", "session_id", "seq", "type", "tool", "rule", "title",
//  "severity",
//             "time", "origin": {"event_id", "tool"}, "targets": [{"kind", "hash"}], "source"}],
//  "blast_radius": {"sessions": 3, "tenants": {"names": [], "more": 0}, "tools", "destinations"},
//  "owner", "contact", "escalation": [],
//  "containments": [{"time", "action", "outcome", "by"}], "verdicts": [{"time", "verdict", "by"}],
//  "requests": [{"action", "state", "time", "changed"}],
//  "sessions": [{"session_id", "ids": [{"incident_id", "opened"}], "sources", "sightings"}]}
// ```
// A merged one: "incident_id", "system", "state": "merged", "merged_into", "severity",
// "first_misuse".  A source is {"topic", "partition", "offset"}.  `sessions` is what tocsin needs
// to go on; readers want `blast_radius`.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "daemon/incident/incident.h"
#include "daemon/incident/record_reject.h"

namespace tocsin::incident {

// One line, plain ASCII, without a newline.  Below 1,000,000 bytes whatever is in it, as long as
// the profile's owner fields are short.
std::string to_json(const Incident& incident);

// A request for containment, as it is sent: {"request_id", "time", "incident_id", "system",
// "severity", "action", "owner", "contact", "sessions": []}.  One line, plain ASCII.
std::string to_json(const Incident& incident, const ContainmentRequest& request);

// Reads what `to_json` wrote: the same incident.  Hostile input is refused or bounded like our own:
// no list is longer than incident.h allows.  Reuses its memory; not thread-safe.
class IncidentReader {
 public:
  static constexpr std::size_t kBytesMax = std::size_t{1} << 20;

  std::expected<Incident, RecordReject> read(std::string_view bytes);

 private:
  simdjson::dom::parser parser_;
};

}  // namespace tocsin::incident
