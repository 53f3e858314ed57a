// Structured logs through spdlog, to standard error: one line an occurrence, text or JSON.
//
// INFO: what the operator asked for is done.  WARN: odd, nothing lost.  ERROR: data lost or hands
// needed.  There is no line per event, and no raw payload: values are escaped and cut. Thread-safe.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

namespace tocsin::log {

enum class Format { kText, kJson };
enum class Level { kDebug, kInfo, kWarn, kError };

void configure(Format format, Level level);

struct Field {
  using Value = std::variant<std::string_view, std::int64_t, double, bool>;

  Field(std::string_view key_, std::string_view v) : key(key_), value(v) {}
  Field(std::string_view key_, const std::string& v) : key(key_), value(std::string_view(v)) {}
  Field(std::string_view key_, const char* v) : key(key_), value(std::string_view(v)) {}
  Field(std::string_view key_, std::integral auto v)
      : key(key_), value(static_cast<std::int64_t>(v)) {}
  Field(std::string_view key_, double v) : key(key_), value(v) {}
  Field(std::string_view key_, bool v) : key(key_), value(v) {}

  std::string_view key;
  Value value;
};

using Fields = std::initializer_list<Field>;

// `event` is a stable dotted name to search for ("kafka.assigned"), `message` is for people.
void debug(std::string_view event, std::string_view message, Fields fields = {});
void info(std::string_view event, std::string_view message, Fields fields = {});
void warn(std::string_view event, std::string_view message, Fields fields = {});
void error(std::string_view event, std::string_view message, Fields fields = {});

// Lets one line a reason and interval through and counts the rest, for conditions that input or a
// broker can repeat without end.  Thread-safe.  `reason` must come from a bounded set.
class Sampler {
 public:
  explicit Sampler(std::chrono::steady_clock::duration interval = std::chrono::seconds(10))
      : interval_(interval) {}

  struct Verdict {
    bool log = false;
    std::uint64_t suppressed = 0;  // since the last line let through
  };
  Verdict admit(std::string_view reason,
                std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now());

 private:
  struct State {
    std::chrono::steady_clock::time_point last;
    std::uint64_t suppressed = 0;
    bool seen = false;
  };
  std::chrono::steady_clock::duration interval_;
  std::mutex mutex_;
  std::unordered_map<std::string, State> reasons_;
};

// The line as it would be written, for tests.
std::string format_line(Format format, Level level, std::chrono::system_clock::time_point time,
                        std::string_view event, std::string_view message, Fields fields);

}  // namespace tocsin::log
