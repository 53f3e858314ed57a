#include "detectors/statistics/higher_rate.h"

#include <algorithm>
#include <cmath>

namespace tocsin::statistics {
namespace {

double with_odds(double rate, double ratio) { return rate * ratio / (1 - rate + rate * ratio); }

// log p(x; rate) - log p(x; mixed)
double log_ratio(bool bad, double rate, double mixed) {
  return bad ? std::log(rate / mixed) : std::log((1 - rate) / (1 - mixed));
}

}  // namespace

void HigherRate::add(std::size_t count, std::size_t bad, bool other_bad) {
  const auto n = static_cast<double>(count);
  const auto yes = static_cast<double>(bad);
  auto* at = log_evidence_.data();
  for (const double rate : kRates) {
    for (const double ratio : kOddsRatios) {
      const double other = with_odds(rate, ratio);
      const double mixed = (n * rate + other) / (n + 1);
      *at++ += yes * log_ratio(true, rate, mixed) + (n - yes) * log_ratio(false, rate, mixed) +
               log_ratio(other_bad, other, mixed);
    }
  }
}

double HigherRate::log_evidence() const {
  const double largest = *std::ranges::max_element(log_evidence_);
  double sum = 0;
  for (const double one : log_evidence_) sum += std::exp(one - largest);
  return largest + std::log(sum / static_cast<double>(log_evidence_.size()));
}

}  // namespace tocsin::statistics
