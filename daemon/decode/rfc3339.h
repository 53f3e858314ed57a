// RFC 3339 timestamps.
#pragma once

#include <optional>
#include <string_view>

#include "daemon/event.h"

namespace tocsin {

// `2026-11-23T08:15:30.123Z`, `…+01:00`, a space or `t` for `T`, any number of fraction digits (cut
// to microseconds), second 60.  Anything else, a date that does not exist included, is nullopt.
std::optional<EventTime> parse_rfc3339(std::string_view text);

}  // namespace tocsin
