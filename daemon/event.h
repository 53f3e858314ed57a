// The decoded event: what every stage after `decode` works on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace tocsin {

// Event time.  Microseconds reach far beyond any year RFC 3339 can write; nanoseconds would not.
using EventTime = std::chrono::sys_time<std::chrono::microseconds>;

enum class EventType : std::uint8_t {
  kSystemMessage,
  kUserMessage,
  kModelOutput,
  kToolDefinitions,
  kToolCall,
  kToolResult,
  kGuardrail,
  kContainment,
  kAcknowledge,
  kVerdict,
  kBreakGlass,
  kRelease,
  kSelftest,
};
inline constexpr std::size_t kEventTypeCount = 13;

// The name on the wire and in the metric label, e.g. "tool_call".
std::string_view name_of(EventType type);
std::span<const std::string_view> event_type_names();
std::optional<EventType> event_type_named(std::string_view name);

// Control events say something about a system or a finding and need no session.
constexpr bool is_control(EventType type) { return type >= EventType::kContainment; }

enum class LeafKind : std::uint8_t { kString, kNumber, kBoolean, kNull };

// One scalar of a JSON value, unescaped.  `path` is dotted, array elements by index:
// `items.0.name`; it is empty when the value itself is a scalar.
struct Leaf {
  std::string_view path;
  std::string_view text;
  LeafKind kind = LeafKind::kString;
};

struct ToolUse {
  std::string_view name;
  std::string_view call_id;
  std::string_view error;       // why the call failed; empty: it did not
  std::vector<Leaf> arguments;  // of a call
  std::vector<Leaf> result;     // of a result
  bool has_arguments =
      false;  // false: the producer did not capture them, which is not the same as `{}`
  bool arguments_parsed = false;  // false: `arguments` is one leaf, the text as it came
};

struct ToolDefinition {
  std::string_view name;
  std::string_view description;
  std::vector<Leaf> parameters;  // the JSON schema, flattened
};

// What somebody else's control decided.
enum class Verdict : std::uint8_t { kAllow, kDeny, kModify, kWarn, kEscalate };
inline constexpr std::size_t kVerdictCount = 5;
std::string_view name_of(Verdict verdict);
std::optional<Verdict> verdict_named(std::string_view name);

struct Guardrail {
  std::string_view name;
  std::string_view target_call_id;  // empty: it does not say which call it looked at
  Verdict verdict = Verdict::kAllow;
};

// Where the bytes came from.  For files: the path, 0, and the line number from 1.
struct SourcePosition {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

// Every view points into the decoder's buffers and is valid until its next `decode`.  All text is
// valid UTF-8 and written by whoever controls the agent: hostile until escaped.
struct Event {
  EventType type = EventType::kUserMessage;
  EventTime time{};
  std::string_view event_id;
  std::string_view system;
  std::string_view session_id;
  std::optional<std::uint64_t> seq;  // absent: the order of arrival counts
  std::string_view model;
  std::string_view release;
  std::string_view prompt_version;
  std::string_view tenant;
  std::string_view trace_id;
  std::string_view text;              // messages and outputs
  ToolUse tool;                       // tool_call, tool_result
  std::vector<ToolDefinition> tools;  // tool_definitions
  Guardrail guardrail;                // guardrail
  SourcePosition source;
};

}  // namespace tocsin
