#include "detectors/rules/rule_set.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::Recorder;
using testing::Report;

Rule make_rule(std::string_view id, std::vector<EventType> on, std::string_view field,
               std::string_view regex) {
  Rule rule;
  rule.info.id = id;
  rule.on = std::move(on);
  rule.field = field;
  rule.selector = FieldSelector::parse(field).value();
  rule.regex = regex;
  return rule;
}

std::vector<Report> evaluate(const RuleSet& rules, const Event& event) {
  RuleSet::Scratch scratch;
  Recorder recorder;
  rules.evaluate(event, scratch, recorder);
  return recorder.reports;
}

Leaf leaf(std::string_view path, std::string_view text, LeafKind kind = LeafKind::kString) {
  return {.path = path, .text = text, .kind = kind};
}

// An event with `evil` in every field there is, whatever its type.
Event full_of_evil(EventType type) {
  Event event;
  event.type = type;
  event.text = "evil";
  event.tool.name = "evil";
  event.tool.arguments = {leaf("a", "evil")};
  event.tool.result = {leaf("r", "evil")};
  event.tools = {{.name = "n", .description = "evil", .parameters = {}}};
  return event;
}

TEST_CASE("a rule looks at its event types and its field, and at nothing else") {
  constexpr std::string_view kFields[] = {"text", "tool.name", "tool.arguments.**",
                                          "tool.result.**", "tool.description"};
  constexpr std::string_view kEvidence[] = {"text", "tool.name", "tool.arguments.a",
                                            "tool.result.r", "tool.description"};
  std::vector<Rule> rules;
  for (std::size_t type = 0; type < kEventTypeCount; ++type) {
    for (const std::string_view field : kFields) {
      rules.push_back(make_rule("r", {static_cast<EventType>(type)}, field, "evil"));
    }
  }
  const RuleSet set(std::move(rules));
  for (std::size_t type = 0; type < kEventTypeCount; ++type) {
    CAPTURE(name_of(static_cast<EventType>(type)));
    const auto reports = evaluate(set, full_of_evil(static_cast<EventType>(type)));
    REQUIRE(reports.size() == std::size(kFields));
    for (std::size_t field = 0; field < std::size(kFields); ++field) {
      CHECK(reports[field].rule == type * std::size(kFields) + field);
      REQUIRE(reports[field].evidence.size() == 1);
      CHECK(reports[field].evidence[0].first == kEvidence[field]);
      CHECK(reports[field].evidence[0].second == "evil");
    }
  }
}

TEST_CASE("a rule with several event types looks at each") {
  const RuleSet set(
      {make_rule("r", {EventType::kToolCall, EventType::kToolResult}, "tool.name", "evil")});
  CHECK(evaluate(set, full_of_evil(EventType::kToolCall)).size() == 1);
  CHECK(evaluate(set, full_of_evil(EventType::kToolResult)).size() == 1);
  CHECK(evaluate(set, full_of_evil(EventType::kUserMessage)).empty());
}

TEST_CASE("all rules are evaluated, none hides another") {
  std::vector<Rule> rules;
  for (int i = 0; i < 50; ++i) {
    rules.push_back(
        make_rule("r", {EventType::kUserMessage}, "text", i % 2 == 0 ? "evil" : "none"));
  }
  const RuleSet set(std::move(rules));
  Event event;
  event.type = EventType::kUserMessage;
  event.text = "so evil, evil, evil";
  const auto reports = evaluate(set, event);
  REQUIRE(reports.size() == 25);
  for (std::size_t i = 0; i < reports.size(); ++i) CHECK(reports[i].rule == 2 * i);
}

TEST_CASE("each rule reports at most once an event, with its first match") {
  const RuleSet set({make_rule("r", {EventType::kToolCall}, "tool.arguments.**", "ev[i1]l"),
                     make_rule("s", {EventType::kToolCall}, "tool.arguments.**", "first")});
  Event event;
  event.type = EventType::kToolCall;
  event.tool.arguments = {leaf("a", "good"), leaf("b", "first ev1l, then evil"), leaf("c", "evil"),
                          leaf("d", "first")};
  RuleSet::Scratch scratch;
  for (int again = 0; again < 3; ++again) {
    Recorder recorder;
    set.evaluate(event, scratch, recorder);  // the scratch is used again: once an event, not once
    REQUIRE(recorder.reports.size() == 2);
    CHECK(recorder.reports[0].rule == 0);
    CHECK(recorder.reports[0].evidence[0] ==
          std::pair<std::string, std::string>("tool.arguments.b", "ev1l"));
    CHECK(recorder.reports[1].rule == 1);
  }
}

TEST_CASE("a scratch may be used with another rule set") {
  const RuleSet small({make_rule("a", {EventType::kUserMessage}, "text", "evil")});
  const RuleSet large({make_rule("a", {EventType::kUserMessage}, "text", "evil"),
                       make_rule("b", {EventType::kUserMessage}, "text", "evil"),
                       make_rule("c", {EventType::kUserMessage}, "text", "evil")});
  const Event event = full_of_evil(EventType::kUserMessage);
  RuleSet::Scratch scratch;
  for (const auto& [set, expected] :
       {std::pair(&small, 1U), {&large, 3U}, {&small, 1U}, {&large, 3U}}) {
    Recorder recorder;
    set->evaluate(event, scratch, recorder);
    CHECK(recorder.reports.size() == expected);
  }
}

TEST_CASE("paths decide which leaves count") {
  struct Row {
    std::string_view field;
    std::vector<std::string> found;  // the field of the evidence, or nothing
  };
  const Row rows[] = {
      {"tool.arguments.**", {"tool.arguments.cc"}},
      {"tool.arguments.to", {"tool.arguments.to"}},
      {"tool.arguments.items.*.name", {"tool.arguments.items.1.name"}},
      {"tool.arguments.items.0.name", {}},
      {"tool.arguments.items", {}},
      {"tool.arguments.n", {"tool.arguments.n"}},
      {"tool.arguments.flag", {}},          // a boolean has no text worth a pattern
      {"tool.arguments.nothing", {}},       // nor has null
      {"tool.result.**", {"tool.result"}},  // a result that is a string itself
  };
  Event event;
  event.tool.arguments = {leaf("cc", "666"),
                          leaf("to", "666"),
                          leaf("items.0.name", "1"),
                          leaf("items.1.name", "666"),
                          leaf("n", "666", LeafKind::kNumber),
                          leaf("flag", "666", LeafKind::kBoolean),
                          leaf("nothing", "666", LeafKind::kNull)};
  event.tool.result = {leaf("", "666")};
  for (const Row& row : rows) {
    CAPTURE(row.field);
    event.type =
        row.field.starts_with("tool.result") ? EventType::kToolResult : EventType::kToolCall;
    const RuleSet set({make_rule("r", {event.type}, row.field, "666")});
    std::vector<std::string> found;
    for (const Report& report : evaluate(set, event)) found.push_back(report.evidence[0].first);
    CHECK(found == row.found);
  }
}

TEST_CASE("a rule that does not select one leaf can still match a later one") {
  const RuleSet set({make_rule("to", {EventType::kToolCall}, "tool.arguments.to", "evil"),
                     make_rule("all", {EventType::kToolCall}, "tool.arguments.**", "evil")});
  Event event;
  event.type = EventType::kToolCall;
  event.tool.arguments = {leaf("body", "evil"), leaf("to", "evil")};
  const auto reports = evaluate(set, event);
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].rule == 1);
  CHECK(reports[0].evidence[0].first == "tool.arguments.body");
  CHECK(reports[1].rule == 0);
  CHECK(reports[1].evidence[0].first == "tool.arguments.to");
}

TEST_CASE("descriptions are those of tools and of their parameters") {
  const RuleSet set({make_rule("r", {EventType::kToolDefinitions}, "tool.description", "evil")});
  struct Row {
    std::string_view path;
    std::string_view text;
    std::size_t reports;
  };
  const Row rows[] = {
      {"description", "evil", 1},
      {"properties.to.description", "evil", 1},
      {"properties.to.title", "evil", 0},
      {"properties.to.description", "good", 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path, row.text);
    Event event;
    event.type = EventType::kToolDefinitions;
    event.tools = {{.name = "evil", .description = "good", .parameters = {}},
                   {.name = "n", .description = "", .parameters = {leaf(row.path, row.text)}}};
    CHECK(evaluate(set, event).size() == row.reports);
  }
}

TEST_CASE("evidence is the leftmost match alone, in bytes of UTF-8") {
  const RuleSet set({make_rule("r", {EventType::kUserMessage}, "text", "(?i)é+vil")});
  Event event;
  event.type = EventType::kUserMessage;
  event.text = "世界 🙂 ÉéVIL und évil";
  const auto reports = evaluate(set, event);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].evidence[0].second == "ÉéVIL");
}

TEST_CASE("nothing to look at, nothing to report") {
  const RuleSet none({});
  CHECK(evaluate(none, full_of_evil(EventType::kToolCall)).empty());
  const RuleSet set({make_rule("r", {EventType::kUserMessage}, "text", "evil")});
  Event empty;
  empty.type = EventType::kUserMessage;
  CHECK(evaluate(set, empty).empty());
}

TEST_CASE("a pattern set agrees with its patterns one by one") {
  const std::vector<std::string> patterns = {"a+", "b", "^x", "a.*z", "nope", "(?s)\\n.", "z$"};
  const matcher::PatternSet set(patterns);
  const std::string_view texts[] = {"", "a", "caab", "xaz", "line\nx z", "zzz", "baaz a"};
  for (const std::string_view text : texts) {
    std::vector<matcher::Match> matches = {{.pattern = 99, .begin = 0, .end = 0}};  // is kept
    set.scan(text, matches);
    CAPTURE(text);
    REQUIRE(matches.size() >= 1);
    CHECK(matches[0].pattern == 99);
    std::size_t next = 1;
    for (std::uint32_t i = 0; i < patterns.size(); ++i) {
      const auto compiled = matcher::PatternSet::compile_one(patterns[i]);
      REQUIRE(compiled.has_value());
      re2::StringPiece found;
      const bool hit = (*compiled)->Match(re2::StringPiece(text.data(), text.size()), 0,
                                          text.size(), re2::RE2::UNANCHORED, &found, 1);
      if (!hit) continue;
      CAPTURE(patterns[i]);
      REQUIRE(next < matches.size());
      CHECK(matches[next].pattern == i);
      CHECK(text.substr(matches[next].begin, matches[next].end - matches[next].begin) ==
            std::string_view(found.data(), found.size()));
      ++next;
    }
    CHECK(next == matches.size());
  }
}

}  // namespace
}  // namespace tocsin
