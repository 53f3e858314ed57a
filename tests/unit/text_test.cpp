#include "daemon/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/invisible.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using std::string_view_literals::operator""sv;

TEST_CASE("printable shows by number what hides, reorders or ends a line") {
  struct Row {
    std::string_view what;
    std::string_view text;
    std::string_view shown;
  };
  const Row rows[] = {
      {"nothing", "", ""},
      {"plain text", "rm -rf /tmp/x", "rm -rf /tmp/x"},
      {"accents, Han, emoji", "héllo 世界 🙂", "héllo 世界 🙂"},
      {"NUL", "a\0b"sv, R"(a\u{0}b)"},
      {"newline, return, tab", "a\nb\rc\td", R"(a\u{a}b\u{d}c\u{9}d)"},
      {"bell and backspace", "\a\b", R"(\u{7}\u{8})"},
      {"DEL", "\x7f", R"(\u{7f})"},
      {"C1 as UTF-8: CSI",
       "\xc2\x9b"
       "31m",
       R"(\u{9b}31m)"},
      {"the first and last of C1", "\xc2\x80\xc2\x9f", R"(\u{80}\u{9f})"},
      {"no-break space is visible", "\xc2\xa0", "\xc2\xa0"},
      {"ANSI colour", "\x1b[31mred\x1b[0m", R"(\u{1b}[31mred\u{1b}[0m)"},
      {"OSC 8 link", "\x1b]8;;http://x.test\x1b\\go", R"(\u{1b}]8;;http://x.test\u{1b}\go)"},
      {"soft hyphen", "pass\u00adword", R"(pass\u{ad}word)"},
      {"bidi override", "\u202egnp.exe", R"(\u{202e}gnp.exe)"},
      {"bidi isolates", "\u2066a\u2069", R"(\u{2066}a\u{2069})"},
      {"Arabic letter mark", "\u061c", R"(\u{61c})"},
      {"zero width", "a\u200bb\u200cc\u200dd", R"(a\u{200b}b\u{200c}c\u{200d}d)"},
      {"word joiner", "\u2060", R"(\u{2060})"},
      {"byte order mark", "\ufeff{", R"(\u{feff}{)"},
      {"line and paragraph separator", "\u2028\u2029", R"(\u{2028}\u{2029})"},
      {"tag characters", "\U000e0001\U000e0041", R"(\u{e0001}\u{e0041})"},
      {"variation selectors", "\ufe0f\U000e0100", R"(\u{fe0f}\u{e0100})"},
      {"Hangul filler", "\u3164\u115f", R"(\u{3164}\u{115f})"},
      {"a stray continuation byte", "a\x80z", R"(a\x80z)"},
      {"a cut character", "\xe4\xb8", R"(\xe4\xb8)"},
      {"an overlong slash", "\xc0\xaf", R"(\xc0\xaf)"},
      {"a surrogate", "\xed\xa0\x80", R"(\xed\xa0\x80)"},
      {"beyond Unicode", "\xf4\x90\x80\x80", R"(\xf4\x90\x80\x80)"},
      {"the replacement character itself", "\ufffd", "\ufffd"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(printable(row.text) == row.shown);
  }
}

TEST_CASE("invisible is all that Unicode calls ignorable, and little more") {
  constexpr char32_t kLast = 0x10FFFF;
  std::size_t others = 0;
  for (char32_t c = 0; c <= kLast; ++c) {
    const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
    const bool ignorable = property->ignorable != 0;
    if (is_invisible(c) == ignorable) continue;
    CAPTURE(static_cast<std::uint32_t>(c));
    CHECK(is_invisible(c));
    // utf8proc does not say it of what is reserved for such characters.
    if (property->category != UTF8PROC_CATEGORY_CN) ++others;
  }
  CHECK(others == 3);  // interlinear annotations
  CHECK(std::ranges::is_sorted(kInvisible, {}, &CodePointRange::first));
}

TEST_CASE("printable keeps to its bound and cuts at a character") {
  struct Row {
    std::string_view text;
    std::size_t bytes_max;
    std::string_view shown;
  };
  const Row rows[] = {
      {"12345678", 8, "12345678"},  // fits exactly
      {"123456789", 8, "12345…"},
      {"ééééé", 10, "ééééé"},
      {"éééééé", 10, "ééé…"},  // 7 bytes are left before the ellipsis: three characters and no half
                               // one
      {"世界世界", 9, "世界…"},
      {"ab\ncd", 7, "ab…"},  // an escape is shown whole or not at all
      {"ab\ncd", 9, R"(ab\u{a}cd)"},
      {"\x80\x80\x80", 8, R"(\x80…)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text, row.bytes_max);
    CHECK(printable(row.text, row.bytes_max) == row.shown);
    CHECK(printable(row.text, row.bytes_max).size() <= row.bytes_max);
  }
}

TEST_CASE("printable is bounded and valid UTF-8 whatever it gets") {
  std::string every_byte;
  for (int round = 0; round < 4; ++round) {
    for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte * (2 * round + 1));
  }
  for (std::size_t start = 0; start < every_byte.size(); start += 7) {
    for (const std::size_t bound : {3U, 10U, 64U, 256U}) {
      const std::string shown = printable(std::string_view(every_byte).substr(start), bound);
      CAPTURE(start, bound, shown);
      REQUIRE(shown.size() <= bound);
      REQUIRE(is_valid_utf8(shown));
      REQUIRE(printable(shown, bound) == shown);  // nothing left to escape
    }
  }
}

TEST_CASE("is_valid_utf8") {
  struct Row {
    std::string_view what;
    std::string_view text;
    bool valid;
  };
  const Row rows[] = {
      {"empty", "", true},
      {"ASCII", "abc\x7f", true},
      {"NUL", "\0"sv, true},
      {"U+0080", "\xc2\x80", true},
      {"U+07FF", "\xdf\xbf", true},
      {"U+0800", "\xe0\xa0\x80", true},
      {"U+D7FF", "\xed\x9f\xbf", true},
      {"U+E000", "\xee\x80\x80", true},
      {"U+FFFD", "\xef\xbf\xbd", true},
      {"U+FFFF", "\xef\xbf\xbf", true},
      {"U+10000", "\xf0\x90\x80\x80", true},
      {"U+10FFFF", "\xf4\x8f\xbf\xbf", true},
      {"lone continuation", "\x80", false},
      {"lead alone", "\xc3", false},
      {"lead and letter", "\xc3z", false},
      {"3 bytes, cut", "\xe4\xb8", false},
      {"4 bytes, cut", "\xf0\x9f\x99", false},
      {"overlong 2: NUL", "\xc0\x80", false},
      {"overlong 2: slash", "\xc1\xaf", false},
      {"overlong 3", "\xe0\x9f\xbf", false},
      {"overlong 4", "\xf0\x8f\xbf\xbf", false},
      {"first surrogate", "\xed\xa0\x80", false},
      {"last surrogate", "\xed\xbf\xbf", false},
      {"CESU-8 pair", "\xed\xa0\xbd\xed\xb9\x82", false},
      {"U+110000", "\xf4\x90\x80\x80", false},
      {"F5", "\xf5\x80\x80\x80", false},
      {"FE", "\xfe", false},
      {"FF", "\xff", false},
      {"bad at the end", "long enough text\xc3", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(is_valid_utf8(row.text) == row.valid);
  }
}

TEST_CASE("first_code_point") {
  struct Row {
    std::string_view text;
    char32_t value;
    std::size_t length;
  };
  const Row rows[] = {
      {"A", U'A', 1},          {"éx", U'é', 2},       {"世", U'世', 3},
      {"🙂", U'🙂', 4},        {"\xff", 0xFFFD, 1},   {"\xc0\xaf", 0xFFFD, 1},
      {"\xe4\xb8", 0xFFFD, 1}, {"\ufffd", 0xFFFD, 3}, {"\xf0\x9f\x99z", 0xFFFD, 1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const CodePoint point = first_code_point(row.text);
    CHECK(static_cast<std::uint32_t>(point.value) == static_cast<std::uint32_t>(row.value));
    CHECK(point.length == row.length);
  }
}

TEST_CASE("cut_at_character") {
  struct Row {
    std::string_view text;
    std::size_t length;
    std::size_t cut;
  };
  const Row rows[] = {
      {"", 0, 0},   {"", 5, 0},     {"abc", 2, 2},  {"abc", 3, 3}, {"abc", 99, 3},
      {"é", 0, 0},  {"é", 1, 0},    {"é", 2, 2},    {"aé", 2, 1},  {"世", 1, 0},
      {"世", 2, 0}, {"a世b", 3, 1}, {"a世b", 4, 4}, {"🙂x", 3, 0}, {"🙂x", 4, 4},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text, row.length);
    CHECK(cut_at_character(row.text, row.length) == row.cut);
  }
}

TEST_CASE("identifier_words") {
  using Words = std::vector<std::string>;
  struct Row {
    std::string_view identifier;
    Words words;
  };
  const Row rows[] = {
      {"", {}},
      {"___", {}},
      {"123", {}},
      {"bash", {"bash"}},
      {"send_email", {"send", "email"}},
      {"sendDirect_message", {"send", "direct", "message"}},
      {"SendEmail", {"send", "email"}},
      {"gmail.messages-send", {"gmail", "messages", "send"}},
      {"HTTPGet", {"http", "get"}},
      {"getURL", {"get", "url"}},
      {"parseHTMLPage", {"parse", "html", "page"}},
      {"SEND_MONEY", {"send", "money"}},
      {"run2fa", {"run", "fa"}},
      {"v1Users", {"v", "users"}},
      {"a", {"a"}},
      {"aB", {"a", "b"}},
      {"mcp__files__read", {"mcp", "files", "read"}},
      {"écrire", {"crire"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.identifier);
    CHECK(identifier_words(row.identifier) == row.words);
  }
}

TEST_CASE("ascii_lower leaves everything but A to Z") {
  CHECK(ascii_lower("AZaz09_[`@É") == "azaz09_[`@É");
}

TEST_CASE("hash64 depends on every byte and on the seed") {
  CHECK(hash64("abc") == hash64("abc"));
  const std::set<std::uint64_t> seen = {hash64(""),
                                        hash64("abc"),
                                        hash64("abd"),
                                        hash64("abc\0"sv),
                                        hash64("abc", 0x1234567890ABCDEF),
                                        hash64("abc", 0xFEDCBA0987654321)};
  CHECK(seen.size() == 6);
  CHECK(hash64("") ==
        0x2D06800538D394C2ULL);  // XXH3's published value: the algorithm may not drift
}

}  // namespace
}  // namespace tocsin
