// What detectors keep of an event and compare calls by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "daemon/event.h"
#include "daemon/finding.h"
#include "detectors/detector.h"
#include "detectors/session/mark.h"

namespace tocsin::session {

// The beginning of a text from outside, no character cut.
std::string kept(std::string_view text, std::size_t bytes_max);

// What evidence calls the value at `path` of an event's `base` ("tool.arguments"); an empty path is
// the whole, which could not be taken apart.
std::string field_of(std::string_view base, std::string_view path);

// Without its tool, and with it.
Mark mark_of(const Event& event, const EventContext& context);
Mark mark_with_tool(const Event& event, const EventContext& context);

// Memory that a string holds beside itself.
std::size_t heap_bytes(const std::string& text);

// What a call and its result are brought together by; 0: the producer gave no id.
std::uint64_t call_key(std::string_view call_id);

// Of a value, in the order its members came; "1" is not 1.
std::uint64_t hash_leaves(std::span<const Leaf> leaves, std::uint64_t seed);

// The same in whatever order the members came, and whatever the digits in it are: a date or a count
// that changes makes no difference.
std::uint64_t hash_shape(std::span<const Leaf> leaves, std::uint64_t seed);
std::uint64_t hash_shape(std::string_view text, std::uint64_t seed);

}  // namespace tocsin::session
