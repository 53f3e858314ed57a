#include "daemon/daemon.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <future>
#include <utility>

#include "daemon/log.h"
#include "daemon/metrics/process_metrics.h"
#include "daemon/version.h"

namespace tocsin {
namespace {

// A worker's loop turns at least every batch.wait, and waits a minute or so when a rebalance meets
// absent brokers; one that has not turned for this long hangs.
constexpr std::chrono::seconds kTurnMax{120};

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);  // reload
  return set;
}

// The cores this process may use, not those the machine has.
std::size_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
}

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::vector<std::string> rule_names(const Policy& policy) {
  std::vector<std::string> names;
  for (const RuleInfo& rule : policy.reportable()) names.push_back(rule.id);
  return names;
}

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::size_t worker_count(const Config& config) {
  return config.workers > 0 ? config.workers : usable_cores();
}

Daemon::Daemon(const Config& config, std::shared_ptr<const Policy> policy)
    : config_(config), policy_(std::move(policy)), page_(board_, std::string(version())) {}

Daemon::~Daemon() { stop(); }

void Daemon::block_signals() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a client that hangs up is no reason to end
}

bool Daemon::start() {
  publish_policy();
  register_process_metrics(registry_);
  // HTTP first: while the group is being joined, probes and scrapes get an answer.
  return start_http() && start_workers();
}

void Daemon::publish_policy() {
  if (policy_shard_ == nullptr) {
    policy_shard_ = &registry_.make_shard();
    policy_shard_->set(
        registry_.gauge("tocsin_build_info", "What is running; always 1.",
                        {{"commit", std::string(commit())}, {"version", std::string(version())}},
                        metrics::Merge::kMax),
        1);
    reload_failures_ = registry_.counter("tocsin_config_reload_failures_total",
                                         "Rules or profiles that were refused while running; those "
                                         "before them stayed in force.");
  }
  page_.adopt(policy_);
  if (rules_info_) policy_shard_->clear(*rules_info_);
  rules_info_ = registry_.gauge(
      "tocsin_rules_info", "The policy in force; always 1.",
      {{"sha256", policy_->sha256()}, {"version", std::string(version())}}, metrics::Merge::kMax);
  policy_shard_->set(*rules_info_, 1);
  policy_shard_->set(registry_.gauge("tocsin_config_last_reload_success_timestamp_seconds",
                                     "When the policy in force was loaded."),
                     unix_seconds());
  publish_systems();
  log::info("policy.loaded", "policy loaded",
            {{"rules", policy_->rules().rules().size()},
             {"correlations", policy_->correlations().all().size()},
             {"detectors", policy_->detectors().size()},
             {"systems", policy_->systems().size()},
             {"sha256", policy_->sha256()}});
  if (!policy_->rules().first_stage().stats().trusted) {
    log::warn("policy.slow",
              "this machine's Vectorscan misses matches and is not used: every rule is tried on "
              "every event; on x86-64 install libhyperscan");
  }
  for (const ImportReport& import : policy_->imports()) {
    log::info("policy.imported", "rules written for another tool; `tocsin check` has the reasons",
              {{"format", kImportFormatNames[static_cast<std::size_t>(import.format)]},
               {"path", import.path},
               {"taken", import.taken},
               {"refused", import.refused.size()},
               {"tests", import.tests},
               {"tests_failed", import.tests_failed}});
  }
}

// Dashboards and alerts say with it whom to call: the owner stands beside the numbers, and is no
// label of each of them.
void Daemon::publish_systems() {
  for (const metrics::GaugeId id : system_info_) policy_shard_->clear(id);
  system_info_.clear();
  const auto publish = [&](std::string_view system, const Owner& owner, std::string_view risk,
                           std::string_view decision) {
    system_info_.push_back(registry_.gauge(
        "tocsin_system_info",
        "Who answers for a system and what is at stake in it, as its profile says; always 1.",
        {{"system", std::string(system)},
         {"owner", owner.name},
         {"contact", owner.contact},
         {"escalation", fmt::format("{}", fmt::join(owner.escalation, ", "))},
         {"risk", std::string(risk)},
         {"decision", std::string(decision)}},
        metrics::Merge::kMax));
    policy_shard_->set(system_info_.back(), 1);
  };
  for (const SystemProfile& profile : policy_->systems()) {
    publish(profile.system, profile.owner, name_of(profile.risk),
            profile.decision == Decision::kAssistive ? "assistive" : "consequential");
  }
  publish("unknown", {.name = "nobody", .contact = {}, .escalation = {}}, "unknown", "unknown");
}

void Daemon::adopt(std::shared_ptr<const Policy> policy) {
  policy_ = std::move(policy);
  const PolicySnapshot snapshot{
      .policy = policy_, .metrics = std::make_shared<const PolicyMetrics>(registry_, *policy_)};
  for (const auto& worker : workers_) worker->adopt(snapshot);
  if (incidents_ != nullptr) incidents_->adopt(policy_);
  if (precision_ != nullptr) precision_->adopt(rule_names(*policy_));
  publish_policy();
}

void Daemon::refuse(const Diagnostics& diagnostics) {
  policy_shard_->add(reload_failures_);
  for (const Diagnostic& each : diagnostics.all()) {
    if (each.gravity != Gravity::kError) continue;
    log::error("policy.refused", "a mistake in rules or profiles; the old ones stay in force",
               {{"file", each.file},
                {"line", each.line},
                {"column", each.column},
                {"mistake", each.message},
                {"hint", each.hint}});
  }
}

bool Daemon::start_http() {
  auto server = HttpServer::start(config_.http.address, config_.http.port);
  if (!server) {
    log::error("http.listen", server.error());
    return false;
  }
  http_ = std::move(*server);
  http_->handle("/metrics", [this] {
    return HttpResponse{.status = 200,
                        .content_type = "text/plain; version=0.0.4; charset=utf-8",
                        .body = registry_.text()};
  });
  http_->handle("/healthz", [this] { return liveness(); });
  http_->handle("/readyz", [this] { return readiness(); });
  if (config_.http.page) page_.serve(*http_);
  log::info("http.listening", "serving the status page, /metrics, /healthz and /readyz",
            {{"address", config_.http.address}, {"port", http_->port()}});
  return true;
}

bool Daemon::start_workers() {
  const Redactor::Key key = config_.hmac_secret.empty()
                                ? Redactor::random_key()
                                : Redactor::key_from_secret(config_.hmac_secret);
  if (config_.hmac_secret.empty() && !config_.topics.incidents.empty()) {
    log::warn("redaction.key",
              "no redaction.hmac_key_file: what sessions have in common is known by its hash, and "
              "findings of other processes, or from before a restart, have others: their incidents "
              "stay apart");
  } else if (config_.hmac_secret.empty()) {
    log::info("redaction.key",
              "no redaction.hmac_key_file: evidence hashes compare within this process only");
  }
  const auto redactor = std::make_shared<const Redactor>(key);
  const PolicySnapshot snapshot{
      .policy = policy_, .metrics = std::make_shared<const PolicyMetrics>(registry_, *policy_)};
  // Each input topic's reject series exist before the first record.
  for (const std::string& topic : config_.topics.events) {
    static_cast<void>(TopicMetrics(registry_, topic));
  }
  const auto budget =
      std::make_shared<StateBudget>(config_.sessions.bytes_max, worker_count(config_));
  for (std::size_t i = 0; i < budget->workers(); ++i) {
    auto worker = Worker::create(i, config_, snapshot, redactor, registry_, budget);
    if (!worker) {
      log::error("worker.start", worker.error());
      return false;
    }
    workers_.push_back(std::move(*worker));
  }
  if (!start_incidents() || !start_precision() || !start_webhooks()) return false;
  for (const auto& worker : workers_) {
    worker->show_on(board_);
    start_thread(*worker);
  }
  if (incidents_ != nullptr) incidents_->show_on(board_);
  if (incidents_ != nullptr) start_thread(*incidents_);
  if (precision_ != nullptr) start_thread(*precision_);
  if (alerts_ != nullptr) start_thread(*alerts_);
  for (const auto& webhook : webhooks_) start_thread(*webhook);
  started_ = true;
  PolicySources sources = policy_sources(config_);
  sources.proof_is_enough = true;
  reloader_ = std::make_unique<PolicyReloader>(
      std::move(sources), policy_->files(), config_.rules.watch,
      PolicyReloader::Hooks{
          .on_loaded = [this](std::shared_ptr<const Policy> policy) { adopt(std::move(policy)); },
          .on_refused = [this](const Diagnostics& diagnostics) { refuse(diagnostics); }});
  log::info("daemon.started", "reading events",
            {{"workers", workers_.size()}, {"group", config_.kafka.at("group.id")}});
  return true;
}

bool Daemon::start_incidents() {
  if (config_.topics.incidents.empty()) {
    log::info("incidents.off",
              "no topics.incidents: findings are joined by another process, or by nobody");
    return true;
  }
  auto incidents = IncidentWorker::create(config_, policy_, registry_);
  if (!incidents) {
    log::error("incidents.start", incidents.error());
    return false;
  }
  incidents_ = std::move(*incidents);
  if (!config_.alertmanager.urls.empty()) {
    alerts_ = std::make_unique<AlertPoster>(config_.alertmanager, registry_);
    incidents_->tell_alerts(alerts_->mailbox());
  }
  return true;
}

bool Daemon::start_webhooks() {
  for (const WebhookConfig& each : config_.webhooks) {
    auto webhook = Webhook::create(config_, each, registry_);
    if (!webhook) {
      log::error("webhook.start", webhook.error(), {{"webhook", each.name}});
      return false;
    }
    webhooks_.push_back(std::move(*webhook));
  }
  return true;
}

bool Daemon::start_precision() {
  if (config_.topics.judgements.empty()) return true;
  auto precision = PrecisionFollower::create(
      config_, rule_names(*policy_),
      [this](const std::shared_ptr<const incident::RuleNames>& rules) {
        for (const auto& worker : workers_) worker->lower(rules);
      },
      registry_);
  if (!precision) {
    log::error("judgements.start", precision.error());
    return false;
  }
  precision_ = std::move(*precision);
  return true;
}

template <typename Runner>
void Daemon::start_thread(Runner& worker) {
  threads_.emplace_back([this, &worker](const std::stop_token& stop) {
    if (!worker.run(stop)) clean_ = false;
    if (stop.stop_requested()) return;
    worker_failed_ = true;
    kill(getpid(), SIGTERM);  // wakes `wait`
  });
}

void Daemon::wait() {
  const sigset_t set = stop_signals();
  int signal = 0;
  while (sigwait(&set, &signal) == 0 && signal == SIGHUP) {
    log::info("policy.asked", "asked to load rules and profiles anew");
    if (reloader_ != nullptr) reloader_->request();
  }
  if (worker_failed_) {
    log::error("daemon.failed", "a worker failed; leaving so that it can be started anew");
  } else {
    log::info("daemon.stopping", "asked to stop; draining",
              {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  }
}

bool Daemon::stop() {
  if (std::exchange(stopped_, true)) return clean_ && !worker_failed_;
  // A client library that hangs in its close must not keep the process: what is uncommitted is read
  // again.
  std::promise<void> done;
  const std::jthread watchdog([finished = done.get_future()] {
    if (finished.wait_for(kStopLimit - std::chrono::milliseconds(500)) ==
        std::future_status::timeout) {
      log::error("daemon.hung", "could not leave in time; ending the process");
      std::_Exit(EXIT_FAILURE);
    }
  });
  reloader_.reset();  // hands policies to the workers
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();  // joins
  http_.reset();     // its handlers look at the workers
  precision_.reset();
  webhooks_.clear();
  incidents_.reset();
  alerts_.reset();
  workers_.clear();
  done.set_value();
  const bool clean = clean_ && !worker_failed_;
  log::info("daemon.stopped", clean ? "stopped; everything read is delivered and committed"
                                    : "stopped; some records will be read again");
  return clean;
}

HttpResponse Daemon::readiness() const {
  std::string reasons;
  if (!started_) return {.status = 503, .body = "not ready\nstarting\n"};
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const SourceHealth& health = workers_[i]->health();
    if (health.failed) {
      reasons += fmt::format("worker {}: failed\n", i);
    } else if (!health.broker_up) {
      reasons += fmt::format("worker {}: no broker connection\n", i);
    } else if (!health.joined) {
      reasons += fmt::format("worker {}: joining the consumer group\n", i);
    }
    for (const std::string& line : workers_[i]->denials()) {
      reasons += fmt::format("worker {}: {}\n", i, line);
    }
  }
  if (incidents_ != nullptr) {
    for (const std::string& line : incidents_->denials()) reasons += "incidents: " + line + "\n";
  }
  if (reasons.empty()) return {.body = "ready\n"};
  return {.status = 503, .body = "not ready\n" + reasons};
}

HttpResponse Daemon::liveness() const {
  if (!started_) return {.body = "alive\n"};
  const std::int64_t now = steady_ms();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const std::int64_t last = workers_[i]->last_turn_ms();
    if (last != 0 && now - last > std::chrono::milliseconds(kTurnMax).count()) {
      return {.status = 503, .body = fmt::format("worker {} hangs\n", i)};
    }
  }
  const std::int64_t last = incidents_ == nullptr ? 0 : incidents_->last_turn_ms();
  if (last != 0 && now - last > std::chrono::milliseconds(kTurnMax).count()) {
    return {.status = 503, .body = "the worker of incidents hangs\n"};
  }
  return {.body = "alive\n"};
}

}  // namespace tocsin
