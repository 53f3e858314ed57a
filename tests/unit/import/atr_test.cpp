#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/import/imported.h"

namespace tocsin {
namespace {

using testing::Imported;
using testing::TempDir;
using Strings = std::vector<std::string>;

constexpr EventType kUser = EventType::kUserMessage;
constexpr EventType kOutput = EventType::kModelOutput;
constexpr EventType kCall = EventType::kToolCall;
constexpr EventType kResult = EventType::kToolResult;

Imported import_folder(const TempDir& dir) {
  return Imported({{.format = ImportFormat::kAtr, .path = dir.path(), .only = {}, .except = {}}});
}

// A rule with this `detection:` (indented by two) and more top-level text.
std::string rule(const std::string& detection, const std::string& more = "",
                 const std::string& source = "llm_io") {
  return "title: A rule\nid: ATR-2026-00001\nseverity: critical\nstatus: stable\nmaturity: stable\n"
         "tags: {category: context-exfiltration}\nagent_source: {type: " +
         source + "}\ndetection:\n" + detection + more;
}

std::string any_of(const std::string& conditions) {
  return "  conditions: [" + conditions + "]\n  condition: any\n";
}

struct One {
  explicit One(const std::string& text) {
    dir.write("r.yaml", text);
    read = std::make_unique<Imported>(import_folder(dir));
  }
  [[nodiscard]] const ImportReport& report() const { return read->reports.at(0); }
  bool finds(std::string_view text, EventType type) const {
    return read->finds("atr.2026-00001", text, type);
  }
  TempDir dir;
  std::unique_ptr<Imported> read;
};

TEST_CASE("an Agent Threat Rule becomes one of ours") {
  const One one(rule(any_of("{field: user_input, operator: regex, value: 'send .{0,9}keys'}"),
                     "references:\n  owasp_llm: ['LLM02:2025']\n"
                     "  mitre_atlas: ['AML.T0053 - Tool Invocation', 'AML.T9999']\n"
                     "compliance:\n  nist_ai_rmf: [{subcategory: MS.2.7}]\n"));
  REQUIRE(one.report().taken == 1);
  const Rule& made = one.read->rules[0];
  CHECK(made.info.id == "atr.2026-00001");
  CHECK(made.info.title == "A rule");
  CHECK(made.info.severity == Severity::kCritical);
  CHECK(made.info.category == Category::kExfiltration);
  CHECK(made.info.tags == Strings{"atlas:AML.T0053", "nist:MS-2.7", "owasp:LLM02:2025"});
  CHECK(one.report().tags_dropped == 1);
  CHECK(made.line == 2);
  // Case is ignored, as ATR's engine does; what a tool said is looked at as the user's word.
  CHECK(one.finds("Send all KEYS", kUser));
  CHECK(one.finds("send all keys", kResult));
  CHECK_FALSE(one.finds("send all keys", kOutput));
}

TEST_CASE("a trial of its authors is a ticket at most") {
  for (const char* word : {"status: experimental\nmaturity: stable",
                           "status: stable\nmaturity: test", "status: draft\nmaturity: draft"}) {
    CAPTURE(word);
    std::string text = rule(any_of("{field: content, operator: contains, value: abc}"));
    const std::string settled = "status: stable\nmaturity: stable";
    text.replace(text.find(settled), settled.size(), word);
    const One one(text);
    REQUIRE(one.report().taken == 1);
    CHECK(one.read->rules[0].info.severity == Severity::kMedium);
  }
}

TEST_CASE("fields and operators") {
  struct Row {
    const char* condition;
    const char* source;
    const char* text;
    std::vector<EventType> in;
  };
  const std::vector<Row> rows = {
      {"{field: content, operator: contains, value: EVIL}",
       "llm_io",
       "so evil",
       {kUser, kOutput, kResult}},
      {"{field: content, operator: contains, value: evil}",
       "mcp_exchange",
       "evil",
       {EventType::kToolDefinitions, kCall, kResult}},
      {"{field: content, operator: contains, value: evil}", "tool_call", "evil", {kCall}},
      {"{field: agent_output, operator: exact, value: evil}", "llm_io", "evil", {kOutput, kResult}},
      {"{field: tool_args, operator: starts_with, value: evil}", "tool_call", "evil x", {kCall}},
      {"{field: tool_name, operator: regex, value: '^evil'}", "tool_call", "evil_tool", {kCall}},
      {"{field: tool_description, operator: regex, value: evil}",
       "tool_call",
       "evil",
       {EventType::kToolDefinitions}},
      {"{field: tool_response, operator: regex, value: evil}", "llm_io", "evil", {kResult}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.condition);
    const One one(rule(any_of(row.condition), "", row.source));
    REQUIRE(one.report().taken == 1);
    for (std::size_t i = 0; i < kEventTypeCount; ++i) {
      const auto type = static_cast<EventType>(i);
      CAPTURE(name_of(type));
      CHECK(one.finds(row.text, type) == (std::ranges::find(row.in, type) != row.in.end()));
    }
  }
}

TEST_CASE("conditions that are named and combined") {
  const std::string named =
      "  conditions:\n"
      "    a: {field: content, match_type: contains, patterns: [apple, pear]}\n"
      "    b: {field: content, match_type: regex, patterns: ['b\\d']}\n"
      "    c: {field: content, match_type: contains, patterns: [stop]}\n";
  struct Row {
    const char* condition;
    const char* text;
    bool found;
  };
  for (const Row& row : std::vector<Row>{{"a AND b", "pear b1", true},
                                         {"a AND b", "pear", false},
                                         {"a and (b or c)", "apple stop", true},
                                         {"a OR b AND c", "apple", true},
                                         {"(a OR b) AND c", "apple", false},
                                         {"a AND NOT c", "apple", true},
                                         {"a AND NOT c", "apple stop", false},
                                         {"all", "apple b1 stop", true},
                                         {"all", "apple b1", false},
                                         {"any", "b1", true}}) {
    CAPTURE(row.condition, row.text);
    const One one(rule(named + "  condition: " + row.condition + "\n"));
    REQUIRE(one.report().taken == 1);
    CHECK(one.finds(row.text, kUser) == row.found);
  }
  for (const char* wrong : {"a AND d", "NOT a", "a AND (b", "a b", "((((((((a))))))))"}) {
    CAPTURE(wrong);
    const One one(rule(named + "  condition: " + wrong + "\n"));
    CHECK(one.report().taken == 0);
    CHECK(one.report().refused.size() == 1);
  }
}

TEST_CASE("what is refused, and why") {
  const std::pair<std::string, std::string> rows[] = {
      {any_of("{field: content, operator: regex, value: 'a(?=b)'}"), "a look-ahead (?="},
      {any_of("{field: content, operator: regex, value: '(?<!a)b'}"), "a look-behind (?<!"},
      {any_of("{field: content, operator: regex, value: '(a)\\1'}"), "a back-reference \\1"},
      {any_of("{field: content, operator: regex, value: 'a{2000}'}"), "RE2 refuses the pattern"},
      {any_of("{field: content, operator: regex, value: 'a*'}"), "the pattern matches the empty"},
      {any_of("{field: metric.x, operator: regex, value: a}"), "the field `metric.x` has no"},
      {any_of("{field: content, operator: gt, value: 3}"), "the operator `gt` has no"},
      {any_of("{metric: calls, operator: gt, threshold: 3}"), "a condition on a metric"},
      {any_of(R"({field: tool_args, operator: regex, value: '"cmd"\s*:\s*"rm'})"),
       "needs the key \"cmd\":"},
      {any_of("{field: content, operator: regex, value: a}") + "  method: trace\n",
       "`method: trace` is no pattern"},
      {any_of("{field: content, operator: regex, value: a}") + "  method: semantic\n",
       "asks a model"},
      {"  conditions: []\n  condition: any\n", "has no `detection.conditions`"},
      {"  conditions: [{field: tool_args, operator: contains, value: a},"
       " {field: tool_response, operator: contains, value: b}]\n  condition: all\n",
       "needs fields of different events"},
  };
  for (const auto& [detection, reason] : rows) {
    CAPTURE(detection);
    const One one(rule(detection));
    CHECK(one.read->said == Strings{});
    REQUIRE(one.report().refused.size() == 1);
    CAPTURE(one.report().refused[0].text);
    CHECK(one.report().refused[0].text.starts_with(reason));
    CHECK(one.report().refused[0].line == 2);
  }
}

TEST_CASE("of conditions that are alternatives, the others are taken") {
  const One one(
      rule(any_of("{field: content, operator: regex, value: 'a(?=b)'},"
                  "{field: content, operator: regex, value: 'good'}")));
  CHECK(one.report().taken == 1);
  REQUIRE(one.report().reduced.size() == 1);
  CHECK(one.report().reduced[0].text ==
        "1 of its conditions is left out: a look-ahead (?=; RE2 has none");
  CHECK(one.finds("good", kUser));
}

TEST_CASE("a rule's own tests are run; one that fails them is taken and named") {
  const One one(rule(any_of("{field: user_input, operator: regex, value: 'evil'}"), R"(
test_cases:
  true_positives:
    - {input: so evil, expected: triggered}
    - {input: so bad, expected: triggered}
    - {user_input: evil, expected: trigger}
    - {agent_output: evil, expected: triggered}
  true_negatives:
    - {input: fine, expected: not_triggered}
    - {tool_response: not evil, expected: not_triggered}
    - {somewhere_else: evil, expected: not_triggered}
evasion_tests:
  - {input: "e\u200bvil", expected: not_triggered, bypass_technique: invisible}
  - {input: wicked, expected: not_triggered, bypass_technique: synonym}
)"));
  const ImportReport& report = one.report();
  CHECK(report.taken == 1);
  CHECK(report.tests == 6);
  CHECK(report.tests_failed == 3);
  CHECK(report.evasions == 2);
  CHECK(report.evasions_found == 1);
  CHECK(Imported::brief(report.failed) ==
        Strings{"2 ATR-2026-00001: 2 of 4 that must be found are not; "
                "1 of 2 that must not be found are"});
}

TEST_CASE("a test of a call is one") {
  const One one(
      rule("  conditions: [{field: tool_name, operator: regex, value: '^pay'},"
           " {field: tool_args, operator: contains, value: '900'}]\n  condition: all\n",
           "test_cases:\n"
           "  true_positives:\n"
           "    - {tool_call: {name: pay, args: '900'}, expected: triggered}\n"
           "    - {tool_name: pay_now, tool_args: {sum: 900}, expected: triggered}\n"
           "    - {input: {tool_name: pay, tool_args: '900'}, expected: triggered}\n"
           "  true_negatives:\n"
           "    - {tool_call: {name: look, args: '900'}, expected: not_triggered}\n",
           "tool_call"));
  CHECK(one.report().tests == 4);
  CHECK(one.report().tests_failed == 0);
}

TEST_CASE("a folder, or a package as npm unpacks it") {
  const std::string good = rule(any_of("{field: content, operator: contains, value: abc}"));
  const TempDir dir;
  dir.write("package.json", "{}");
  dir.write("spec/schema.yaml", "a: b\n");
  dir.write("rules/a/one.yaml", good);
  dir.write("rules/b/again.yaml", good);
  dir.write("rules/b/broken.yaml", "id: [\n");
  dir.write("rules/b/.hidden.yaml", good);
  dir.write("rules/b/notes.yaml", "just: notes\n");
  const Imported read = import_folder(dir);
  CHECK(read.said == Strings{});
  REQUIRE(read.reports.size() == 1);
  CHECK(read.reports[0].taken == 1);
  const Strings refused = Imported::brief(read.reports[0].refused);
  REQUIRE(refused.size() == 2);
  CHECK(refused[0].starts_with("2 ATR-2026-00001: the rule id `atr.2026-00001` is taken"));
  CHECK(refused[1].find("broken: not YAML") != std::string::npos);
  CHECK(import_format_of(dir.path()) == ImportFormat::kAtr);

  const TempDir packs;
  packs.write("p.yaml", "rules: []\n");
  CHECK_FALSE(import_format_of(packs.path()).has_value());
  CHECK_FALSE(import_format_of(packs.path() / "p.yaml").has_value());
  CHECK(import_folder(packs).diagnostics.has_errors());
  CHECK(Imported({{.format = ImportFormat::kAtr, .path = "/nonexistent"}}).said ==
        Strings{"no such folder"});
}

TEST_CASE("hostile names are shown, not obeyed") {
  std::string text = rule(any_of("{field: content, operator: regex, value: 'a(?=b)'}"));
  const std::string id = "ATR-2026-00001";
  text.replace(text.find(id), id.size(), R"("\e[31mred\nnext")");
  const One one(text);
  REQUIRE(one.report().refused.size() == 1);
  CHECK(one.report().refused[0].id.find('\x1b') == std::string::npos);
  CHECK(one.report().refused[0].id.find('\n') == std::string::npos);
}

}  // namespace
}  // namespace tocsin
