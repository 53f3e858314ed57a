#include <fmt/format.h>

#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::DetectorUnderTest;

constexpr std::size_t kCalls = 0;
constexpr std::size_t kUnusual = 1;
constexpr std::size_t kSends = 2;
constexpr std::string_view kSmall =
    "window_ms: 60000\ncalls_max: 20\nsends_max: 5\nunusual_min: 8\nunusual_factor: 4";

std::string call_at(int second, int millisecond = 0) {
  return testing::event_json("tool_call", R"("tool":{"name":"t","call_id":"c","arguments":{}})",
                             "s1",
                             fmt::format("2026-01-05T{:02}:{:02}:{:02}.{:03}Z", second / 3600,
                                         second / 60 % 60, second % 60, millisecond));
}

// The rules reported, in order, for calls at these seconds.
std::vector<std::size_t> rules(DetectorUnderTest& detector, int calls, int from_second, int step,
                               Effect effect = Effect::kRead) {
  const EventContext context = testing::with_effect(effect);
  std::vector<std::size_t> out;
  for (int i = 0; i < calls; ++i) {
    for (const auto& report : detector.feed(call_at(from_second + i * step), context)) {
      out.push_back(report.rule);
    }
  }
  return out;
}

using Rules = std::vector<std::size_t>;

TEST_CASE("more calls within a window than any session should make, said once") {
  DetectorUnderTest detector("burst", std::string(kSmall));
  CHECK(rules(detector, 19, 0, 1).empty());
  CHECK(rules(detector, 20, 19, 1) == Rules{kCalls});
  // Calm, and then once more.
  CHECK(rules(detector, 25, 600, 1) == Rules{kCalls});
}

TEST_CASE("outward calls have a bound of their own") {
  DetectorUnderTest detector("burst", std::string(kSmall));
  CHECK(rules(detector, 7, 0, 2, Effect::kEgress) == Rules{kSends});
  DetectorUnderTest slow("burst", std::string(kSmall));
  CHECK(rules(slow, 100, 0, 15, Effect::kEgress).empty());
}

TEST_CASE("many more than the session made before") {
  DetectorUnderTest detector("burst", std::string(kSmall));
  CHECK(rules(detector, 30, 0, 60).empty());  // one a minute, for half an hour
  CHECK(rules(detector, 12, 1860, 2) == Rules{kUnusual});
  SECTION("is nothing to a session that has no history") {
    DetectorUnderTest fresh("burst", std::string(kSmall));
    CHECK(rules(fresh, 12, 0, 2).empty());
  }
  SECTION("or that was as fast before") {
    DetectorUnderTest fast("burst", std::string(kSmall));
    CHECK(rules(fast, 300, 0, 5).empty());
  }
}

TEST_CASE("the evidence says how many, how long, and since when") {
  DetectorUnderTest detector("burst", std::string(kSmall));
  for (int i = 0; i < 19; ++i) detector.feed(call_at(0, i));
  const auto reports = detector.feed(call_at(0, 30));
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].evidence[0] ==
        std::pair<std::string, std::string>("time", "20 calls within 60 s"));
  CHECK(reports[0].origin->seq == 1);
}

TEST_CASE("by default parallel calls of one instant are no burst, unless there are hundreds") {
  DetectorUnderTest detector("burst");
  CHECK(rules(detector, 50, 5, 0).empty());
  CHECK(rules(detector, 250, 5, 0) == Rules{kCalls});
}

TEST_CASE("time that jumps is bounded work, and going back is now") {
  DetectorUnderTest detector("burst", std::string(kSmall));
  for (int i = 0; i < 10; ++i) {
    CHECK(detector.feed(call_at(i * 8000)).empty());
    CHECK(detector.feed(call_at(0)).empty());
  }
  CHECK(rules(detector, 20, 0, 0) == Rules{kUnusual, kCalls});
  CHECK(detector.state_bytes() < 512);
}

}  // namespace
}  // namespace tocsin
