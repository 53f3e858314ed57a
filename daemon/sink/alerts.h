// What Alertmanager is told of incidents: state, not events.
//
// An alert stands for an incident that is open and not contained.  It is posted again and again
// while it is, with an end that lies a few intervals ahead; when it is not any more it is posted
// some times with an end that has passed.  Its labels are its identity: an incident whose severity
// rises is another alert, and the one before it is resolved.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "daemon/finding.h"
#include "daemon/incident/incident.h"

namespace tocsin {

inline constexpr std::size_t kAlertsMax = 1000;  // of one process, the most severe and the earliest
inline constexpr std::size_t kAlertTextBytesMax = 256;  // of one label or annotation
inline constexpr int kResolvedPosts = 3;                // how often the end of an alert is told

// Text is escaped (text.h) and cut; no label is empty.
struct Alert {
  std::int32_t partition = 0;  // of the incident
  EventTime starts{};          // the first misuse
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
};

// Where an alert leads; empty: nowhere.
struct AlertLinks {
  std::string external_url;  // this tocsin's, as people find it
  std::string runbook_url;
};

// With the labels of the alerts in deploy/prometheus, so that the same routes serve both. `system`:
// the incident's, or "unknown" where it has no profile, as in metrics.
Alert alert_of(const incident::Incident& incident, std::int32_t partition, std::string_view system,
               const AlertLinks& links);

// All that fires in the partitions that this process owns and knows.
struct AlertSnapshot {
  std::set<std::int32_t> partitions;
  std::vector<Alert> firing;
  std::size_t left_out = 0;  // beyond kAlertsMax
};

// What was posted, and so what must be resolved.  Not thread-safe.
class AlertBook {
 public:
  // True when something is new or over.  An alert that is gone because its partition is has an
  // owner elsewhere and is left to it.
  bool update(AlertSnapshot snapshot, EventTime now);

  // The bodies of the requests to POST to /api/v2/alerts, JSON; none when there is nothing to say.
  // `ends_in`: how far ahead the end of what fires lies.
  [[nodiscard]] std::vector<std::string> bodies(EventTime now, std::chrono::seconds ends_in) const;
  // It was posted, to one at least: an end counts as told once.  Who did not hear of it takes what
  // nobody speaks of any more as over.
  void posted();

  [[nodiscard]] std::size_t firing() const { return firing_.size(); }

 private:
  using Labels = std::map<std::string, std::string>;
  struct Resolved {
    Alert alert;
    EventTime ends{};
    int posts_left = kResolvedPosts;
  };
  std::map<Labels, Alert> firing_;
  std::map<Labels, Resolved> resolved_;  // kAlertsMax at most
};

}  // namespace tocsin
