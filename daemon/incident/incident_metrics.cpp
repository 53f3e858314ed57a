#include "daemon/incident/incident_metrics.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace tocsin::incident {
namespace {

constexpr std::string_view kUnknown = "unknown";
// People answer in minutes and hours, orchestrators in seconds.
constexpr std::array<double, 14> kBounds = {1,   5,    15,   30,   60,    120,   300,
                                            900, 1800, 3600, 7200, 14400, 43200, 86400};
constexpr std::array<std::string_view, kStateCount> kOutcomeNames = {"opened", "contained", "ended",
                                                                     "closed", "merged"};

double seconds_between(EventTime from, EventTime to) {
  return std::max(0.0, std::chrono::duration<double>(to - from).count());
}

std::size_t index_of(Severity severity) {
  return std::to_underlying(std::max(severity, Severity::kMedium)) -
         std::to_underlying(Severity::kMedium);
}

}  // namespace

Metrics::Metrics(metrics::Registry& registry, metrics::Shard& shard,
                 std::span<const std::string> systems)
    : shard_(shard) {
  for (const std::string& system : systems) add_system(registry, system);
  add_system(registry, std::string(kUnknown));
  duplicates_ = registry.counter("tocsin_incident_duplicates_total",
                                 "Findings and control events that were applied before.");
  joins_refused_ = registry.counter("tocsin_incident_joins_refused_total",
                                    "Times that incidents belong together and would be too large.");
  common_indicators_ = registry.counter(
      "tocsin_incident_common_indicators_total",
      "Findings with an indicator that too many sessions have for it to say anything.");
  marks_lost_ = registry.counter("tocsin_incident_marks_lost_total",
                                 "Ids, sources and indicators of a session beyond its bounds.");
  constexpr std::string_view kEvicted = "tocsin_incidents_evicted_total";
  constexpr std::string_view kEvictedHelp =
      "Incidents forgotten: after the `retention`, or for want of room though they were `closed` "
      "(no longer open) or even `open`.";
  forgotten_ = registry.counter(kEvicted, kEvictedHelp, {{"reason", "retention"}});
  evicted_closed_ = registry.counter(kEvicted, kEvictedHelp, {{"reason", "closed"}});
  evicted_open_ = registry.counter(kEvicted, kEvictedHelp, {{"reason", "open"}});
  unmatched_ = registry.counter("tocsin_incident_controls_unmatched_total",
                                "Control events whose incident is not known and did not come.");
  restore_conflicts_ = registry.counter("tocsin_incident_restore_conflicts_total",
                                        "Records of incidents that contradict others.");
  state_bytes_ = registry.gauge("tocsin_incident_state_bytes", "Memory held by incidents.");
  for (std::size_t action = 0; action < kContainmentActionCount; ++action) {
    for (std::size_t state = 0; state < kRequestStateCount; ++state) {
      requests_[action][state] =
          registry.gauge("tocsin_containment_requests",
                         "Requests for containment of the incidents that are remembered.",
                         {{"action", std::string(containment_action_names()[action])},
                          {"state", std::string(request_state_names()[state])}});
      shard_.set(requests_[action][state], 0);
    }
  }
}

void Metrics::add_system(metrics::Registry& registry, const std::string& system) {
  BySeverity& all = systems_[system];
  for (std::size_t i = 0; i < kSeverities; ++i) {
    const auto severity = severity_names()[std::to_underlying(Severity::kMedium) + i];
    const metrics::Labels labels = {{"system", system}, {"severity", std::string(severity)}};
    for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome) {
      metrics::Labels with_outcome = labels;
      with_outcome.emplace_back("outcome", kOutcomeNames[outcome]);
      all[i].total[outcome] = registry.counter(
          "tocsin_incidents_total",
          "Incidents by what became of them; `opened` counts each when it begins, and one that is "
          "reopened counts once more when it is contained again.",
          with_outcome);
    }
    all[i].open = registry.gauge("tocsin_incidents_open", "Incidents that are open.", labels);
    shard_.set(all[i].open, 0);
    all[i].oldest =
        registry.gauge("tocsin_incident_oldest_open_timestamp_seconds",
                       "First misuse event of the oldest open incident; absent: none.", labels);
    all[i].acknowledge =
        registry.histogram("tocsin_acknowledge_seconds",
                           "From the first misuse event to the acknowledgement.", kBounds, labels);
    all[i].containment =
        registry.histogram("tocsin_containment_seconds",
                           "From the first misuse event to containment.", kBounds, labels);
  }
}

Metrics::Series& Metrics::series(const Incident& incident) {
  const auto found = systems_.find(incident.system);
  BySeverity& all = found == systems_.end() ? systems_.find(kUnknown)->second : found->second;
  return all[index_of(incident.severity)];
}

void Metrics::on_incident(const Incident& incident, const Before& before) {
  Series& ids = series(incident);
  if (!before.known) shard_.add(ids.total[std::to_underlying(State::kOpen)]);
  if (incident.state == State::kMerged) {
    shard_.add(ids.total[std::to_underlying(State::kMerged)]);
    return;
  }
  if (incident.acknowledged && !before.acknowledged) {
    shard_.observe(ids.acknowledge,
                   seconds_between(incident.first_misuse, incident.acknowledged->time));
  }
  if (incident.state == before.state || incident.state == State::kOpen) return;
  shard_.add(ids.total[std::to_underlying(incident.state)]);
  if (incident.state == State::kContained) {
    shard_.observe(ids.containment, seconds_between(incident.first_misuse, *incident.contained));
  }
}

void Metrics::publish(std::span<IncidentTable* const> tables) {
  struct Open {
    std::size_t count = 0;
    EventTime oldest = EventTime::max();
  };
  std::map<const Series*, Open> open;
  std::array<std::array<double, kRequestStateCount>, kContainmentActionCount> requests{};
  std::size_t bytes = 0;
  for (IncidentTable* table : tables) {
    add(table->take_counts());
    bytes += table->bytes();
    table->for_each([&](const Incident& incident) {
      for (const ContainmentRequest& request : incident.requests) {
        ++requests[std::to_underlying(request.action)][std::to_underlying(request.state)];
      }
      if (incident.state != State::kOpen) return;
      Open& at = open[&series(incident)];
      ++at.count;
      at.oldest = std::min(at.oldest, incident.first_misuse);
    });
  }
  shard_.set(state_bytes_, static_cast<double>(bytes));
  for (std::size_t action = 0; action < kContainmentActionCount; ++action) {
    for (std::size_t state = 0; state < kRequestStateCount; ++state) {
      shard_.set(requests_[action][state], requests[action][state]);
    }
  }
  for (const auto& [system, all] : systems_) {
    for (const Series& ids : all) {
      const auto found = open.find(&ids);
      shard_.set(ids.open, found == open.end() ? 0 : static_cast<double>(found->second.count));
      if (found == open.end()) {
        shard_.clear(ids.oldest);
      } else {
        shard_.set(ids.oldest,
                   std::chrono::duration<double>(found->second.oldest.time_since_epoch()).count());
      }
    }
  }
}

void Metrics::add(const Counts& counts) {
  shard_.add(duplicates_, counts.duplicates);
  shard_.add(joins_refused_, counts.joins_refused);
  shard_.add(common_indicators_, counts.common_indicators);
  shard_.add(marks_lost_, counts.marks_lost);
  shard_.add(forgotten_, counts.forgotten);
  shard_.add(evicted_closed_, counts.evicted_closed);
  shard_.add(evicted_open_, counts.evicted_open);
  shard_.add(unmatched_, counts.unmatched);
  shard_.add(restore_conflicts_, counts.restore_conflicts);
}

}  // namespace tocsin::incident
