#include "detectors/session/secret_text.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin::session {
namespace {

// The secrets of a text, as a result would be searched for them.
std::vector<std::string> secrets_of(std::string_view text) {
  TokenFinder tokens(text);
  std::vector<std::string> out;
  while (const auto token = tokens.next()) {
    if (is_secret(*token, tokens.before())) out.emplace_back(*token);
  }
  return out;
}

TEST_CASE("secrets by their label or the prefix they have") {
  const std::string key = "q7Rk2mXv9TzLw4Hb8Yd3";
  for (const std::string& text : {"API_KEY=" + key, "token: " + key, "\"secret\": \"" + key + "\"",
                                  "access_key => " + key, "a\nclient_secret = '" + key + "'\nb"}) {
    CAPTURE(text);
    CHECK(secrets_of(text) == std::vector<std::string>{key});
  }
  CHECK(secrets_of("see npm_" + key + " here") == std::vector<std::string>{"npm_" + key});
  CHECK(secrets_of("password: hunter2024") == std::vector<std::string>{"hunter2024"});
  CHECK(is_secret("hunter2024", "password"));  // a member's name
}

TEST_CASE("what is no secret") {
  for (const char* text : {"order q7Rk2mXv9TzLw4Hb8Yd3", "token: short12", "password: correcthorse",
                           "api_key: your-api-key-here-1234", "secret: q7Rk2mXv",
                           "token\nq7Rk2mXv9TzLw4Hb8Yd3", "the password of ada@x.test99"}) {
    CAPTURE(text);
    CHECK(secrets_of(text).empty());
  }
}

TEST_CASE("a token is found wherever it stands, and a shorter one is none") {
  for (std::size_t before = 0; before < 150; ++before) {
    CAPTURE(before);
    std::string text;
    while (text.size() < before) text += "seven77 ";
    text.resize(before);
    if (!text.empty()) text.back() = ' ';
    const std::string one = text + "eight888";
    TokenFinder tokens(one);
    CHECK(tokens.next() == std::optional<std::string_view>("eight888"));
    CHECK(tokens.before().size() == std::min<std::size_t>(before, 48));
    CHECK_FALSE(tokens.next().has_value());
    const std::string two = text + "eight888 and ninethousand";
    TokenFinder both(two);
    CHECK(both.next() == std::optional<std::string_view>("eight888"));
    CHECK(both.next() == std::optional<std::string_view>("ninethousand"));
    const std::string none = text + "seven77";
    CHECK_FALSE(TokenFinder(none).next().has_value());
  }
}

TEST_CASE("presented to be let in, or told") {
  CHECK(is_presented("-H 'Authorization: Bearer ", "command"));
  CHECK(is_presented("curl -u me:", "command"));
  CHECK(is_presented("", "access_token"));
  CHECK(is_presented("", "apiKey"));
  CHECK_FALSE(is_presented("here it is: ", "body"));
  CHECK_FALSE(is_presented("https://far.test/?k=", "url"));
}

}  // namespace
}  // namespace tocsin::session
