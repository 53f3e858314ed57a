#include "daemon/rule_watch.h"

#include <vector>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

constexpr RuleWatchLimits kLimits = {.window_events = 10,
                                     .time_share = 0.5,
                                     .time_seconds_min = 1,
                                     .findings_share = 0.2,
                                     .findings_min = 3};

// One window of events of a second each, of which the rule takes `seconds` and finds so many.
std::vector<RuleDemotion> window(RuleWatch& watch, double seconds, int findings) {
  watch.spent(1, seconds);
  for (int i = 0; i < findings; ++i) watch.found(7, 2);
  std::vector<RuleDemotion> changes;
  for (int i = 0; i < 10; ++i) {
    for (const RuleDemotion& change : watch.end_event(1)) changes.push_back(change);
  }
  return changes;
}

TEST_CASE("a rule that takes too much time is demoted until a window passes without") {
  RuleWatch watch(3, kLimits);
  CHECK(window(watch, 5, 0).empty());  // half is allowed
  const auto demoted = window(watch, 6, 0);
  REQUIRE(demoted.size() == 1);
  CHECK(demoted[0].reason == DemotionReason::kTime);
  CHECK(demoted[0].rule == 1);
  CHECK_FALSE(demoted[0].lifted);
  CHECK(demoted[0].share == Approx(0.6));
  CHECK(watch.slow(1));
  CHECK_FALSE(watch.slow(0));
  CHECK(window(watch, 6, 0).empty());  // still
  CHECK(window(watch, 0, 0).empty());  // one quiet window is not enough
  CHECK(watch.slow(1));
  const auto lifted = window(watch, 0, 0);
  REQUIRE(lifted.size() == 1);
  CHECK(lifted[0].lifted);
  CHECK_FALSE(watch.slow(1));
}

TEST_CASE("little time is no matter, whatever its share") {
  RuleWatch watch(3, kLimits);
  watch.spent(1, 0.9);
  for (int i = 0; i < 10; ++i) CHECK(watch.end_event(0.1).empty());
  CHECK_FALSE(watch.slow(1));
}

TEST_CASE("a rule floods in one system, not in the others") {
  RuleWatch watch(3, kLimits);
  CHECK(window(watch, 0, 3).empty());
  const auto demoted = window(watch, 0, 4);
  REQUIRE(demoted.size() == 1);
  CHECK(demoted[0].reason == DemotionReason::kFlood);
  CHECK(demoted[0].rule == 7);
  CHECK(demoted[0].system == 2);
  CHECK(watch.flooding(7, 2));
  CHECK_FALSE(watch.flooding(7, 1));
  CHECK_FALSE(watch.flooding(2, 7));
  CHECK(window(watch, 0, 4).empty());
  CHECK(window(watch, 0, 0).empty());
  CHECK(window(watch, 0, 4).empty());  // again, before it was lifted
  CHECK(window(watch, 0, 0).empty());
  const auto lifted = window(watch, 0, 0);
  REQUIRE(lifted.size() == 1);
  CHECK(lifted[0].lifted);
  CHECK_FALSE(watch.flooding(7, 2));
}

}  // namespace
}  // namespace tocsin
