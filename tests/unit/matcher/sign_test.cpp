#include "detectors/matcher/sign.h"

#include <string>
#include <string_view>

#include "tests/unit/catch.h"

namespace tocsin::matcher {
namespace {

Node tree_of(std::string_view pattern) {
  auto tree = parse_re2(pattern);
  REQUIRE(tree.has_value());
  return std::move(*tree);
}

ByteSet set_of(std::string_view bytes) {
  ByteSet set;
  for (const char c : bytes) set.set(static_cast<unsigned char>(c));
  return set;
}

std::size_t digits(std::string_view pattern) {
  return required_run(tree_of(pattern), set_of("0123456789"), set_of(" -"));
}

bool sign_in(std::string_view pattern, std::string_view text) {
  return TextSigns(std::string("\n").append(text) + "\n", 2).has(sign_of(tree_of(pattern)));
}

TEST_CASE("digits that follow each other") {
  CHECK(digits("\\b[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}\\b") == 9);
  CHECK(digits("(?:[0-9][ -]?){11,18}[0-9]") == 12);
  CHECK(digits("[0-9]{3}\\.[0-9]{3}") == 3);
  CHECK(digits("(?:[0-9]{4}[ -]?){3}[0-9]{2}") == 14);
  CHECK(digits("(?:[0-9]{4}[ -]?){1,3}[0-9]{2}") == 6);
  CHECK(digits("x(?:[0-9]{4}|[0-9]{3}-[0-9]{3}y)") == 4);
  CHECK(digits("[0-9]{3}(?:[0-9]|-[0-9])[0-9]") == 5);
  CHECK(digits("[0-9]{3}[- ]{2}[0-9]{4}") == 4);
  CHECK(digits("[0-9]{3}(?:[0-9]|[0-9]{2})[0-9]") == 5);
  CHECK(digits("[0-9]{3}(?:[0-9]|x)[0-9]{2}") == 3);
  CHECK(digits("[0-9]{3}-(?:-|[0-9])[0-9]{2}") == 3);
  CHECK(digits("[0-9]{3}(?:-|[0-9])-[0-9]{2}") == 3);
  CHECK(digits("[0-9]{3}(?:|-)[0-9]{2}") == 3);
  CHECK(digits("[0-9]{3}[0-9]{0,2}[0-9]{3}") == 6);
  CHECK(digits("[0-9]{3}(?:-[0-9]{4})?[0-9]{2}") == 3);
  CHECK(digits("[0-9]{0,9}") == 0);
  CHECK(digits("\\w{20}") == 0);
}

TEST_CASE("runs in a text") {
  const Run run(9, set_of("0123456789"), set_of(" -"));
  CHECK(run.in("x 123-45 6789."));
  CHECK(run.in("123456789"));
  CHECK(run.in("1 123-45-6789"));
  CHECK(run.in("1--123-45-6789"));
  CHECK(run.in("12345678x123456789"));
  CHECK_FALSE(run.in("123--456789"));
  CHECK_FALSE(run.in("12345678 x 12345678"));
  CHECK_FALSE(run.in("123.45.6789"));
  CHECK_FALSE(run.in("- - - - - - - - - - -"));
  CHECK_FALSE(run.in(""));
}

TEST_CASE("a run is found wherever it begins") {
  const Run run(4, set_of("ab"), {});
  for (std::size_t before = 0; before < 12; ++before) {
    for (std::size_t length = 0; length < 8; ++length) {
      const std::string text = "a." + std::string(before, '.') + std::string(length, 'a') + ".";
      CHECK(run.in(text) == (length >= 4));
    }
  }
}

TEST_CASE("what a text must have for a pattern") {
  struct Row {
    std::string_view pattern;
    std::string_view with;
    std::string_view without;
  };
  const Row rows[] = {
      {"\\d{3}-\\d{2}-\\d{4}", "123-45-6789", "on 2026-11-28"},
      {"gh[ps]_[A-Za-z0-9]{36}", "a_token_of-many_letters", "no word of it is so long"},
      {"\\bkey\\s?=\\s?([\\w][\\w.+/~=-]{14,})", "/usr/share/doc/x", "a/b, c/d and so on"},
      {"(?:pub)?key-[a-f0-9]{32}|t1\\.[a-z]{20}\\.", "a_token_of-many_letters", "no such word"},
      {"(?i)sk_[a-z0-9]{20}", "a_token_of-many_letters", "no word of it is so long"},
      {"^\\w{0,9}[\"']\\s?or\\b", "it's", "it is"},
      {"\\w+\\s?(?:\\||;\\s?sh)\\s?\\w", "a; b", "a, b"},
      {"[\\x{E0000}-\\x{E007F}]{4}", "\xC3\xA9", "e"},
      {"\\w{1,9}[\\x00-\\x08]", "a\x01", "a\tb\n"},
      {"\\w\\s?\\\\x\\s?\\(", "\\", "("},
      {"\\w(?:\\+{2}|#)", "c++", "c"},
      {"\\w\\n\\s{0,3}\\w", "a\nb", "a b"},
      {"\\w[\\r\\n]{1,2}\\w", "a\rb", "a b"},
      {"\\bsh\\s+-c\\s", "well-known", "sh c"},
      {"\\bvi\\s(?:-c|\\+)\\s?\\w", "a + b", "a and b"},
      {"(?i)\\bformat\\s+[c-z]:\\s", "at 10:30", "format c"},
      {"(?:/\\.\\.){2}", "either/or", "and so on..."},
      // The rarest of what a branch needs.
      {"-\\w\\s?\\||:\\s?;", "a; b", "-a: b"},
      {"^(?:;|\\n\\d|%0a|\\\\n)\\s?id\\b", "50%", "a, b-c: d/e"},
  };
  for (const Row& row : rows) {
    INFO(row.pattern);
    CHECK(sign_in(row.pattern, row.with));
    CHECK_FALSE(sign_in(row.pattern, row.without));
  }
}

TEST_CASE("a long token and digits are seen wherever they stand") {
  for (std::size_t before = 0; before < 600; ++before) {
    const std::string words = std::string(before, ' ') + "no such word ";
    INFO(before);
    CHECK(sign_in("sk_[a-z0-9]{17}", words + "abcdefghij0123456789 and"));
    CHECK_FALSE(sign_in("sk_[a-z0-9]{17}", words + "abcdefghij012345678 and"));
    CHECK(sign_in("[0-9]{3}-?[0-9]{6}", words + "123-456789"));
    CHECK_FALSE(sign_in("[0-9]{3}-?[0-9]{6}", words + "123-45678"));
  }
}

TEST_CASE("what says nothing is not asked for") {
  for (const std::string_view pattern :
       {"\\w+", "a(?:\\(b\\))?", "a(?:\\(|b)", "[^x]", "\\d{8}", "a,b.c_d", "\\t\\s"}) {
    INFO(pattern);
    CHECK(sign_of(tree_of(pattern)) == Sign{});
  }
}

TEST_CASE("a character beyond ASCII") {
  CHECK(requires_beyond_ascii(tree_of("a[\\x{E0000}-\\x{E007F}]")));
  CHECK(requires_beyond_ascii(tree_of("\xC3\xA9|\xC3\xA8")));
  CHECK_FALSE(requires_beyond_ascii(tree_of("\xC3\xA9|e")));
  CHECK_FALSE(requires_beyond_ascii(tree_of("(?i)k")));  // the Kelvin sign folds to it
  CHECK_FALSE(requires_beyond_ascii(tree_of("[^a]")));
}

}  // namespace
}  // namespace tocsin::matcher
