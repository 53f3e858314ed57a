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

// What was done to stop an incident, or is asked for.
enum class ContainmentAction : std::uint8_t {
  kBlockTool,
  kKillSession,
  kRevokeCredential,
  kQuarantineSystem,
  kRollBack,
};
inline constexpr std::size_t kContainmentActionCount = 5;
std::span<const std::string_view> containment_action_names();
std::string_view name_of(ContainmentAction action);
std::optional<ContainmentAction> containment_action_named(std::string_view name);

struct Containment {
  ContainmentAction action = ContainmentAction::kKillSession;
  bool done = false;  // false: it was tried and failed
  std::string_view by;
  std::string_view incident_id;  // empty: of the event's session, else of the whole system
};

// What a person makes of a finding or an incident.
enum class Judgement : std::uint8_t { kTruePositive, kFalsePositive, kAcceptedRisk };
inline constexpr std::size_t kJudgementCount = 3;
std::string_view name_of(Judgement judgement);
std::optional<Judgement> judgement_named(std::string_view name);

// Of acknowledge and verdict.  One of the two ids is there.
struct AnalystWord {
  std::string_view incident_id;
  std::string_view finding_id;
  std::string_view by;
  Judgement judgement = Judgement::kTruePositive;  // of a verdict
};

struct BreakGlass {
  std::string_view id;
  std::string_view by;
  std::string_view reason;
  bool opened = false;  // false: closed
};

enum class ReleaseOutcome : std::uint8_t { kAllowed, kBlocked, kOverridden };
inline constexpr std::size_t kReleaseOutcomeCount = 3;
std::string_view name_of(ReleaseOutcome outcome);
std::optional<ReleaseOutcome> release_outcome_named(std::string_view name);

struct ReleaseDecision {
  std::string_view version;
  std::string_view prompt_version;
  ReleaseOutcome decision = ReleaseOutcome::kBlocked;
  std::vector<std::string_view> reasons;
};

struct Selftest {
  std::string_view id;
  EventTime sent_at{};
};

// What a control event carries; only the part of its type means anything.
struct ControlPayload {
  Containment containment;
  AnalystWord analyst;
  BreakGlass break_glass;
  ReleaseDecision release;
  Selftest selftest;
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
  std::string_view text;                    // messages and outputs
  ToolUse tool;                             // tool_call, tool_result
  std::vector<ToolDefinition> tools;        // tool_definitions
  Guardrail guardrail;                      // guardrail
  const ControlPayload* control = nullptr;  // control events, and never null there
  SourcePosition source;
};

}  // namespace tocsin
