// A rule of a pack, and the fields a rule can look at.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "daemon/finding.h"

namespace tocsin {

// What a selector starts with; the fields of one class are scanned together.
enum class FieldClass : std::uint8_t {
  kText,         // `text`: messages and outputs
  kToolName,     // `tool.name`
  kArguments,    // `tool.arguments.**`, `tool.arguments.<path>`
  kResult,       // `tool.result.**`, `tool.result.<path>`
  kDescription,  // `tool.description`: of a tool in tool_definitions, and of its parameters
};
inline constexpr std::size_t kFieldClassCount = 5;
inline constexpr std::array<std::string_view, kFieldClassCount> kFieldClassNames = {
    "text", "tool.name", "tool.arguments", "tool.result", "tool.description"};

// Which leaves of a class: all of them, or those at a dotted path in which `*` stands for one step.
class FieldSelector {
 public:
  static std::optional<FieldSelector> parse(std::string_view text);

  [[nodiscard]] FieldClass field_class() const { return class_; }
  [[nodiscard]] bool selects(std::string_view path) const;
  // Whether events of this type can fill the field at all.
  [[nodiscard]] bool filled_by(EventType type) const;

 private:
  FieldClass class_ = FieldClass::kText;
  std::vector<std::string> steps_;  // empty: every leaf
};

struct Rule {
  RuleInfo info;
  std::string description;
  std::vector<EventType> on;
  std::string field;  // as written
  FieldSelector selector;
  std::string regex;  // all alternatives as one pattern
  std::vector<std::string> match;
  std::vector<std::string> no_match;
};

}  // namespace tocsin
