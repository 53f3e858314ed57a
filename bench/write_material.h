// The benchmark's events and patterns as files, for programs of other projects (bench/peers).
#pragma once

#include <cstddef>
#include <filesystem>

namespace tocsin::bench {

// Writes to `folder`:
//   events.jsonl        `events` events, 5 % of them with findings
//   invented-250.yaml   what the shipped rules lack to 250
//   patterns.jsonl      {"pattern": RE2, "on": [event types]}: what these 250 rules start from; an
//                       event without a match of one is, undecoded, no finding.  Rules about URLs
//                       and lengths start from no pattern: they are named on standard error
void write_material(const std::filesystem::path& folder, std::size_t events);

}  // namespace tocsin::bench
