#include "detectors/rules/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/rules/describe.h"
#include "detectors/rules/pack.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using Strings = std::vector<std::string>;

struct Linted {
  explicit Linted(std::string pack) {
    std::vector<yaml::Document> packs;
    auto document = yaml::parse("p.yaml", std::move(pack), diagnostics);
    REQUIRE(document.has_value());
    packs.push_back(std::move(*document));
    rules = read_packs(packs, patterns, diagnostics, &failures);
    warnings = lint(rules, patterns);
  }
  [[nodiscard]] Strings brief() const {
    Strings out;
    for (const LintWarning& warning : warnings) {
      out.push_back(fmt::format("{}:{}:{} {} {}", warning.file, warning.line, warning.column,
                                warning.rule, name_of(warning.lint)));
    }
    return out;
  }

  Diagnostics diagnostics;
  PatternTable patterns;
  std::vector<ExampleFailure> failures;
  std::vector<Rule> rules;
  std::vector<LintWarning> warnings;
};

// A rule that nothing can be said against, with more keys.
std::string rule(std::string_view id, std::string_view more = "",
                 std::string_view severity = "high",
                 std::string_view where = "{field: 'tool.arguments.**', regex: 'evil'}") {
  return fmt::format(
      "  - id: {}\n    title: t\n    severity: {}\n    category: shell_command\n"
      "    on: [tool_call]\n    where: {}\n    match: ['evil']\n    no_match: ['good']\n{}",
      id, severity, where, more);
}

TEST_CASE("a good rule is left alone") {
  const Linted linted("rules:\n" + rule("a.good"));
  CHECK_FALSE(linted.diagnostics.has_errors());
  CHECK(linted.brief() == Strings{});
}

TEST_CASE("a warning stands at its pattern, in a macro's file too") {
  const Linted linted(
      "macros:\n"
      "  sent: {field: 'tool.arguments.**', regex: '(?s)evil.*x'}\n"
      "rules:\n" +
      rule("a.one", "", "high",
           "\n      any:\n        - {field: 'tool.arguments.**', regex: ['evil', '\\d+']}\n"
           "        - {macro: sent}"));
  REQUIRE_FALSE(linted.diagnostics.has_errors());
  CHECK(linted.brief() ==
        Strings{"p.yaml:2:45 a.one unbounded-gap", "p.yaml:11:56 a.one no-literal"});
}

TEST_CASE("no-twin") {
  std::string pack = "rules:\n" + rule("a.one");
  pack.erase(pack.find("    no_match"));
  const Linted linted(std::move(pack));
  CHECK(linted.brief() == Strings{"p.yaml:2:1 a.one no-twin"});
}

TEST_CASE("unfilled-field: an event type in which the condition cannot hold") {
  const auto pack = [](std::string_view where) {
    return fmt::format(
        "rules:\n  - id: a.one\n    title: t\n    severity: low\n    category: secret\n"
        "    on: [tool_call, model_output]\n    where: {}\n"
        "    match: [{{type: tool_call, tool: evil, arguments: {{a: evil}}, text: evil}}]\n"
        "    no_match: ['good']\n",
        where);
  };
  const Linted bad(
      pack("{all: [{field: tool.name, in: [evil]}, {field: content, contains: [evil]}]}"));
  REQUIRE_FALSE(bad.diagnostics.has_errors());
  CHECK(bad.brief() == Strings{"p.yaml:2:1 a.one unfilled-field"});
  CHECK(bad.warnings[0].message.find("model_output") != std::string::npos);
  const Linted good(
      pack("{any: [{field: tool.name, in: [evil]}, {field: text, contains: [evil]}]}"));
  REQUIRE_FALSE(good.diagnostics.has_errors());
  CHECK(good.brief() == Strings{});
  const Linted absent(
      pack("{all: [{field: tool.effect, exists: false}, {field: content, contains: [evil]}]}"));
  CHECK(absent.brief() == Strings{});
}

TEST_CASE("unfilled-field: a message that names what is never there") {
  const Linted linted("rules:\n" + rule("a.one", "    message: 'said {text}'\n") +
                      rule("a.two", "    message: 'by {tool.name}'\n"));
  CHECK(linted.brief() == Strings{"p.yaml:2:1 a.one unfilled-field"});
}

TEST_CASE("severity-inflation: more than half of a pack, told once") {
  const auto pack = [](std::size_t critical, std::size_t high) {
    std::string text = "rules:\n";
    for (std::size_t i = 0; i < critical; ++i)
      text += rule(fmt::format("c.n{}", i), "", "critical");
    for (std::size_t i = 0; i < high; ++i) text += rule(fmt::format("h.n{}", i));
    return text;
  };
  CHECK(Linted(pack(2, 2)).brief() == Strings{});
  CHECK(Linted(pack(3, 0)).brief() == Strings{});  // a share of three says nothing
  CHECK(Linted(pack(3, 2)).brief() == Strings{"p.yaml:2:1 c.n0 severity-inflation"});
  // What is critical in one type of event only is no inflation.
  std::string by_type;
  for (int i = 0; i < 5; ++i) by_type += rule(fmt::format("t.n{}", i), "", "{tool_call: critical}");
  CHECK(Linted("rules:\n" + by_type).brief().size() == 1);
}

TEST_CASE("severity-inflation: rules that mean it do not count") {
  const std::string meant = "    lint_ignore: [severity-inflation]\n";
  const std::string pack = "rules:\n" + rule("c.a", meant, "critical") +
                           rule("c.b", "", "critical") + rule("c.c", "", "critical") + rule("h.a") +
                           rule("h.b");
  CHECK(Linted(pack).brief() == Strings{});
  CHECK(Linted(pack + rule("h.c")).brief() == Strings{"p.yaml:2:1 c.a useless-ignore"});
}

TEST_CASE("lint_ignore silences what it names, and that there must be") {
  const std::string digits = "{field: 'tool.arguments.**', regex: '[evil]+'}";
  CHECK(Linted("rules:\n" + rule("a.one", "    lint_ignore: [no-literal]\n", "high", digits))
            .brief() == Strings{});
  CHECK(
      Linted("rules:\n" + rule("a.one", "    lint_ignore: [no-twin]\n", "high", digits)).brief() ==
      Strings{"p.yaml:2:1 a.one useless-ignore", "p.yaml:7:48 a.one no-literal"});
  const Linted unknown("rules:\n" + rule("a.one", "    lint_ignore: [no-twins]\n"));
  REQUIRE(unknown.diagnostics.errors() == 1);
  CHECK(unknown.diagnostics.all()[0].message == "no lint is called `no-twins`");
  CHECK(unknown.diagnostics.all()[0].hint.find("`no-twin`") != std::string::npos);
}

TEST_CASE("failed examples, all of them, when they are asked for") {
  std::string pack = "rules:\n" + rule("a.one") + rule("a.two");
  const auto replace = [&](std::string_view old, std::string_view with) {
    pack.replace(pack.find(old), old.size(), with);
  };
  replace("match: ['evil']", "match: ['mild', 'evil', {arguments: {a: [meek]}}]");
  replace("no_match: ['good']", "no_match: ['an evil one']");
  const Linted linted(pack);
  CHECK_FALSE(linted.diagnostics.has_errors());
  CHECK(linted.rules.size() == 2);
  REQUIRE(linted.failures.size() == 3);
  const ExampleFailure& first = linted.failures[0];
  CHECK(first.file == "p.yaml");
  CHECK(first.line == 8);
  CHECK(first.rule == "a.one");
  CHECK(first.example == "mild");
  CHECK(first.wanted);
  CHECK(first.types == std::vector<EventType>{EventType::kToolCall});
  CHECK(first.found.empty());
  CHECK(linted.failures[1].example == "{arguments: {a: [meek]}}");
  CHECK_FALSE(linted.failures[2].wanted);
  CHECK(linted.failures[2].found == "evil");
}

TEST_CASE("a condition in words") {
  const Linted linted(
      "rules:\n" +
      rule("a.one", "", "high",
           "\n      all:\n"
           "        - {field: tool.effect, in: [egress, write]}\n"
           "        - {field: 'tool.arguments.**', regex: ['(evil)', 'b(a)d'], capture: 1,\n"
           "           validate: [not_placeholder], unless: 'x-evil', decode: false}\n"
           "      none:\n"
           "        - {field: 'tool.arguments.**', url: {domain: [example.com], port: 443}}\n"
           "        - {field: 'tool.arguments.n', gte: 5}"));
  REQUIRE_FALSE(linted.diagnostics.has_errors());
  CHECK(describe(linted.rules[0].where, linted.patterns) ==
        Strings{"all of", "  tool.effect is one of egress, write",
                "  tool.arguments.** matches one of", "    /(evil)/", "    /b(a)d/",
                "    group 1 of it counts", "    it passes not_placeholder",
                "    unless it matches", "      /x-evil/", "    as it came, not decoded",
                "  none of", "    tool.arguments.** holds a URL with",
                "      domain or below: example.com", "      port: 443",
                "    tool.arguments.n is a number >= 5"});
}

}  // namespace
}  // namespace tocsin
