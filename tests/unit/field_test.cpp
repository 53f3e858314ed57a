#include "detectors/rules/field.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

TEST_CASE("fields that a rule can name") {
  struct Row {
    std::string_view text;
    std::optional<FieldClass> field;
  };
  const Row rows[] = {
      {"text", FieldClass::kText},
      {"tool.name", FieldClass::kToolName},
      {"tool.description", FieldClass::kDescription},
      {"tool.arguments.**", FieldClass::kArguments},
      {"tool.arguments.to", FieldClass::kArguments},
      {"tool.arguments.items.*.name", FieldClass::kArguments},
      {"tool.arguments.*", FieldClass::kArguments},
      {"tool.arguments.a-b c", FieldClass::kArguments},
      {"tool.result.**", FieldClass::kResult},
      {"tool.result.0.html", FieldClass::kResult},
      {"", {}},
      {"Text", {}},
      {"text.body", {}},
      {"text.**", {}},
      {"tool", {}},
      {"tool.", {}},
      {"tool.name.x", {}},
      {"tool.names", {}},
      {"tool.arguments", {}},
      {"tool.arguments.", {}},
      {"tool.arguments..", {}},
      {"tool.arguments.a.", {}},
      {"tool.arguments..a", {}},
      {"tool.arguments.a..b", {}},
      {"tool.arguments.a.**", {}},
      {"tool.arguments.**.a", FieldClass::kArguments},
      {"tool.arguments.**.*pass*", FieldClass::kArguments},
      {"tool.arguments.**.", {}},
      {"tool.arguments.a**", {}},
      {"tool.arguments**", {}},
      {"tool.argumentsx.a", {}},
      {"tool.results.**", {}},
      {"tool.description.x", {}},
      {"arguments.to", {}},
      {" text", {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto selector = FieldSelector::parse(row.text);
    REQUIRE(selector.has_value() == row.field.has_value());
    if (selector) CHECK(selector->names(*row.field));
  }
}

TEST_CASE("which leaves a field selects") {
  struct Row {
    std::string_view field;
    std::string_view path;
    bool selected;
  };
  const Row rows[] = {
      {"tool.arguments.**", "", true},
      {"tool.arguments.**", "a.b.c", true},
      {"tool.arguments.to", "to", true},
      {"tool.arguments.to", "", false},
      {"tool.arguments.to", "tos", false},
      {"tool.arguments.to", "t", false},
      {"tool.arguments.to", "to.0", false},
      {"tool.arguments.to", "cc.to", false},
      {"tool.arguments.to", "To", true},  // keys ignore case
      {"tool.arguments.*pass*", "Password", true},
      {"tool.arguments.*pass*", "pwd", false},
      {"tool.arguments.*pass*", "user.password", false},
      {"tool.arguments.**.pass", "pass", true},
      {"tool.arguments.**.pass", "user.0.pass", true},
      {"tool.arguments.**.pass", "pass.x", false},
      {"tool.arguments.**.user.pass", "a.user.pass", true},
      {"tool.arguments.a*b*c", "aXbYc", true},
      {"tool.arguments.a*b*c", "aXcYb", false},
      {"tool.arguments.*", "to", true},
      {"tool.arguments.*", "to.0", false},
      {"tool.arguments.*", "", false},
      {"tool.arguments.to.*", "to.0", true},
      {"tool.arguments.to.*", "to", false},
      {"tool.arguments.items.*.name", "items.0.name", true},
      {"tool.arguments.items.*.name", "items.12.name", true},
      {"tool.arguments.items.*.name", "items.name", false},
      {"tool.arguments.items.*.name", "items.0.1.name", false},
      {"tool.arguments.items.*.name", "items.0.name.x", false},
      {"tool.arguments.*.*", "a.b", true},
      {"tool.result.0", "0", true},
      {"text", "", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.field, row.path);
    const auto selector = FieldSelector::parse(row.field);
    REQUIRE(selector.has_value());
    const FieldClass field = row.field.starts_with("tool.result")  ? FieldClass::kResult
                             : row.field.starts_with("tool.argum") ? FieldClass::kArguments
                                                                   : FieldClass::kText;
    CHECK(selector->selects(field, row.path) == row.selected);
    CHECK_FALSE(selector->selects(FieldClass::kDescription, row.path));
  }
}

TEST_CASE("which events can fill a field") {
  struct Row {
    std::string_view field;
    std::string_view types;  // those that can, by name
  };
  const Row rows[] = {
      {"text", " system_message user_message model_output "},
      {"tool.name", " tool_call tool_result "},
      {"tool.arguments.**", " tool_call "},
      {"tool.arguments.to", " tool_call "},
      {"tool.result.**", " tool_result "},
      {"tool.description", " tool_definitions "},
      {"content",
       " system_message user_message model_output tool_definitions tool_call tool_result "},
      {"tool.effect", " tool_call tool_result "},
  };
  for (const Row& row : rows) {
    const auto selector = FieldSelector::parse(row.field);
    REQUIRE(selector.has_value());
    for (std::size_t i = 0; i < kEventTypeCount; ++i) {
      const auto type = static_cast<EventType>(i);
      CAPTURE(row.field, name_of(type));
      const std::string word = " " + std::string(name_of(type)) + " ";
      CHECK(selector->filled_by(type) == (row.types.find(word) != std::string_view::npos));
    }
  }
}

TEST_CASE("an example's path is one that its field selects") {
  for (const std::string_view text :
       {"tool.arguments.**", "tool.arguments.to", "tool.arguments.items.*.name",
        "tool.arguments.**.*password*", "tool.arguments.*"}) {
    CAPTURE(text);
    const auto selector = FieldSelector::parse(text);
    REQUIRE(selector.has_value());
    CHECK(selector->selects(FieldClass::kArguments, selector->example_path()));
  }
}

}  // namespace
}  // namespace tocsin
