#include "daemon/event.h"

#include <algorithm>
#include <array>

namespace tocsin {
namespace {

constexpr std::array<std::string_view, kEventTypeCount> kNames = {
    "system_message", "user_message", "model_output", "tool_definitions", "tool_call",
    "tool_result",    "guardrail",    "containment",  "acknowledge",      "verdict",
    "break_glass",    "release",      "selftest",
};
constexpr std::array<std::string_view, kVerdictCount> kVerdictNames = {"allow", "deny", "modify",
                                                                       "warn", "escalate"};

}  // namespace

std::string_view name_of(EventType type) { return kNames[static_cast<std::size_t>(type)]; }

std::span<const std::string_view> event_type_names() { return kNames; }

std::optional<EventType> event_type_named(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<EventType>(found - kNames.begin());
}

std::string_view name_of(Verdict verdict) {
  return kVerdictNames[static_cast<std::size_t>(verdict)];
}

std::optional<Verdict> verdict_named(std::string_view name) {
  const auto* found = std::ranges::find(kVerdictNames, name);
  if (found == kVerdictNames.end()) return std::nullopt;
  return static_cast<Verdict>(found - kVerdictNames.begin());
}

}  // namespace tocsin
