// By when to be gone: whatever waits for a broker waits no longer than this leaves it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>

namespace tocsin {

// Thread-safe.  Bound to the stop token for as long as it lives.
class Leaving {
 public:
  // From the request to stop until the last broker has been waited for; what is left of
  // Daemon::kStopLimit is for joining and destroying.
  static constexpr std::chrono::milliseconds kLimit{8000};

  explicit Leaving(const std::stop_token& stop) : note_(stop, Note{this}) {}
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;
  ~Leaving() = default;

  [[nodiscard]] bool asked() const { return asked_ms_ != kNever; }

  // `limit`, or what is left of it.  Never negative.
  [[nodiscard]] std::chrono::milliseconds within(std::chrono::milliseconds limit) const {
    const std::int64_t asked = asked_ms_;
    if (asked == kNever) return limit;
    const std::chrono::milliseconds left{asked + kLimit.count() - now_ms()};
    return std::clamp(left, std::chrono::milliseconds(0), limit);
  }

 private:
  static constexpr std::int64_t kNever = -1;

  struct Note {
    Leaving* leaving;
    void operator()() const { leaving->asked_ms_ = now_ms(); }
  };

  static std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  std::atomic<std::int64_t> asked_ms_{kNever};  // steady clock
  std::stop_callback<Note> note_;               // last: may be called at once
};

}  // namespace tocsin
