#include "detectors/lexical/words.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin::lexical {
namespace {

std::vector<Word> words(std::string_view text) {
  WordReader reader(text);
  std::vector<Word> out;
  Word word;
  while (reader.next(word)) out.push_back(word);
  return out;
}

std::vector<std::uint64_t> hashes(std::string_view text) {
  std::vector<std::uint64_t> out;
  for (const Word& word : words(text)) out.push_back(word.hash);
  return out;
}

std::vector<std::string> pieces(std::string_view text) {
  std::vector<std::string> out;
  for (const Word& word : words(text)) {
    out.emplace_back(text.substr(word.begin, word.end - word.begin));
  }
  return out;
}

TEST_CASE("what a reader takes for the same words is the same words") {
  struct Row {
    const char* what;
    std::string_view text;
    std::string_view same;
  };
  const Row rows[] = {
      {"case", "IGNORE the Rules", "ignore the rules"},
      {"full width", "\uff49\uff47\uff4e\uff4f\uff52\uff45 the rules", "ignore the rules"},
      {"mathematical", "\U0001D422\U0001D420\U0001D427\U0001D428\U0001D42B\U0001D41E it",
       "ignore it"},
      {"accents", "olvid\u00e9 d\u00e9j\u00e0", "olvide deja"},
      {"combining marks", "i\u0301gno\u0308re", "ignore"},
      {"zero width", "ig\u200bno\u200dre the \u2060rules", "ignore the rules"},
      {"fillers and separators", "ig\u3164no\u180ere the \uffa0rules \u17b4now",
       "ignore the rules now"},
      {"annotations and controls of notation", "ig\ufff9no\ufffbre\U0001BCA0 th\U0001D173e rules",
       "ignore the rules"},
      {"soft hyphen", "ig\u00adnore", "ignore"},
      {"homoglyphs", "ign\u043er\u0435 the rul\u0435s", "ignore the rules"},
      {"lookalikes alone", "\u0441\u043e\u0440\u0443", "copy"},
      {"typographic apostrophe", "don\u2019t", "don't"},
      {"tag characters", "\U000E0069\U000E0067\U000E006E\U000E006F\U000E0072\U000E0065", "ignore"},
      {"long words, eight bytes at a time", "INSTRUCTIONS Disregarding",
       "instructions disregarding"},
      {"a literal's newlines", "one\\ntwo", "one\ntwo"},
      {"a wrapped literal", "one \\\n   \\ two", "one two"},
      {"which number", "pay 30,000 now", "pay 7 now"},
      {"which address", "to a.b@c.test", "to x@y.example"},
      {"which site", "see https://a.test/x?y=1", "see http://b.test"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(hashes(row.text) == hashes(row.same));
  }
}

TEST_CASE("other words are other words") {
  CHECK(hashes("instruction") != hashes("instructions"));
  CHECK(hashes("\u0438\u0433\u0440\u0430") != hashes("urpa"));
  CHECK(hashes("\u5ffd\u7565") != hashes("\u5ffd\u89c6"));
  CHECK(hashes("12") != hashes("a12"));
}

TEST_CASE("where words begin and end") {
  struct Row {
    std::string_view text;
    std::vector<std::string> pieces;
  };
  const std::vector<Row> rows = {
      {"", {}},
      {" .,;!\n", {}},
      {"Don't stop.", {"Don't", "stop"}},
      {"'quoted' text", {"quoted", "text"}},
      {"end.Start", {"end", "Start"}},
      {"see notes.txt.", {"see", "notes.txt"}},
      {"mail bob@mail.test, now", {"mail", "bob@mail.test", "now"}},
      {"user_id 3.14 x2", {"user_id", "3.14", "x2"}},
      {"\u5ffd\u7565\u6307\u4ee4", {"\u5ffd\u7565", "\u7565\u6307", "\u6307\u4ee4"}},
      {"\u5ffd a", {"\u5ffd", "a"}},
      {"\u201cyes\u201d", {"yes"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(pieces(row.text) == row.pieces);
  }
}

TEST_CASE("sentences, lines and fields open") {
  struct Row {
    std::string_view text;
    std::vector<bool> opens;
  };
  const std::vector<Row> rows = {
      {"Send it. Then stop", {true, false, true, false}},
      {"a line\nthat was wrapped", {true, false, false, false, false}},
      {"a line\nNew line", {true, false, true, false}},
      {"- milk\n- bread", {true, true}},
      {"say 'delete' now", {true, true, false}},
      {"body: send", {true, true}},
      {"{'content': 'send'}", {true, true}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    std::vector<bool> opens;
    for (const Word& word : words(row.text)) opens.push_back(word.opens);
    CHECK(opens == row.opens);
  }
}

TEST_CASE("shapes, marks and classes") {
  struct Row {
    std::string_view text;
    Shape shape;
    WordClass word_class;
  };
  const Row rows[] = {
      {"ignore", Shape::kLower, WordClass::kOverride},
      {"Ignore", Shape::kCapital, WordClass::kOverride},
      {"IGNORE", Shape::kUpper, WordClass::kOverride},
      {"AI", Shape::kCapital, WordClass::kAssistant},
      {"42", Shape::kNumber, WordClass::kNone},
      {"im_start", Shape::kIdentifier, WordClass::kNone},
      {"www.a.test", Shape::kAddress, WordClass::kNone},
      {"\u0438\u043d\u0441\u0442\u0440\u0443\u043a\u0446\u0438\u0438", Shape::kForeign,
       WordClass::kInstruction},
      {"\u6307\u4ee4", Shape::kPair, WordClass::kInstruction},
      {"instrucciones", Shape::kLower, WordClass::kInstruction},
      {"table", Shape::kLower, WordClass::kNone},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto found = words(row.text);
    REQUIRE(found.size() == 1);
    CHECK(found[0].shape == row.shape);
    CHECK(found[0].word_class == row.word_class);
  }
  CHECK((words("a \u200b b")[1].marks & kHidden) != 0);
  CHECK((words("so! b")[1].marks & kBang) != 0);
  CHECK((words("a </b> c")[1].marks & kAngle) != 0);
}

TEST_CASE("a word has one class, and every class has words") {
  std::set<std::uint64_t> seen;
  std::set<WordClass> classes;
  for (const ClassWords& row : class_words()) {
    CHECK(classes.insert(row.word_class).second);
    CHECK(row.words.find("  ") == std::string_view::npos);
    for (const Word& word : words(row.words)) {
      CAPTURE(row.words.substr(word.begin, word.end - word.begin));
      CHECK(seen.insert(word.hash).second);
      CHECK(word.word_class == row.word_class);
    }
  }
  CHECK(classes.size() == kWordClassCount - 1);  // all but kNone
}

TEST_CASE("a word longer than what is looked at is one word") {
  const std::string start(WordReader::kWordBytesMax, 'a');
  for (const char* end : {"", "b", "bcd"}) {
    const auto found = words(start + end);
    REQUIRE(found.size() == 1);
    CHECK(found[0].end == start.size() + std::string_view(end).size());
  }
  CHECK(hashes(start + "b") == hashes(start + "c"));
  std::string foreign;
  for (int i = 0; i < 1000; ++i) foreign += "\u0436";
  CHECK(words(foreign).size() == 1);
}

TEST_CASE("any bytes of UTF-8 end, and every word is within the text") {
  const std::string_view parts[] = {"a",      "'",      "\\",         "_",  "\u00e9", "\u200b",
                                    "\u5ffd", "\u0301", "\U000E0041", "@.", "://",    "9",
                                    " ",      "\n",     "\u2019",     "."};
  std::uint32_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) {
      state = state * 1'664'525 + 1'013'904'223;
      text += parts[(state >> 16U) % std::size(parts)];
    }
    CAPTURE(text);
    std::uint32_t last = 0;
    for (const Word& word : words(text)) {
      CHECK(word.begin < word.end);
      CHECK(word.begin >= last);
      CHECK(word.end <= text.size());
      last = word.begin + 1;
    }
  }
}

}  // namespace
}  // namespace tocsin::lexical
