#include "daemon/event.h"

#include <array>

#include "daemon/names.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, kEventTypeCount> kNames = {
    "system_message", "user_message", "model_output", "tool_definitions", "tool_call",
    "tool_result",    "guardrail",    "containment",  "acknowledge",      "verdict",
    "break_glass",    "release",      "selftest",
};
constexpr std::array<std::string_view, kVerdictCount> kVerdictNames = {"allow", "deny", "modify",
                                                                       "warn", "escalate"};
constexpr std::array<std::string_view, kContainmentActionCount> kActionNames = {
    "block_tool", "kill_session", "revoke_credential", "quarantine_system", "roll_back"};
constexpr std::array<std::string_view, kJudgementCount> kJudgementNames = {
    "true_positive", "false_positive", "accepted_risk"};
constexpr std::array<std::string_view, kReleaseOutcomeCount> kReleaseNames = {"allowed", "blocked",
                                                                              "overridden"};

}  // namespace

std::string_view name_of(EventType type) { return kNames[static_cast<std::size_t>(type)]; }

std::span<const std::string_view> event_type_names() { return kNames; }

std::optional<EventType> event_type_named(std::string_view name) {
  return named<EventType>(kNames, name);
}

std::string_view name_of(Verdict verdict) {
  return kVerdictNames[static_cast<std::size_t>(verdict)];
}

std::optional<Verdict> verdict_named(std::string_view name) {
  return named<Verdict>(kVerdictNames, name);
}

std::span<const std::string_view> containment_action_names() { return kActionNames; }

std::string_view name_of(ContainmentAction action) {
  return kActionNames[static_cast<std::size_t>(action)];
}

std::optional<ContainmentAction> containment_action_named(std::string_view name) {
  return named<ContainmentAction>(kActionNames, name);
}

std::string_view name_of(Judgement judgement) {
  return kJudgementNames[static_cast<std::size_t>(judgement)];
}

std::optional<Judgement> judgement_named(std::string_view name) {
  return named<Judgement>(kJudgementNames, name);
}

std::string_view name_of(ReleaseOutcome outcome) {
  return kReleaseNames[static_cast<std::size_t>(outcome)];
}

std::optional<ReleaseOutcome> release_outcome_named(std::string_view name) {
  return named<ReleaseOutcome>(kReleaseNames, name);
}

}  // namespace tocsin
