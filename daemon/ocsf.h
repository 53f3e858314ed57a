// Findings and incidents as the Open Cybersecurity Schema Framework has them: events of the class
// Detection Finding (class_uid 2004), version 1.4.0 of the schema, no profiles
// (schema.ocsf.io/1.4.0/classes/detection_finding; github.com/ocsf/ocsf-schema).
//
// Made from our own JSON, so that what comes from the pipeline and what comes from a topic are
// mapped alike.  Evidence is carried as keyed hashes and places, never as an excerpt; what OCSF has
// no word for stands under `unmapped`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/finding.h"

namespace tocsin::ocsf {

inline constexpr std::string_view kSchemaVersion = "1.4.0";
inline constexpr int kClassUid = 2004;
inline constexpr int kCategoryUid = 2;

// What became of the finding that an event tells of.
enum class Activity : std::uint8_t { kCreate = 1, kUpdate = 2, kClose = 3 };

// One line, plain ASCII, without a newline.
std::string of_finding(const Finding& finding);

// The same from a record of `tocsin.findings`; nothing: it is none.
std::optional<std::string> of_finding_json(std::string_view json);

// From a record of `tocsin.incidents`; nothing: it is none.  `first`: this is the first that the
// receiver hears of it.
std::optional<std::string> of_incident_json(std::string_view json, bool first);

}  // namespace tocsin::ocsf
