// How everything here is timed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace tocsin::bench {

struct Timing {
  double seconds = 1;  // a round, at least
  int rounds = 3;      // the best counts
};

// Nanoseconds for each of `each` things that one pass does.  The first pass is not counted: it
// warms caches and lazily built automata.
template <typename Pass>
double best_ns(const Timing& timing, std::size_t each, const Pass& pass) {
  using Clock = std::chrono::steady_clock;
  pass();
  double best = 0;
  for (int round = 0; round < timing.rounds; ++round) {
    const auto start = Clock::now();
    std::size_t passes = 0;
    std::chrono::duration<double> took{};
    do {
      pass();
      ++passes;
      took = Clock::now() - start;
    } while (took.count() < timing.seconds);
    const double ns = took.count() * 1e9 / static_cast<double>(passes * each);
    best = round == 0 ? ns : std::min(best, ns);
  }
  return best;
}

}  // namespace tocsin::bench
