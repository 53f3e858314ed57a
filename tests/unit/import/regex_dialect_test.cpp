#include "detectors/rules/import/regex_dialect.h"

#include <re2/re2.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

TEST_CASE("ECMAScript patterns, as RE2 reads them") {
  struct Row {
    const char* pattern;
    const char* text;
    bool found;
  };
  for (const Row& row : std::vector<Row>{{"abc", "xABCx", true},
                                         {"(?is)a.b", "a\nb", false},
                                         {R"(\u200b)", "a\xe2\x80\x8b", true},
                                         {R"(\u{1F600})", "\xf0\x9f\x98\x80", true},
                                         {R"(\ud83d\ude00)", "\xf0\x9f\x98\x80", true},
                                         {R"([\u0400-\u04ff])", "\xd0\x96", true},
                                         {R"((?<word>a)b)", "ab", true},
                                         {R"(a[^]b)", "a\nb", true},
                                         {R"(a[[]b)", "a[b", true},
                                         {R"([[:x]b)", ":b", true},
                                         {R"(\/etc\/passwd)", "/etc/passwd", true},
                                         {R"((?:a|b)(?i:c))", "bC", true}}) {
    CAPTURE(row.pattern);
    const auto pattern = re2_from_ecmascript(row.pattern);
    REQUIRE(pattern.has_value());
    CAPTURE(*pattern);
    const re2::RE2 regex(*pattern, re2::RE2::Quiet);
    REQUIRE(regex.ok());
    CHECK(re2::RE2::PartialMatch(row.text, regex) == row.found);
  }
  for (const auto& [pattern, reason] : std::vector<std::pair<const char*, const char*>>{
           {"a(?=b)", "a look-ahead (?="},
           {"a(?!b)", "a look-ahead (?!"},
           {"(?<=a)b", "a look-behind (?<="},
           {"(?<!a)b", "a look-behind (?<!"},
           {R"((a)\1)", R"(a back-reference \1)"},
           {R"((?<w>a)\k<w>)", R"(a back-reference \k)"},
           {R"(\ud83d)", "half a surrogate pair"},
           {R"(\ud83dx)", "half a surrogate pair"},
           {R"(\u12)", R"(\u without)"},
           {R"(\u{110000})", R"(\u without)"},
           {R"(\u{)", R"(\u without)"},
           {"a[]", "the empty class"}}) {
    CAPTURE(pattern);
    const auto made = re2_from_ecmascript(pattern);
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().starts_with(reason));
  }
}

TEST_CASE("Go's named groups") {
  CHECK(re2_from_go(R"((?<name>a)(?P<b>[(?<x>]\(?<y))") == R"((?P<name>a)(?P<b>[(?<x>]\(?<y))");
  CHECK(re2_from_go("a\\") == "a\\");
}

TEST_CASE("a key of JSON that a pattern cannot do without") {
  CHECK(json_key_demanded(R"("command"\s*:\s*"rm)") == "command");
  CHECK(json_key_demanded(R"((?i)\"url\":)") == "url");
  CHECK(json_key_demanded(R"("a":|rm -rf)").empty());
  CHECK(json_key_demanded(R"(("a":)?rm)").empty());
  CHECK(json_key_demanded(R"(["a":])").empty());
  CHECK(json_key_demanded("rm -rf").empty());
}

}  // namespace
}  // namespace tocsin
