// When to try again what was not taken.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace tocsin {

struct RetryLimits {
  std::chrono::milliseconds first{1000};
  std::chrono::milliseconds longest{60'000};
  // Of what a receiver may ask for.
  std::chrono::milliseconds asked_longest{300'000};
};

// The pause after the `failures`-th failure in a row (from 1): twice the last one, up to the
// longest, and of that between a half and all, as `random` in [0, 1) says, so that many senders do
// not come back at once.  What the receiver asked for is the least, up to its own bound.
std::chrono::milliseconds retry_pause(const RetryLimits& limits, std::uint32_t failures,
                                      double random,
                                      std::optional<std::chrono::seconds> retry_after);

// What an answer means for the record that was sent.
enum class Reception : std::uint8_t {
  kTaken,    // 2xx
  kRefused,  // 4xx but 408, 425 and 429: this record will never be taken
  kLater,    // all else; 0: there was no answer
};
Reception reception_of(int status);

}  // namespace tocsin
