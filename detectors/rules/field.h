// The fields a rule can name: texts of the event, and facts about where it happened.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"

namespace tocsin {

// The texts of an event, by what they are.
enum class FieldClass : std::uint8_t {
  kText,         // `text`: messages and outputs
  kToolName,     // `tool.name`
  kArguments,    // `tool.arguments.**`, `tool.arguments.<path>`
  kResult,       // `tool.result.**`, `tool.result.<path>`; the error too
  kDescription,  // `tool.description`: of a tool in tool_definitions, and of its parameters
};
inline constexpr std::size_t kFieldClassCount = 5;
inline constexpr std::array<std::string_view, kFieldClassCount> kFieldClassNames = {
    "text", "tool.name", "tool.arguments", "tool.result", "tool.description"};

// One value an event, from its envelope or the system's profile.
enum class ContextField : std::uint8_t {
  kEffect,
  kDeclared,
  kSystem,
  kRisk,
  kDecision,
  kTenant,
  kModel,
  kRelease,
};
inline constexpr std::size_t kContextFieldCount = 8;
inline constexpr std::array<std::string_view, kContextFieldCount> kContextFieldNames = {
    "tool.effect",     "tool.declared", "system", "system.risk",
    "system.decision", "tenant",        "model",  "release"};

// What `field:` names: a set of texts, or a context field.  Paths are dotted; a step may hold `*`
// for any run of characters within the step, a leading `**` stands for any number of steps, and
// ASCII case is ignored, since producers do not agree on it.
class FieldSelector {
 public:
  static std::optional<FieldSelector> parse(std::string_view text);

  // Nothing: it names texts.
  [[nodiscard]] std::optional<ContextField> context() const { return context_; }
  [[nodiscard]] bool selects(FieldClass field, std::string_view path) const;
  // Whether events of this type can fill the field at all.
  [[nodiscard]] bool filled_by(EventType type) const;
  // Whether it names texts of this class.
  [[nodiscard]] bool names(FieldClass field) const;
  // A path that is selected, for the events that examples are tried on.
  [[nodiscard]] std::string example_path() const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  bool parse_path(std::string_view path);

  std::string text_;
  std::uint8_t classes_ = 0;  // bits by FieldClass
  std::optional<ContextField> context_;
  bool any_depth_ = false;          // began with `**.`
  std::vector<std::string> steps_;  // lower case; empty: every leaf
};

}  // namespace tocsin
