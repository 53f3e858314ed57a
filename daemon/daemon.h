// The process of `tocsin run`: everything that is started, in order, and torn down in the opposite
// one.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/config.h"
#include "daemon/incident_worker.h"
#include "daemon/metrics/registry.h"
#include "daemon/page/board.h"
#include "daemon/page/status_page.h"
#include "daemon/pipeline.h"
#include "daemon/policy_reload.h"
#include "daemon/precision_follower.h"
#include "daemon/sink/alertmanager.h"
#include "daemon/sink/http_server.h"
#include "daemon/sink/webhook.h"
#include "daemon/worker.h"

namespace tocsin {

// How many workers `run` starts.
std::size_t worker_count(const Config& config);

class Daemon {
 public:
  // How long the whole of `stop` may take before the process is ended by force.
  static constexpr std::chrono::seconds kStopLimit{10};

  // `config` and `policy` must outlive the daemon.
  Daemon(const Config& config, std::shared_ptr<const Policy> policy);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  // False, with the reason logged, when something cannot be started.
  bool start();
  // Blocks until SIGINT or SIGTERM, or until a worker has failed.  SIGHUP loads the rules anew.
  void wait();
  // Drains, commits, leaves the group.  True: nothing is left undone.
  bool stop();

  [[nodiscard]] std::uint16_t http_port() const { return http_->port(); }

  // Signals are waited for, not handled: to be called before any thread is started.
  static void block_signals();

 private:
  bool start_workers();
  bool start_incidents();
  bool start_precision();
  bool start_webhooks();
  // Runs a worker on a thread of its own; one that fails ends the process.
  template <typename Runner>
  void start_thread(Runner& worker);
  bool start_http();
  void publish_policy();
  void publish_systems();
  void adopt(std::shared_ptr<const Policy> policy);
  void refuse(const Diagnostics& diagnostics);
  [[nodiscard]] HttpResponse readiness() const;
  [[nodiscard]] HttpResponse liveness() const;

  const Config& config_;
  std::shared_ptr<const Policy> policy_;  // in force; after `start` the reloader's thread's alone
  metrics::Registry registry_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<AlertPoster> alerts_;           // null: there is no Alertmanager
  std::unique_ptr<IncidentWorker> incidents_;     // null: not wanted here
  std::unique_ptr<PrecisionFollower> precision_;  // likewise
  std::vector<std::unique_ptr<Webhook>> webhooks_;
  Board board_;
  StatusPage page_;
  std::unique_ptr<HttpServer> http_;
  std::vector<std::jthread> threads_;  // by worker, then of the incidents, precision, other sinks
  std::unique_ptr<PolicyReloader> reloader_;
  metrics::Shard* policy_shard_ = nullptr;
  metrics::CounterId reload_failures_;
  std::optional<metrics::GaugeId> rules_info_;  // of the policy in force
  std::vector<metrics::GaugeId> system_info_;   // likewise: who answers for which system
  std::atomic<bool> started_{
      false};  // from then until `stop` has joined them, `workers_` does not change
  std::atomic<bool> worker_failed_{false};
  std::atomic<bool> clean_{true};
  bool stopped_ = false;
};

}  // namespace tocsin
