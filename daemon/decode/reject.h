// Why a record is not an event.  Each reason is a label value of `tocsin_events_rejected_total`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tocsin {

enum class Reject : std::uint8_t {
  kEmpty,            // no bytes, or a tombstone
  kTooLarge,         // more bytes than the limit
  kInvalidUtf8,      //
  kMalformedJson,    // not JSON
  kTrailingContent,  // JSON, and then something
  kNotAnObject,      //
  kTooDeep,          // arguments, result or schema nested past the limit
  kTooManyValues,    // more scalars or tools than the limit
  kWrongType,        // a known field holds the wrong kind of value
  kMissingTime,
  kMissingSystem,
  kMissingSession,
  kMissingType,
  kMissingPayload,  // the type's own field is absent: `text`, `tool.name`, `tools`, `guardrail`,
                    // a control event's object or a required member of it
  kUnknownType,
  kBadTime,     // not RFC 3339
  kBadVerdict,  // of an event of type guardrail: none of its words
  kBadControl,  // a control event's action, outcome, verdict, state or decision: none of its words
};
inline constexpr std::size_t kRejectCount = 18;

std::string_view name_of(Reject reason);

}  // namespace tocsin
