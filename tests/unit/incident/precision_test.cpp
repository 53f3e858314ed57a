#include "daemon/incident/precision.h"

#include <fmt/format.h>

#include <string>

#include "tests/unit/catch.h"

namespace tocsin::incident {
namespace {

using Change = RulePrecision::Change;

TEST_CASE("a rule that is wrong too often is demoted, until it is right again") {
  RulePrecision precision;
  CHECK_FALSE(precision.precision("r").has_value());
  int id = 0;
  const auto judge = [&](Judgement judgement) {
    return precision.judge("r", fmt::format("f{}", id++), judgement);
  };
  for (int i = 0; i < 5; ++i) CHECK(judge(Judgement::kFalsePositive) == Change::kNone);
  for (int i = 0; i < 3; ++i) CHECK(judge(Judgement::kTruePositive) == Change::kNone);
  CHECK(judge(Judgement::kAcceptedRisk) == Change::kNone);
  CHECK_FALSE(precision.demoted("r"));  // nine say nothing yet
  CHECK(judge(Judgement::kFalsePositive) == Change::kDemoted);
  CHECK(precision.demoted("r"));
  CHECK(precision.precision("r") == 0.4);
  CHECK_FALSE(precision.demoted("another"));
  CHECK(judge(Judgement::kTruePositive) == Change::kNone);
  CHECK(judge(Judgement::kTruePositive) == Change::kLifted);  // exactly at the floor
  CHECK_FALSE(precision.demoted("r"));
}

TEST_CASE("who judges again says it once") {
  RulePrecision precision({.judgements_min = 1});
  CHECK(precision.judge("r", "f", Judgement::kFalsePositive) == Change::kDemoted);
  CHECK(precision.judge("r", "f", Judgement::kFalsePositive) == Change::kNone);
  CHECK(precision.precision("r") == 0.0);
  CHECK(precision.judge("r", "f", Judgement::kTruePositive) == Change::kLifted);
  CHECK(precision.precision("r") == 1.0);
}

TEST_CASE("only the latest judgements and so many rules count") {
  RulePrecision precision({.window = 10, .rules_max = 3});
  for (int i = 0; i < 10; ++i) {
    precision.judge("r", fmt::format("a{}", i), Judgement::kFalsePositive);
  }
  for (int i = 0; i < 10; ++i) {
    precision.judge("r", fmt::format("b{}", i), Judgement::kTruePositive);
  }
  CHECK(precision.precision("r") == 1.0);
  for (int i = 0; i < 10; ++i) {
    precision.judge(fmt::format("r{}", i), "f", Judgement::kTruePositive);
  }
  std::size_t rules = 0;
  precision.for_each([&](const std::string&, std::size_t right, std::size_t judged) {
    ++rules;
    CHECK(right == judged);
    CHECK(judged <= 10);
  });
  CHECK(rules == 3);
}

TEST_CASE("one severity lower") {
  CHECK(one_lower(Severity::kCritical) == Severity::kHigh);
  CHECK(one_lower(Severity::kLow) == Severity::kInfo);
  CHECK(one_lower(Severity::kInfo) == Severity::kInfo);
}

}  // namespace
}  // namespace tocsin::incident
