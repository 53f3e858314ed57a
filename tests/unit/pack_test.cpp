#include "detectors/rules/pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detectors/rules/condition_reader.h"
#include "detectors/rules/example.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using Strings = std::vector<std::string>;

struct Read {
  explicit Read(const std::string& text, const std::string& second = "") {
    std::vector<yaml::Document> packs;
    const auto add = [&](const std::string& pack) {
      auto document = yaml::parse("p.yaml", pack, diagnostics);
      REQUIRE(document.has_value());
      packs.push_back(std::move(*document));
    };
    add(text);
    if (!second.empty()) add(second);
    rules = read_packs(packs, patterns, diagnostics);
    for (const Diagnostic& d : diagnostics.all()) {
      complaints.push_back(fmt::format("{}:{} {}", d.line, d.column, d.message));
    }
  }
  Diagnostics diagnostics;
  PatternTable patterns;
  std::vector<Rule> rules;
  Strings complaints;
};

// A pack of one good rule, with these keys replaced; an empty text leaves a key out.
std::string rule_with(const std::map<std::string, std::string>& keys) {
  const std::pair<std::string, std::string> good[] = {
      {"id", "shell.evil"},
      {"title", "t"},
      {"severity", "high"},
      {"category", "shell_command"},
      {"tags", "[owasp:ASI05]"},
      {"on", "[tool_call]"},
      {"where", "{field: tool.arguments.**, regex: 'evil'}"},
      {"match", "['so evil']"},
      {"no_match", "['good']"},
  };
  std::string text = "rules:\n";
  const char* indent = "  - ";
  for (const auto& [key, value] : good) {
    const auto given = keys.find(key);
    const std::string& used = given == keys.end() ? value : given->second;
    if (used.empty()) continue;
    text += fmt::format("{}{}: {}\n", std::exchange(indent, "    "), key, used);
  }
  for (const auto& [key, value] : keys) {
    const bool known =
        std::ranges::any_of(good, [&](const auto& pair) { return pair.first == key; });
    if (!known) text += fmt::format("{}{}: {}\n", indent, key, value);
  }
  return text;
}

TEST_CASE("a good rule") {
  const Read read(rule_with({{"description", "d"}, {"on", "[tool_call]"}}));
  REQUIRE(read.complaints == Strings{});
  REQUIRE(read.rules.size() == 1);
  const Rule& rule = read.rules[0];
  CHECK(rule.info.id == "shell.evil");
  CHECK(rule.info.detector == "rules");
  CHECK(rule.info.title == "t");
  CHECK(rule.info.severity == Severity::kHigh);
  CHECK(rule.info.category == Category::kShellCommand);
  CHECK(rule.info.tags == Strings{"owasp:ASI05"});
  CHECK(rule.description == "d");
  CHECK(rule.on == std::vector<EventType>{EventType::kToolCall});
  REQUIRE(rule.where.tests.size() == 1);
  CHECK(rule.where.tests[0].field.text() == "tool.arguments.**");
  CHECK(rule.examples == 2);
  CHECK(rule.no_match_examples == 1);
  CHECK(rule.file == "p.yaml");
  CHECK(rule.line == 2);
}

TEST_CASE("the rules of several packs, in order, with ids that differ") {
  const Read both(rule_with({}), rule_with({{"id", "shell.other"}}));
  CHECK(both.complaints == Strings{});
  REQUIRE(both.rules.size() == 2);
  CHECK(both.rules[1].info.id == "shell.other");
  const Read twice(rule_with({}), rule_with({}));
  CHECK(twice.complaints == Strings{"2:9 the rule id `shell.evil` is taken"});
}

TEST_CASE("a pack without rules") {
  CHECK(Read("rules: []\n").complaints == Strings{});
  CHECK(Read("rules:\n").complaints == Strings{});
  CHECK(Read("").complaints == Strings{"0:0 `rules` is missing"});
  CHECK(Read("rule: []\n").complaints ==
        Strings{"1:1 `rules` is missing", "1:1 unknown key `rule`"});
  CHECK(Read("rules: {a: b}\n").complaints == Strings{"1:8 `rules` must be a list"});
  CHECK(Read("rules: []\nmore: 1\n").complaints == Strings{"2:1 unknown key `more`"});
  CHECK(Read("[]\n").complaints.at(0) == "1:1 the file: expected a map, found a list");
  CHECK(Read("rules: [shell.evil]\n").complaints ==
        Strings{"1:9 the file: expected a map, found a single value"});
}

TEST_CASE("every mistake of a rule has its place, and the rule is left out") {
  const std::string too_long = "'" + std::string(kRegexBytesMax + 1, 'x') + "'";
  struct Row {
    std::string key;
    std::string value;
    std::string complaint;
    std::string hint;  // its beginning
  };
  const Row rows[] = {
      {"id", "", "2:5 `id` is missing", "for example"},
      {"id", "evil", "2:9 `evil` is not a rule id", "lower-case words"},
      {"id", "Shell.evil", "2:9 `Shell.evil` is not a rule id", ""},
      {"id", "shell..evil", "2:9 `shell..evil` is not a rule id", ""},
      {"id", "shell.-evil", "2:9 `shell.-evil` is not a rule id", ""},
      {"id", "shell.evil_one", "2:9 `shell.evil_one` is not a rule id", ""},
      {"id", "shell." + std::string(130, 'e'),
       "2:9 `shell." + std::string(130, 'e') + "` is not a rule id", ""},
      {"title", "", "2:5 `title` is missing", "one line a person"},
      {"title", "[t]", "3:12 expected a string for `title`, found a list", ""},
      {"severity", "", "2:5 `severity` is missing", "info, low, medium, high or critical"},
      {"severity", "severe", "4:15 `severe` is not a value for `severity`", ""},
      {"category", "", "2:5 `category` is missing", ""},
      {"category", "shell_comand", "5:15 `shell_comand` is not a value for `category`",
       "did you mean `shell_command`?"},
      {"tags", "[shell]",
       "6:12 the tag `shell` is not namespace:id, for example owasp:ASI05; namespaces are owasp, "
       "atlas, nist, cwe or attack",
       ""},
      {"tags", "['owasp:']",
       "6:12 the tag `owasp:` is not namespace:id, for example owasp:ASI05; namespaces are owasp, "
       "atlas, nist, cwe or attack",
       ""},
      {"tags", "[owasp:ASI11]",
       "6:12 the tag `owasp:ASI11` does not exist; the nearest is `owasp:ASI01`", ""},
      {"tags", "[owasp:ASI05, atlas:AML.T9999]",
       "6:25 the tag `atlas:AML.T9999` does not exist; the nearest is `atlas:AML.T0099`", ""},
      {"tags", "[mitre:T1]",
       "6:12 the tag `mitre:T1` is not namespace:id, for example owasp:ASI05; namespaces are "
       "owasp, atlas, nist, cwe or attack",
       ""},
      {"on", "", "2:5 `on` is missing", "the event types"},
      {"on", "[]", "7:9 `on` is empty", ""},
      {"on", "~", "7:9 `on` is empty", ""},
      {"on", "[tool_cal]", "7:10 `tool_cal` is not an event type", "did you mean `tool_call`?"},
      {"on", "[user_message]", "8:20 `tool.arguments.**` is never there in a user_message event",
       "change `on` or `field`"},
      {"on", "[tool_call, tool_result]",
       "7:9 no field that `where` names is ever there in a tool_result event", ""},
      {"where", "", "2:5 `where` is missing", ""},
      {"where", "evil", "8:12 the file: expected a map, found a single value", ""},
      {"where", "{regex: 'evil'}", "8:12 `field` is missing", "one of: content"},
      {"where", "{field: tool.arguments.**}", "8:12 nothing is asked of `tool.arguments.**`",
       "regex"},
      {"where", "{field: body, regex: 'evil'}", "8:20 `body` is not a field", "one of: content"},
      {"where", "{field: txt, regex: 'evil'}", "8:20 `txt` is not a field", "did you mean `text`?"},
      {"where", "{field: tool.arguments.**, words: {list: bad}}", "8:53 no list is called `bad`",
       ""},
      {"where", "{macro: bad}", "8:20 no macro is called `bad`", ""},
      {"where", "{all: []}", "8:18 `all` must be a list of conditions", ""},
      {"where", "{field: tool.arguments.**, gt: many}", "8:43 `many` is not a number", ""},
      {"where", "{field: tool.arguments.**, cidr: 10.0.0.0/99}",
       "8:45 `10.0.0.0/99` is not a network", ""},
      {"where", "{field: tool.arguments.**, regex: evil, capture: 1}",
       "8:61 there is no group 1 in `evil`", ""},
      {"where", "{field: tool.arguments.**, regex: evil, validate: lun}",
       "8:62 there is no validator `lun`; did you mean `luhn`?", ""},
      {"where", "{field: tool.arguments.**, regex: evil, within: 9}",
       "8:60 `within` without `require_any`", ""},
      {"where", "{field: tool.arguments.**, regex: evil, through: base46}",
       "8:61 `base46` is not a decoding", "did you mean `base64`?"},
      {"where", "{field: tool.arguments.**, regex: evil, decode: maybe}",
       "8:60 `maybe` is not true, false or only", ""},
      {"message", "'to {nobody}'", "11:14 `{nobody}` is not a field", "{match}"},
      {"severity", "{tool_call: hihg}", "4:27 `hihg` is not a value for `severity.tool_call`", ""},
      {"where", "{field: tool.arguments.**, regex: '(?=evil)'}",
       "8:46 RE2 refuses the pattern: ", "RE2 has no look-around"},
      {"where", R"({field: tool.arguments.**, regex: '(evil)\1'})",
       "8:46 RE2 refuses the pattern: ", ""},
      {"where", "{field: tool.arguments.**, regex: 'evil{1001}'}",
       "8:46 RE2 refuses the pattern: ", ""},
      {"where", "{field: tool.arguments.**, regex: '((evil{100}){100}){100}'}",
       "8:46 RE2 refuses the pattern: ", ""},
      {"where", "{field: tool.arguments.**, regex: 'evil('}", "8:46 RE2 refuses the pattern: ", ""},
      {"where", "{field: tool.arguments.**, regex: '(evil)*'}",
       "8:46 the pattern matches the empty text, and so everything", "make at least one"},
      {"where", "{field: tool.arguments.**, regex: 'evil|'}",
       "8:46 the pattern matches the empty text, and so everything", ""},
      {"where", R"({field: tool.arguments.**, regex: '\b|evil'})",
       "8:46 the pattern matches the empty text, and so everything", ""},
      {"where", "{field: tool.arguments.**, regex: ''}",
       "8:46 the pattern matches the empty text, and so everything", ""},
      {"where", "{field: tool.arguments.**, regex: []}", "8:46 `regex` is empty", ""},
      {"where", "{field: tool.arguments.**, regex: ~}", "8:46 `regex` is empty", ""},
      {"where", "{field: tool.arguments.**, regex: [evil, 'x(']}",
       "8:53 RE2 refuses the pattern: ", ""},
      {"where", "{field: tool.arguments.**, regex: " + too_long + "}",
       fmt::format("8:46 a pattern of {} bytes; at most {} are accepted", kRegexBytesMax + 1,
                   kRegexBytesMax),
       "split the rule"},
      {"where", "{field: tool.arguments.**, regex: 'evil', flags: i}", "8:54 unknown key `flags`",
       ""},
      {"match", "", "2:5 `match` is missing", "at least one text"},
      {"match", "[]", "9:12 `match` is empty", "at least one text"},
      {"match", "~", "9:12 `match` is empty", "at least one text"},
      {"match", "['evil', 'good']", "9:21 rule shell.evil: the `match` example is not found",
       "correct"},
      {"match", "good", "9:12 rule shell.evil: the `match` example is not found", ""},
      {"no_match", "['good', 'evil']", "10:24 rule shell.evil: the `no_match` example is found",
       "correct"},
      {"no_match", "{a: b}", "10:16 unknown key `a`", ""},
      {"unless", "x", "11:5 unknown key `unless`", ""},
      {"wher", "x", "11:5 unknown key `wher`", "did you mean `where`?"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.key, row.value.substr(0, 100));
    const Read read(rule_with({{row.key, row.value}}));
    REQUIRE_FALSE(read.complaints.empty());
    if (row.complaint.ends_with(": ")) {
      CHECK(read.complaints[0].starts_with(row.complaint));  // the rest are RE2's words
      CHECK(read.complaints[0].size() > row.complaint.size());
    } else {
      CHECK(read.complaints[0] == row.complaint);
    }
    CHECK(read.complaints.size() == 1);
    CHECK(read.diagnostics.all()[0].hint.starts_with(row.hint));
    CHECK(read.rules.empty());
  }
}

TEST_CASE("a `where` that is nothing is no rule that matches everything") {
  const Read read(rule_with({{"where", "~"}}));
  CHECK(read.complaints == Strings{"8:12 an empty condition"});
  CHECK(read.rules.empty());
}

TEST_CASE("examples are counted") {
  std::string many = "[";
  for (std::size_t i = 0; i <= kExamplesMax; ++i) many += "evil, ";
  CHECK(Read(rule_with({{"match", many + "]"}})).complaints ==
        Strings{"9:12 1001 examples; at most 1000 are accepted"});
}

TEST_CASE("a rule id that is taken") {
  const std::string once = rule_with({});
  const Read read(once + once.substr(std::string_view("rules:\n").size()));
  CHECK(read.complaints == Strings{"11:9 the rule id `shell.evil` is taken"});
  CHECK(read.rules.size() == 1);
}

TEST_CASE("alternatives are one pattern, each with its own flags") {
  const Read read(rule_with({{"where", "{field: tool.arguments.**, regex: ['(?i)evil', bad]}"},
                             {"match", "[EVIL, bad]"},
                             {"no_match", "[BAD]"}}));
  CHECK(read.complaints == Strings{});
  REQUIRE(read.rules.size() == 1);
}

TEST_CASE("ten mistakes in one file are ten errors, each with its line") {
  const Read read(
      "rules:\n"
      "  - id: one\n"  // 2: no dot
      "    title: t\n"
      "    severity: urgent\n"                        // 4
      "    category: shell\n"                         // 5
      "    tags: [nonsense]\n"                        // 6
      "    on: [tool_calls]\n"                        // 7
      "    where: {field: arguments, regex: 'a('}\n"  // 8, twice
      "    match: [a]\n"
      "    bogus: 1\n"  // 10
      "  - id: two.two\n"
      "    title: t\n"
      "    severity: low\n"
      "    category: pii\n"
      "    on: [model_output]\n"
      "    where: {field: text, regex: 'abc'}\n"
      "    match: ['abd']\n"     // 17
      "    no_match: ['abc']\n"  // 18
      "  - id: fine.rule\n"
      "    title: t\n"
      "    severity: low\n"
      "    category: pii\n"
      "    on: [model_output]\n"
      "    where: {field: text, regex: 'abc'}\n"
      "    match: ['abc']\n");
  std::vector<std::size_t> lines;
  for (const Diagnostic& d : read.diagnostics.all()) {
    lines.push_back(d.line);
    CHECK(d.file == "p.yaml");
    CHECK(d.column > 0);
    CHECK_FALSE(d.excerpt.empty());
    CHECK_FALSE(d.hint.empty());
  }
  std::ranges::sort(lines);  // `on` is read before `severity`, which may be one an event type
  CHECK(lines == std::vector<std::size_t>{2, 4, 5, 6, 7, 8, 8, 10, 17, 18});
  REQUIRE(read.rules.size() == 1);  // and the good one is kept
  CHECK(read.rules[0].info.id == "fine.rule");
}

}  // namespace
}  // namespace tocsin
