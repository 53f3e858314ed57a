// What is known about the tool of an event, from its profile or its name.
#pragma once

#include <string_view>

#include "daemon/event.h"
#include "daemon/profile/effect.h"
#include "daemon/profile/system_profile.h"
#include "detectors/detector.h"

namespace tocsin::session {

// `infer(name)`: the effect of a tool that the profile does not list.  Of an event that is neither
// a call nor a result nothing is known.
template <typename Infer>
ToolContext tool_context(const Event& event, const SystemProfile* profile, const Infer& infer) {
  if (event.type != EventType::kToolCall && event.type != EventType::kToolResult) return {};
  const ToolProfile* declared = profile == nullptr ? nullptr : profile->tool(event.tool.name);
  if (declared == nullptr) return {.effect = infer(event.tool.name)};
  return {.declared = declared, .effect = declared->effect, .inferred = false};
}

// As its name alone says: no session has described the tool.
inline ToolContext tool_context(const Event& event, const SystemProfile* profile) {
  return tool_context(event, profile, [](std::string_view name) { return infer_effect(name); });
}

}  // namespace tocsin::session
