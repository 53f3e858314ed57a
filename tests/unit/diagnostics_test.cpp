#include "daemon/diagnostics.h"

#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/text.h"
#include "daemon/yaml/document.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

std::string printed(Diagnostic diagnostic, bool colour = false) {
  Diagnostics diagnostics;
  diagnostics.add(std::move(diagnostic));
  std::ostringstream out;
  print(out, diagnostics, colour);
  return out.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// What stands under the caret in the printed excerpt: the rest of its line from there.
std::string under_caret(const std::vector<std::string>& lines) {
  REQUIRE(lines.size() >= 3);
  const std::size_t caret = lines[2].find('^');
  REQUIRE(caret != std::string::npos);
  std::string_view rest = lines[1];
  for (std::size_t column = 0; column < caret; ++column) {
    REQUIRE(!rest.empty());
    rest.remove_prefix(first_code_point(rest).length);
  }
  return std::string(rest);
}

TEST_CASE("a mistake is printed with its place, its line, a caret and a remedy") {
  CHECK(printed({.file = "tocsin.yaml",
                 .line = 12,
                 .column = 10,
                 .excerpt = "workers: many",
                 .message = "`many` is not a value for `workers`",
                 .hint = "a whole number from 1 to 256"}) ==
        "tocsin.yaml:12:10: error: `many` is not a value for `workers`\n"
        "   12 | workers: many\n"
        "      |          ^\n"
        "        a whole number from 1 to 256\n");
}

TEST_CASE("what is missing is left out") {
  CHECK(printed({.file = "a.yaml", .message = "no such file"}) == "a.yaml: error: no such file\n");
  CHECK(
      printed({.gravity = Gravity::kWarning, .file = "environment", .message = "m", .hint = "h"}) ==
      "environment: warning: m\n        h\n");
}

TEST_CASE("colour adds escapes and nothing else") {
  const Diagnostic diagnostic{
      .file = "f", .line = 1, .column = 1, .excerpt = "x", .message = "m", .hint = "h"};
  const std::string coloured = printed(diagnostic, true);
  CHECK(coloured.find("\033[1;31merror: \033[0m") != std::string::npos);
  CHECK(printed(diagnostic).find('\033') == std::string::npos);
}

TEST_CASE("the caret stands under the column") {
  const std::string long_before(500, 'a');
  const std::string hostile_before(100, '\x1b');
  struct Row {
    std::string_view what;
    std::string excerpt;
    std::string at;  // the column is where this begins
    std::string under;
  };
  const Row rows[] = {
      {"the first column", "HERE: 1", "HERE", "HERE: 1"},
      {"tabs", "\t\tkey:\tHERE", "HERE", "HERE"},
      {"two bytes a character", "é: ü HERE", "HERE", "HERE"},
      {"four bytes a character", "🙂🙂: HERE", "HERE", "HERE"},
      {"an escape before it", "a\x1b[31m HERE", "HERE", "HERE"},
      {"bytes that are not UTF-8 before it", "\xff\xfe HERE", "HERE", "HERE"},
      {"a long line before it", long_before + " HERE", "HERE", "HERE"},
      {"a long line of two-byte characters",
       [] {
         std::string text;
         for (int i = 0; i < 300; ++i) text += "é";
         return text + "HERE";
       }(),
       "HERE", "HERE"},
      {"many escapes before it", hostile_before + "HERE", "HERE", "HERE"},
      {"at the end of the line", "key:", "", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const std::size_t column = (row.at.empty() ? row.excerpt.size() : row.excerpt.find(row.at)) + 1;
    const auto lines = lines_of(printed(
        {.file = "f", .line = 3, .column = column, .excerpt = row.excerpt, .message = "m"}));
    CAPTURE(lines);
    CHECK(under_caret(lines) == row.under);
  }
}

TEST_CASE("a very long line is shown around the place, not whole") {
  const std::string excerpt = std::string(20'000, 'a') + "HERE" + std::string(20'000, 'b');
  const auto lines = lines_of(
      printed({.file = "f", .line = 1, .column = 20'001, .excerpt = excerpt, .message = "m"}));
  CHECK(under_caret(lines).starts_with("HEREbbb"));
  for (const std::string& line : lines) CHECK(line.size() < 400);
}

TEST_CASE("no caret at all when the excerpt ends before the place") {
  const std::string text =
      printed({.file = "f", .line = 1, .column = 900, .excerpt = "cut", .message = "m"});
  CHECK(text == "f:1:900: error: m\n");
}

TEST_CASE("a mistake far to the right of a YAML line gets its caret") {
  // A pattern of the longest length accepted, and behind it on the same line a key nobody knows.
  const std::string text = "a: {regex: '" + std::string(16 << 10, 'x') + "', bogus: 1}";
  Diagnostics diagnostics;
  const auto document = yaml::parse("f.yaml", text, diagnostics);
  REQUIRE(document.has_value());
  yaml::error_at(document->root->find("a")->entries[1].key, "unknown", "", diagnostics);
  std::ostringstream out;
  print(out, diagnostics, false);
  CHECK(under_caret(lines_of(out.str())).starts_with("bogus: 1}"));
}

TEST_CASE("hostile text cannot write to the terminal") {
  const std::string evil = "\x1b]0;owned\x07\x1b[2J\u202e\n\r\xff";
  const std::string text = printed({.file = "f" + evil,
                                    .line = 1,
                                    .column = 3,
                                    .excerpt = evil + evil,
                                    .message = evil,
                                    .hint = evil});
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    CHECK((byte >= 0x20 || c == '\n'));
    CHECK(byte != 0x7f);
  }
  CHECK(text.find("\u202e") == std::string::npos);
  CHECK(is_valid_utf8(text));
  CHECK(lines_of(text).size() == 4);  // place, excerpt, caret, hint: no line of the attacker's
  CHECK(text.find(R"(\u{1b}]0;owned\u{7})") != std::string::npos);
}

TEST_CASE("complaints are bounded, counting is not") {
  Diagnostics diagnostics;
  for (std::size_t i = 0; i < Diagnostics::kMax + 50; ++i) {
    const bool warning = i % 10 == 0;
    diagnostics.add({.gravity = warning ? Gravity::kWarning : Gravity::kError,
                     .file = "f",
                     .message = std::to_string(i)});
  }
  CHECK(diagnostics.all().size() == Diagnostics::kMax);
  CHECK(diagnostics.left_out() == 50);
  CHECK(diagnostics.errors() == 225);
  CHECK(diagnostics.all().back().message == "199");
  std::ostringstream out;
  print(out, diagnostics, false);
  CHECK(out.str().ends_with("... and 50 more, not shown\n"));
}

TEST_CASE("a warning is no error") {
  Diagnostics diagnostics;
  CHECK_FALSE(diagnostics.has_errors());
  diagnostics.add({.gravity = Gravity::kWarning, .message = "w"});
  CHECK_FALSE(diagnostics.has_errors());
  diagnostics.add({.message = "e"});
  CHECK(diagnostics.has_errors());
  CHECK(diagnostics.errors() == 1);
}

TEST_CASE("as JSON") {
  Diagnostics diagnostics;
  CHECK(to_json(diagnostics) == "[]");
  diagnostics.add({.file = "a.yaml",
                   .line = 3,
                   .column = 5,
                   .excerpt = "sasl.password: hunter2",
                   .message = "bad \"quote\"\nand \xff byte",
                   .hint = "h"});
  diagnostics.add({.gravity = Gravity::kWarning, .file = "environment", .message = "w"});
  const auto json = nlohmann::json::parse(to_json(diagnostics));
  REQUIRE(json.size() == 2);
  CHECK(json[0] == nlohmann::json({{"gravity", "error"},
                                   {"file", "a.yaml"},
                                   {"line", 3},
                                   {"column", 5},
                                   {"message", "bad \"quote\"\nand \ufffd byte"},
                                   {"hint", "h"}}));
  CHECK(json[1]["gravity"] == "warning");
  CHECK(json[1]["line"] == 0);
}

TEST_CASE("nearest") {
  const std::vector<std::string_view> words = {"bootstrap.servers", "group.id", "workers", "on",
                                               "start_at"};
  struct Row {
    std::string_view word;
    std::string_view near;
  };
  const Row rows[] = {
      {"workers", "workers"},
      {"worker", "workers"},
      {"wokrers", "workers"},
      {"WORKERS", "workers"},
      {"bootstrap.server", "bootstrap.servers"},
      {"bootstrap_servers", "bootstrap.servers"},
      {"startat", "start_at"},
      {"no", ""},  // two letters, both wrong: another word
      {"om", "on"},
      {"threads", ""},
      {"", ""},
      {"completely-different", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.word);
    CHECK(nearest(row.word, words) == row.near);
  }
  CHECK(nearest(std::string(100'000, 'w'), words).empty());
  CHECK(nearest("workers", {}).empty());
}

TEST_CASE("one_of") {
  const std::vector<std::string_view> words = {"a", "b", "c"};
  CHECK(one_of({}).empty());
  CHECK(one_of(std::span(words).first(1)) == "a");
  CHECK(one_of(std::span(words).first(2)) == "a or b");
  CHECK(one_of(words) == "a, b or c");
}

}  // namespace
}  // namespace tocsin
