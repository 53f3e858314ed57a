#include "daemon/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <iterator>
#include <memory>

#include <nlohmann/json.hpp>

#include "daemon/finding.h"
#include "daemon/text.h"

namespace tocsin::log {
namespace {

constexpr std::size_t kValueBytesMax = 512;

std::atomic<Format> g_format{Format::kText};

constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error"};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarn: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

// The whole line is ours; spdlog owns levels, the sink and its lock.
spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("tocsin",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

void write(Level level, std::string_view event, std::string_view message, Fields fields) {
  spdlog::logger& out = logger();
  if (!out.should_log(to_spdlog(level))) return;
  const std::string line = format_line(g_format.load(std::memory_order_relaxed), level,
                                       std::chrono::system_clock::now(), event, message, fields);
  out.log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

std::string format_json(Level level, std::string_view time, std::string_view event,
                        std::string_view message, Fields fields) {
  using Json = nlohmann::ordered_json;
  Json json = {{"time", time},
               {"level", kLevelNames[static_cast<std::size_t>(level)]},
               {"event", event},
               {"message", printable(message, kValueBytesMax)}};
  for (const Field& field : fields) {
    Json& slot = json[std::string(field.key)];
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      slot = printable(*text, kValueBytesMax);
    } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
      slot = *integer;
    } else if (const auto* real = std::get_if<double>(&field.value)) {
      slot = *real;
    } else {
      slot = std::get<bool>(field.value);
    }
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// key=value; quoted when a reader or a shell would otherwise see more than one word.
void append_text_value(std::string& out, std::string_view value) {
  const std::string shown = printable(value, kValueBytesMax);
  if (!shown.empty() && shown.find_first_of(" \"=") == std::string::npos) {
    out += shown;
    return;
  }
  out += '"';
  for (const char c : shown) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace

std::string format_line(Format format, Level level, std::chrono::system_clock::time_point time,
                        std::string_view event, std::string_view message, Fields fields) {
  const std::string when = format_time(std::chrono::floor<std::chrono::milliseconds>(time));
  if (format == Format::kJson) return format_json(level, when, event, message, fields);
  std::string out =
      fmt::format("{} {:<5} {} ({})", when, kLevelNames[static_cast<std::size_t>(level)],
                  printable(message, kValueBytesMax), event);
  for (const Field& field : fields) {
    out += ' ';
    out += field.key;
    out += '=';
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      append_text_value(out, *text);
    } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
      fmt::format_to(std::back_inserter(out), "{}", *integer);
    } else if (const auto* real = std::get_if<double>(&field.value)) {
      fmt::format_to(std::back_inserter(out), "{}", *real);
    } else {
      out += std::get<bool>(field.value) ? "true" : "false";
    }
  }
  return out;
}

void configure(Format format, Level level) {
  g_format = format;
  logger().set_level(to_spdlog(level));
}

void debug(std::string_view event, std::string_view message, Fields fields) {
  write(Level::kDebug, event, message, fields);
}
void info(std::string_view event, std::string_view message, Fields fields) {
  write(Level::kInfo, event, message, fields);
}
void warn(std::string_view event, std::string_view message, Fields fields) {
  write(Level::kWarn, event, message, fields);
}
void error(std::string_view event, std::string_view message, Fields fields) {
  write(Level::kError, event, message, fields);
}

Sampler::Verdict Sampler::admit(std::string_view reason,
                                std::chrono::steady_clock::time_point now) {
  const std::scoped_lock lock(mutex_);
  State& state = reasons_[std::string(reason)];
  if (state.seen && now - state.last < interval_) {
    ++state.suppressed;
    return {};
  }
  const Verdict verdict{.log = true, .suppressed = state.suppressed};
  state = {.last = now, .suppressed = 0, .seen = true};
  return verdict;
}

}  // namespace tocsin::log
