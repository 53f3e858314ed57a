#include "daemon/incident/precision.h"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <vector>

#include "daemon/incident/judgements.h"
#include "tests/unit/catch.h"

namespace tocsin::incident {
namespace {

using namespace std::chrono_literals;

constexpr EventTime kStart{std::chrono::seconds(1'800'000'000)};

// `right` and then `wrong` judgements, one a second from `since` on.
Judged judged(int right, int wrong, EventTime since = kStart) {
  Judged out;
  for (int i = 0; i < right + wrong; ++i) {
    out.push_back({.what = static_cast<std::uint64_t>(since.time_since_epoch().count() + i),
                   .time = since + std::chrono::seconds(i),
                   .right = i < right});
  }
  return out;
}

bool is_demoted(const RulePrecision& precision, const std::string& rule,
                EventTime now = kStart + 1h) {
  return precision.demoted(precision.at(now)).contains(rule);
}

}  // namespace

TEST_CASE("precision: a rule that is wrong too often is demoted, until it is right again") {
  RulePrecision precision;
  CHECK(precision.at(kStart).empty());
  precision.set(0, "r", judged(3, 6));
  CHECK_FALSE(is_demoted(precision, "r"));  // nine say nothing yet
  precision.set(0, "r", judged(4, 6));
  CHECK(is_demoted(precision, "r"));
  CHECK(precision.at(kStart + 1h).at("r").ratio() == 0.4);
  CHECK_FALSE(is_demoted(precision, "another"));
  precision.set(0, "r", judged(5, 5));  // exactly at the floor
  CHECK_FALSE(is_demoted(precision, "r"));
}

TEST_CASE("precision: what the partitions know is added up, and the latest count") {
  RulePrecision precision;
  precision.set(0, "r", judged(0, 9));
  precision.set(1, "r", judged(0, 1));
  CHECK(is_demoted(precision, "r"));
  precision.set(1, "r", {});  // taken back
  CHECK_FALSE(is_demoted(precision, "r"));
  precision.set(1, "r", judged(64, 0, kStart + 10min));
  CHECK(precision.at(kStart + 1h).at("r") == Precision{.right = 64, .judged = 64});
  precision.set(0, "r", {});
  precision.set(1, "r", {});
  CHECK(precision.at(kStart + 1h).empty());
}

TEST_CASE("precision: what was said long ago counts no more") {
  RulePrecision precision;
  precision.set(0, "r", judged(0, 12));
  CHECK(is_demoted(precision, "r", kStart + std::chrono::days(89)));
  CHECK_FALSE(is_demoted(precision, "r", kStart + std::chrono::days(90) + 2s));
  CHECK(precision.at(kStart + std::chrono::days(91)).empty());
}

TEST_CASE("judgements: who judges again says it once, and the latest word counts") {
  Judgements judgements;
  const Judged* told = judgements.judge("r", "f", Judgement::kFalsePositive, kStart);
  REQUIRE(told != nullptr);
  CHECK(told->size() == 1);
  CHECK_FALSE(told->front().right);
  CHECK(judgements.judge("r", "f", Judgement::kFalsePositive, kStart) == nullptr);
  CHECK(judgements.judge("r", "f", Judgement::kTruePositive, kStart - 1s) == nullptr);
  told = judgements.judge("r", "f", Judgement::kAcceptedRisk, kStart + 1s);
  REQUIRE(told != nullptr);
  CHECK(told->size() == 1);
  CHECK(told->front().right);
}

TEST_CASE("judgements: so many of a rule and so many rules are kept") {
  Judgements judgements;
  const Judged* told = nullptr;
  for (int i = 0; i < 70; ++i) {
    told = judgements.judge("r", fmt::format("f{}", i), Judgement::kTruePositive,
                            kStart + std::chrono::seconds(i));
  }
  REQUIRE(told != nullptr);
  CHECK(told->size() == Judgements::kWindow);
  CHECK(told->front().time == kStart + 6s);
  CHECK(judgements.judge(std::string(Judgements::kRuleBytesMax + 1, 'r'), "f",
                         Judgement::kTruePositive, kStart) == nullptr);
  for (std::size_t i = 1; i < Judgements::kRulesMax; ++i) {
    judgements.judge(fmt::format("r{}", i), "f", Judgement::kTruePositive, kStart);
  }
  CHECK(judgements.judge("one.too-many", "f", Judgement::kTruePositive, kStart) == nullptr);
}

TEST_CASE("judgements: a record says all that is to be restored") {
  const Judged known = judged(2, 1);
  JudgedReader reader;
  const auto read = reader.read(to_json("a.rule", known));
  REQUIRE(read.has_value());
  CHECK(read->rule == "a.rule");
  CHECK(read->judged == known);
  Judgements judgements;
  judgements.restore(read->rule, read->judged);
  std::size_t rules = 0;
  judgements.for_each([&](const std::string& rule, const Judged& each) {
    ++rules;
    CHECK(rule == "a.rule");
    CHECK(each == known);
  });
  CHECK(rules == 1);
  judgements.restore("a.rule", {});
  judgements.for_each([&](const std::string&, const Judged&) { ++rules; });
  CHECK(rules == 1);
}

TEST_CASE("judgements: what is no record of ours is refused") {
  JudgedReader reader;
  const std::vector<std::string> records = {
      "",
      "[]",
      "{}",
      R"({"rule":1,"judged":[]})",
      R"({"rule":"r","judged":[{"what":"1","time":"2026-01-01T00:00:00Z","right":true}]})",
      R"({"rule":"r","judged":[{"what":"000000000000000g","time":"2026-01-01T00:00:00Z","right":true}]})",
      R"({"rule":"r","judged":[{"what":"0000000000000001","time":"then","right":true}]})",
      R"({"rule":"r","judged":[{"what":"0000000000000001","time":"2026-01-01T00:00:00Z"}]})",
      to_json(std::string(Judgements::kRuleBytesMax + 1, 'r'), {}),
      to_json("r", Judged(Judgements::kWindow + 1)),
  };
  for (const std::string& record : records) {
    CAPTURE(record);
    CHECK_FALSE(reader.read(record).has_value());
  }
}

TEST_CASE("one severity lower") {
  CHECK(one_lower(Severity::kCritical) == Severity::kHigh);
  CHECK(one_lower(Severity::kLow) == Severity::kInfo);
  CHECK(one_lower(Severity::kInfo) == Severity::kInfo);
}

}  // namespace tocsin::incident
