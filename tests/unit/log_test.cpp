#include "daemon/log.h"

#include <atomic>
#include <chrono>
#include <limits>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/text.h"
#include "tests/unit/catch.h"

namespace tocsin::log {
namespace {

using namespace std::chrono_literals;

constexpr auto kTime =
    std::chrono::sys_days{std::chrono::year{2026} / 1 / 5} + 8h + 15min + 30s + 123ms;

std::string text_line(std::string_view message, Fields fields, Level level = Level::kInfo) {
  return format_line(Format::kText, level, kTime, "some.event", message, fields);
}

std::string json_line(std::string_view message, Fields fields, Level level = Level::kInfo) {
  return format_line(Format::kJson, level, kTime, "some.event", message, fields);
}

TEST_CASE("a line of text") {
  CHECK(text_line("partition assigned",
                  {{"topic", "agent.events"}, {"partition", 3}, {"ratio", 0.5}, {"lost", false}}) ==
        "2026-01-05T08:15:30.123Z info  partition assigned (some.event) "
        "topic=agent.events partition=3 ratio=0.5 lost=false");
  CHECK(text_line("m", {}, Level::kError) == "2026-01-05T08:15:30.123Z error m (some.event)");
}

TEST_CASE("text values are quoted when they would read as more than one word") {
  struct Row {
    std::string_view value;
    std::string_view shown;
  };
  const Row rows[] = {
      {"plain", "k=plain"},
      {"", R"(k="")"},
      {"two words", R"(k="two words")"},
      {"a=b", R"(k="a=b")"},
      {R"(say "hi")", R"(k="say \"hi\"")"},
      {R"(C:\temp)", R"(k=C:\temp)"},
      // A backslash before a quote must not open the way out of the quotes.
      {R"(x\" forged=1 y=")", R"(k="x\\\" forged=1 y=\"")"},
      {R"(ends in \ )", R"(k="ends in \\ ")"},
      {"line\nbreak", R"(k=line\u{a}break)"},
      {"\x1b[31m red", R"(k="\\u{1b}[31m red")"},
      {"\u202e", R"(k=\u{202e})"},
      {"\xff", R"(k=\xff)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.value);
    const std::string line = text_line("m", {{"k", row.value}});
    CHECK(line == "2026-01-05T08:15:30.123Z info  m (some.event) " + std::string(row.shown));
  }
}

TEST_CASE("a line of JSON") {
  const auto json = nlohmann::json::parse(
      json_line("it \"works\"\n\x1b[0m",
                {{"topic", "a\nb \x1b[31m \"q\" \xff"}, {"n", -7}, {"ratio", 0.5}, {"ok", true}},
                Level::kWarn));
  CHECK(json == nlohmann::json({{"time", "2026-01-05T08:15:30.123Z"},
                                {"level", "warn"},
                                {"event", "some.event"},
                                {"message", R"(it "works"\u{a}\u{1b}[0m)"},
                                {"topic", R"(a\u{a}b \u{1b}[31m "q" \xff)"},
                                {"n", -7},
                                {"ratio", 0.5},
                                {"ok", true}}));
}

TEST_CASE("the order of a JSON line is time, level, event, message, fields") {
  CHECK(json_line("m", {{"z", 1}, {"a", 2}}) ==
        R"({"time":"2026-01-05T08:15:30.123Z","level":"info","event":"some.event",)"
        R"("message":"m","z":1,"a":2})");
}

TEST_CASE("numbers JSON cannot write do not break the line") {
  const auto json =
      nlohmann::json::parse(json_line("m", {{"nan", std::numeric_limits<double>::quiet_NaN()},
                                            {"big", std::numeric_limits<std::int64_t>::min()}}));
  CHECK(json["nan"].is_null());
  CHECK(json["big"] == std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("a line is one line, bounded and valid UTF-8, whatever is in it") {
  std::string hostile;
  for (int byte = 255; byte >= 0; --byte) hostile += static_cast<char>(byte);
  for (int i = 0; i < 100; ++i) hostile += "\r\n\u2028 level=error ";
  for (const Format format : {Format::kText, Format::kJson}) {
    const std::string line =
        format_line(format, Level::kInfo, kTime, "e", hostile, {{"a", hostile}, {"b", hostile}});
    CAPTURE(line);
    CHECK(line.find_first_of(std::string_view("\r\n\x1b\x7f\0", 5)) == std::string::npos);
    CHECK(line.find("\u2028") == std::string::npos);
    CHECK(is_valid_utf8(line));
    CHECK(line.size() < 4096);
  }
}

TEST_CASE("Sampler lets one line a reason and interval through and counts the rest") {
  Sampler sampler(10s);
  const std::chrono::steady_clock::time_point start{};
  struct Row {
    std::string_view reason;
    std::chrono::milliseconds at;
    bool log;
    std::uint64_t suppressed;
  };
  const Row rows[] = {
      {"a", 0ms, true, 0},       {"a", 1ms, false, 0},     {"b", 2ms, true, 0},
      {"a", 9999ms, false, 0},   {"b", 3000ms, false, 0},  {"a", 10'000ms, true, 2},
      {"a", 19'999ms, false, 0}, {"a", 20'000ms, true, 1}, {"b", 60'000ms, true, 1},
      {"a", 90'000ms, true, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason, row.at.count());
    const Sampler::Verdict verdict = sampler.admit(row.reason, start + row.at);
    CHECK(verdict.log == row.log);
    CHECK(verdict.suppressed == row.suppressed);
  }
}

TEST_CASE("Sampler counts from several threads") {
  Sampler sampler(1h);
  std::vector<std::thread> threads;
  std::atomic<int> logged{0};
  const auto now = std::chrono::steady_clock::now();
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) logged += sampler.admit("r", now).log ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(logged == 1);
  CHECK(sampler.admit("r", now + 1h).suppressed == 3999);
}

}  // namespace
}  // namespace tocsin::log
