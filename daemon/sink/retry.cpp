#include "daemon/sink/retry.h"

#include <algorithm>

namespace tocsin {

std::chrono::milliseconds retry_pause(const RetryLimits& limits, std::uint32_t failures,
                                      double random,
                                      std::optional<std::chrono::seconds> retry_after) {
  constexpr std::uint32_t kDoublingsMax = 30;  // far beyond any longest pause
  const std::uint32_t doublings = std::min(failures > 0 ? failures - 1 : 0, kDoublingsMax);
  const auto whole = std::min(limits.first * (std::int64_t{1} << doublings), limits.longest);
  const auto part =
      static_cast<std::int64_t>(static_cast<double>(whole.count()) * (0.5 + random / 2));
  std::chrono::milliseconds pause(part);
  if (retry_after) {
    pause =
        std::max(pause, std::min<std::chrono::milliseconds>(*retry_after, limits.asked_longest));
  }
  return pause;
}

Reception reception_of(int status) {
  constexpr int kRequestTimeout = 408;
  constexpr int kTooEarly = 425;
  constexpr int kTooManyRequests = 429;
  if (status >= 200 && status < 300) return Reception::kTaken;
  if (status < 400 || status >= 500) return Reception::kLater;
  const bool passes =
      status == kRequestTimeout || status == kTooEarly || status == kTooManyRequests;
  return passes ? Reception::kLater : Reception::kRefused;
}

}  // namespace tocsin
