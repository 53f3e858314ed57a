// What tocsin says: a finding, and the rule that said it.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "daemon/session/folds.h"

namespace tocsin {

// What it asks of a person: critical and high page, medium is a ticket, the rest is context.
enum class Severity : std::uint8_t { kInfo, kLow, kMedium, kHigh, kCritical };
inline constexpr std::size_t kSeverityCount = 5;
std::span<const std::string_view> severity_names();
std::string_view name_of(Severity severity);
std::optional<Severity> severity_named(std::string_view name);

enum class Category : std::uint8_t {
  kPromptInjection,
  kJailbreak,
  kPromptLeak,
  kExfiltration,
  kSecret,
  kPii,
  kShellCommand,
  kCodeExecution,
  kSql,
  kSsrf,
  kPathTraversal,
  kUnsafeTool,
  kUndeclaredTool,
  kToolPoisoning,
  kResourceAbuse,
  kOutputPolicy,
  kGuardrailFailure,
  kRegression,
};
inline constexpr std::size_t kCategoryCount = 18;
std::span<const std::string_view> category_names();
std::string_view name_of(Category category);

// One thing that can be found, whoever finds it: a rule of a pack or one of a detector's.
struct RuleInfo {
  std::string id;        // "shell.download-and-run"; unique in a policy
  std::string detector;  // "rules" for packs, else the detector's id
  std::string title;
  Severity severity = Severity::kMedium;
  Category category = Category::kUnsafeTool;
  std::vector<std::string> tags;
};

// An earlier event that led to this finding.
struct Origin {
  std::string event_id;
  std::uint64_t seq = 0;
  std::string tool;
};

// The same as views.
struct OriginView {
  std::string_view event_id;
  std::uint64_t seq = 0;
  std::string_view tool;
};

// Why.  `excerpt` is masked and `hash` keyed (redact.h) before either leaves the pipeline.
struct Evidence {
  std::string field;  // "tool.arguments.to"
  std::string excerpt;
  std::string hash;
  std::string decoded;  // through which decodings it was seen: "base64+url"; empty: as it stands
  std::optional<Origin> origin;
};

// What findings of different sessions may have in common, and incidents join by: an outside place
// that something went to, an account, a credential.
enum class IndicatorKind : std::uint8_t { kDestination, kAccount, kCredential };
inline constexpr std::size_t kIndicatorKindCount = 3;
std::span<const std::string_view> indicator_kind_names();
std::string_view name_of(IndicatorKind kind);

struct Indicator {
  IndicatorKind kind = IndicatorKind::kDestination;
  std::string hash;  // keyed (redact.h): comparable where the key is the same
  auto operator<=>(const Indicator&) const = default;
};
inline constexpr std::size_t kIndicatorsMax = 8;  // of a finding

struct Finding {
  std::string finding_id;  // 32 hex digits, from the event and the rule alone
  EventTime time{};        // the event's
  EventTime detected_at{};
  std::string system;
  std::string session_id;
  std::string event_id;
  std::uint64_t seq = 0;
  EventType type = EventType::kToolCall;
  std::string tool;
  std::string rule;
  std::string detector;
  Severity severity = Severity::kMedium;
  std::optional<Severity> demoted_from;  // the rule's own: it floods (rule_watch.h)
  Category category = Category::kUnsafeTool;
  std::string title;
  std::string message;  // the rule's own words about this event, masked like evidence; may be empty
  std::vector<std::string> tags;
  std::vector<Evidence> evidence;
  std::vector<Indicator> indicators;  // kIndicatorsMax at most; of severities high and critical
  // Of its session, whatever that was joined with since (incident/incident_table.h); empty below
  // medium.
  std::string incident_id;
  std::string tenant;
  Repeats repeats;    // those alike in the session by now
  std::string owner;  // empty: nobody declared one
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

// One line, as contracts.md section 2 has it, plain ASCII, without a newline.
std::string to_json(const Finding& finding);

// The id of the incident that a session's findings belong to by themselves: 32 hex digits, from the
// first of them that asks something of a person.
std::string incident_id_of(std::string_view system, std::string_view session_id,
                           std::string_view first_finding_id);

// "2026-11-23T08:15:30.123Z"; six digits only where there are microseconds.
std::string format_time(EventTime time);

}  // namespace tocsin
