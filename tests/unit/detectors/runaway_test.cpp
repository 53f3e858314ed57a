#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::call_json;
using testing::DetectorUnderTest;
using testing::result_json;

constexpr std::size_t kCalls = 0;
constexpr std::size_t kCallsLong = 1;
constexpr std::size_t kTokens = 2;
constexpr std::size_t kTokensLong = 3;

using Said = std::vector<std::pair<int, std::size_t>>;  // the event's number, the rule

TEST_CASE("calls are said at both bounds and at doublings of the second") {
  DetectorUnderTest detector("runaway", "calls_max: 3\ncalls_long: 5");
  Said said;
  for (int i = 1; i <= 30; ++i) {
    for (const auto& report : detector.feed(call_json("t", "{}")))
      said.emplace_back(i, report.rule);
  }
  CHECK(said == Said{{3, kCalls}, {5, kCallsLong}, {10, kCallsLong}, {20, kCallsLong}});
}

TEST_CASE("tokens are estimated from the bytes of everything said") {
  DetectorUnderTest detector("runaway", "tokens_max: 100\ntokens_long: 200\nbytes_a_token: 2");
  const std::string text(100, 'x');
  Said said;
  std::vector<std::string> evidence;
  const std::vector<std::string> events = {
      testing::event_json("user_message", R"("text":")" + text + "\""),
      call_json("t", R"({"a":")" + text + "\"}"), result_json("t", "\"" + text + "\""),
      testing::event_json("model_output", R"("text":")" + text + "\"")};
  for (std::size_t i = 0; i < events.size(); ++i) {
    for (const auto& report : detector.feed(events[i])) {
      said.emplace_back(i, report.rule);
      evidence.push_back(report.evidence[0].second);
      CHECK(report.origin->seq == 1);
    }
  }
  CHECK(said == Said{{1, kTokens}, {3, kTokensLong}});
  CHECK(evidence == std::vector<std::string>{"about 100 tokens", "about 200 tokens"});
}

TEST_CASE("an ordinary session is far below the defaults") {
  DetectorUnderTest detector("runaway");
  for (int i = 0; i < 200; ++i) {
    CHECK(detector.feed(call_json("t", "{}")).empty());
    CHECK(detector.feed(result_json("t", "\"" + std::string(10'000, 'x') + "\"")).empty());
  }
  CHECK(detector.state_bytes() < 256);
}

}  // namespace
}  // namespace tocsin
