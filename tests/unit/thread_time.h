// The processor's time that this thread has taken: what tests compare, since a busy machine does
// not lengthen it.
#pragma once

#include <chrono>
#include <ctime>

#include "tests/unit/catch.h"

namespace tocsin::testing {

inline std::chrono::nanoseconds thread_time() {
  timespec now{};
  REQUIRE(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace tocsin::testing
