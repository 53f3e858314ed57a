// Is one rate of yes and no higher than another?  Asked after every observation, with an error
// bound that holds for all askings together.
#pragma once

#include <array>
#include <cstddef>

namespace tocsin::statistics {

// An e-process for two samples of independent outcomes with the rates a (reference) and b; the null
// hypothesis is b <= a, whatever a is.
//
// Observations come in blocks of n >= 1 outcomes of the reference and one of the other; n may be
// chosen anew for each block, without a look at its outcomes.  For a guess (a*, b*) with a* < b*
// and m = (n a* + b*) / (n + 1), a block multiplies the evidence by
//
//   prod_i p(x_i; a*)/p(x_i; m)  *  p(y; b*)/p(y; m)        p(1; r) = r, p(0; r) = 1 - r
//
// (Turner, Ly, Gruenwald, "Generic e-variables for exact sequential k-sample tests that allow for
// optional stopping", arXiv:2106.02693, theorem 1).  Its expectation is f(a)^n g(b) with f falling
// in a and g rising in b, so b <= a makes it at most f(a)^n g(a), and that is at most
// ((n f(a) + g(a)) / (n + 1))^(n+1) = 1.  The mean over a fixed grid of guesses is then an
// e-process too, and by Ville's inequality it ever reaches 1/alpha with probability at most alpha.
class HigherRate {
 public:
  // One block: `bad` of `count` reference outcomes, and the other's.
  void add(std::size_t count, std::size_t bad, bool other_bad);
  // The natural logarithm of the evidence: log(1/alpha) rejects at level alpha.
  [[nodiscard]] double log_evidence() const;

 private:
  // The reference's rate, and by what factor the other's odds are higher.
  static constexpr std::array<double, 7> kRates = {0.002, 0.006, 0.02, 0.06, 0.15, 0.3, 0.5};
  static constexpr std::array<double, 4> kOddsRatios = {1.5, 2.5, 5, 15};

  std::array<double, kRates.size() * kOddsRatios.size()> log_evidence_{};
};

}  // namespace tocsin::statistics
