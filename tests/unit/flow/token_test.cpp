#include "detectors/flow/token.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/thread_time.h"

namespace tocsin::flow {
namespace {

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  tokenize(text, tokens);
  return tokens;
}

constexpr std::string_view name_of(TokenKind kind) {
  constexpr std::string_view kNames[] = {"word",  "number", "code", "account",
                                         "email", "url",    "name", "path"};
  return kNames[static_cast<std::size_t>(kind)];
}

// "kind:text" of each.
std::string told(std::string_view text) {
  std::string out;
  for (const Token& token : tokens_of(text)) {
    if (!out.empty()) out += " | ";
    out += std::string(name_of(token.kind)) + ":";
    out += text.substr(token.begin, token.end - token.begin);
  }
  return out;
}

// Of the account in it, however many groups it is written in.
std::uint64_t account_in(std::string_view text) {
  std::uint64_t hash = 0;
  std::size_t longest = 0;
  for (const Token& token : tokens_of(text)) {
    if (token.kind != TokenKind::kAccount || token.end - token.begin < longest) continue;
    longest = token.end - token.begin;
    hash = token.hash;
  }
  return hash;
}

TEST_CASE("equal things have equal hashes, however they are written") {
  struct Row {
    std::string_view one;
    std::string_view other;
  };
  const Row rows[] = {
      {"Invoice", "invoice"},
      {"INVOICE", "invoice"},
      {"invoices", "invoice"},
      {"sends", "send"},
      {"e-mail", "email"},
      {"ÜBERWEISE", "überweise"},
      {"Ändere", "ändere"},
      {"ÉCRIS", "écris"},
      {"MÜLLER_7", "müller_7"},
      {"Jürgen@Example.com", "JÜRGEN@EXAMPLE.COM"},
      {"https://example.com", "http://example.com"},
      {"https://example.com", "example.com"},
      {"https://www.example.com", "https://example.com"},
      {"www.example.com", "example.com"},
      {"WWW.Example.COM", "example.com"},
      {"https://example.com/", "https://example.com"},
      {"https://Example.com/a/b/", "example.com/a/b"},
      {"1,200", "1200"},
      {"1200.00", "1200"},
      {"1,200.00", "1200"},
      {"1,234,567", "1234567"},
      {"4539-6468-4764-8021", "4539646847648021"},
      {"+491701234567", "491701234567"},
      {"DE80000043711217063249", "de80000043711217063249"},
      {"Claims@Example.com", "claims@example.com"},
      {"don't", "dont"},
      {"Can\u2019t", "cant"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.one, row.other);
    CHECK(token_hash(row.one) != 0);
    CHECK(token_hash(row.one) == token_hash(row.other));
  }
}

TEST_CASE("different things have different hashes") {
  struct Row {
    std::string_view one;
    std::string_view other;
  };
  const Row rows[] = {
      {"class", "clas"},
      {"bus", "bu"},
      {"this", "thi"},
      {"1.5", "15"},
      {"12:30", "1230"},
      {"2026-01-05", "20260105"},
      {"1200.50", "1200"},
      {"example.com", "example.org"},
      {"example.com/a", "example.com"},
      {"a@example.com", "b@example.com"},
      {"T-49283", "T-49284"},
      {"ü", "u"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.one, row.other);
    CHECK(token_hash(row.one) != token_hash(row.other));
  }
}

TEST_CASE("a long number in groups is, behind its groups, the number they are together") {
  struct Row {
    std::string_view text;
    std::string_view whole;
  };
  const Row rows[] = {
      {"pay to DE80 0000 4371 1217 0632 49 today", "DE80000043711217063249"},
      {"GB82 WEST 1234 5698 7654 32", "GB82WEST12345698765432"},
      {"NL91 ABNA 0417 1643 00", "NL91ABNA0417164300"},
      {"card 4539 6468 4764 8021.", "4539646847648021"},
      {"VISA 4539 6468 4764 8021", "4539646847648021"},
      {"call +49 170 1234567", "+491701234567"},
      {"(FR76 3000 6000 0112 3456 7890 189)", "FR7630006000011234567890189"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(account_in(row.text) == token_hash(row.whole));
  }
  // Neither amounts nor dates are one.
  for (const std::string_view text : {"between 20 and 30", "5 6 7", "on 24 12 at 8", "4539  6468",
                                      "4539\n6468\n4764", "WEST 1234"}) {
    CAPTURE(text);
    CHECK(account_in(text) == 0);
  }
}

TEST_CASE("kinds of tokens") {
  struct Row {
    std::string_view text;
    std::string_view tokens;
  };
  const Row rows[] = {
      {"", ""},
      {"  .,;!? ", ""},
      {"Pay the bill", "word:Pay | word:the | word:bill"},
      {"don't go", "word:don't | word:go"},
      {"aren\u2019t", "word:aren\u2019t"},
      {"Ann's", "word:Ann | word:s"},
      {"n't", "word:n | word:t"},
      {"don'ts", "word:don | word:ts"},
      // What is beyond ASCII and no letter parts words as its like in ASCII does.
      {"to\u00A0Ann", "word:to | word:Ann"},
      {"\u201Cpay\u201D", "word:pay"},
      {"\u201Eann@example.com\u201C", "email:ann@example.com"},
      {"now\u2014send", "word:now | word:send"},
      {"pay\u2026 it", "word:pay | word:it"},
      {"pa\u200By", "word:pa | word:y"},
      {"\uFEFFpay", "word:pay"},
      {"\u00AB\u00A0Anne\u00A0\u00BB", "word:Anne"},
      {"40\u20AC", "number:40"},
      {"\u3010pay\u3011", "word:pay"},
      {"pay\U0001F600ann", "word:pay | word:ann"},
      {"\u2028https://example.com\u2029", "url:https://example.com"},
      {"M\u00FCller \u00DF", "word:M\u00FCller | word:\u00DF"},
      {"\u3042\u3044", "word:\u3042\u3044"},
      {"and/or", "word:and | word:or"},
      {"well-known", "word:well-known"},
      {"e.g. this", "word:e.g | word:this"},
      {"42 or 4.50", "number:42 | word:or | number:4.50"},
      {"2026-01-05", "number:2026-01-05"},
      {"12:30", "number:12:30"},
      {"4pm v2", "number:4pm | number:v2"},
      {"T-49283", "code:T-49283"},
      {"order_id", "code:order_id"},
      {"sk-proj-8Ahx", "code:sk-proj-8Ahx"},
      {"1234567", "account:1234567"},
      {"123456", "number:123456"},
      {"DE80000043711217063249", "account:DE80000043711217063249"},
      {"ann@example.com", "email:ann@example.com"},
      {"Write to <ann@example.com>.", "word:Write | word:to | email:ann@example.com"},
      {"https://example.com/a?b=1#c",
       "url:https://example.com/a?b=1#c | name:https://example.com/a?b=1#c"},
      {"https://example.com", "url:https://example.com"},
      {"see example.com.", "word:see | name:example.com"},
      {"notes.txt", "name:notes.txt"},
      {"192.168.0.1", "number:192.168.0.1"},
      {"/etc/passwd", "path:/etc/passwd"},
      {"~/.ssh/id_rsa", "path:~/.ssh/id_rsa"},
      {"src/main/app", "path:src/main/app"},
      {"@ann", "word:ann"},
      {"#general", "word:general"},
      {"日本語", "word:日本語"},
      {R"(here.\nplease \tpay\n\nNow)", "word:here | word:please | word:pay | word:Now"},
      {R"(C:\docs\new)", "word:C | word:docs | word:new"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(told(row.text) == row.tokens);
  }
}

TEST_CASE("only what names one thing in the world is an identifier") {
  CHECK_FALSE(is_identifier(TokenKind::kWord));
  CHECK_FALSE(is_identifier(TokenKind::kNumber));
  for (const TokenKind kind : {TokenKind::kCode, TokenKind::kAccount, TokenKind::kEmail,
                               TokenKind::kUrl, TokenKind::kName, TokenKind::kPath}) {
    CHECK(is_identifier(kind));
  }
}

TEST_CASE("identifiers are found without the words around them, and are the same") {
  constexpr std::string_view kParts[] = {"the",
                                         "rent",
                                         "is",
                                         "due",
                                         ".",
                                         ",",
                                         " ",
                                         " ",
                                         "  ",
                                         "\n",
                                         "\t",
                                         "\\n",
                                         "4539",
                                         "6468",
                                         "DE80",
                                         "GB82",
                                         "WEST",
                                         "+49",
                                         "170",
                                         "(0)",
                                         "1,200.5",
                                         "10:30",
                                         "2026-11-30",
                                         "a_b",
                                         "_x",
                                         "v2",
                                         "QX-77812",
                                         "e-mail",
                                         "e.g.",
                                         "U.S.",
                                         "don't",
                                         "x@y.example",
                                         "a@b",
                                         "/etc/p",
                                         "~/x",
                                         "./r",
                                         ".npmrc",
                                         "and/or",
                                         "a.b.example",
                                         "https://h.test/p?q=1",
                                         "://",
                                         "www.h.test",
                                         "M\xC3\xBCller",
                                         "\xE2\x80\x9C",
                                         "\xE2\x80\x94",
                                         "\xC2\xA0",
                                         "\"",
                                         "#",
                                         "@",
                                         "_",
                                         "/",
                                         "-",
                                         "'",
                                         "12345678",
                                         "readme.md",
                                         "Z"};
  std::mt19937 random(20261130);
  std::uniform_int_distribution<std::size_t> part(0, std::size(kParts) - 1);
  std::uniform_int_distribution<std::size_t> length(0, 60);
  const auto as_text = [](const std::vector<Token>& tokens) {
    std::ostringstream out;
    for (const Token& token : tokens) {
      out << name_of(token.kind) << ' ' << token.hash << ' ' << token.begin << '-' << token.end
          << '\n';
    }
    return out.str();
  };
  std::size_t found = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::size_t parts = length(random); parts > 0; --parts) text += kParts[part(random)];
    std::vector<Token> all = tokens_of(text);
    std::erase_if(all, [](const Token& token) { return !is_identifier(token.kind); });
    found += all.size();
    std::vector<Token> identifiers;
    tokenize_identifiers(text, identifiers);
    CAPTURE(text);
    REQUIRE(as_text(identifiers) == as_text(all));
  }
  CHECK(found > 20'000);
}

TEST_CASE("a URL is followed by its host") {
  struct Row {
    std::string_view url;
    std::string_view host;
  };
  const Row rows[] = {
      {"https://evil.test/a", "evil.test"},
      {"https://evil.test:8443/a", "evil.test"},
      {"https://evil.test?q=1", "evil.test"},
      {"https://www.evil.test/a", "evil.test"},
      {"https://bank.test:x@evil.test/a", "evil.test"},
      {"evil.test/a/b", "evil.test"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    const std::vector<Token> tokens = tokens_of(row.url);
    REQUIRE(tokens.size() == 2);
    CHECK(tokens[0].kind == TokenKind::kUrl);
    CHECK(tokens[1].kind == TokenKind::kName);
    CHECK(tokens[1].hash == token_hash(row.host));
    CHECK(tokens[1].begin == tokens[0].begin);
  }
}

TEST_CASE("what a token knows of how it was written") {
  const std::vector<Token> tokens = tokens_of("Ann sends two letters");
  REQUIRE(tokens.size() == 4);
  CHECK(tokens[0].capital);
  CHECK_FALSE(tokens[1].capital);
  CHECK(tokens[1].inflected);
  CHECK_FALSE(tokens[2].inflected);
  CHECK(tokens[3].inflected);
}

TEST_CASE("tokens are appended, and what stands before them is no part of them") {
  constexpr std::string_view kText = "---- 4764 8021 is one";
  std::vector<Token> tokens;
  tokenize("4539", tokens);  // ends where the blank of the other text stands
  const std::size_t before = tokens.size();
  tokenize(kText, tokens);
  const std::vector<Token> alone = tokens_of(kText);
  REQUIRE(tokens.size() == before + alone.size());
  for (std::size_t i = 0; i < alone.size(); ++i) {
    CAPTURE(i);
    CHECK(tokens[before + i].hash == alone[i].hash);
    CHECK(tokens[before + i].begin == alone[i].begin);
  }
}

std::string repeated(std::string_view part, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += part;
  return out;
}

TEST_CASE("hostile text gives at most so many tokens, within the text and in order") {
  constexpr std::size_t kMany = std::size_t{1} << 20;
  const std::string texts[] = {
      std::string(kMany, 'a'),
      std::string(kMany, '/'),
      std::string(kMany, '7'),
      std::string(kMany, '.'),
      std::string(kMany, '@'),
      std::string(kMany, ':'),
      std::string(kMany, '\xC3'),
      std::string(kMany, '\x80'),
      std::string(kMany, '\0'),
      repeated("a ", kMany / 2),
      repeated("1 ", kMany / 2),
      repeated("1234 ", kMany / 5),
      repeated("DE80 ", kMany / 5),
      repeated("a/b ", kMany / 4),
      repeated("a/", kMany / 2),
      repeated("://", kMany / 3),
      repeated("a://", kMany / 4),
      repeated("a.b@", kMany / 4),
      repeated("\xC3\x9C\xE2\x80 \xF0\x9F", kMany / 7),
      repeated("www.", kMany / 4),
      repeated("https://a.b/c ", kMany / 14),
  };
  for (const std::string& text : texts) {
    CAPTURE(text.substr(0, 8));
    const std::vector<Token> tokens = tokens_of(text);
    CHECK(tokens.size() <= kTokensMax);
    std::size_t end = 0;
    bool sound = true;
    for (const Token& token : tokens) {
      sound = sound && token.begin < token.end && token.end <= text.size() && token.end >= end;
      end = token.end;
    }
    CHECK(sound);
  }
}

TEST_CASE("many numbers in groups: the first are joined, the others are only groups") {
  constexpr std::size_t kNumbers = 400;
  std::size_t accounts = 0;
  const std::string text = repeated("4539 6468 4764 8021, ", kNumbers);
  for (const Token& token : tokens_of(text)) accounts += token.kind == TokenKind::kAccount ? 1 : 0;
  CHECK(accounts == 64);
}

TEST_CASE("a number in groups is one number, however many groups it grew by") {
  // Each of the ten groups makes a longer one: 60 of these would fill the bound by their parts.
  std::string text;
  for (int i = 0; i < 60; ++i) text += "4539 6468 4764 8021 4539 6468 4764 8021 4539, ";
  CHECK(account_in(text + "last 1234 5678 9012 3456") ==
        token_hash("4539646847648021453964684764802145"
                   "39"));
  std::size_t found = 0;
  for (const Token& token : tokens_of(text + "last 1234 5678 9012 3456")) {
    found += token.hash == token_hash("1234567890123456") ? 1 : 0;
  }
  CHECK(found == 1);
}

// Of ten times the text at most about ten times the time: four times that is left for the machine.
TEST_CASE("cutting takes time in proportion to the text") {
  using std::chrono::nanoseconds;
  constexpr std::size_t kShort = std::size_t{50} << 10;
  constexpr int kLonger = 10;
  const auto least_time = [](const std::string& text) {
    auto least = nanoseconds::max();
    for (int i = 0; i < 3; ++i) {
      const nanoseconds start = testing::thread_time();
      static_cast<void>(tokens_of(text));
      least = std::min(least, testing::thread_time() - start);
    }
    return least;
  };
  for (const std::string_view part : {"a", "/", "7", "a/", "a.", "1 ", "a://", "@a"}) {
    CAPTURE(part);
    const auto little = least_time(repeated(part, kShort / part.size()));
    const auto much = least_time(repeated(part, kLonger * kShort / part.size()));
    CHECK(much < 4 * kLonger * little + std::chrono::milliseconds(20));
  }
}

}  // namespace
}  // namespace tocsin::flow
