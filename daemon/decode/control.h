// The members that only control events have: containment, acknowledge, verdict, break_glass,
// release, selftest.
#pragma once

#include <simdjson.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "daemon/decode/reject.h"
#include "daemon/event.h"

namespace tocsin {

// Reads members of one event, then judges them once its type is known: `by` or `verdict` in another
// type's event is somebody's own field and must not cost us that event.  One a decoder; not
// thread-safe.
class ControlReader {
 public:
  static constexpr std::size_t kStringBytesMax = 512;  // longer ones are cut at a character
  static constexpr std::size_t kReasonsMax = 16;       // of a release; those after it are left out

  using Value = simdjson::ondemand::value;

  void reset();
  // A member of the event that the decoder itself has no use for; unknown ones are left alone.  An
  // error is one of the text (not JSON, not UTF-8), which spoils the event whatever its type.
  std::expected<void, Reject> read(std::string_view key, Value value);
  // Whether what an event of this type must say was there, and right.
  [[nodiscard]] std::expected<void, Reject> check(EventType type) const;
  // Views into the event's text.
  [[nodiscard]] const ControlPayload& payload() const { return payload_; }

 private:
  // The members of an event that are read here.
  enum class Member : std::uint8_t {
    kContainment,
    kIncidentId,
    kFindingId,
    kBy,
    kVerdict,
    kBreakGlass,
    kRelease,
    kSelftest,
  };
  static constexpr std::size_t kMemberCount = 8;
  using Status = std::expected<void, Reject>;

  Status read_member(Member member, Value value);
  Status read_containment(Value value);
  Status read_containment_member(std::string_view key, Value value);
  Status read_verdict(Value value);
  Status read_break_glass(Value value);
  Status read_break_glass_member(std::string_view key, Value value);
  Status read_release(Value value);
  Status read_release_member(std::string_view key, Value value);
  Status read_reasons(Value value);
  Status read_selftest(Value value);
  Status read_selftest_member(std::string_view key, Value value);

  ControlPayload payload_;
  bool used_ = false;                                      // anything was read since the reset
  std::array<std::optional<Reject>, kMemberCount> wrong_;  // what is wrong with a member
  std::uint8_t words_ = 0;  // the required words of the object at hand that were there
  bool complete_containment_ = false;
  bool complete_break_glass_ = false;
  bool complete_release_ = false;
  bool complete_selftest_ = false;
  bool has_verdict_ = false;
};

}  // namespace tocsin
