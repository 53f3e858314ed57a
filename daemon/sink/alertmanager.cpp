#include "daemon/sink/alertmanager.h"

#include <algorithm>
#include <utility>

#include "daemon/sink/retry.h"

namespace tocsin {
namespace {

EventTime now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace

void AlertMailbox::put(AlertSnapshot snapshot) {
  {
    const std::lock_guard lock(mutex_);
    snapshot_ = std::move(snapshot);
  }
  came_.notify_one();
}

std::optional<AlertSnapshot> AlertMailbox::take(std::chrono::steady_clock::time_point until,
                                                const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  came_.wait_until(lock, stop, until, [this] { return snapshot_.has_value(); });
  return std::exchange(snapshot_, std::nullopt);
}

AlertPoster::AlertPoster(const AlertmanagerConfig& config, metrics::Registry& registry)
    : config_(config), shard_(registry.make_shard()) {
  headers_.emplace_back("Content-Type", "application/json");
  if (!config.token.empty()) headers_.emplace_back("Authorization", "Bearer " + config.token);
  for (std::size_t i = 0; i < config.urls.size(); ++i) {
    Target target{.url = config.urls[i], .client = std::make_unique<HttpClient>(config.http)};
    target.url.text += "/api/v2/alerts";
    const metrics::Labels label = {{"alertmanager", std::to_string(i)}};
    const auto counter = [&](const char* outcome) {
      return registry.counter("tocsin_alertmanager_posts_total",
                              "Requests to an Alertmanager, by its place in alertmanager.urls.",
                              {label.front(), {"outcome", outcome}});
    };
    target.taken = counter("taken");
    target.refused = counter("refused");
    target.failed = counter("failed");
    target.last_success =
        registry.gauge("tocsin_alertmanager_last_success_timestamp_seconds",
                       "When it last took something.", label, metrics::Merge::kMax);
    targets_.push_back(std::move(target));
  }
  firing_ = registry.gauge("tocsin_alertmanager_alerts",
                           "Incidents that Alertmanager is told of by this process.");
  left_out_ = registry.gauge("tocsin_alertmanager_alerts_left_out",
                             "... and those that it is not, for there are too many.");
  shard_.set(firing_, 0);
  shard_.set(left_out_, 0);
}

bool AlertPoster::run(const std::stop_token& stop) {
  const RetryLimits retry{.longest = config_.resend, .asked_longest = config_.resend};
  Clock::time_point due = Clock::now() + config_.resend;
  Clock::time_point not_before = Clock::now();  // after a failure, whatever changes
  while (!stop.stop_requested()) {
    bool changed = false;
    if (auto snapshot = mailbox_.take(due, stop)) {
      shard_.set(left_out_, static_cast<double>(snapshot->left_out));
      changed = book_.update(*std::move(snapshot), now());
      shard_.set(firing_, static_cast<double>(book_.firing()));
    }
    if (changed) due = std::min(due, not_before);
    if (stop.stop_requested() || Clock::now() < due) continue;
    if (post(stop)) {
      failures_ = 0;
      due = Clock::now() + config_.resend;
      not_before = Clock::now();
    } else {
      const double random = std::generate_canonical<double, 32>(random_);
      due = Clock::now() + retry_pause(retry, ++failures_, random, std::nullopt);
      not_before = due;
    }
  }
  return true;
}

bool AlertPoster::post(const std::stop_token& stop) {
  const std::vector<std::string> bodies = book_.bodies(now(), kEndsAfterIntervals * config_.resend);
  bool all = true;
  bool any = false;
  for (Target& target : targets_) {
    bool taken = true;
    for (const std::string& body : bodies) taken = post(target, body, stop) && taken;
    all = all && taken;
    any = any || taken;
  }
  if (any) book_.posted();
  return all;
}

bool AlertPoster::post(Target& target, const std::string& body, const std::stop_token& stop) {
  const HttpResult result = target.client->post(target.url, headers_, body, stop);
  if (result.stopped) return false;
  const Reception reception = reception_of(result.status);
  if (reception == Reception::kTaken) {
    shard_.add(target.taken);
    shard_.set(target.last_success,
               std::chrono::duration<double>(now().time_since_epoch()).count());
    return true;
  }
  shard_.add(reception == Reception::kRefused ? target.refused : target.failed);
  const log::Sampler::Verdict verdict = sampler_.admit(target.url.host);
  if (verdict.log) {
    log::error("alertmanager.failing", "an Alertmanager does not take alerts; trying again",
               {{"host", target.url.host},
                {"status", result.status},
                {"error", result.error},
                {"suppressed", verdict.suppressed}});
  }
  return false;
}

}  // namespace tocsin
