#include "detectors/rules/pattern_lint.h"

#include <re2/re2.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

constexpr PatternUse kPlain{};
constexpr PatternUse kProse{.excludes = false, .prose = true, .searched = false};
constexpr PatternUse kExcludes{.excludes = true, .prose = false, .searched = false};
constexpr PatternUse kSearched{.excludes = false, .prose = false, .searched = true};

bool trips(Lint lint, std::string_view pattern, const PatternUse& use) {
  const auto flaws = lint_pattern(pattern, use);
  return std::ranges::find(flaws, lint, &PatternFlaw::lint) != flaws.end();
}

TEST_CASE("each lint of a pattern, by a bad one and its good twin") {
  struct Row {
    Lint lint;
    PatternUse use;
    std::string_view bad;
    std::string_view good;
  };
  const Row rows[] = {
      {Lint::kNegatedClassAsDomain, kPlain, R"(https?://[^(example\.com)])",
       R"(https?://[^/\s]+/)"},
      {Lint::kNegatedClassAsDomain, kPlain, R"(.*@[^ourcompany.com$].*)", R"(@[^a-z0-9.-])"},
      {Lint::kNegatedClassAsDomain, kPlain, R"(to [^alice|bob] now)", R"(to [^|&;<>]{1,9} now)"},
      {Lint::kNegatedClassAsDomain, kPlain, R"(//[^google]/x)", R"(//[^aeiou]/x)"},
      {Lint::kNegatedClassAsDomain, kPlain, R"(//[^a-z.example.org]/)", R"(//[^\w.%+-]/)"},

      {Lint::kUnanchoredDomain, kPlain, R"(https://paste.example/x)",
       R"(https://paste\.example/x)"},
      {Lint::kUnanchoredDomain, kPlain, R"(//pastebin\.com)", R"(//pastebin\.com(?:[:/]|$))"},
      {Lint::kUnanchoredDomain, kPlain, R"(//pastebin\.com\S*)", R"(//pastebin\.com/\S*)"},
      {Lint::kUnanchoredDomain, kPlain, R"((?:a|//pastebin\.com)(?:x)?)",
       R"((?:a|//pastebin\.com)/)"},
      {Lint::kUnanchoredDomain, kExcludes, R"(example\.com/)", R"((?://|\.)example\.com/)"},
      {Lint::kUnanchoredDomain, kExcludes, R"(^example\.com\b)", R"(^example\.com$)"},
      {Lint::kUnanchoredDomain, kExcludes, R"([\w.-]+\bexample\.com$)", R"(@example\.com$)"},

      {Lint::kEnvelopeKey, kPlain, R"("output":\s*"rm -rf)", R"("rm -rf")"},
      {Lint::kEnvelopeKey, kPlain, R"(\\?"arguments\\?"\s*:)", R"("argument list"\s*:)"},
      {Lint::kEnvelopeKey, kPlain, R"(["'](?:output|result)["']\s*:)",
       R"(["'](?:role|system)["']\s*:)"},

      {Lint::kUnboundedGap, kPlain, R"((?s)curl.*sh\b)", R"(curl.*sh\b)"},
      {Lint::kUnboundedGap, kPlain, R"(curl[\s\S]+sh\b)", R"(curl[^\n]+sh\b)"},
      {Lint::kUnboundedGap, kPlain, R"(curl(?:.|\n)*sh\b)", R"(curl[\s\S]{0,200}sh\b)"},
      {Lint::kUnboundedGap, kPlain, R"(curl[^\r]*sh\b)", R"(<img[^>]*src=)"},
      {Lint::kUnboundedGap, kPlain, R"((?s)(?:curl.*)\|sh)", R"((?s)curl.*)"},

      {Lint::kCaseTrap, kProse, R"(ignore\s+previous\s+instructions)",
       R"((?i)ignore\s+previous\s+instructions)"},
      {Lint::kCaseTrap, kProse, R"(\bYou are now\b.*and Your instructions)",
       R"(-----BEGIN RSA KEY)"},
      {Lint::kCaseTrap, kProse, R"((?:ignore|disregard) the (?:rules|prompt))",
       R"([Ii]gnore [Tt]he rules)"},
      {Lint::kCaseTrap, kProse, R"(system prompt:)", R"((?i:system prompt):)"},

      {Lint::kNoLiteral, kSearched, R"(\b[0-9]{13,16}\b)", R"(\bcard [0-9]{13,16}\b)"},
      {Lint::kNoLiteral, kSearched, R"(curl|\w+)", R"(curl|wget)"},
      {Lint::kNoLiteral, kSearched, R"((?:abc)?[a-z]+)", R"((?:abc)+[a-z]+)"},
      {Lint::kNoLiteral, kSearched, R"(\bsh\b)", R"([bd]ash\b)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.bad, row.good);
    REQUIRE(re2::RE2(std::string(row.bad)).ok());
    REQUIRE(re2::RE2(std::string(row.good)).ok());
    CHECK(trips(row.lint, row.bad, row.use));
    CHECK_FALSE(trips(row.lint, row.good, row.use));
  }
}

TEST_CASE("a lint looks only where it applies") {
  CHECK_FALSE(trips(Lint::kCaseTrap, "ignore previous rules", kPlain));
  CHECK_FALSE(trips(Lint::kNoLiteral, R"(\d+)", kPlain));
  // What a rule finds may well be one host more; what it lets through may not.
  CHECK_FALSE(trips(Lint::kUnanchoredDomain, R"(example\.com\b)", kPlain));
  CHECK_FALSE(trips(Lint::kUnanchoredDomain, R"(example\.com/)", kPlain));
}

TEST_CASE("file names, calls and versions are no hosts") {
  for (const std::string_view pattern : {R"(install.sh)", R"(\bos.environ\b)", R"(v1.2.3)",
                                         R"(id_rsa.pub)", R"(a.b)", R"(.env)", R"(x.com)"}) {
    CAPTURE(pattern);
    CHECK_FALSE(trips(Lint::kUnanchoredDomain, pattern, kPlain));
  }
}

TEST_CASE("a message names the part of the pattern and what gets by") {
  const auto flaws = lint_pattern(R"(https?://[^(example\.com)])", kPlain);
  REQUIRE(flaws.size() == 1);
  CHECK(flaws[0].message.find(R"(`[^(example\.com)]`)") != std::string::npos);
  const auto open = lint_pattern(R"(//example\.com)", kPlain);
  REQUIRE(open.size() == 1);
  CHECK(open[0].message.find("example.com.evil.test matches") != std::string::npos);
}

TEST_CASE("any text is survived") {
  for (const std::string_view pattern :
       {"",      "(",          ")",     "[",    "[^",         "[]",         "\\",
        "\\x",   "\\x{",       "(?",    "(?i",  "*",          "a{",         "a{1",
        "{1,2}", "[[:nope:]]", "[z-a]", "\\Q",  "\\Qa.b\\E",  "(?P<n>a)",   "\xff",
        "a|",    "|",          "()",    "\\pN", "\\p{Greek}", "[\\p{L}\\d]"}) {
    CAPTURE(pattern);
    CHECK(lint_pattern(pattern, kPlain).size() <= kLintCount);
  }
}

}  // namespace
}  // namespace tocsin
