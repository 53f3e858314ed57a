// The metrics of incidents: contracts.md section 3.  Exported by the owner of the partition alone.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "daemon/incident/incident_table.h"
#include "daemon/metrics/registry.h"

namespace tocsin::incident {

// Counts what one thread's tables tell, under the systems that have a profile and `unknown`.  Not
// thread-safe.
class Metrics {
 public:
  // `systems`: those that have series; every one exists from here on.
  Metrics(metrics::Registry& registry, metrics::Shard& shard, std::span<const std::string> systems);

  // To be called from Listener::on_incident.
  void on_incident(const Incident& incident, const Before& before);
  // The open incidents of all tables of this thread; counts are added up.
  void publish(std::span<IncidentTable* const> tables);

 private:
  // What is worth an incident: medium, high, critical.
  static constexpr std::size_t kSeverities = 3;
  static constexpr std::size_t kOutcomes = kStateCount;  // kOpen stands for "opened"

  struct Series {
    std::array<metrics::CounterId, kOutcomes> total;
    metrics::GaugeId open;
    metrics::GaugeId oldest;
    metrics::HistogramId acknowledge;
    metrics::HistogramId containment;
  };
  using BySeverity = std::array<Series, kSeverities>;

  void add_system(metrics::Registry& registry, const std::string& system);
  Series& series(const Incident& incident);
  void add(const Counts& counts);

  metrics::Shard& shard_;
  std::map<std::string, BySeverity, std::less<>> systems_;
  metrics::CounterId duplicates_;
  metrics::CounterId joins_refused_;
  metrics::CounterId common_indicators_;
  metrics::CounterId marks_lost_;
  metrics::CounterId forgotten_;
  metrics::CounterId evicted_closed_;
  metrics::CounterId evicted_open_;
  metrics::CounterId unmatched_;
  metrics::CounterId restore_conflicts_;
  metrics::GaugeId state_bytes_;
  // By action and state of the request.
  std::array<std::array<metrics::GaugeId, kRequestStateCount>, kContainmentActionCount> requests_;
};

}  // namespace tocsin::incident
