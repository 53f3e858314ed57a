#include "daemon/incident/containment.h"

#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/incident/support.h"

namespace tocsin::incident {
namespace {

using namespace testing;
using Action = ContainmentAction;

TEST_CASE("when the policy asks for containment") {
  struct Row {
    std::string_view what;
    Category category;
    Severity severity;
    State state;
    RequestMode mode;
    std::size_t added;
  };
  constexpr auto kLeak = Category::kExfiltration;
  constexpr auto kOpen = State::kOpen;
  constexpr auto kOn = RequestMode::kOn;
  const Row rows[] = {
      {"as severe as that", kLeak, Severity::kHigh, kOpen, kOn, 1},
      {"more severe", kLeak, Severity::kCritical, kOpen, kOn, 1},
      {"less", kLeak, Severity::kMedium, kOpen, kOn, 0},
      {"another category", Category::kPii, Severity::kCritical, kOpen, kOn, 0},
      {"contained", kLeak, Severity::kHigh, State::kContained, kOn, 0},
      {"closed", kLeak, Severity::kHigh, State::kClosed, kOn, 0},
      {"ended", kLeak, Severity::kHigh, State::kEnded, kOn, 0},
      {"off", kLeak, Severity::kHigh, kOpen, RequestMode::kOff, 0},
      {"a dry run", kLeak, Severity::kHigh, kOpen, RequestMode::kDryRun, 1},
  };
  const std::vector<ContainmentPolicy> policy = {
      {.category = kLeak, .severity = Severity::kHigh, .action = Action::kKillSession},
      // Asks for the same: one request.
      {.category = kLeak, .severity = Severity::kHigh, .action = Action::kKillSession}};
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Incident incident;
    incident.categories[std::to_underlying(row.category)] = row.severity;
    // Another category that is more severe does not count for this one.
    incident.categories[std::to_underlying(Category::kSql)] = Severity::kCritical;
    incident.state = row.state;
    CHECK(add_requests(incident, policy, row.mode, at(1)) == row.added);
    CHECK(incident.requests.size() == row.added);
    CHECK(add_requests(incident, policy, row.mode, at(2)) == 0);
  }
}

TEST_CASE("what becomes of a request") {
  using enum RequestState;
  struct Row {
    std::string_view what;
    RequestState from;
    std::optional<bool> answer;  // nothing: time passes
    RequestState to;
  };
  const Row rows[] = {
      {"done", kRequested, true, kAcknowledged},
      {"failed", kRequested, false, kFailed},
      {"nobody says anything", kRequested, {}, kTimedOut},
      {"done after all", kFailed, true, kAcknowledged},
      {"done late", kTimedOut, true, kAcknowledged},
      {"failed late", kTimedOut, false, kFailed},
      {"done stays done", kAcknowledged, false, kAcknowledged},
      {"failed does not time out", kFailed, {}, kFailed},
      {"a dry run asks nobody", kDryRun, true, kDryRun},
      {"a dry run waits for nobody", kDryRun, {}, kDryRun},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Incident incident;
    incident.requests = {
        {.action = Action::kRollBack, .state = row.from, .time = at(0), .changed = at(0)}};
    CHECK_FALSE(answer_request(incident, Action::kBlockTool, true, at(5)));
    const bool changed = row.answer
                             ? answer_request(incident, Action::kRollBack, *row.answer, at(9))
                             : expire_requests(incident, std::chrono::seconds(10), at(10));
    CHECK(changed == (row.from != row.to));
    CHECK(name_of(incident.requests[0].state) == name_of(row.to));
  }
  Incident incident;
  CHECK_FALSE(next_expiry(incident, std::chrono::seconds(10)).has_value());
  incident.requests = {
      {.action = Action::kRollBack, .state = kRequested, .time = at(5), .changed = at(5)},
      {.action = Action::kBlockTool, .state = kRequested, .time = at(3), .changed = at(3)},
      {.action = Action::kKillSession, .state = kFailed, .time = at(0), .changed = at(0)}};
  CHECK(next_expiry(incident, std::chrono::seconds(10)) == at(13));
  CHECK_FALSE(expire_requests(incident, std::chrono::seconds(10), at(12)));
  CHECK(expire_requests(incident, std::chrono::seconds(10), at(13)));
  CHECK(incident.requests[1].changed == at(13));
}

}  // namespace
}  // namespace tocsin::incident
