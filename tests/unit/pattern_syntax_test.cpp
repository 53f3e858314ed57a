#include "detectors/rules/pattern_syntax.h"

#include <re2/re2.h>

#include <optional>
#include <string>
#include <string_view>

#include "tests/unit/catch.h"

namespace tocsin::syntax {
namespace {

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
    const auto node = parse(row.pattern);
    REQUIRE(node.has_value());
    CHECK(required_literal_bytes(*node) == row.bytes);
  }
}

// RE2 is the judge of what a single character class accepts.
TEST_CASE("a class accepts what RE2 says it does") {
  for (const std::string_view pattern :
       {".",           "(?s).",         "[a-c]",  "[^a-c]", "(?i)[a-c]", "(?i)[^a-c]",
        "\\d",         "\\D",           "[\\d.]", "[^\\s]", "\\w",       "\\W",
        "[[:alpha:]]", "[[:^alpha:]x]", "[]a]",   "[^]a]",  "[a-]",      "[\\]\\-a]",
        "\\x{41}",     "[\\x41-\\x43]", "(?i)k",  "a",      "\\.",       "[\\n\\t]",
        "[[:punct:]]", "\\101",         "[.]"}) {
    const auto node = parse(pattern);
    CAPTURE(pattern);
    REQUIRE(node.has_value());
    REQUIRE(node->is_character());
    const re2::RE2 regex{std::string(pattern)};
    REQUIRE(regex.ok());
    for (unsigned c = 0; c < kBeyondAscii; ++c) {
      CAPTURE(c);
      CHECK(node->set.test(c) == re2::RE2::FullMatch(std::string(1, static_cast<char>(c)), regex));
    }
  }
}

TEST_CASE("what can match the empty text") {
  for (const std::string_view pattern : {"", "a*", "a?b*", "(?:a|)", "^$", "\\b", "(?:a?){3}"}) {
    CAPTURE(pattern);
    CHECK(nullable(parse(pattern).value()));
  }
  for (const std::string_view pattern : {"a", "a+", "a|b", "a{2}", "[ab]", "^a"}) {
    CAPTURE(pattern);
    CHECK_FALSE(nullable(parse(pattern).value()));
  }
}

TEST_CASE("parts know where they stand") {
  const auto node = parse("ab(?:c|[^d])+e");
  REQUIRE(node.has_value());
  REQUIRE(node->subs.size() == 4);
  const Node& repeat = node->subs[2];
  CHECK(repeat.op == Node::Op::kRepeat);
  CHECK(repeat.end == 13);
  const Node& negated = repeat.subs[0].subs[1];
  CHECK(negated.negated);
  CHECK(negated.bracketed);
  CHECK(negated.begin == 7);
  CHECK(negated.end == 11);
}

TEST_CASE("a deep pattern is not followed to the end of the stack") {
  const std::string deep = std::string(5000, '(') + "a" + std::string(5000, ')');
  CHECK_FALSE(parse(deep).has_value());
}

}  // namespace
}  // namespace tocsin::syntax
