#include "detectors/matcher/first_stage.h"

#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/temp_dir.h"

namespace tocsin::matcher {
namespace {

std::unique_ptr<const FirstStage> compile(const std::vector<std::string>& patterns,
                                          const std::filesystem::path& cache = {},
                                          std::uint32_t openings_before = 0) {
  std::vector<Pattern> all;
  for (const std::string& text : patterns) all.push_back({.text = text});
  auto stage = FirstStage::compile(all, cache, openings_before);
  REQUIRE(stage.has_value());
  return std::move(*stage);
}

// Of one value, or of several with newlines between them.
std::vector<std::uint32_t> candidates(const FirstStage& stage, std::string_view text,
                                      std::uint16_t kind = 1) {
  FirstStage::Scratch scratch;
  std::vector<std::uint32_t> found;
  stage.scan("\n" + std::string(text) + "\n", 2, kind, scratch, found);
  std::ranges::sort(found);
  CHECK(std::ranges::adjacent_find(found) == found.end());  // each once
  return found;
}

bool re2_matches(std::string_view pattern, std::string_view text) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 regex(re2::StringPiece(pattern.data(), pattern.size()), options);
  return regex.ok() && re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), regex);
}

// What must hold: nothing that RE2 finds in one of the joined values is missing.
void check_sound(const std::vector<std::string>& patterns, const std::vector<std::string>& values) {
  const auto stage = compile(patterns);
  std::string joined;
  for (const std::string& value : values) joined += value + "\n";
  const auto found = candidates(*stage, joined);
  for (std::uint32_t i = 0; i < patterns.size(); ++i) {
    for (const std::string& value : values) {
      CAPTURE(patterns[i], value);
      if (re2_matches(patterns[i], value)) CHECK(std::ranges::binary_search(found, i));
    }
  }
}

TEST_CASE("where the dialects differ, nothing is missed") {
  const std::vector<std::string> patterns = {"^ab",           "ab$",
                                             "\\Aab",         "ab\\z",
                                             "(?m)^ab$",      "a\\Sb",
                                             "a\\sb",         "a[^\\s]b",
                                             "a[\\S]b",       "[^\\S]a",
                                             "(?i)task",      "(?i)kill",
                                             "(?i)\\w{4}x",   "(?i)[[:alpha:]]+x",
                                             "(?i)straße",    "(?i)Σ",
                                             "a.b",           "(?s)a.b",
                                             "a[^x]b",        "\\Qa.b\\E",
                                             "\\Qa[b",        "(?P<n>ab)c",
                                             "\\x{1F600}",    "\\pL+x",
                                             "\\p{Greek}",    "(?U)a+b",
                                             "\\Cb",          "a{2,3}b",
                                             "(?:ab){2,3}c",  "(?:a(?:bc){0,9}d){3}",
                                             "[]a]b",         "[^]a]b",
                                             "[a\\]]b",       "a\\vb",
                                             "[[:^space:]]b", "\\bab\\b",
                                             "\\Bb",          "a{1000}",
                                             "x*+?y",         "(?i:a)B",
                                             "\\d{3}-\\d{2}", "(?:[0-9][ -]?){11,18}[0-9]",
                                             "a|^$b|c",       "\\.\\*\\{2,3\\}",
                                             "a{,3}b"};
  const std::vector<std::string> values = {"ab",
                                           "xab",
                                           "abx",
                                           "x\nab",
                                           "ab\nx",
                                           "a\vb",
                                           "a b",
                                           "a\tb",
                                           "a\nb",
                                           "axb",
                                           "aéb",
                                           "\va",
                                           " a",
                                           "TA\xC5\xBFK",
                                           "\xE2\x84\xAAill",
                                           "abc\xC5\xBFx",
                                           "\xE2\x84\xAAx",
                                           "STRA\u1E9EE",
                                           "ς",
                                           "a.b",
                                           "a[b",
                                           "abc",
                                           "\xF0\x9F\x98\x80",
                                           "éx",
                                           "αβ",
                                           "aab",
                                           "xb",
                                           "aaab",
                                           "ababc",
                                           "abababc",
                                           "adadad",
                                           "abcdabcbcdad",
                                           "]b",
                                           "bb",
                                           "Ab",
                                           "aB",
                                           "AB",
                                           "123-45",
                                           "1234 5678 9012",
                                           std::string(1000, 'a'),
                                           "y",
                                           ".*{2,3}",
                                           "a{,3}b",
                                           "b",
                                           "_b",
                                           "b b"};
  check_sound(patterns, values);
}

TEST_CASE("random patterns and texts: nothing is missed") {
  std::mt19937 dice(20261125);
  const std::vector<std::string> atoms = {
      "a",      "b", "ab",  "\\w",         "\\s",      "\\S",   ".",       "[ab]",  "[^a]",
      "(?i)k",  "é", "\\d", "\\b",         "^",        "$",     "(?:ab)",  "(a|b)", "\\W",
      "[^\\s]", "s", "kab", "(?:bak|sab)", "(?i:as)k", "[0-9]", "\\d[ -]?"};
  const std::vector<std::string> repeats = {"",  "",    "",      "*",      "+",
                                            "?", "{2}", "{1,3}", "{0,20}", "{9}"};
  const std::vector<std::string> letters = {
      "a", "b", "k", "K", "\xE2\x84\xAA", "s", "\xC5\xBF", "é", " ", "\v", "1", "_", "-", "É"};
  const auto pick = [&](const std::vector<std::string>& from) {
    return from[dice() % from.size()];
  };
  std::vector<std::string> patterns;
  while (patterns.size() < 300) {
    std::string pattern;
    const std::size_t parts = 1 + dice() % 5;
    for (std::size_t i = 0; i < parts; ++i) {
      const std::string atom = pick(atoms);
      const bool zero_width = atom == "\\b" || atom == "^" || atom == "$" || atom == "(?i)k";
      pattern += atom + (zero_width ? "" : pick(repeats));
    }
    re2::RE2::Options options;
    options.set_log_errors(false);
    if (re2::RE2(pattern, options).ok()) patterns.push_back(pattern);
  }
  std::vector<std::string> values;
  const std::vector<std::string> words = {
      "kab", "bak", "sab", "ask", "A\xC5\xBFK", "123456789", "1 2-3 4 5 6 7 8 9", "SAB"};
  for (int i = 0; i < 90; ++i) {
    std::string value;
    const std::size_t size = 1 + dice() % 9;
    for (std::size_t c = 0; c < size; ++c) value += pick(dice() % 4 == 0 ? words : letters);
    values.push_back(value);
  }
  check_sound(patterns, values);
}

TEST_CASE("ordinary text has no candidates") {
  const auto stage =
      compile({"curl[^|]{0,200}\\|\\s*sh\\b", "AKIA[A-Z2-7]{16}", "(?i)drop\\s+table"});
  CHECK(candidates(*stage, "The table stands in the kitchen; curl up beside it.").empty());
  CHECK(candidates(*stage, "").empty());
  CHECK(candidates(*stage, "curl -s x | sh") == std::vector<std::uint32_t>{0});
  CHECK(stage->stats().gated == 3);
  CHECK(stage->stats().scanned == 0);
  CHECK(stage->stats().always == 0);
}

TEST_CASE("short literals are found wherever they stand") {
  // Vectorscan 5.4.9 misses the first two of these at most offsets above 64.
  const auto stage = compile({"a", "a.*b.*c", "abc[x-z]"});
  CHECK(stage->stats().trusted);
  for (std::size_t padding = 0; padding < 200; ++padding) {
    CAPTURE(padding);
    const std::string text = std::string(padding, ' ') + "a aa abcy a" + std::string(padding, '.');
    CHECK(candidates(*stage, text) == std::vector<std::uint32_t>{0, 1, 2});
  }
}

TEST_CASE("a pattern is looked for only in the kinds of text that want it") {
  const std::vector<Pattern> patterns = {
      {.text = "(?i)ignore\\s+previous", .texts = 1},
      {.text = "(?i)ignore\\s+previous", .texts = 2},
      {.text = "[0-9]{3}x[ab]", .texts = 2},
      {.text = "[0-9]{3}x[ab]", .texts = 3},
      {.text = "evil", .kind = Pattern::Kind::kLiteral, .texts = 2},
  };
  const auto stage = FirstStage::compile(patterns, {}, 0);
  REQUIRE(stage.has_value());
  const std::string text = "IGNORE previous 123xa";
  CHECK(candidates(**stage, text, 1) == std::vector<std::uint32_t>{0, 3});
  CHECK(candidates(**stage, text, 2) == std::vector<std::uint32_t>{1, 2, 3});
}

TEST_CASE("a gate opens for all of its words, wherever they stand, and the pattern decides") {
  const auto stage = compile({"(?i)\\b(?:ignore|disregard)\\s+(?:\\w+\\s+){0,3}instructions\\b"});
  CHECK(stage->stats().gated == 1);
  CHECK(candidates(*stage, "please disregard all of these instructions") ==
        std::vector<std::uint32_t>{0});
  CHECK(candidates(*stage, "instructions: do not ignore").empty());
  CHECK(candidates(*stage, "ignore that").empty());
}

TEST_CASE("literals ignore ASCII case and nothing else") {
  const auto stage =
      FirstStage::compile(std::vector<Pattern>{{.text = "A.b[C", .kind = Pattern::Kind::kLiteral},
                                               {.text = "é", .kind = Pattern::Kind::kLiteral}},
                          {});
  REQUIRE(stage.has_value());
  CHECK(candidates(**stage, "xA.B[Cx") == std::vector<std::uint32_t>{0});
  CHECK(candidates(**stage, "axb[c").empty());
  CHECK(candidates(**stage, "café") == std::vector<std::uint32_t>{1});
}

TEST_CASE("a pattern that Hyperscan refuses is a candidate in every event, and the others work") {
  const auto stage = compile({"evil", "(?:a|b*)*"});
  CHECK(stage->stats().always == 1);
  CHECK(candidates(*stage, "evil") == std::vector<std::uint32_t>{0, 1});
  CHECK(candidates(*stage, "good") == std::vector<std::uint32_t>{1});
}

TEST_CASE("a pattern is looked for where its words are near enough to each other") {
  const auto stage = compile({"evil.{0,20}wicked", "\\bevil[a-z]{2}\\b"});
  const std::string far(500, '.');
  const std::vector<std::uint32_t> first = {0};
  const std::vector<std::uint32_t> second = {1};
  for (int i = 0; i < 3; ++i) {  // compiled when it is opened for the second time
    CHECK(candidates(*stage, "evil" + far + "wicked").empty());
    CHECK(candidates(*stage, far + "evil or wicked" + far) == first);
    CHECK(candidates(*stage, "wicked" + far + "evil and wicked") == first);
    CHECK(candidates(*stage, far + "evilly") == second);
    CHECK(candidates(*stage, far + " evilly" + far) == second);
    CHECK(candidates(*stage, "xevilly evily").empty());
  }
}

TEST_CASE("words too far from each other and marks that are missing open no gate") {
  // No pattern is compiled, so what opens a gate is a candidate.  Words of three letters are too
  // common for one to be enough.
  constexpr std::uint32_t kNever = 1'000'000;
  const auto stage = compile({"zap.{0,20}kit", "vile\\s?\\("}, {}, kNever);
  const std::string far(500, '.');
  CHECK(candidates(*stage, "zap" + far + "kit").empty());
  CHECK(candidates(*stage, "kit" + far + "zap").empty());
  CHECK(candidates(*stage, "kit zap") == std::vector<std::uint32_t>{0});  // order is not asked
  CHECK(candidates(*stage, "vile").empty());
  CHECK(candidates(*stage, "( vile") == std::vector<std::uint32_t>{1});
}

TEST_CASE("a compiled database comes back from the cache, and a damaged one is made again") {
  const testing::TempDir dir;
  const std::vector<std::string> patterns = {"[ei]v[il]l?", "w[i1]c?"};  // no words
  CHECK_FALSE(compile(patterns, dir.path())->stats().from_cache);
  const auto again = compile(patterns, dir.path());
  CHECK(again->stats().from_cache);
  CHECK(candidates(*again, "w1cked") == std::vector<std::uint32_t>{1});
  CHECK_FALSE(compile({"[ei]v[il]l?", "o.h"}, dir.path())->stats().from_cache);

  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    std::ifstream in(entry.path(), std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x55);
    std::ofstream(entry.path(), std::ios::binary | std::ios::trunc) << bytes;
  }
  const auto mended = compile(patterns, dir.path());
  CHECK_FALSE(mended->stats().from_cache);
  CHECK(candidates(*mended, "evil") == std::vector<std::uint32_t>{0});
  CHECK(compile(patterns, dir.path())->stats().from_cache);
}

}  // namespace
}  // namespace tocsin::matcher
