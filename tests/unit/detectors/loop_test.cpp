#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::call_json;
using testing::DetectorUnderTest;
using testing::result_json;

constexpr std::size_t kActing = 0;
constexpr std::size_t kReading = 1;

EventContext with_effect(Effect effect) {
  EventContext context;
  context.tool.effect = effect;
  return context;
}

// The numbers of the calls, from 1, that were reported.
std::vector<int> reported_calls(DetectorUnderTest& detector, int calls, std::string_view result) {
  std::vector<int> out;
  for (int i = 1; i <= calls; ++i) {
    const std::string id = "c" + std::to_string(i);
    if (!detector.feed(call_json("search", R"({"q":"x"})", id)).empty()) out.push_back(i);
    detector.feed(result_json("search", result, id));
  }
  return out;
}

TEST_CASE("equal calls with equal results are a loop at five, and said again at each doubling") {
  DetectorUnderTest detector("loop");
  CHECK(reported_calls(detector, 45, R"("nothing found")") == std::vector<int>{5, 10, 20, 40});
}

TEST_CASE("the evidence is the count and the first of the calls") {
  DetectorUnderTest detector("loop", "repeats_min: 2");
  detector.feed(call_json("send", R"({"to":"a"})"), with_effect(Effect::kEgress));
  const auto reports =
      detector.feed(call_json("send", R"({"to":"a"})"), with_effect(Effect::kEgress));
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].rule == kActing);
  CHECK(reports[0].evidence[0].second == "2 times");
  REQUIRE(reports[0].origin.has_value());
  CHECK(reports[0].origin->event_id == "test/0/1");
  CHECK(reports[0].origin->seq == 1);
  CHECK(reports[0].origin->tool == "send");
}

TEST_CASE("a reading tool in a loop is less than an acting one") {
  DetectorUnderTest detector("loop", "repeats_min: 2");
  detector.feed(call_json("get", R"({"id":1})"), with_effect(Effect::kRead));
  const auto reports = detector.feed(call_json("get", R"({"id":1})"), with_effect(Effect::kRead));
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].rule == kReading);
  CHECK(detector.spec().rules[kReading].severity < detector.spec().rules[kActing].severity);
}

TEST_CASE("what is no loop") {
  SECTION("polling: the result changes") {
    DetectorUnderTest detector("loop");
    for (int i = 0; i < 50; ++i) {
      const std::string id = "c" + std::to_string(i);
      CHECK(detector.feed(call_json("status", R"({"job":1})", id)).empty());
      detector.feed(result_json("status", std::to_string(i), id));
    }
  }
  SECTION("other arguments") {
    DetectorUnderTest detector("loop");
    for (int i = 0; i < 50; ++i) {
      CHECK(detector.feed(call_json("get", R"({"id":)" + std::to_string(i) + "}")).empty());
    }
  }
  SECTION("a number and the same number as a string are two calls") {
    DetectorUnderTest detector("loop", "repeats_min: 2");
    CHECK(detector.feed(call_json("get", R"({"id":1})")).empty());
    CHECK(detector.feed(call_json("get", R"({"id":"1"})")).empty());
  }
  SECTION("the user asked again") {
    DetectorUnderTest detector("loop");
    for (int i = 0; i < 50; ++i) {
      CHECK(detector.feed(call_json("get", R"({"id":1})")).empty());
      if (i % 4 == 3) detector.feed(testing::event_json("user_message", R"("text":"again")"));
    }
  }
  SECTION("arguments that nobody captured cannot be compared") {
    DetectorUnderTest detector("loop");
    for (int i = 0; i < 50; ++i) {
      CHECK(detector.feed(testing::event_json("tool_call", R"("tool":{"name":"get"})")).empty());
    }
  }
}

TEST_CASE("a loop of several calls in turn is seen in each of them") {
  DetectorUnderTest detector("loop");
  std::size_t reports = 0;
  for (int i = 0; i < 5; ++i) {
    for (const char* tool : {"plan", "try", "check"}) {
      reports += detector.feed(call_json(tool, R"({"x":1})")).size();
    }
  }
  CHECK(reports == 3);
}

TEST_CASE("a hostile session fills a bounded memory of calls, the least recent forgotten first") {
  DetectorUnderTest detector("loop", "repeats_min: 2\ncalls_max: 4");
  detector.feed(call_json("kept", "{}"));
  for (int i = 0; i < 10'000; ++i) {
    detector.feed(
        call_json("t" + std::to_string(i), R"({"blob":")" + std::string(300, 'x') + R"("})"));
    if (i % 3 == 0) detector.feed(result_json("t", R"("r")", "c" + std::to_string(i)));
  }
  CHECK(detector.state_bytes() < 4096);
  CHECK(detector.feed(call_json("kept", "{}")).empty());      // forgotten: counts as the first
  CHECK(detector.feed(call_json("kept", "{}")).size() == 1);  // remembered
}

}  // namespace
}  // namespace tocsin
