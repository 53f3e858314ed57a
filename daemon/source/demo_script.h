// Scripted agent traffic for `tocsin demo`: three systems at ordinary work, and every minute three
// incidents.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tocsin {

struct DemoRecord {
  std::string key;      // session id
  std::string payload;  // one event, JSON
};

// The same seed and the same calls give the same records.  About 30 events a second.
//
// In each minute after the first call, give or take a second:
//    4 s  coding-agent repeats a live key in its answer
//   14 s  coding-agent runs a command that destroys the machine
//   24 s  support-bot obeys a poisoned web page and mails a customer's record to a stranger
//   34 s  support-bot calls a tool its profile does not know
//   44 s  coding-agent runs the same failing command six times
class DemoScript {
 public:
  explicit DemoScript(std::uint64_t seed);
  DemoScript(DemoScript&&) noexcept;
  DemoScript& operator=(DemoScript&&) noexcept;
  ~DemoScript();

  // All records due in (previous call, now], in order; `now` is also the events' own time, in
  // milliseconds.  A clock that goes back gives nothing until it has caught up; one that leaps over
  // minutes (a laptop that slept) does not give a flood: the script goes on from where it was.
  std::vector<DemoRecord> due(std::chrono::sys_time<std::chrono::microseconds> now);

 private:
  class Director;
  std::unique_ptr<Director> director_;
};

}  // namespace tocsin
