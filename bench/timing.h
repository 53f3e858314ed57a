// How everything here is timed.
#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace tocsin::bench {

struct Timing {
  double seconds = 1;  // a round, at least
  int rounds = 3;      // the best counts
};

// Nanoseconds that this thread has run: what others do on the machine does not count as ours.
inline double thread_ns() {
  constexpr double kNanoseconds = 1e9;
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * kNanoseconds + static_cast<double>(now.tv_nsec);
}

// Nanoseconds for each of `each` things that one pass does.  The first pass is not counted: it
// warms caches and lazily built automata.
template <typename Pass>
double best_ns(const Timing& timing, std::size_t each, const Pass& pass) {
  using Clock = std::chrono::steady_clock;
  pass();
  double best = 0;
  for (int round = 0; round < timing.rounds; ++round) {
    const auto start = Clock::now();
    const double start_ns = thread_ns();
    std::size_t passes = 0;
    std::chrono::duration<double> took{};
    do {
      pass();
      ++passes;
      took = Clock::now() - start;
    } while (took.count() < timing.seconds);
    const double ns = (thread_ns() - start_ns) / static_cast<double>(passes * each);
    best = round == 0 ? ns : std::min(best, ns);
  }
  return best;
}

}  // namespace tocsin::bench
