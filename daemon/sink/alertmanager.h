// Tells Alertmanagers of the incidents that are open and not contained: POST /api/v2/alerts.
//
// On a thread of its own, so that one that is away never slows the worker of incidents.  That one
// leaves a snapshot in a mailbox, which holds the latest alone; it is posted to every Alertmanager
// at once when something has changed, and again at each interval.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/log.h"
#include "daemon/metrics/registry.h"
#include "daemon/sink/alerts.h"
#include "daemon/sink/http_client.h"
#include "daemon/sink/sinks_config.h"

namespace tocsin {

// One place for one snapshot: the next replaces it.  Thread-safe.
class AlertMailbox {
 public:
  void put(AlertSnapshot snapshot);
  // Waits for one; nothing: it is `until`, or asked to stop.
  std::optional<AlertSnapshot> take(std::chrono::steady_clock::time_point until,
                                    const std::stop_token& stop);

 private:
  std::mutex mutex_;
  std::condition_variable_any came_;
  std::optional<AlertSnapshot> snapshot_;
};

class AlertPoster {
 public:
  // What fires ends this many intervals after it was last posted: when nobody says any more that it
  // goes on, Alertmanager takes it as over, as it does for Prometheus.
  static constexpr int kEndsAfterIntervals = 4;

  // `config` must outlive it.
  AlertPoster(const AlertmanagerConfig& config, metrics::Registry& registry);
  AlertPoster(const AlertPoster&) = delete;
  AlertPoster& operator=(const AlertPoster&) = delete;
  ~AlertPoster() = default;

  [[nodiscard]] AlertMailbox& mailbox() { return mailbox_; }

  // Until stopped, in the middle of a request too; what fires is left to the next start, or to its
  // end.  Always true.
  bool run(const std::stop_token& stop);

 private:
  using Clock = std::chrono::steady_clock;

  struct Target {
    HttpUrl url;  // with /api/v2/alerts
    std::unique_ptr<HttpClient> client;
    metrics::CounterId taken;
    metrics::CounterId refused;
    metrics::CounterId failed;
    metrics::GaugeId last_success;
  };

  // True when each of them took everything.
  bool post(const std::stop_token& stop);
  bool post(Target& target, const std::string& body, const std::stop_token& stop);

  const AlertmanagerConfig& config_;
  metrics::Shard& shard_;
  AlertMailbox mailbox_;
  AlertBook book_;
  std::vector<Target> targets_;
  HttpClient::Headers headers_;
  std::uint32_t failures_ = 0;  // in a row
  std::minstd_rand random_{std::random_device{}()};
  log::Sampler sampler_;
  metrics::GaugeId firing_;
  metrics::GaugeId left_out_;
};

}  // namespace tocsin
