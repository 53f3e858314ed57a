#include "daemon/incident/incident_table.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/incident/support.h"
#include "tests/unit/thread_time.h"

namespace tocsin::incident {
namespace {

using namespace testing;
using Strings = std::vector<std::string>;

struct Fixture {
  explicit Fixture(const Limits& limits = {}, IncidentTable::Profiles profiles = {})
      : table(limits, std::move(profiles)) {}
  Outcome operator()(const FindingOf& of) { return table.apply(finding(of), listener); }
  Outcome operator()(const Control& control) { return table.apply(control, listener); }
  const Incident& only() {
    REQUIRE(table.size() == 1);
    const Incident* found = nullptr;
    table.for_each([&](const Incident& each) { found = &each; });
    return *found;
  }
  IncidentTable table;
  Recorder listener;
};

TEST_CASE("the findings of a session are one incident") {
  Fixture test;
  CHECK(test({.time = 0, .severity = Severity::kLow}) == Outcome::kIgnored);
  CHECK(test.table.size() == 0);
  CHECK(test({.time = 10, .severity = Severity::kMedium, .rule = "a", .tenant = "acme"}) ==
        Outcome::kApplied);
  CHECK(test({.time = 20, .severity = Severity::kInfo}) == Outcome::kApplied);
  CHECK(test({.time = 30,
              .severity = Severity::kCritical,
              .rule = "b",
              .destinations = {"d"},
              .tool = "pay",
              .tenant = "acme"}) == Outcome::kApplied);
  CHECK(test({.time = 40, .severity = Severity::kHigh, .rule = "a", .category = Category::kPii}) ==
        Outcome::kApplied);
  const Incident& got = test.only();
  CHECK(got.incident_id == "i-s1");
  CHECK(got.system == "bot");
  CHECK(got.state == State::kOpen);
  CHECK(got.severity == Severity::kCritical);
  CHECK(got.first_misuse == at(10));
  CHECK(got.detected == at(11));
  CHECK(got.last_misuse == at(40));
  CHECK(got.last_unsafe == at(40));
  CHECK(got.findings == 3);
  CHECK(got.context == 1);
  CHECK(got.categories[std::to_underlying(Category::kExfiltration)] == Severity::kCritical);
  CHECK(got.categories[std::to_underlying(Category::kPii)] == Severity::kHigh);
  CHECK_FALSE(got.categories[std::to_underlying(Category::kSql)].has_value());
  REQUIRE(got.rules.size() == 2);
  CHECK(got.rules[0].rule == "a");
  CHECK(got.rules[0].count == 2);
  CHECK(got.rules[0].severity == Severity::kHigh);
  CHECK(got.rules[0].first_source.offset == 10);
  CHECK(got.rules[0].last_source.offset == 40);
  CHECK(got.tenants.names == Strings{"acme"});
  CHECK(got.tools.names == Strings{"pay", "send_email"});
  CHECK(got.destinations.names == Strings{"d"});
  CHECK(got.chain.size() == 3);
  CHECK(test.listener.said == Strings{"i-s1 open new", "i-s1 open", "i-s1 open", "i-s1 open"});
}

TEST_CASE("what joins sessions") {
  struct Row {
    std::string_view what;
    FindingOf first;
    FindingOf second;
    std::size_t incidents;
  };
  const FindingOf plain{.session = "a", .time = 0, .destinations = {"d"}};
  constexpr std::int64_t kDay = std::int64_t{24} * 3600;
  const Row rows[] = {
      {"a destination", plain, {.session = "b", .time = 5, .destinations = {"d"}}, 1},
      {"one of several", plain, {.session = "b", .time = 5, .destinations = {"c", "d", "e"}}, 1},
      {"a day apart", plain, {.session = "b", .time = kDay, .destinations = {"d"}}, 1},
      {"longer apart", plain, {.session = "b", .time = kDay + 1, .destinations = {"d"}}, 2},
      {"longer before",
       {.session = "a", .time = kDay + 1, .destinations = {"d"}},
       {.session = "b", .time = 0, .destinations = {"d"}},
       2},
      {"another destination", plain, {.session = "b", .time = 5, .destinations = {"c"}}, 2},
      {"none", plain, {.session = "b", .time = 5}, 2},
      {"a medium finding",
       plain,
       {.session = "b", .time = 5, .severity = Severity::kMedium, .destinations = {"d"}},
       2},
      {"another system",
       plain,
       {.session = "b", .time = 5, .destinations = {"d"}, .system = "other"},
       2},
      {"the same incident id", plain, {.session = "b", .time = 5, .incident_id = "i-a"}, 1},
      {"that of another system",
       plain,
       {.session = "b", .time = 5, .system = "other", .incident_id = "i-a"},
       2},
  };
  for (const Row& row : rows) {
    for (const bool swapped : {false, true}) {
      CAPTURE(row.what, swapped);
      Fixture test;
      test(swapped ? row.second : row.first);
      test(swapped ? row.first : row.second);
      CHECK(test.table.size() == row.incidents);
    }
  }
}

TEST_CASE("of two incidents that turn out to be one the earlier survives") {
  Fixture test;
  test({.session = "late", .time = 10, .severity = Severity::kMedium});
  test({.session = "early", .time = 5, .severity = Severity::kMedium});
  test({.session = "late", .time = 20, .destinations = {"d"}});
  test.listener.take();
  test({.session = "early", .time = 30, .destinations = {"d"}});
  CHECK(test.listener.take() == Strings{"i-early open", "i-late merged into i-early"});
  const Incident& got = test.only();
  CHECK(got.first_misuse == at(5));
  CHECK(got.findings == 4);
  CHECK(got.sessions.size() == 2);
  // Its other name still leads to it.
  CHECK(test.table.find("i-late") == &got);
  CHECK(test(containment(40, "i-late")) == Outcome::kApplied);
  CHECK(test.only().state == State::kContained);
  CHECK(test.table.take_counts().merged == 1);
}

TEST_CASE("a session that begins an earlier incident takes over its name") {
  Fixture test;
  test({.session = "known", .time = 10, .destinations = {"d"}});
  test.listener.take();
  test({.session = "earlier", .time = 5, .destinations = {"d"}});
  CHECK(test.listener.take() == Strings{"i-earlier open new", "i-known merged into i-earlier"});
  test({.session = "later", .time = 15, .destinations = {"d"}});
  CHECK(test.listener.take() == Strings{"i-earlier open"});
  // A session with two ids, of which the second is of an earlier event.
  test({.session = "later", .time = 1, .offset = 99, .incident_id = "i-again"});
  CHECK(test.listener.take() == Strings{"i-again open new", "i-earlier merged into i-again"});
  CHECK(test.table.find("i-later") == &test.only());
}

TEST_CASE("an indicator that many sessions have links no more") {
  Fixture test({.link_sessions_max = 3});
  for (int i = 0; i < 5; ++i) {
    test({.session = fmt::format("s{}", i), .time = i, .destinations = {"everybody's"}});
  }
  CHECK(test.table.size() == 3);  // three in one, and two that came when it was common
  CHECK(test.table.take_counts().common_indicators == 2);
}

TEST_CASE("what is told twice is taken once") {
  Fixture test;
  const FindingOf one{.time = 10, .rule = "a"};
  const FindingOf same_event{.time = 10, .rule = "b"};
  const FindingOf later{.time = 20, .rule = "a"};
  CHECK(test(one) == Outcome::kApplied);
  CHECK(test(one) == Outcome::kDuplicate);
  CHECK(test(same_event) == Outcome::kApplied);
  CHECK(test(later) == Outcome::kApplied);
  for (const FindingOf& each : {one, same_event, later}) CHECK(test(each) == Outcome::kDuplicate);
  FindingOf elsewhere = one;
  elsewhere.topic = "other";
  elsewhere.id = "f-elsewhere";
  CHECK(test(elsewhere) == Outcome::kApplied);
  CHECK(test(elsewhere) == Outcome::kDuplicate);
  CHECK(test.only().findings == 4);
  CHECK(test(containment(30, "i-s1")) == Outcome::kApplied);
  CHECK(test(containment(30, "i-s1")) == Outcome::kDuplicate);
  CHECK(test(acknowledge(31, "i-s1")) == Outcome::kApplied);
  CHECK(test(acknowledge(32, "i-s1")) == Outcome::kDuplicate);  // the first counts
  CHECK(test.only().acknowledged->time == at(31));
  CHECK(test.table.take_counts().duplicates == 7);
  // A merge does not make it forget.
  test({.session = "s2", .time = 5, .destinations = {"d"}});
  test({.time = 40, .destinations = {"d"}});
  REQUIRE(test.table.size() == 1);
  CHECK(test(later) == Outcome::kDuplicate);
}

TEST_CASE("how an incident stands after what was done") {
  struct Row {
    std::string_view what;
    std::vector<std::variant<FindingOf, Control>> said;
    State state;
    std::optional<std::int64_t> contained;
    std::uint64_t reopened;
  };
  const FindingOf misuse{.time = 10};
  const FindingOf again{.time = 30};
  const FindingOf attempt{.time = 30, .severity = Severity::kMedium};
  const Row rows[] = {
      {"nothing", {misuse}, State::kOpen, {}, 0},
      {"contained", {misuse, containment(20, "i-s1")}, State::kContained, 20, 0},
      {"twice",
       {misuse, containment(20, "i-s1"), containment(25, "i-s1")},
       State::kContained,
       20,
       0},
      {"in vain", {misuse, containment(20, "i-s1", false)}, State::kOpen, {}, 0},
      {"misuse went on", {misuse, containment(20, "i-s1"), again}, State::kOpen, {}, 1},
      {"an attempt went on", {misuse, containment(20, "i-s1"), attempt}, State::kContained, 20, 0},
      {"contained again",
       {misuse, containment(20, "i-s1"), again, containment(40, "i-s1")},
       State::kContained,
       40,
       1},
      {"at the very time", {misuse, containment(10, "i-s1")}, State::kContained, 10, 0},
      {"the session", {misuse, containment(20, "", true, "s1")}, State::kContained, 20, 0},
      {"another session", {misuse, containment(20, "", true, "s2")}, State::kOpen, {}, 0},
      {"the system", {misuse, containment(20, "")}, State::kContained, 20, 0},
      {"the system, before", {misuse, containment(5, "")}, State::kOpen, {}, 0},
      {"another incident", {misuse, containment(20, "i-s2")}, State::kOpen, {}, 0},
      {"a false positive",
       {misuse, verdict(20, "i-s1", Judgement::kFalsePositive)},
       State::kClosed,
       {},
       0},
      {"accepted", {misuse, verdict(20, "i-s1", Judgement::kAcceptedRisk)}, State::kClosed, {}, 0},
      {"true", {misuse, verdict(20, "i-s1", Judgement::kTruePositive)}, State::kOpen, {}, 0},
      {"false, and then more",
       {misuse, verdict(20, "i-s1", Judgement::kFalsePositive), again},
       State::kOpen,
       {},
       0},
      {"false, then true",
       {misuse, verdict(20, "i-s1", Judgement::kFalsePositive),
        verdict(25, "i-s1", Judgement::kTruePositive)},
       State::kOpen,
       {},
       0},
      {"a finding was false",
       {misuse, verdict(20, "", Judgement::kFalsePositive, "f-s1-10-test.rule")},
       State::kOpen,
       {},
       0},
  };
  for (const Row& row : rows) {
    // Control events are of another topic: they may come at any place among the findings.
    auto order = row.said;
    std::vector<std::size_t> places(order.size());
    for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
    do {
      const bool findings_in_order = [&] {
        std::size_t last = 0;
        for (const std::size_t i : places) {
          if (!std::holds_alternative<FindingOf>(row.said[i])) continue;
          if (i < last) return false;
          last = i;
        }
        return true;
      }();
      if (!findings_in_order) continue;
      CAPTURE(row.what, places);
      Fixture test;
      for (const std::size_t i : places) {
        std::visit([&](const auto& each) { test(each); }, row.said[i]);
      }
      const Incident& got = test.only();
      CHECK(name_of(got.state) == name_of(row.state));
      CHECK(got.contained == (row.contained ? std::optional(at(*row.contained)) : std::nullopt));
      CHECK(got.reopened == row.reopened);
      CHECK(test.listener.findings.size() == row.reopened);
    } while (std::ranges::next_permutation(places).found);
  }
}

TEST_CASE("misuse after a containment is a finding of its own, once") {
  Fixture test;
  test({.time = 10});
  test(containment(20, "i-s1"));
  CHECK(test.listener.findings.empty());
  test({.time = 30, .tool = "pay"});
  test({.time = 40});
  REQUIRE(test.listener.findings.size() == 1);
  const Finding& got = test.listener.findings[0];
  CHECK(got.rule == "incident.containment-failed");
  CHECK(got.finding_id.size() == 32);
  CHECK(got.severity == Severity::kCritical);
  CHECK(got.category == Category::kGuardrailFailure);
  CHECK(got.time == at(30));
  CHECK(got.tool == "pay");
  CHECK(got.session_id == "s1");
  CHECK(got.incident_id == "i-s1");
  CHECK(got.event_id == "e-s1-30");
  // It comes back by the topic, and is no misuse.
  CHECK(test.table.apply(summary_of(got), test.listener) == Outcome::kIgnored);
  CHECK(test.only().findings == 3);
  // The same id, whatever else is known.
  Fixture other;
  other({.session = "s0", .time = 1, .destinations = {"d"}});
  other({.time = 10, .destinations = {"d"}});
  other({.time = 30, .tool = "pay"});
  other(containment(20, "i-s1"));
  REQUIRE(other.listener.findings.size() == 1);
  CHECK(other.listener.findings[0].finding_id == got.finding_id);
}

TEST_CASE("an incident that goes silent has ended, until it goes on") {
  Fixture test({.idle = std::chrono::seconds(100)});
  test({.session = "a", .time = 0});
  test({.session = "b", .time = 50});
  test.listener.take();
  test.table.advance(at(99), test.listener);
  CHECK(test.listener.take().empty());
  test.table.advance(at(100), test.listener);
  CHECK(test.listener.take() == Strings{"i-a ended"});
  CHECK(test.table.find("i-a")->ended == at(100));
  test.table.advance(at(50), test.listener);  // time does not go back
  CHECK(test.table.now() == at(100));
  test({.session = "a", .time = 90});  // it was late
  CHECK(test.listener.take() == Strings{"i-a open"});
  test({.session = "b", .time = 1000});
  test.table.advance(EventTime::min(), test.listener);
  CHECK(test.listener.take() == Strings{"i-b open", "i-a ended"});
  // Proof of the end is not containment.
  CHECK_FALSE(test.table.find("i-a")->contained.has_value());
}

TEST_CASE("a control event waits for the incident that it speaks of") {
  Fixture test({.wait = std::chrono::seconds(60), .waiting_max = 3});
  Control early = containment(20, "i-s1");
  early.offset = 7;
  CHECK(test(early) == Outcome::kWaits);
  CHECK(test.table.oldest_waiting_offset() == 7);
  test({.time = 10});
  CHECK(test.only().state == State::kContained);
  CHECK_FALSE(test.table.oldest_waiting_offset().has_value());

  early = acknowledge(30, "i-never");
  early.offset = 8;
  CHECK(test(early) == Outcome::kWaits);
  test.table.advance(at(89), test.listener);
  CHECK(test.table.oldest_waiting_offset() == 8);
  test.table.advance(at(90), test.listener);
  CHECK_FALSE(test.table.oldest_waiting_offset().has_value());
  CHECK(test.table.take_counts().unmatched == 1);

  for (int i = 0; i < 5; ++i) test(acknowledge(100, fmt::format("i-never{}", i)));
  CHECK(test.table.take_counts().unmatched == 2);  // two for want of room
}

TEST_CASE("control events of other kinds and systems") {
  Fixture test;
  test({.time = 10});
  Control foreign = containment(20, "i-s1");
  foreign.system = "other";
  CHECK(test(foreign) == Outcome::kWaits);
  CHECK(test.only().state == State::kOpen);
}

TEST_CASE("verdicts judge rules") {
  Fixture test;
  test({.time = 10, .rule = "a"});
  test({.time = 20, .rule = "b"});
  test(verdict(30, "", Judgement::kTruePositive, "f-s1-20-b"));
  test(verdict(40, "i-s1", Judgement::kFalsePositive));
  test(verdict(40, "i-s1", Judgement::kFalsePositive));
  CHECK(test.listener.judgements ==
        Strings{"b f-s1-20-b true_positive", "a i-s1 false_positive", "b i-s1 false_positive"});
}

TEST_CASE("room in the table is found at the cost of what is closed, then of what is oldest") {
  Fixture test({.incidents_max = 3});
  for (int i = 0; i < 3; ++i) test({.session = fmt::format("s{}", i), .time = i});
  test(containment(10, "i-s1"));
  test.listener.take();
  test({.session = "s3", .time = 20});
  CHECK(test.listener.take() == Strings{"i-s3 open new", "i-s1 forgotten"});
  test({.session = "s4", .time = 21});
  CHECK(test.listener.take() == Strings{"i-s4 open new", "i-s0 forgotten"});
  const Counts counts = test.table.take_counts();
  CHECK(counts.evicted_closed == 1);
  CHECK(counts.evicted_open == 1);
  CHECK(test.table.find("i-s1") == nullptr);
  CHECK(test.listener.forgotten == Strings{"i-s1", "i-s0"});
}

class Deaf final : public Listener {
  void on_incident(const Incident&, const Before&) override {}
  void on_forgotten(const Incident&, std::span<const std::string>) override {}
  void on_containment_failed(const Finding&) override {}
};

// What a finding of a new session and a second that passes take, once so many incidents are there.
std::chrono::nanoseconds time_among(std::size_t incidents) {
  constexpr std::size_t kMore = 2000;
  IncidentTable table({.idle = std::chrono::seconds(100), .incidents_max = incidents}, {});
  Deaf listener;
  std::chrono::nanoseconds begin{};
  for (std::size_t i = 0; i < incidents + kMore; ++i) {
    if (i == incidents) begin = tocsin::testing::thread_time();
    const auto second = static_cast<std::int64_t>(i);
    table.apply(finding({.session = fmt::format("s{}", i), .time = second}), listener);
    table.advance(at(second), listener);
  }
  return tocsin::testing::thread_time() - begin;
}

TEST_CASE("room is found, and time goes on, as fast among many incidents as among few") {
  constexpr int kRounds = 3;  // the best of them: whatever else runs slows one round
  auto few = std::chrono::nanoseconds::max();
  auto many = std::chrono::nanoseconds::max();
  for (int round = 0; round < kRounds; ++round) {
    few = std::min(few, time_among(200));
    many = std::min(many, time_among(8000));
  }
  CHECK(many < 5 * few);  // going over all of them it was thirty
}

TEST_CASE("memory is bounded, and what is gone is gone from everywhere") {
  Fixture test({.bytes_max = 200'000});
  for (int i = 0; i < 2000; ++i) {
    test({.session = fmt::format("session-{}", i),
          .time = i,
          .destinations = {fmt::format("d{}", i)}});
    REQUIRE(test.table.bytes() <= 200'000);
  }
  CHECK(test.table.size() > 10);
  CHECK(test.table.take_counts().evicted_open == 2000 - test.table.size());
  // Its indicators link nobody any more.
  test({.session = "new", .time = 3000, .destinations = {"d0"}});
  CHECK(test.table.find("i-new")->sessions.size() == 1);
}

TEST_CASE("after the retention an incident is forgotten, under all its names") {
  Fixture test({.idle = std::chrono::seconds(100), .retention = std::chrono::seconds(1000)});
  test({.session = "a", .time = 0, .destinations = {"d"}});
  test({.session = "b", .time = 1, .destinations = {"d"}});
  test.table.advance(at(1000), test.listener);
  CHECK(test.table.size() == 1);
  test.table.advance(at(1001), test.listener);
  CHECK(test.table.size() == 0);
  CHECK(test.listener.forgotten == Strings{"i-a", "i-b"});
  CHECK(test.table.take_counts().forgotten == 1);
  CHECK(test.table.bytes() == 0);
}

TEST_CASE("an incident is bounded in sessions") {
  Fixture test({.link_sessions_max = 10'000});
  for (std::size_t i = 0; i < kSessionsMax + 10; ++i) {
    test({.session = fmt::format("s{:03}", i),
          .time = static_cast<std::int64_t>(i),
          .destinations = {"d"}});
  }
  std::size_t sessions = 0;
  test.table.for_each([&](const Incident& each) {
    CHECK(each.sessions.size() <= kSessionsMax);
    sessions += each.sessions.size();
  });
  CHECK(sessions == kSessionsMax + 10);
  CHECK(test.table.size() == 2);
  CHECK(test.table.take_counts().joins_refused > 0);
}

TEST_CASE("the owner answers, and containment is asked for once") {
  SystemProfile profile;
  profile.system = "bot";
  profile.owner = {.name = "team", .contact = "#team", .escalation = {"oncall", "ciso"}};
  profile.containment = {{.category = Category::kExfiltration,
                          .severity = Severity::kHigh,
                          .action = ContainmentAction::kKillSession}};
  const auto profiles = [&](std::string_view system) {
    return system == "bot" ? &profile : nullptr;
  };
  struct Row {
    RequestMode mode;
    Strings asked;
    std::string_view state;
  };
  const Row rows[] = {{RequestMode::kOff, {}, ""},
                      {RequestMode::kDryRun, {}, "dry_run"},
                      {RequestMode::kOn, {"i-s1 kill_session"}, "requested"}};
  for (const Row& row : rows) {
    CAPTURE(row.state);
    Fixture test({.requests = row.mode}, profiles);
    test({.time = 0, .severity = Severity::kMedium});
    CHECK(test.listener.requests.empty());
    test({.time = 10});
    test({.time = 20});
    CHECK(test.listener.requests == row.asked);
    const Incident& got = test.only();
    CHECK(got.owner == "team");
    CHECK(got.contact == "#team");
    CHECK(got.escalation == Strings{"oncall", "ciso"});
    CHECK(got.requests.size() == (row.state.empty() ? 0 : 1));
    if (!row.state.empty()) CHECK(name_of(got.requests[0].state) == row.state);
  }

  Fixture test({.requests = RequestMode::kOn, .request_timeout = std::chrono::seconds(60)},
               profiles);
  test({.session = "a", .time = 0});
  test({.session = "b", .time = 1});
  test(containment(5, "i-a", true, "", ContainmentAction::kRollBack));
  CHECK(name_of(test.table.find("i-a")->requests[0].state) == "requested");
  test(containment(6, "i-a"));
  CHECK(name_of(test.table.find("i-a")->requests[0].state) == "acknowledged");
  test.table.advance(at(61), test.listener);
  CHECK(name_of(test.table.find("i-a")->requests[0].state) == "acknowledged");
  CHECK(name_of(test.table.find("i-b")->requests[0].state) == "timed_out");
  test(containment(70, "i-b", false));
  CHECK(name_of(test.table.find("i-b")->requests[0].state) == "failed");
  test({.session = "b", .time = 80});
  CHECK(test.listener.requests.size() == 2);  // at most once an incident and action
}

// Traffic of several sessions: who shares a destination with whom changes over time.
std::vector<FindingSummary> stream(std::uint32_t seed) {
  std::mt19937 dice(seed);
  std::vector<FindingSummary> out;
  const int sessions = 3 + static_cast<int>(dice() % 6);
  for (int i = 0; i < 60; ++i) {
    const auto severity = static_cast<Severity>(dice() % kSeverityCount);
    Strings destinations;
    if (dice() % 2 == 0) destinations.push_back(fmt::format("d{}", dice() % 5));
    const auto time =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(i) * 20'000 + dice() % 30'000);
    FindingOf of{.session = fmt::format("s{}", dice() % static_cast<unsigned>(sessions)),
                 .time = time,
                 .severity = severity,
                 .rule = fmt::format("r{}", dice() % 4),
                 .destinations = destinations,
                 .category = static_cast<Category>(dice() % kCategoryCount),
                 .tool = fmt::format("t{}", dice() % 3),
                 .tenant = fmt::format("n{}", dice() % 2),
                 .offset = i};
    if (dice() % 20 == 0) of.incident_id = fmt::format("i-{}-{}", of.session, i);
    out.push_back(finding(of));
  }
  return out;
}

std::vector<Control> answers(std::uint32_t seed) {
  std::mt19937 dice(seed);
  std::vector<Control> out;
  for (int i = 0; i < 12; ++i) {
    const std::string incident = fmt::format("i-s{}", dice() % 9);
    const auto time = static_cast<std::int64_t>(dice() % 1'200'000);
    switch (dice() % 4) {
      case 0: out.push_back(acknowledge(time, incident)); break;
      case 1: out.push_back(verdict(time, incident, static_cast<Judgement>(dice() % 3))); break;
      case 2: out.push_back(containment(time, "", true, incident.substr(2))); break;
      default: out.push_back(containment(time, incident, dice() % 3 != 0));
    }
  }
  return out;
}

constexpr Limits kNoBoundReached{.retention = std::chrono::seconds(1'000'000'000),
                                 .wait = std::chrono::seconds(1'000'000'000)};

// Merges the streams of the sessions, each in its order, and the control events, by the dice.
template <typename ApplyFinding, typename ApplyControl>
void interleave(std::uint32_t seed, std::uint32_t order, ApplyFinding on_finding,
                ApplyControl on_control) {
  std::map<std::string, std::vector<FindingSummary>> by_session;
  for (FindingSummary& each : stream(seed)) by_session[each.session_id].push_back(std::move(each));
  std::vector<Control> controls = answers(seed);
  std::mt19937 dice(order);
  std::ranges::shuffle(controls, dice);
  std::vector<std::vector<FindingSummary>> queues;
  for (auto& [id, queue] : by_session) {
    std::ranges::reverse(queue);
    queues.push_back(std::move(queue));
  }
  while (!queues.empty() || !controls.empty()) {
    const std::size_t pick = dice() % (queues.size() + (controls.empty() ? 0 : 1));
    if (pick == queues.size()) {
      on_control(controls.back());
      controls.pop_back();
      continue;
    }
    on_finding(queues[pick].back());
    queues[pick].pop_back();
    if (queues[pick].empty()) queues.erase(queues.begin() + static_cast<std::ptrdiff_t>(pick));
  }
}

std::set<std::string> ids(const std::vector<Finding>& findings) {
  std::set<std::string> out;
  for (const Finding& each : findings) out.insert(each.finding_id);
  return out;
}

TEST_CASE("incidents do not depend on the order in which sessions and control events come") {
  std::size_t merged = 0;
  std::size_t contained = 0;
  std::size_t broken = 0;
  for (std::uint32_t seed = 0; seed < 25; ++seed) {
    std::map<std::string, std::string> expected;
    std::set<std::string> expected_findings;
    for (std::uint32_t order = 0; order < 5; ++order) {
      CAPTURE(seed, order);
      Fixture test(kNoBoundReached);
      std::mt19937 dice(order);
      interleave(
          seed, order, [&](const FindingSummary& each) { test.table.apply(each, test.listener); },
          [&](const Control& each) {
            test(each);
            if (dice() % 2 == 0) test.table.advance(EventTime::min(), test.listener);
          });
      test.table.advance(at(1'200'000), test.listener);
      const auto got = held(test.table);
      if (order == 0) {
        expected = got;
        expected_findings = ids(test.listener.findings);
      }
      REQUIRE(got == expected);
      REQUIRE(ids(test.listener.findings) == expected_findings);
      merged += test.table.take_counts().merged;
      broken += test.listener.findings.size();
      test.table.for_each(
          [&](const Incident& each) { contained += each.state == State::kContained ? 1 : 0; });
    }
  }
  // It was about something.
  CHECK(merged > 100);
  CHECK(contained > 10);
  CHECK(broken > 10);
}

TEST_CASE(
    "what was written restores the table, wherever it stopped, and redelivery changes nothing") {
  for (std::uint32_t seed = 0; seed < 10; ++seed) {
    std::vector<std::variant<FindingSummary, Control>> said;
    interleave(
        seed, seed, [&](const FindingSummary& each) { said.emplace_back(each); },
        [&](const Control& each) { said.emplace_back(each); });
    const auto play = [&](Fixture& test, std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i) {
        std::visit([&](const auto& each) { test.table.apply(each, test.listener); }, said[i]);
      }
    };
    Fixture whole(kNoBoundReached);
    play(whole, 0, said.size());
    whole.table.advance(at(1'200'000), whole.listener);

    std::mt19937 dice(seed);
    for (int round = 0; round < 4; ++round) {
      const std::size_t stop = dice() % said.size();
      const std::size_t committed = stop - std::min<std::size_t>(stop, dice() % 10);
      Fixture before(kNoBoundReached);
      play(before, 0, stop);
      // All but the last few records were delivered, some of them compacted away.
      auto written = before.listener.records;
      const std::size_t lost = dice() % 3;
      CAPTURE(seed, round, stop, committed, lost);
      const std::size_t delivered_until = written.size() - std::min(written.size(), lost);
      // What is not delivered is not committed.
      const std::size_t resume = lost > 0 ? 0 : committed;
      written.resize(delivered_until);
      Fixture after(kNoBoundReached);
      IncidentReader reader;
      for (std::size_t i = 0; i < written.size(); ++i) {
        const bool superseded =
            std::any_of(written.begin() + static_cast<std::ptrdiff_t>(i) + 1, written.end(),
                        [&](const auto& later) { return later.first == written[i].first; });
        if (superseded && dice() % 2 == 0) continue;
        auto read = reader.read(written[i].second);
        REQUIRE(read.has_value());
        after.table.restore(*std::move(read));
      }
      // Control events that waited were not committed either.
      for (std::size_t i = 0; i < resume; ++i) {
        if (const auto* control = std::get_if<Control>(&said[i])) {
          after.table.apply(*control, after.listener);
        }
      }
      play(after, resume, said.size());
      after.table.advance(at(1'200'000), after.listener);
      REQUIRE(held(after.table) == held(whole.table));
      CHECK(after.table.take_counts().restore_conflicts == 0);
    }
  }
}

TEST_CASE("an incident whose merging was not written any more is told again") {
  Fixture before;
  before({.session = "a", .time = 0, .severity = Severity::kMedium});
  before({.session = "b", .time = 1, .destinations = {"d"}});
  before({.session = "a", .time = 2, .destinations = {"d"}});
  REQUIRE(before.listener.said.back() == "i-b merged into i-a");
  IncidentReader reader;
  Fixture after;
  for (std::size_t i = 0; i + 1 < before.listener.records.size(); ++i) {
    after.table.restore(*reader.read(before.listener.records[i].second));
  }
  CHECK(after.table.size() == 1);
  after.table.advance(EventTime::min(), after.listener);
  CHECK(after.listener.said == Strings{"i-b merged into i-a"});
}

TEST_CASE("records that cannot be right are passed over") {
  Fixture test;
  test({.session = "a", .time = 0});
  Incident nameless = test.only();
  nameless.incident_id = "i-else";
  Incident foreign = test.only();
  foreign.system = "other";
  test.table.restore(nameless);
  test.table.restore(foreign);
  CHECK(test.table.take_counts().restore_conflicts == 2);
  CHECK(test.table.size() == 1);
  test.table.restore_deleted("i-a");
  test.table.restore_deleted("i-a");
  CHECK(test.table.size() == 0);
  CHECK(test.table.bytes() == 0);
}

}  // namespace
}  // namespace tocsin::incident
