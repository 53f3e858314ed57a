// What an incident takes from a finding, whether the pipeline next door made it or it was read from
// a topic.
#pragma once

#include <simdjson.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "daemon/finding.h"
#include "daemon/incident/record_reject.h"

namespace tocsin::incident {

// Where the misuse event stood.
struct Position {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  auto operator<=>(const Position&) const = default;
};

inline constexpr std::size_t kIdBytesMax = 128;  // of every name and id below
inline constexpr std::size_t kTitleBytesMax = 200;
inline constexpr std::size_t kHashBytesMax = 44;  // "hmac-sha256:" and 128 bits

// Names and ids that are longer than kIdBytesMax or hold a control character stand as "sha256:" and
// 64 hex digits: still different when they differ.  Times are not later than the detection: a
// producer's clock that runs ahead ends nobody's session and outlives no containment.
struct FindingSummary {
  std::string finding_id;
  std::string incident_id;  // of the session; made from this finding where there was none
  std::string system;
  std::string session_id;
  std::string event_id;
  std::uint64_t seq = 0;
  EventType type = EventType::kToolCall;
  std::string tenant;  // may be empty, as all that follow to `rule`
  std::string tool;
  std::string origin_event_id;  // of the first evidence that came from an earlier event
  std::string origin_tool;
  std::string rule;
  std::string detector;
  std::string title;
  Severity severity = Severity::kMedium;
  Category category = Category::kUnsafeTool;
  EventTime time{};
  EventTime detected_at{};
  std::vector<Indicator> indicators;  // sorted, each once; none below high
  Position source;

  bool operator==(const FindingSummary&) const = default;
};

FindingSummary summary_of(const Finding& finding);

// A name or id as incidents keep it.
std::string kept_id(std::string_view id);

// A time as incidents keep it: within the years 1000 to 9000, so that what is reckoned from it can
// still be written.
EventTime kept_time(EventTime time);

// Reads findings as `to_json` and contracts.md section 2 have them.  Members that it does not know
// are passed over.  Reuses its memory; not thread-safe.
class FindingReader {
 public:
  static constexpr std::size_t kBytesMax = std::size_t{1} << 20;

  std::expected<FindingSummary, RecordReject> read(std::string_view bytes);

 private:
  simdjson::dom::parser parser_;
};

}  // namespace tocsin::incident
