#include "daemon/session/folds.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using namespace std::chrono_literals;

FindingFolds::Match match(std::int64_t offset, EventTime time, std::uint64_t evidence = 1,
                          std::uint64_t rule = 7) {
  return {.rule = rule,
          .tool = 3,
          .evidence = evidence,
          .time = time,
          .offset = offset,
          .finding_id = "id"};
}

TEST_CASE("repeats are told at 1, 2, 4, 8 ..., with the count and the first one") {
  FindingFolds folds;
  std::vector<std::uint64_t> told;
  for (std::int64_t i = 0; i < 100; ++i) {
    const auto verdict = folds.admit(match(10 + i, EventTime{} + 1ms * i));
    if (!verdict.tell) continue;
    told.push_back(verdict.repeats.count);
    CHECK(verdict.repeats.first_offset == 10);
    CHECK(verdict.repeats.first_time == EventTime{});
    CHECK(verdict.repeats.first_finding_id == "id");
  }
  CHECK(told == std::vector<std::uint64_t>{1, 2, 4, 8, 16, 32, 64});
}

TEST_CASE("slow repeats are told once a minute") {
  FindingFolds folds;
  int told = 0;
  for (std::int64_t i = 0; i < 60; ++i) {
    told += folds.admit(match(i, EventTime{} + 20s * i)).tell ? 1 : 0;
  }
  // Twenty minutes, and the first few.
  CHECK(told >= 20);
  CHECK(told <= 24);
}

TEST_CASE("the first of a kind is told, whatever else repeats") {
  FindingFolds folds;
  for (std::int64_t i = 0; i < 50; ++i) folds.admit(match(i, EventTime{}));
  CHECK(folds.admit(match(90, EventTime{}, 2)).tell);     // another evidence
  CHECK(folds.admit(match(91, EventTime{}, 1, 8)).tell);  // another rule
  CHECK(folds.admit(match(92, EventTime{}, 1, 8)).repeats.count == 2);
}

TEST_CASE("a rule that finds something else each time is folded in the end, and bounded") {
  FindingFolds folds;
  std::size_t told = 0;
  for (std::int64_t i = 0; i < 10'000; ++i) {
    const auto evidence = static_cast<std::uint64_t>(i);
    told += folds.admit(match(i, EventTime{}, evidence)).tell ? 1 : 0;
  }
  CHECK(told >= FindingFolds::kDistinctMax);
  CHECK(told < 40);
  CHECK(folds.bytes() < std::size_t{64} * 1024);
}

TEST_CASE("beyond so many kinds nothing is hidden") {
  FindingFolds folds;
  std::size_t told = 0;
  constexpr std::size_t kRules = 3 * FindingFolds::kFoldsMax;
  for (std::size_t rule = 0; rule < kRules; ++rule) {
    for (int again = 0; again < 2; ++again) {
      told += folds.admit(match(0, EventTime{}, 1, rule)).tell ? 1 : 0;
    }
  }
  CHECK(told == 2 * kRules);
  CHECK(folds.bytes() < std::size_t{64} * 1024);
}

}  // namespace
}  // namespace tocsin
