// Rules and profiles that change while the daemon runs: watched, loaded aside, handed over whole.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/config.h"
#include "daemon/policy.h"

namespace tocsin {

// Where the policy of a configuration comes from.
PolicySources policy_sources(const Config& config);

// Loads the policy anew when its files have changed and stayed the same for one interval, or when
// asked.  A policy with a mistake is reported, counted and left; the one in force stays.
//
// One thread; `request` and the destructor may be called from any other.
class PolicyReloader {
 public:
  static constexpr std::chrono::milliseconds kInterval{1000};

  struct Hooks {
    std::function<void(std::shared_ptr<const Policy>)> on_loaded;  // on the reloader's thread
    std::function<void(const Diagnostics&)> on_refused;
  };

  // What `sources` points to must outlive this.  `loaded`: `Policy::files` of the policy in force.
  // `watch` false: only when asked.
  PolicyReloader(PolicySources sources, std::string loaded, bool watch, Hooks hooks,
                 std::chrono::milliseconds interval = kInterval);

  // Load now, changed or not (SIGHUP).
  void request();

 private:
  void run(const std::stop_token& stop);
  void load();

  PolicySources sources_;
  bool watch_;
  Hooks hooks_;
  std::chrono::milliseconds interval_;
  std::string loaded_;  // fingerprint of what was loaded, or tried, last
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool requested_ = false;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace tocsin
