#include "daemon/policy_reload.h"

#include <utility>

namespace tocsin {

PolicySources policy_sources(const Config& config) {
  return {.packs = config.rules.packs,
          .systems = config.rules.systems,
          .imports = config.rules.imports,
          .cache = config.rules.cache_dir,
          .detector_options = config.detectors};
}

PolicyReloader::PolicyReloader(PolicySources sources, std::string loaded, bool watch, Hooks hooks,
                               std::chrono::milliseconds interval)
    : sources_(std::move(sources)),
      watch_(watch),
      hooks_(std::move(hooks)),
      interval_(interval),
      loaded_(std::move(loaded)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void PolicyReloader::request() {
  {
    const std::lock_guard lock(mutex_);
    requested_ = true;
  }
  wake_.notify_all();
}

void PolicyReloader::run(const std::stop_token& stop) {
  std::string seen = loaded_;
  while (!stop.stop_requested()) {
    bool asked = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, interval_, [this] { return requested_; });
      asked = std::exchange(requested_, false);
    }
    if (stop.stop_requested()) return;
    if (!asked && !watch_) continue;
    std::string now = fingerprint(sources_);
    // What still changes is being written: wait until it is whole.
    const bool settled = now == seen;
    seen = std::move(now);
    if (asked || (settled && seen != loaded_)) load();
  }
}

void PolicyReloader::load() {
  // Taken before reading: what changes meanwhile is seen as a change.
  loaded_ = fingerprint(sources_);
  Diagnostics diagnostics;
  auto policy = Policy::load(sources_, diagnostics);
  if (policy == nullptr) {
    hooks_.on_refused(diagnostics);
    return;
  }
  hooks_.on_loaded(std::move(policy));
}

}  // namespace tocsin
