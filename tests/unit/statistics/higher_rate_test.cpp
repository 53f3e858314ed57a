#include "detectors/statistics/higher_rate.h"

#include <cmath>
#include <random>

#include "tests/unit/catch.h"

namespace tocsin::statistics {
namespace {

constexpr double kAlpha = 0.05;
constexpr int kRuns = 2000;
constexpr int kBlocks = 400;

// How many of the runs reject at kAlpha at some time, looked at after every block; `blocks` gets
// the mean number of blocks it took.
int rejections(double reference, double other, std::size_t count, double* blocks = nullptr) {
  std::mt19937 dice(12345);
  const auto bad = [&](double rate) { return static_cast<double>(dice()) < rate * 4294967296.0; };
  int rejected = 0;
  double taken = 0;
  for (int run = 0; run < kRuns; ++run) {
    HigherRate test;
    for (int block = 1; block <= kBlocks; ++block) {
      std::size_t reference_bad = 0;
      for (std::size_t i = 0; i < count; ++i) reference_bad += bad(reference) ? 1 : 0;
      test.add(count, reference_bad, bad(other));
      if (test.log_evidence() < std::log(1 / kAlpha)) continue;
      ++rejected;
      taken += block;
      break;
    }
  }
  if (blocks != nullptr) *blocks = taken / std::max(rejected, 1);
  return rejected;
}

TEST_CASE("equal rates are told apart in no more runs than alpha, over all looks together") {
  struct Row {
    double rate;
    std::size_t count;
  };
  const Row rows[] = {{0.01, 1}, {0.01, 8}, {0.1, 4}, {0.5, 1}};
  for (const Row& row : rows) {
    CAPTURE(row.rate, row.count);
    // Three standard deviations of a binomial with 2,000 runs are 1.5 points; it should be below
    // alpha anyway, since few look for ever.
    CHECK(rejections(row.rate, row.rate, row.count) <= kRuns * kAlpha);
  }
}

TEST_CASE("a lower rate is no regression") {
  CHECK(rejections(0.2, 0.05, 4) <= kRuns * kAlpha / 5);
}

TEST_CASE("a higher rate is seen, the sooner the higher it is") {
  struct Row {
    double reference;
    double other;
    double share_min;  // of runs that see it within kBlocks
    double blocks_max;
  };
  const Row rows[] = {
      {0.01, 0.05, 0.9, 200}, {0.01, 0.2, 1, 40}, {0.05, 0.2, 1, 90}, {0.1, 0.5, 1, 25}};
  for (const Row& row : rows) {
    double blocks = 0;
    const int seen = rejections(row.reference, row.other, 8, &blocks);
    CAPTURE(row.reference, row.other, seen, blocks);
    CHECK(seen >= row.share_min * kRuns);
    CHECK(blocks <= row.blocks_max);
  }
}

TEST_CASE("without a difference the evidence shrinks, and it starts at one") {
  HigherRate test;
  CHECK(std::abs(test.log_evidence()) < 1e-9);
  for (int i = 0; i < 500; ++i) test.add(4, i % 5 == 0 ? 2 : 0, i % 10 == 0);
  CHECK(test.log_evidence() < -1);
}

}  // namespace
}  // namespace tocsin::statistics
