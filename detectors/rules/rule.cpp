#include "detectors/rules/rule.h"

namespace tocsin {
namespace {

// Takes the text up to the next dot off the front.
std::string_view take_step(std::string_view& path) {
  const std::size_t dot = path.find('.');
  const std::string_view step = path.substr(0, dot);
  path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
  return step;
}

}  // namespace

std::optional<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector selector;
  for (std::size_t i = 0; i < kFieldClassCount; ++i) {
    const std::string_view name = kFieldClassNames[i];
    selector.class_ = static_cast<FieldClass>(i);
    const bool has_paths =
        selector.class_ == FieldClass::kArguments || selector.class_ == FieldClass::kResult;
    if (!has_paths && text == name) return selector;
    if (!has_paths || !text.starts_with(name)) continue;
    std::string_view path = text.substr(name.size());
    if (path == ".**") return selector;
    if (path.size() < 2 || path.front() != '.' || path.back() == '.') return std::nullopt;
    path.remove_prefix(1);
    while (!path.empty()) {
      const std::string_view step = take_step(path);
      if (step.empty() || step == "**") return std::nullopt;  // `**` stands alone
      selector.steps_.emplace_back(step);
    }
    return selector;
  }
  return std::nullopt;
}

bool FieldSelector::selects(std::string_view path) const {
  if (steps_.empty()) return true;
  for (const std::string& wanted : steps_) {
    if (path.empty()) return false;
    const std::string_view step = take_step(path);
    if (wanted != "*" && wanted != step) return false;
  }
  return path.empty();
}

bool FieldSelector::filled_by(EventType type) const {
  switch (class_) {
    case FieldClass::kText:
      return type == EventType::kSystemMessage || type == EventType::kUserMessage ||
             type == EventType::kModelOutput;
    case FieldClass::kToolName:
      return type == EventType::kToolCall || type == EventType::kToolResult;
    case FieldClass::kArguments: return type == EventType::kToolCall;
    case FieldClass::kResult: return type == EventType::kToolResult;
    case FieldClass::kDescription: return type == EventType::kToolDefinitions;
  }
  return false;
}

}  // namespace tocsin
