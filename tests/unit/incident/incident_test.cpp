#include "daemon/incident/incident.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/incident/support.h"

namespace tocsin::incident {
namespace {

using namespace testing;

Incident of(const std::vector<FindingSummary>& findings) {
  Incident out;
  for (const FindingSummary& each : findings) absorb(out, each);
  return out;
}

std::vector<std::int64_t> offsets(const Incident& incident) {
  std::vector<std::int64_t> out;
  for (const Step& step : incident.chain) out.push_back(step.source.offset);
  return out;
}

TEST_CASE("repeats fold, and what is new is in the chain") {
  std::vector<FindingSummary> findings;
  for (int i = 0; i < 100; ++i) findings.push_back(finding({.time = i}));
  findings[40] = finding({.time = 40, .severity = Severity::kCritical});
  findings[50] = finding({.time = 50, .destinations = {"new"}});
  findings[60] = finding({.time = 60, .tool = "other"});
  const Incident got = of(findings);
  CHECK(offsets(got) == std::vector<std::int64_t>{0, 40, 50, 60, 99});
  REQUIRE(got.rules.size() == 1);
  CHECK(got.rules[0].count == 100);
  CHECK(got.findings == 100);
}

TEST_CASE("a flood of new kinds does not push out what is severe, the first or the last") {
  std::vector<FindingSummary> findings;
  findings.push_back(finding({.time = 0, .severity = Severity::kMedium}));
  findings.push_back(finding({.time = 500, .severity = Severity::kCritical}));
  for (int i = 1; i < 400; ++i) {
    findings.push_back(finding({.time = i, .destinations = {fmt::format("d{}", i)}}));
  }
  findings.push_back(finding({.time = 999, .severity = Severity::kMedium}));
  const Incident got = of(findings);
  const auto kept = offsets(got);
  CHECK(kept.size() <= kChainMax + 2);
  CHECK(kept.front() == 0);
  CHECK(kept.back() == 999);
  CHECK(std::ranges::find(kept, 500) != kept.end());
  CHECK(std::ranges::find(kept, 1) != kept.end());  // of equals the earlier ones stay
  CHECK(got.destinations.names.size() == kTouchedMax);
  CHECK(got.destinations.more == 399 - kTouchedMax);

  // The chain is the same in any order, bound reached or not.
  std::mt19937 dice(1);
  for (int round = 0; round < 10; ++round) {
    std::ranges::shuffle(findings, dice);
    CHECK(offsets(of(findings)) == kept);
    // ... and when two halves are put together.
    const auto half = static_cast<std::ptrdiff_t>(dice() % (findings.size() - 1)) + 1;
    Incident one = of({findings.begin(), findings.begin() + half});
    absorb(one, of({findings.begin() + half, findings.end()}));
    CHECK(offsets(one) == kept);
    CHECK(one.rules == of(findings).rules);
    CHECK(one.first_misuse == at(0));
    CHECK(one.detected == at(1));
    CHECK(one.last_misuse == at(999));
    CHECK(one.last_unsafe == at(500));
  }
}

TEST_CASE("lists of an incident are bounded") {
  Incident got = of({finding({.time = 0})});
  for (std::size_t i = 0; i < 100; ++i) {
    const auto time = static_cast<std::int64_t>(i);
    absorb(got, finding({.time = time, .rule = fmt::format("r{}", i)}));
    absorb(got, ContainmentDone{.time = at(time), .done = true, .by = "soc"});
    absorb(got, VerdictGiven{.time = at(time), .by = "ann"});
  }
  CHECK(got.rules.size() == kRulesMax);
  CHECK(got.more_rules == 101 - kRulesMax);
  CHECK(got.containments.size() == kContainmentsMax);
  CHECK(got.containments.back().time == at(99));
  CHECK(got.verdicts.size() == kVerdictsMax);
  CHECK(got.verdicts.back().time == at(99));
}

}  // namespace
}  // namespace tocsin::incident
