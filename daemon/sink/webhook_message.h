// Which records of our topics a webhook sends, under which id, and as what.
//
// The id is the same however often a record is sent, by whichever process, so that a receiver can
// drop what it has: a finding's and a request's own; of an incident its id and the offset of the
// record that told of the change.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/incident/incident.h"
#include "daemon/pipeline.h"
#include "daemon/sink/sinks_config.h"

namespace tocsin {

enum class WebhookTopic : std::uint8_t { kFindings, kIncidents, kRequests };

struct WebhookMessage {
  std::string id;    // [A-Za-z0-9_-], 128 bytes at most
  std::string body;  // JSON, plain ASCII
};

// What is worth telling of an incident: a record that changes none of it is not sent.  More
// findings alone do not.
struct Milestone {
  incident::State state = incident::State::kOpen;
  Severity severity = Severity::kMedium;
  bool acknowledged = false;
  std::uint64_t reopened = 0;
  bool operator==(const Milestone&) const = default;
};

// How the incidents of one partition stood in the last records, in order.  It is made again by
// reading the partition from its start, which the records that are marked as replayed are for.
class Milestones {
 public:
  static constexpr std::size_t kIncidentsMax = 20'000;

  struct Change {
    bool changed = false;
    bool first = false;  // nothing was known of the incident
  };
  // Beyond kIncidentsMax all are forgotten, and each is told once more at its next record.
  Change note(std::string_view incident_id, const Milestone& milestone);
  // How often all were forgotten.
  [[nodiscard]] std::uint64_t overflows() const { return overflows_; }

 private:
  std::unordered_map<std::string, Milestone> known_;
  std::uint64_t overflows_ = 0;
};

// Reads records for one webhook.  Reuses its memory; not thread-safe.
class WebhookReader {
 public:
  explicit WebhookReader(const WebhookConfig& config) : config_(config) {}

  struct Result {
    std::optional<WebhookMessage> message;  // nothing: not to be sent
    bool unreadable = false;                // it is no record of ours
  };
  // `milestones`: of the record's partition; looked at for incidents alone.
  Result read(WebhookTopic topic, const Record& record, Milestones& milestones);

 private:
  Result read_finding(const Record& record);
  Result read_incident(const Record& record, Milestones& milestones);
  Result read_request(const Record& record);

  const WebhookConfig& config_;
  simdjson::dom::parser parser_;
};

}  // namespace tocsin
