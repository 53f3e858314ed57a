#include "detectors/matcher/gate.h"

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin::matcher {
namespace {

using Groups = std::vector<LiteralGroup>;

Groups literals(std::string_view pattern) {
  const auto tree = parse_re2(pattern);
  REQUIRE(tree.has_value());
  return required_literals(*tree);
}

TEST_CASE("what every match holds") {
  CHECK(literals("evil") == Groups{{"evil"}});
  CHECK(literals("(?i)EviL") == Groups{{"evil"}});
  CHECK(literals("a(?:b|c)d") == Groups{{"abd", "acd"}});
  CHECK(literals("api[_-]?key") == Groups{{"api-key", "api_key", "apikey"}});
  CHECK(literals("curl\\b[^|]*\\|\\s*sh") == Groups{{"curl"}, {"|"}, {"sh"}});
  CHECK(literals("(?:ab)+c") == Groups{{"ab"}, {"abc"}});
  CHECK(literals("x{3}yz") == Groups{{"xxxyz"}});
  CHECK(literals("x{3,}yz") == Groups{{"x"}, {"xyz"}});
  CHECK(literals("\\Qa.b\\E+c") == Groups{{"a.b"}, {"bc"}});
  CHECK(literals("\\x41\\x{42}\\103") == Groups{{"abc"}});
  CHECK(literals("(?:foo|bar.*)baz") == Groups{{"bar", "foo"}, {"baz"}});
}

TEST_CASE("what says nothing is left out") {
  CHECK(literals("\\w+\\s.").empty());
  CHECK(literals("(?:evil)?").empty());
  CHECK(literals("(?:evil|\\d)").empty());
  CHECK(literals("[a-z]x[^y]") == Groups{{"x"}});
  CHECK(literals("evil{0}x") == Groups{{"evix"}});
}

TEST_CASE("beyond ASCII") {
  CHECK(literals("\xC3\xA9vil") == Groups{{"\xC3\xA9vil"}});
  CHECK(literals("(?i)\xC3\xA9vil") == Groups{{"vil"}});  // other cases fold to it
  CHECK(literals("(?i)\xE5\xBF\xBD\xE7\x95\xA5") ==
        Groups{{"\xE5\xBF\xBD\xE7\x95\xA5"}});      // has none
  CHECK(literals("(?i)task") == Groups{{"task"}});  // long s, Kelvin sign
}

TEST_CASE("the longest text in every match") {
  struct Row {
    std::string_view pattern;
    std::size_t bytes;
  };
  const Row rows[] = {
      {"abc", 3},
      {"(?i)abc", 3},
      {"ab+c", 2},
      {"a(?:bc|bd)e", 4},
      {"ab|cde", 2},
      {"[a-z]+", 0},
      {"x[ab]y", 3},
      {"x[a-z]y", 1},
      {"(?:abc){2}", 6},
      {"(?:abc){2,}", 3},
      {"(?:abc)?", 0},
      {"abc?d", 3},
      {"\\babc\\b", 3},
      {"a.c", 1},
      {"\\x41\\x42", 2},
      {"\\Qa.c\\E", 3},
      {"(?i)[aA]b", 2},
      {"\xC3\xA9t", 3},
      {"\\x{E9}t", 3},
      {"(?:a|b)(?:c|d)ef", 4},
      {"\\d{4}-\\d{2}", 1},
      {"(?P<n>abc)d", 4},
      {"", 0},
      {"[^a]", 0},
      {"a(?i:b)c", 3},
      {"(?i)(?-i:a)b", 2},
      {"\\101\\102\\x43", 3},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    const auto node = parse_re2(row.pattern);
    REQUIRE(node.has_value());
    CHECK(required_literal_bytes(*node) == row.bytes);
  }
}

TEST_CASE("how long a match can be") {
  const auto longest = [](std::string_view pattern) { return longest_match(*parse_re2(pattern)); };
  CHECK(longest("abc?") == 3);
  CHECK(longest("(?i)^\\bab\\b$") == 2);
  CHECK(longest("ab|c{2,5}") == 5);
  CHECK(longest("\xC3\xA9.") == 6);
  CHECK(longest("(?:[a-z]{2} ){0,3}x") == 10);
  CHECK(longest("(?:^)*x") == 1);
  CHECK_FALSE(longest("ab*c"));
  CHECK_FALSE(longest("(?:[a-z]{1000}){17}"));
}

TEST_CASE("the rarest words are asked for, and common ones not at all") {
  const auto gate = [](std::string_view pattern) { return gate_of(*parse_re2(pattern)); };
  CHECK(gate("(?i)the\\s+unshackled\\s+one").groups == Groups{{"unshackled"}});
  CHECK(gate("(?i)your\\s+\\w+\\s+prompt").groups == Groups{{"prompt"}, {"your"}});
  CHECK(gate("\\w+=\\w+").groups.empty());
  CHECK(gate("(?i)evil\\s?[(\\[]").marks.size() == 1);
}

}  // namespace
}  // namespace tocsin::matcher
