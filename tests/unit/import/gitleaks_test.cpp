#include <string>
#include <utility>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/import/imported.h"

namespace tocsin {
namespace {

using testing::Imported;
using testing::TempDir;
using Strings = std::vector<std::string>;

struct Gitleaks : Imported {
  explicit Gitleaks(const std::string& toml, ImportSource wanted = {})
      : Gitleaks(TempDir(), toml, std::move(wanted)) {}
  [[nodiscard]] const ImportReport& report() const { return reports.at(0); }

 private:
  Gitleaks(const TempDir& dir, const std::string& toml, ImportSource source)
      : Imported({[&] {
          source.format = ImportFormat::kGitleaks;
          source.path = dir.write("gitleaks.toml", toml);
          return source;
        }()}) {}
};

constexpr const char* kAcme = R"(
title = "ours"
[[rules]]
id = "acme-token"
description = "A token of ACME"
regex = '''(?i)acme_([a-z0-9]{12})'''
entropy = 2.5
keywords = ["ACME_"]
tags = ["key", "cwe:CWE-798"]
)";

TEST_CASE("a rule of gitleaks becomes one of ours") {
  const Gitleaks read(kAcme);
  CHECK(read.said == Strings{});
  CHECK(read.files == 1);
  REQUIRE(read.report().taken == 1);
  const Rule* rule = read.rule("gitleaks.acme-token");
  REQUIRE(rule != nullptr);
  CHECK(rule->info.title == "A token of ACME");
  CHECK(rule->info.severity == Severity::kHigh);
  CHECK(rule->info.category == Category::kSecret);
  CHECK(rule->info.tags == Strings{"cwe:CWE-798"});
  CHECK(read.report().tags_dropped == 1);
  CHECK(rule->line == 3);
  for (const EventType type : {EventType::kUserMessage, EventType::kModelOutput,
                               EventType::kToolCall, EventType::kToolResult}) {
    CAPTURE(name_of(type));
    CHECK(read.finds("gitleaks.acme-token", "ACME_q7w3z9x1k5p2", type));
  }
  // The entropy is the group's.
  CHECK_FALSE(read.finds("gitleaks.acme-token", "acme_aaaaaaaaaaab"));
}

TEST_CASE("without secretGroup the first group that took part is the secret") {
  const std::string rule =
      "[[rules]]\nid='r'\nregex='''u=\"(\\w+)\"|u='(\\w+)' '''\nentropy=2\n"
      "[[rules.allowlists]]\nregexes=['''^example''']\n";
  const Gitleaks read(rule);
  CHECK(read.said == Strings{});
  for (const std::string quote : {"\"", "'"}) {
    CAPTURE(quote);
    const auto user = [&](std::string_view name) {
      return "u=" + quote + std::string(name) + quote + " ";
    };
    CHECK(read.finds("gitleaks.r", user("q7w3z9")));
    CHECK_FALSE(read.finds("gitleaks.r", user("aaaaab")));
    CHECK_FALSE(read.finds("gitleaks.r", user("example7")));
  }
}

TEST_CASE("keywords stand in the text, whatever their case") {
  const Gitleaks read("[[rules]]\nid='k'\nregex='''[0-9a-f]{8}'''\nkeywords=['SourceGraph']\n");
  CHECK(read.finds("gitleaks.k", "my sourcegraph key: deadbeef"));
  CHECK_FALSE(read.finds("gitleaks.k", "deadbeef"));
}

TEST_CASE("exceptions of a rule and of the file") {
  const std::string rule = "[[rules]]\nid='r'\nregex='''key=(\\w{6,})'''\n";
  const std::string bare = "[[rules]]\nid='r'\nregex='''key=\\w{6,}'''\n";
  struct Row {
    std::string toml;
    bool usual;      // key=abcdef
    bool example;    // key=example1
    bool test_line;  // key=abcdef # test
  };
  const std::vector<Row> rows = {
      {rule, true, true, true},
      {rule + "[rules.allowlist]\nregexes=['''^exam''']\n", true, false, true},
      {rule + "[[rules.allowlists]]\nregexes=['''^exam''']\n", true, false, true},
      {rule + "[[rules.allowlists]]\nstopwords=['EXAMPLE']\n", true, false, true},
      {rule + "[[rules.allowlists]]\nregexTarget='line'\nregexes=['''# test''']\n", true, true,
       false},
      {bare + "[[rules.allowlists]]\nregexTarget='match'\nregexes=['''^key=exam''']\n", true, false,
       true},
      // For the whole match beside a group: its line stands in.
      {rule + "[[rules.allowlists]]\nregexTarget='match'\nregexes=['''key=exam''']\n", true, false,
       true},
      {"[allowlist]\nstopwords=['example']\n" + rule, true, false, true},
      {"[[allowlists]]\nregexes=['''example''']\n" + rule, true, false, true},
      {"[[allowlists]]\ntargetRules=['other']\nregexes=['''example''']\n" + rule, true, true, true},
      // Paths and commits are nowhere in an event: never an exception, alone or as a condition.
      {rule + "[[rules.allowlists]]\npaths=['''.*''']\n", true, true, true},
      {rule + "[[rules.allowlists]]\ncondition='AND'\npaths=['''.*''']\nstopwords=['example']\n",
       true, true, true},
      {rule + "[[rules.allowlists]]\ncondition='AND'\nstopwords=['example']\n", true, false, true},
      // Both at once cannot be said: nothing is excepted.
      {rule +
           "[[rules.allowlists]]\ncondition='AND'\nregexes=['''exam''']\nstopwords=['example']\n",
       true, true, true},
      // An exception that RE2 refuses, or for everything, is left out.
      {rule + "[[rules.allowlists]]\nregexes=['''(?=x)''', '''.*''']\n", true, true, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.toml);
    const Gitleaks read(row.toml);
    REQUIRE(read.report().taken == 1);
    CHECK(read.finds("gitleaks.r", "key=abcdef") == row.usual);
    CHECK(read.finds("gitleaks.r", "key=example1") == row.example);
    CHECK(read.finds("gitleaks.r", "key=abcdef # test") == row.test_line);
  }
  const Gitleaks reduced(rows.back().toml);
  CHECK(reduced.report().reduced.size() == 2);
}

TEST_CASE("what cannot be said of an event is refused, with its place and reason") {
  const Gitleaks read(R"(
[[rules]]
id = "path-only"
path = '''\.pem$'''
[[rules]]
id = "path-too"
path = '''\.tf$'''
regex = '''password'''
[[rules]]
id = "look-around"
regex = '''(?!x)abc'''
[[rules]]
id = "anything"
regex = '''.*'''
[[rules]]
id = "part"
regex = '''abc'''
skipReport = true
[[rules]]
id = "composed"
regex = '''abc'''
[[rules.required]]
id = "part"
[[rules]]
id = "good one"
regex = '''(?<secret>abc)'''
[[rules]]
id = "good.one"
regex = '''abc'''
[[rules]]
regex = '''abc'''
[[rules]]
id = "group"
regex = '''abc'''
secretGroup = 2
[[rules]]
id = "entropy"
regex = '''abc'''
entropy = 11
)");
  CHECK(read.said == Strings{});
  CHECK(read.report().taken == 1);
  CHECK(read.finds("gitleaks.good-one", "abc"));
  const Strings refused = Imported::brief(read.report().refused);
  REQUIRE(refused.size() == 10);
  const char* const wanted[] = {"2 path-only: looks at file names",
                                "5 path-too: holds only in files",
                                "9 look-around: RE2 refuses the pattern",
                                "12 anything: the pattern matches the empty text",
                                "15 part: reports nothing",
                                "19 composed: needs another rule",
                                "27 good.one: the rule id `gitleaks.good-one` is taken",
                                "30 : has no `id`",
                                "32 group: there is no group 2",
                                "36 entropy: "};
  for (std::size_t i = 0; i < refused.size(); ++i) {
    CAPTURE(refused[i]);
    CHECK(refused[i].starts_with(wanted[i]));
  }
}

TEST_CASE("which rules are wanted, and how much they may matter") {
  ImportSource wanted;
  wanted.severity_max = Severity::kLow;
  wanted.only = {"a", "gitleaks.b", "c"};
  wanted.except = {"b"};
  const Gitleaks read(
      "[[rules]]\nid='a'\nregex='x1'\n[[rules]]\nid='b'\nregex='x2'\n[[rules]]\nid='d'\nregex='x3'"
      "\n",
      wanted);
  CHECK(read.report().taken == 1);
  CHECK(read.report().left_out == 2);
  REQUIRE(read.rule("gitleaks.a") != nullptr);
  CHECK(read.rule("gitleaks.a")->info.severity == Severity::kLow);
  CHECK(read.said == Strings{"no rule is called `c`"});
  CHECK_FALSE(read.diagnostics.has_errors());
}

TEST_CASE("a file that is none of gitleaks' is an error") {
  const std::string deep(100'000, '.');
  std::string dotted = "a";
  for (int i = 0; i < 50'000; ++i) dotted += ".a";
  const std::pair<std::string, std::string> rows[] = {
      {"[package]\nname = 'x'\n", "no [[rules]]"},
      {"", "no [[rules]]"},
      {"rules = 3\n", "no [[rules]]"},
      {"[[rules]\n", "not TOML"},
      {"a = '" + std::string("\xff") + "'\n", "not UTF-8"},
      {dotted + " = 1\n", "nested deeper"},
      {"[" + dotted + "]\n", "nested deeper"},
      {"x = " + std::string(5'000, '[') + "\n", "not TOML"},
  };
  for (const auto& [toml, message] : rows) {
    CAPTURE(toml.substr(0, 40));
    const Gitleaks read(toml);
    REQUIRE(read.said.size() == 1);
    CHECK(read.said[0].starts_with(message));
    CHECK(read.diagnostics.has_errors());
  }
  const Imported missing({{.format = ImportFormat::kGitleaks, .path = "/nonexistent.toml"}});
  CHECK(missing.said == Strings{"no such file"});
  // Dots in strings and comments are none of a key's.
  const Gitleaks dots("# " + deep + "\n[[rules]]\nid='a'\ndescription='" + deep +
                      "'\nregex='''abc'''\n");
  CHECK(dots.report().taken == 1);
}

TEST_CASE("what a file extends is not followed, and that is said") {
  const Gitleaks read("[extend]\nuseDefault = true\npath = 'other.toml'\n");
  REQUIRE(read.said.size() == 2);
  CHECK(read.said[0].starts_with("`extend.useDefault` is not followed"));
  CHECK(read.said[1].starts_with("`extend.path` is not followed: other.toml"));
  CHECK_FALSE(read.diagnostics.has_errors());
}

}  // namespace
}  // namespace tocsin
