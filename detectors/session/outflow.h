// What a call takes out of its session: where it goes, and which private values go with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "detectors/detector.h"
#include "detectors/flow/tracker.h"

namespace tocsin::session {

// Something leaves for another party: an outward tool, a command that sends, or a read that
// contacts the place its URL names.
enum class Way : std::uint8_t { kNone, kContact, kSend };
Way way_out(const Event& call, const EventContext& context);

// A place that something can go to, named in content that others may have written and not by the
// user; the one with the least standing when there are several.  Null: none.
const flow::Carried* foreign_destination(const Event& call, const EventContext& context);

// Only passages that ask named it, or results that such a passage led to.
bool named_by_request_alone(const flow::Carried& value);

// The user pointed to where the value was read ("what is in a.txt"), or to what that is a part of.
bool pointed_to(const flow::Source& source);

// A private value in a call's arguments.
struct PrivateValue {
  std::string path;  // of the argument
  std::string text;
  std::string
      decoded;  // through what it was seen: "base64", "url", "reversed"; empty: as it stands
  const flow::Source* source = nullptr;

  // Written so that nobody who reads the call sees it; a URL's parts and percent signs are not.
  [[nodiscard]] bool hidden() const;
};
inline constexpr std::string_view kUrlPart = "url";
inline constexpr std::size_t kPrivateValuesMax = 8;  // of a call

// An address, account, card or telephone number, or an id of many digits.
bool is_personal(flow::TokenKind kind, std::string_view text);

// The personal values that private results held outside of any passage that asks, and the user did
// not give, but for those that say where it goes: as they stand; and of the first
// `hidden_bytes_max` bytes of each argument also in base64, hex, percent encoding and what else
// detectors/decoding undoes, in the parts of a URL that was not read as it is, and backwards.
//
// `destination`: the place it goes to, which is none of them; may be null.
std::vector<PrivateValue> private_values(const Event& call, const EventContext& context,
                                         const flow::Carried* destination,
                                         std::size_t hidden_bytes_max);

}  // namespace tocsin::session
