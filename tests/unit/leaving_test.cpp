#include "daemon/leaving.h"

#include <chrono>
#include <stop_token>

#include "tests/unit/catch.h"

namespace tocsin {

using namespace std::chrono_literals;

TEST_CASE("leaving: waits are whole until a stop is asked for, and then share what is left") {
  std::stop_source source;
  const Leaving leaving(source.get_token());
  CHECK_FALSE(leaving.asked());
  CHECK(leaving.within(1h) == 1h);
  source.request_stop();
  CHECK(leaving.asked());
  CHECK(leaving.within(1h) <= Leaving::kLimit);
  CHECK(leaving.within(1ms) <= 1ms);
  CHECK(leaving.within(0ms) == 0ms);
}

TEST_CASE("leaving: one that begins after the request knows of it") {
  std::stop_source source;
  source.request_stop();
  const Leaving leaving(source.get_token());
  CHECK(leaving.asked());
}

}  // namespace tocsin
