#include "detectors/rules/field.h"

#include <algorithm>

#include "daemon/text.h"

namespace tocsin {
namespace {

constexpr std::size_t kStepsMax = 32;

constexpr std::uint8_t bit(FieldClass field) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(field));
}
// `content`: whatever the agent, the user or a tool said.  A tool's name is no content.
constexpr std::uint8_t kContent = bit(FieldClass::kText) | bit(FieldClass::kArguments) |
                                  bit(FieldClass::kResult) | bit(FieldClass::kDescription);

// Takes the text up to the next dot off the front.
std::string_view take_step(std::string_view& path) {
  const std::size_t dot = path.find('.');
  const std::string_view step = path.substr(0, dot);
  path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
  return step;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// `*` in `glob` (lower case) is any run of characters.  Linear: only the last star is retried.
bool glob_matches(std::string_view glob, std::string_view text) {
  std::size_t g = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      retry = t;
    } else if (g < glob.size() && glob[g] == lower(text[t])) {
      ++g;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

bool steps_match(const std::vector<std::string>& steps, std::string_view path) {
  for (const std::string& wanted : steps) {
    if (path.empty()) return false;
    if (!glob_matches(wanted, take_step(path))) return false;
  }
  return path.empty();
}

// The classes that events of a type fill.
std::uint8_t filled(EventType type) {
  switch (type) {
    case EventType::kSystemMessage:
    case EventType::kUserMessage:
    case EventType::kModelOutput: return bit(FieldClass::kText);
    case EventType::kToolCall: return bit(FieldClass::kToolName) | bit(FieldClass::kArguments);
    case EventType::kToolResult: return bit(FieldClass::kToolName) | bit(FieldClass::kResult);
    case EventType::kToolDefinitions: return bit(FieldClass::kDescription);
    default: return 0;
  }
}

}  // namespace

bool FieldSelector::parse_path(std::string_view path) {
  if (path == "**") return true;
  if (path.starts_with("**.")) {
    any_depth_ = true;
    path.remove_prefix(3);
  }
  if (path.empty() || path.back() == '.') return false;
  while (!path.empty()) {
    const std::string_view step = take_step(path);
    const bool misplaced = step.find("**") != std::string_view::npos;  // only in front
    if (step.empty() || misplaced || steps_.size() >= kStepsMax) return false;
    steps_.push_back(ascii_lower(step));
  }
  return true;
}

std::optional<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector selector;
  selector.text_ = text;
  if (text == "content") {
    selector.classes_ = kContent;
    return selector;
  }
  const auto* context = std::ranges::find(kContextFieldNames, text);
  if (context != kContextFieldNames.end()) {
    selector.context_ = static_cast<ContextField>(context - kContextFieldNames.begin());
    return selector;
  }
  for (std::size_t i = 0; i < kFieldClassCount; ++i) {
    const auto field = static_cast<FieldClass>(i);
    const std::string_view name = kFieldClassNames[i];
    selector.classes_ = bit(field);
    const bool has_paths = field == FieldClass::kArguments || field == FieldClass::kResult;
    if (!has_paths && text == name) return selector;
    if (!has_paths || !text.starts_with(name)) continue;
    const std::string_view path = text.substr(name.size());
    if (!path.starts_with('.') || !selector.parse_path(path.substr(1))) return std::nullopt;
    return selector;
  }
  return std::nullopt;
}

bool FieldSelector::names(FieldClass field) const { return (classes_ & bit(field)) != 0; }

bool FieldSelector::selects(FieldClass field, std::string_view path) const {
  if (!names(field)) return false;
  if (steps_.empty()) return true;
  if (steps_match(steps_, path)) return true;
  while (any_depth_ && !path.empty()) {
    take_step(path);
    if (steps_match(steps_, path)) return true;
  }
  return false;
}

bool FieldSelector::filled_by(EventType type) const {
  if (!context_) return (classes_ & filled(type)) != 0;
  const bool of_a_tool = *context_ == ContextField::kEffect || *context_ == ContextField::kDeclared;
  return !of_a_tool || type == EventType::kToolCall || type == EventType::kToolResult;
}

std::string FieldSelector::example_path() const {
  std::string path;
  for (const std::string& step : steps_) {
    if (!path.empty()) path += '.';
    std::string filled_in = step;
    std::ranges::replace(filled_in, '*', 'x');
    path += filled_in;
  }
  return path;
}

}  // namespace tocsin
