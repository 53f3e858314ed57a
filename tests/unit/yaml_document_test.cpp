#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/text.h"
#include "daemon/yaml/document.h"
#include "tests/unit/catch.h"
#include "tests/unit/temp_dir.h"
#include "tests/unit/thread_time.h"

namespace tocsin {
namespace {

using yaml::Document;
using yaml::Limits;
using yaml::MapReader;
using yaml::Node;
using yaml::ReadContext;

// "line:col message", of each.
std::vector<std::string> briefly(const Diagnostics& diagnostics) {
  std::vector<std::string> out;
  for (const Diagnostic& d : diagnostics.all()) {
    out.push_back(std::to_string(d.line) + ":" + std::to_string(d.column) + " " + d.message);
  }
  return out;
}

Document parsed(const std::string& text) {
  Diagnostics diagnostics;
  auto document = yaml::parse("f.yaml", text, diagnostics);
  CAPTURE(text, briefly(diagnostics));
  REQUIRE(document.has_value());
  REQUIRE(diagnostics.all().empty());
  return std::move(*document);
}

TEST_CASE("every node knows where it stood") {
  const Document document = parsed(
      "# a comment\n"
      "one: 1\n"
      "two:\n"
      "  three: 'quoted'\n"
      "  four: [a, {b: c}]\n"
      "five:\n"
      "  - x\n"
      "  -   y\n");
  const Node& root = *document.root;
  REQUIRE(root.kind == Node::Kind::kMap);
  REQUIRE(root.entries.size() == 3);
  const auto at = [](const Node& node) { return std::pair(node.line, node.column); };
  using Place = std::pair<std::size_t, std::size_t>;
  CHECK(at(root.entries[0].key) == Place(2, 1));
  CHECK(at(root.entries[0].value) == Place(2, 6));
  const Node& two = *root.find("two");
  CHECK(at(two.entries[0].key) == Place(4, 3));
  CHECK(at(*two.find("three")) == Place(4, 10));
  CHECK(two.find("three")->scalar == "quoted");
  CHECK(two.find("three")->quoted);
  CHECK_FALSE(root.find("one")->quoted);
  const Node& four = *two.find("four");
  REQUIRE(four.items.size() == 2);
  CHECK(at(four) == Place(5, 9));
  CHECK(at(four.items[0]) == Place(5, 10));
  CHECK(at(four.items[1].entries[0].value) == Place(5, 17));
  CHECK(at(root.find("five")->items[1]) == Place(8, 7));
  CHECK(root.find("five")->items[1].source->name == "f.yaml");
  CHECK(root.find("nine") == nullptr);
}

TEST_CASE("nothing, null and the word null") {
  struct Row {
    std::string_view text;
    Node::Kind kind;
    std::string_view scalar;
  };
  const Row rows[] = {
      {"k:", Node::Kind::kNull, ""},          {"k: ~", Node::Kind::kNull, ""},
      {"k: null", Node::Kind::kNull, ""},     {"k: 'null'", Node::Kind::kScalar, "null"},
      {"k: '~'", Node::Kind::kScalar, "~"},   {"k: ''", Node::Kind::kScalar, ""},
      {"k: \"\"", Node::Kind::kScalar, ""},   {"k: no", Node::Kind::kScalar, "no"},
      {"k: 010", Node::Kind::kScalar, "010"}, {"k: [", Node::Kind::kNull, "refused"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    Diagnostics diagnostics;
    const auto document = yaml::parse("f", std::string(row.text), diagnostics);
    if (row.scalar == "refused") {
      CHECK_FALSE(document.has_value());
      continue;
    }
    REQUIRE(document.has_value());
    const Node& value = *document->root->find("k");
    CHECK(value.kind == row.kind);
    if (row.kind == Node::Kind::kScalar) CHECK(value.scalar == row.scalar);
  }
  for (const std::string_view empty : {"", "\n\n", "# only a comment\n", "---\n", "~"}) {
    CAPTURE(empty);
    CHECK(parsed(std::string(empty)).root->kind == Node::Kind::kNull);
  }
}

TEST_CASE("what is refused, and where") {
  struct Row {
    std::string_view what;
    std::string_view text;
    std::string_view complaint;
  };
  const Row rows[] = {
      {"a key twice", "a: 1\nb: 2\na: 3\n", "3:1 the key `a` stands here twice"},
      {"a key twice, quoted once", "a: 1\n\"a\": 3\n", "2:1 the key `a` stands here twice"},
      {"a key twice in a flow map", "x: {a: 1, a: 2}", "1:11 the key `a` stands here twice"},
      {"an anchor", "a: &x 1\n", "1:4 anchors (&name) are not accepted"},
      {"an anchor on a list", "a: &x [1]\n", "1:4 anchors (&name) are not accepted"},
      {"an anchor on a map", "a: &x\n  b: 1\n", "1:4 anchors (&name) are not accepted"},
      {"an unknown alias", "a: *x\n", "1:4 not YAML: the referenced anchor is not defined"},
      {"a list as key", "[1, 2]: x\n", "1:1 a key must be a plain word"},
      {"nothing as key", "~: x\n", "1:1 a key must be a plain word"},
      {"a second document", "a: 1\n---\nb: 2\n", "3:1 a second document in one file"},
      {"bad indentation", "a:\n  b: 1\n c: 2\n", "3:2 not YAML: "},
      {"an open quote", "b: 1\na: 'x\nc: 3\n", "2:4 a quote that is never closed"},
      {"an open double quote", "a: \"x\\\"\n", "1:4 a quote that is never closed"},
      {"an open quote with a doubled one", "a: 'it''s\n", "1:4 a quote that is never closed"},
      {"an open quote after CRLF and accents", "é: 'ü'\r\na: 'x\r\n",
       "2:4 a quote that is never closed"},
      {"an open quote after a byte order mark", "\ufeffa: 'b'\nc: 'x\n",
       "2:4 a quote that is never closed"},
      {"an open brace", "a: {b: 1\n", "2:1 not YAML: "},
      {"a tab for indentation", "a:\n\tb: 1\n", "2:3 not YAML: "},
      {"a surrogate", "a: \"\\ud800\"\n", "1:"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Diagnostics diagnostics;
    CHECK_FALSE(yaml::parse("f.yaml", std::string(row.text), diagnostics).has_value());
    REQUIRE(diagnostics.errors() == 1);
    const std::string complaint = briefly(diagnostics)[0];
    CAPTURE(complaint);
    CHECK(complaint.starts_with(row.complaint));
    CHECK(diagnostics.all()[0].file == "f.yaml");
  }
}

TEST_CASE("a quote that is closed is no open quote") {
  const std::string_view rows[] = {
      "a: 'x'",
      "a: \"x\"",
      "a: 'it''s'",
      "a: ''",
      "a: ''''",
      R"(a: "\\")",
      R"(a: "\"")",
      "'a': 1",
      "a: 'x' # it's",
      "\ufeffa: 'é'",
      "é: 'x'\r\n",
      "a: [\"x\", 'y']",
      "a: 'two\n  lines'",
  };
  for (const std::string_view row : rows) {
    CAPTURE(row);
    CHECK(parsed(std::string(row)).root->entries.size() == 1);
  }
}

TEST_CASE("an absent value stands where its key does") {
  const Document document = parsed("a:\nb:\n\n# c\nd: ~\ne:");
  for (const auto& [key, value] : document.root->entries) {
    CAPTURE(key.scalar);
    CHECK(value.kind == Node::Kind::kNull);
    CHECK(value.line == key.line);
  }
}

TEST_CASE("the same key in different maps is fine") {
  const Document document = parsed("a: {k: 1}\nb: {k: 2}\n");
  CHECK(document.root->find("b")->find("k")->scalar == "2");
}

TEST_CASE("only UTF-8 text is read") {
  for (const std::string_view text :
       {std::string_view("a: \xff\n"), std::string_view("a: \0b\n", 6),
        std::string_view("\xff\xfe"
                         "a\0:\0",
                         6),
        std::string_view("a: \xed\xa0\x80\n")}) {
    Diagnostics diagnostics;
    CHECK_FALSE(yaml::parse("f", std::string(text), diagnostics).has_value());
    REQUIRE(diagnostics.errors() == 1);
    CHECK(diagnostics.all()[0].message == "not UTF-8 text");
  }
  CHECK(parsed("a: héllo 世界\n").root->find("a")->scalar == "héllo 世界");
}

TEST_CASE("the excerpt is the line, without what editors put at its end") {
  Diagnostics diagnostics;
  CHECK_FALSE(yaml::parse("f", "x: 1\r\na: &b 1\r\n", diagnostics).has_value());
  REQUIRE(diagnostics.errors() == 1);
  CHECK(diagnostics.all()[0].excerpt == "a: &b 1");
  CHECK(diagnostics.all()[0].line == 2);
}

TEST_CASE("depth, nodes and bytes are bounded, exactly") {
  const Limits limits{.file_bytes_max = 100, .nodes_max = 5, .depth_max = 3};
  struct Row {
    std::string_view what;
    std::string text;
    std::string_view complaint;  // empty: accepted
  };
  const Row rows[] = {
      {"three levels", "[[[1]]]", ""},
      {"four levels", "[[[[1]]]]", "nested deeper than 3 levels"},
      {"five nodes", "[1, 2, 3, 4]", ""},
      {"six nodes", "[1, 2, 3, 4, 5]", "more than 5 values in one file"},
      {"keys count", "{a: 1, b: 2, c: 3}", "more than 5 values in one file"},
      {"100 bytes", std::string(100, 'x'), ""},
      {"101 bytes", std::string(101, 'x'), "101 bytes, more than the 100 accepted"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Diagnostics diagnostics;
    const auto document = yaml::parse("f", row.text, diagnostics, limits);
    CHECK(document.has_value() == row.complaint.empty());
    if (row.complaint.empty()) continue;
    REQUIRE(diagnostics.errors() == 1);
    CHECK(diagnostics.all()[0].message == row.complaint);
  }
}

TEST_CASE("files made to hurt the parser are refused soon") {
  const auto repeat = [](std::string_view piece, std::size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += piece;
    return text;
  };
  constexpr std::size_t kBytes = std::size_t{1} << 20;
  struct Row {
    std::string_view what;
    std::string text;
  };
  const Row rows[] = {
      {"lists in lists", repeat("[", kBytes)},
      {"maps in maps", repeat("{a: ", kBytes)},
      {"braces", repeat("{", kBytes)},
      {"dashes", repeat("- ", kBytes)},
      {"questions", repeat("? ", kBytes)},
      {"colons", repeat(": ", kBytes)},
      {"bangs", repeat("!", kBytes)},
      {"percent", repeat("%", kBytes)},
      {"an open quote", "'" + repeat("a\n", kBytes)},
      {"ever deeper",
       [] {
         std::string text;
         for (std::size_t i = 0; i < 1000; ++i) text += std::string(i, ' ') + "a:\n";
         return text;
       }()},
      {"a billion laughs",
       "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
       "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Diagnostics diagnostics;
    const std::chrono::nanoseconds start = testing::thread_time();
    const bool accepted = yaml::parse("f", row.text, diagnostics).has_value();
    const std::chrono::duration<double> took = testing::thread_time() - start;
    CHECK(accepted == (row.what == "percent"));  // unknown directives, and then nothing
    CHECK(diagnostics.errors() == (accepted ? 0 : 1));
    CHECK(took.count() < 5.0);  // generous: sanitizers; quadratic would be minutes
  }
}

TEST_CASE("broken files never throw, and always say why") {
  const std::string good =
      "rules:\n  - id: a.b\n    title: 'x'\n    on: [tool_call]\n    where: {field: text, regex: "
      "'(?i)a{1,3}'}\n    match: [\"a\\x41\", |\n      b]\n";
  std::mt19937 random(7);  // the same ones every time
  const std::string_view alphabet = "[]{}:,-?&*!|>'\"%@`#~ \n\t\\x0aA";
  for (int round = 0; round < 3000; ++round) {
    std::string text = good;
    for (int change = 0; change < 3; ++change) {
      const std::size_t at = random() % text.size();
      const char c = alphabet[random() % alphabet.size()];
      if (random() % 2 == 0) {
        text[at] = c;
      } else {
        text.insert(at, 1, c);
      }
    }
    Diagnostics diagnostics;
    const auto document = yaml::parse("f", text, diagnostics);
    CAPTURE(text);
    REQUIRE(document.has_value() != diagnostics.has_errors());
  }
}

TEST_CASE("load says what is wrong with a path") {
  const testing::TempDir dir;
  Diagnostics diagnostics;
  CHECK_FALSE(yaml::load(dir.path() / "none.yaml", diagnostics).has_value());
  CHECK_FALSE(yaml::load(dir.path(), diagnostics).has_value());
  const auto large = dir.write("large.yaml", std::string(64, 'x'));
  CHECK_FALSE(yaml::load(large, diagnostics, {.file_bytes_max = 63}).has_value());
  REQUIRE(diagnostics.errors() == 3);
  CHECK(diagnostics.all()[0].message == "no such file");
  CHECK(diagnostics.all()[0].file == (dir.path() / "none.yaml").string());
  CHECK(diagnostics.all()[1].message == "is a directory, not a file");
  CHECK(diagnostics.all()[2].message == "64 bytes, more than the 63 accepted");
  // A device that never ends is a file that is too large.
  Diagnostics endless;
  CHECK_FALSE(yaml::load("/dev/zero", endless, {.file_bytes_max = 1000}).has_value());
  CHECK(endless.errors() == 1);

  const auto document = yaml::load(dir.write("good.yaml", "a: 1\n"), diagnostics);
  REQUIRE(document.has_value());
  CHECK(document->source->name == (dir.path() / "good.yaml").string());
}

// A map under test and the context it is read in.
struct Reading {
  explicit Reading(const std::string& text, std::map<std::string, std::string> environment = {})
      : document(parsed(text)), context(diagnostics) {
    context.override_name_prefix = "TOCSIN_";
    if (environment.empty()) return;
    context.override_value =
        [values = std::move(environment)](std::string_view path) -> std::optional<std::string> {
      const auto found = values.find(std::string(path));
      if (found == values.end()) return std::nullopt;
      return found->second;
    };
  }
  MapReader reader() { return {document.root.get(), "", context}; }

  Document document;
  Diagnostics diagnostics;
  ReadContext context;
};

constexpr std::string_view kFruit[] = {"apple", "banana", "cherry"};

TEST_CASE("MapReader reads what is there and leaves alone what is not") {
  Reading reading(
      "s: text\nempty: ''\nb: true\ni: -42\nl: [a, b]\none: a,b\nnone:\nf: cherry\nm: {k: v}\n");
  MapReader reader = reading.reader();
  std::string s = "old", empty = "old", absent = "old";
  reader.string("s", &s);
  reader.string("empty", &empty);
  reader.string("absent", &absent);
  CHECK(s == "text");
  CHECK(empty.empty());
  CHECK(absent == "old");
  bool b = false, absent_bool = true;
  reader.boolean("b", &b);
  reader.boolean("absent", &absent_bool);
  CHECK(b);
  CHECK(absent_bool);
  std::int64_t i = 0;
  reader.integer("i", -42, -42, &i);
  CHECK(i == -42);
  std::uint16_t small = 7;
  reader.number("absent", 0, 10, &small);
  CHECK(small == 7);
  using Strings = std::vector<std::string>;
  Strings l, one, none = {"old"}, absent_list = {"old"};
  reader.strings("l", &l);
  reader.strings("one", &one);
  reader.strings("none", &none);
  reader.strings("absent", &absent_list);
  CHECK(l == Strings{"a", "b"});
  CHECK(one == Strings{"a,b"});  // a comma is only a separator in the environment
  CHECK(none.empty());
  CHECK(absent_list == Strings{"old"});
  std::size_t f = 0;
  reader.choice("f", kFruit, &f);
  CHECK(f == 2);
  MapReader m = reader.map("m");
  std::string v;
  m.string("k", &v);
  m.finish();
  CHECK(v == "v");
  CHECK(m.path() == "m");
  reader.finish();
  CHECK(briefly(reading.diagnostics).empty());
}

TEST_CASE("MapReader complains about the wrong kind of value, where it stands") {
  struct Row {
    std::string_view text;
    std::string_view complaint;  // empty: fine
  };
  const Row strings[] = {
      {"k: [a]", "1:4 expected a string for `k`, found a list"},
      {"k: {a: 1}", "1:4 expected a string for `k`, found a map"},
      {"k:", "1:1 expected a string for `k`, found nothing"},
      {"k: 12", ""},
  };
  const Row booleans[] = {
      {"k: true", ""},
      {"k: false", ""},
      {"k: yes", "1:4 `yes` is not a value for `k`"},
      {"k: 1", "1:4 `1` is not a value for `k`"},
      {"k: True", "1:4 `True` is not a value for `k`"},
      {"k: []", "1:4 expected false or true for `k`, found a list"},
  };
  const Row integers[] = {
      {"k: 1", ""},
      {"k: 10", ""},
      {"k: 0", "1:4 `0` is not a value for `k`"},
      {"k: 11", "1:4 `11` is not a value for `k`"},
      {"k: -1", "1:4 `-1` is not a value for `k`"},
      {"k: 1.5", "1:4 `1.5` is not a value for `k`"},
      {"k: 0x5", "1:4 `0x5` is not a value for `k`"},
      {"k: 5s", "1:4 `5s` is not a value for `k`"},
      {"k: 1_0", "1:4 `1_0` is not a value for `k`"},
      {"k: ''", "1:4 `` is not a value for `k`"},
      {"k: 99999999999999999999", "1:4 `99999999999999999999` is not a value for `k`"},
      {"k: [1]", "1:4 expected a whole number for `k`, found a list"},
  };
  const Row lists[] = {
      {"k: {a: 1}", "1:4 `k`: expected a list, found a map"},
      {"k: [a, [b]]", "1:8 expected a string in `k`, found a list"},
      {"k: [a, ~]", "1:8 expected a string in `k`, found nothing"},
  };
  const Row choices[] = {
      {"k: banana", ""},
      {"k: Banana", "1:4 `Banana` is not a value for `k`"},
      {"k: pear", "1:4 `pear` is not a value for `k`"},
      {"k: [apple]", "1:4 expected apple, banana or cherry for `k`, found a list"},
  };
  const auto check = [](std::span<const Row> rows, const auto& read) {
    for (const Row& row : rows) {
      CAPTURE(row.text);
      Reading reading{std::string(row.text)};
      MapReader reader = reading.reader();
      read(reader);
      std::vector<std::string> expected;
      if (!row.complaint.empty()) expected.emplace_back(row.complaint);
      CHECK(briefly(reading.diagnostics) == expected);
    }
  };
  check(strings, [](MapReader& reader) {
    std::string out;
    reader.string("k", &out);
  });
  check(booleans, [](MapReader& reader) {
    bool out = true;
    reader.boolean("k", &out);
  });
  check(integers, [](MapReader& reader) {
    std::int64_t out = 7;
    reader.integer("k", 1, 10, &out);
    CHECK((reader.context().diagnostics.has_errors() ? out == 7 : out >= 1));
  });
  check(lists, [](MapReader& reader) {
    std::vector<std::string> out;
    reader.strings("k", &out);
  });
  check(choices, [](MapReader& reader) {
    std::size_t out = 2;
    reader.choice("k", kFruit, &out);
    CHECK(out == (reader.context().diagnostics.has_errors() ? 2U : 1U));
  });
}

TEST_CASE("a choice's hint names the nearest word, else all of them") {
  Reading reading("a: Banana\nb: pear");
  MapReader reader = reading.reader();
  std::size_t out = 0;
  reader.choice("a", kFruit, &out);
  reader.choice("b", kFruit, &out);
  REQUIRE(reading.diagnostics.errors() == 2);
  CHECK(reading.diagnostics.all()[0].hint ==
        "did you mean `banana`? Allowed: apple, banana or cherry");
  CHECK(reading.diagnostics.all()[1].hint == "apple, banana or cherry");
}

TEST_CASE("MapReader reports every unknown key, with the nearest known one") {
  Reading reading("workers: 1\nwokrers: 2\nzzz: 3\nmap:\n  inner: 1\n  iner: 2\n");
  MapReader reader = reading.reader();
  std::int64_t ignored = 0;
  reader.integer("workers", 0, 9, &ignored);
  MapReader map = reader.map("map");
  map.integer("inner", 0, 9, &ignored);
  map.finish();
  reader.finish();
  CHECK(briefly(reading.diagnostics) == std::vector<std::string>{"6:3 unknown key `map.iner`",
                                                                 "2:1 unknown key `wokrers`",
                                                                 "3:1 unknown key `zzz`"});
  CHECK(reading.diagnostics.all()[0].hint == "did you mean `inner`?");
  CHECK(reading.diagnostics.all()[1].hint == "did you mean `workers`?");
  CHECK(reading.diagnostics.all()[2].hint == "known here: workers or map");
}

TEST_CASE("a map that is none, or missing") {
  Reading reading("m: 5\nn:\n");
  MapReader reader = reading.reader();
  CHECK(reader.map("m").self() == nullptr);
  CHECK(reader.map("n").self() == nullptr);  // nothing is an empty map
  CHECK(reader.map("o").self() == nullptr);
  CHECK(briefly(reading.diagnostics) ==
        std::vector<std::string>{"1:4 m: expected a map, found a single value"});
}

TEST_CASE("require reports what is missing at the map that lacks it") {
  Reading reading("a: 1\nmap:\n  b: 1\n");
  MapReader reader = reading.reader();
  CHECK(reader.require("a", "why"));
  CHECK_FALSE(reader.require("z", "because"));
  MapReader map = reader.map("map");
  CHECK_FALSE(map.require("y", "so"));
  CHECK(briefly(reading.diagnostics) ==
        std::vector<std::string>{"1:1 `z` is missing", "3:3 `map.y` is missing"});
  CHECK(reading.diagnostics.all()[0].hint == "because");
}

TEST_CASE("an overriding value stands in for the file's, present or not") {
  Reading reading("a: file\nm: {n: 1}\n", {{"a", "env"},
                                           {"m.n", "2"},
                                           {"m.list", " x, y ,,z"},
                                           {"m.empty", ""},
                                           {"b", "true"},
                                           {"bad", "seven"}});
  MapReader reader = reading.reader();
  std::string a;
  reader.string("a", &a);
  CHECK(a == "env");
  bool b = false;
  reader.boolean("b", &b);
  CHECK(b);
  MapReader m = reader.map("m");
  std::int64_t n = 0;
  m.integer("n", 0, 9, &n);
  CHECK(n == 2);
  std::vector<std::string> list, empty = {"old"};
  m.strings("list", &list);
  m.strings("empty", &empty);
  CHECK(list == std::vector<std::string>{"x", "y", "z"});
  CHECK(empty.empty());
  reader.integer("bad", 0, 9, &n);
  REQUIRE(reading.diagnostics.errors() == 1);
  CHECK(reading.diagnostics.all()[0].message == "`seven` is not a value for `bad`");
  CHECK(reading.diagnostics.all()[0].file == "environment (TOCSIN_ for `bad`)");
  CHECK(reading.diagnostics.all()[0].line == 0);
}

}  // namespace
}  // namespace tocsin
