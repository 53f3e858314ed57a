#include <functional>

#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::call_json;
using testing::DetectorUnderTest;
using testing::result_json;
using testing::with_effect;

constexpr std::size_t kSame = 0;
constexpr std::size_t kSameLong = 1;
constexpr std::size_t kSimilar = 2;
constexpr std::size_t kSimilarLong = 3;

// "number of the call:rule" for what was reported; each call is answered.
std::vector<std::string> reported(DetectorUnderTest& detector, int calls,
                                  const std::function<std::string(int)>& arguments,
                                  std::string_view answer,
                                  const EventContext& context = with_effect(Effect::kRead)) {
  std::vector<std::string> out;
  for (int i = 1; i <= calls; ++i) {
    const std::string id = "c" + std::to_string(i);
    for (const auto& report : detector.feed(call_json("search", arguments(i), id), context)) {
      out.push_back(std::to_string(i) + ":" + std::to_string(report.rule));
    }
    detector.feed(testing::event_json("tool_result", R"("tool":{"name":"search","call_id":")" + id +
                                                         "\"," + std::string(answer) + "}"),
                  context);
  }
  return out;
}

std::string same(int) { return R"({"q":"x"})"; }

std::string similar(int i) {
  return R"({"q":"the invoices of spring that nobody has paid by )" + std::to_string(i) + R"("})";
}

using Lines = std::vector<std::string>;
constexpr std::string_view kNothing = R"("result":"nothing found")";

TEST_CASE("equal calls with equal results are a loop at five, again at doublings, and long at 25") {
  DetectorUnderTest detector("loop");
  CHECK(reported(detector, 120, same, kNothing) ==
        Lines{"5:0", "10:0", "20:0", "25:1", "50:1", "100:1"});
}

TEST_CASE("what is sent out again and again asks for a person at once, unless it failed") {
  DetectorUnderTest sending("loop");
  CHECK(reported(sending, 12, same, R"("result":"sent")", with_effect(Effect::kEgress)) ==
        Lines{"5:1", "10:1"});
  DetectorUnderTest numbered("loop");
  int id = 0;
  Lines said;
  for (int i = 0; i < 6; ++i) {
    const EventContext egress = with_effect(Effect::kEgress);
    for (const auto& report :
         numbered.feed(call_json("send", "{}", "c" + std::to_string(i)), egress)) {
      said.push_back(std::to_string(report.rule));
    }
    // A new message id each time: it went out each time.
    numbered.feed(result_json("send", std::to_string(++id), "c" + std::to_string(i)), egress);
  }
  CHECK(said == Lines{std::to_string(kSameLong)});
  DetectorUnderTest failing("loop");
  CHECK(reported(failing, 12, same, R"("error":"timed out")", with_effect(Effect::kEgress)) ==
        Lines{"5:0", "10:0"});
}

TEST_CASE("the evidence is the count and the first of the calls") {
  DetectorUnderTest detector("loop", "repeats_min: 2");
  detector.feed(call_json("run", R"({"x":"a"})"), with_effect(Effect::kExecute));
  const auto reports =
      detector.feed(call_json("run", R"({"x":"a"})"), with_effect(Effect::kExecute));
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].rule == kSame);
  CHECK(reports[0].evidence[0].second == "2 times");
  REQUIRE(reports[0].origin.has_value());
  CHECK(reports[0].origin->event_id == "test/0/1");
  CHECK(reports[0].origin->seq == 1);
  CHECK(reports[0].origin->tool == "run");
}

TEST_CASE("nearly equal calls in a row are one loop while the results stay the same") {
  DetectorUnderTest stuck("loop");
  CHECK(reported(stuck, 50, similar, kNothing) == Lines{"12:" + std::to_string(kSimilar),
                                                        "24:" + std::to_string(kSimilar),
                                                        "40:" + std::to_string(kSimilarLong)});
  SECTION("another result is progress") {
    DetectorUnderTest paging("loop");
    for (int i = 0; i < 50; ++i) {
      const std::string id = "c" + std::to_string(i);
      CHECK(paging.feed(call_json("search", similar(i), id)).empty());
      paging.feed(result_json("search", std::to_string(i), id));
    }
  }
  SECTION("acts that succeed are progress, acts that fail are not") {
    const EventContext write = with_effect(Effect::kWrite);
    DetectorUnderTest making("loop");
    CHECK(reported(making, 60, similar, R"("result":"ok")", write).empty());
    DetectorUnderTest failing("loop");
    CHECK(reported(failing, 12, similar, R"("error":"quota")", write) ==
          Lines{"12:" + std::to_string(kSimilar)});
    DetectorUnderTest shell("loop");
    CHECK(reported(shell, 60, similar, R"("result":"")", with_effect(Effect::kExecute)).empty());
  }
  SECTION("other words are other calls") {
    DetectorUnderTest working("loop");
    const auto other = [](int i) {
      std::string words;
      for (int j = 0; j < 6; ++j) words += " w" + std::to_string(i * 7 + j);
      return R"({"q":")" + words + R"("})";
    };
    CHECK(reported(working, 60, other, kNothing).empty());
  }
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
