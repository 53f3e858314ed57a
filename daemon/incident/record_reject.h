// Why a record of a topic of ours is not what it should be.  Anybody may have written it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tocsin::incident {

enum class RecordReject : std::uint8_t {
  kTooLarge,
  kMalformedJson,  // or not UTF-8
  kNotAnObject,
  kMissingField,
  kWrongType,
  kBadWord,  // a time, severity, category, kind, state or action that is none
  kTooMany,  // more items in a list than the one who writes it would put there
};
inline constexpr std::size_t kRecordRejectCount = 7;

std::string_view name_of(RecordReject reason);

}  // namespace tocsin::incident
