// The demo's on-call desk: says what becomes of incidents, and answers the worst of them as a
// person and an orchestrator would.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "daemon/event.h"
#include "daemon/source/demo_script.h"

namespace tocsin::cli {

// Thread-safe: one thread reads incidents, another plays the agents.
class DemoDesk {
 public:
  // From a critical incident's first misuse on.
  static constexpr std::chrono::seconds kAcknowledgeAfter{6};
  static constexpr std::chrono::seconds kContainAfter{12};

  explicit DemoDesk(bool coloured) : coloured_(coloured) {}

  // A record of the topic of incidents: lines for a person about what has changed, or nothing.
  std::string see(std::string_view record);
  // The control events that are due, to be written where agents write.
  std::vector<DemoRecord> due(EventTime now);

 private:
  struct Known {
    std::string state;
    std::string severity;
    bool acknowledged = false;
  };
  struct Answer {
    EventTime at{};
    DemoRecord record;
  };
  static constexpr std::size_t kKnownMax = 1000;

  std::string changes(const nlohmann::json& incident);
  void answer(const nlohmann::json& incident);

  bool coloured_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;  // by id; of so many
  std::vector<Answer> answers_;
};

}  // namespace tocsin::cli
