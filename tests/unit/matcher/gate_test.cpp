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

std::size_t digits(std::string_view pattern) {
  const auto tree = parse_re2(pattern);
  REQUIRE(tree.has_value());
  return required_digits(*tree).digits;
}

TEST_CASE("what every match holds") {
  CHECK(literals("evil") == Groups{{"evil"}});
  CHECK(literals("(?i)EviL") == Groups{{"evil"}});
  CHECK(literals("a(?:b|c)d") == Groups{{"abd", "acd"}});
  CHECK(literals("api[_-]?key") == Groups{{"api-key", "api_key", "apikey"}});
  CHECK(literals("curl\\b[^|]*\\|\\s*sh") == Groups{{"curl"}, {"|"}, {"sh"}});
  CHECK(literals("(?:ab)+c") == Groups{{"ab"}, {"abc"}});
  CHECK(literals("x{3}yz") == Groups{{"x"}, {"xyz"}});
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

TEST_CASE("digits that follow each other") {
  CHECK(digits("\\b[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}\\b") == 9);
  CHECK(digits("(?:[0-9][ -]?){11,18}[0-9]") == 12);
  CHECK(digits("[0-9]{3}\\.[0-9]{3}") == 6);
  CHECK(digits("[0-9]{3}[- ]{2}[0-9]{4}") == 4);
  CHECK(digits("[0-9]{3}(?:[0-9]|[0-9]{2})[0-9]") == 5);
  CHECK(digits("[0-9]{3}(?:[0-9]|x)[0-9]{2}") == 3);
  CHECK(digits("[0-9]{0,9}") == 0);
  CHECK(digits("\\w{20}") == 0);
}

TEST_CASE("the rarest words are asked for, and common ones not at all") {
  const auto gate = [](std::string_view pattern) { return gate_of(*parse_re2(pattern)); };
  CHECK(gate("(?i)the\\s+unshackled\\s+one").groups == Groups{{"unshackled"}});
  CHECK(gate("(?i)your\\s+\\w+\\s+prompt").groups == Groups{{"prompt"}, {"your"}});
  CHECK(gate("\\d{3}-\\d{2}-\\d{4}").expression == "[0-9](?:[ -]?[0-9]){8}");
  CHECK(gate("\\d{3}-\\d{2}").open());
  CHECK(gate("\\w+=\\w+").open());
  CHECK(gate("[\\x{E0000}-\\x{E007F}]{4}").expression == "[\\x80-\\xff]");
}

}  // namespace
}  // namespace tocsin::matcher
