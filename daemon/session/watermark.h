// How far a partition's event time has come, whatever single clocks say.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "daemon/event.h"

namespace tocsin {

// A time that is far from all before it moves nothing by itself: one producer whose clock is wrong,
// or who lies, would end every other session.  Several sessions in a row that agree do, since a
// stream may pause for a night.  Not thread-safe.
class Watermark {
 public:
  static constexpr std::chrono::hours kAheadMax{1};    // further ahead is far
  static constexpr std::chrono::hours kBehindMax{24};  // further behind is far
  static constexpr std::size_t kAgreeing = 3;  // sessions that must say so, none other between
  // Events in a row by which time goes back: the first that came was wrong, or late ones come.
  static constexpr std::uint64_t kAgreeingBack = 256;

  // True: it went back, and what was compared with it must be set anew.
  bool see(EventTime time, std::uint64_t session) {
    if (now_ == EventTime::min()) {
      now_ = time;
      return false;
    }
    const bool ahead = time > now_ + kAheadMax;
    const bool behind = time < now_ - kBehindMax;
    if (!ahead && !behind) {
      now_ = time > now_ ? time : now_;
      agreeing_ = 0;
      return false;
    }
    ++(ahead ? ahead_ : behind_);
    return agree(time, session, ahead);
  }

  [[nodiscard]] EventTime now() const { return now_; }
  // Events whose time was far ahead or behind, since the last call.
  std::uint64_t take_ahead() { return std::exchange(ahead_, 0); }
  std::uint64_t take_behind() { return std::exchange(behind_, 0); }

 private:
  bool agree(EventTime time, std::uint64_t session, bool ahead) {
    if (agreeing_ == 0 || ahead != agreed_ahead_) {
      agreed_ahead_ = ahead;
      agreed_ = time;
      agreeing_ = 0;
      in_a_row_ = 0;
    }
    ++in_a_row_;
    // What all of them have reached.
    if (ahead ? time < agreed_ : time > agreed_) agreed_ = time;
    bool known = false;
    for (std::size_t i = 0; i < agreeing_; ++i) known = known || sessions_[i] == session;
    if (!known && agreeing_ < kAgreeing) sessions_[agreeing_++] = session;
    if (agreeing_ < kAgreeing || (!ahead && in_a_row_ < kAgreeingBack)) return false;
    now_ = agreed_;
    agreeing_ = 0;
    return !ahead;
  }

  EventTime now_ = EventTime::min();
  EventTime agreed_{};
  bool agreed_ahead_ = false;
  std::array<std::uint64_t, kAgreeing> sessions_{};
  std::size_t agreeing_ = 0;
  std::uint64_t in_a_row_ = 0;
  std::uint64_t ahead_ = 0;
  std::uint64_t behind_ = 0;
};

}  // namespace tocsin
