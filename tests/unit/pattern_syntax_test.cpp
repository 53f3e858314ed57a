#include "detectors/rules/pattern_syntax.h"

#include <re2/re2.h>

#include <optional>
#include <string>
#include <string_view>

#include "tests/unit/catch.h"

namespace tocsin::syntax {
namespace {

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
