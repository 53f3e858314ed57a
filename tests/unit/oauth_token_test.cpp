#include "daemon/source/oauth_token.h"

#include <chrono>
#include <string>
#include <string_view>

#include "tests/unit/catch.h"
#include "tests/unit/temp_dir.h"

namespace tocsin::kafka {
namespace {

// {"alg":"none"} . {"sub":"system:serviceaccount:a:b","exp":1795967640.9} . sig
constexpr std::string_view kHead = "eyJhbGciOiJub25lIn0";
constexpr std::string_view kClaims =
    "eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6YTpiIiwiZXhwIjoxNzk1OTY3NjQwLjl9";

std::string token(std::string_view claims) {
  return std::string(kHead) + '.' + std::string(claims) + ".c2ln";
}

}  // namespace

TEST_CASE("a token says whose it is and when it expires") {
  for (const char* end : {"", "\n", "\r\n"}) {
    const auto read = parse_oauth_token(token(kClaims) + end);
    REQUIRE(read.has_value());
    CHECK(read->text == token(kClaims));
    CHECK(read->principal == "system:serviceaccount:a:b");
    CHECK(read->expires.time_since_epoch() == std::chrono::seconds(1'795'967'640));
  }
}

TEST_CASE("what is no token is refused, and nothing of it is shown") {
  struct Row {
    std::string_view what;
    std::string text;
    std::string_view says;
  };
  const Row rows[] = {
      {"nothing", "", "three parts"},
      {"a password", "hunter2", "three parts"},
      {"two parts", "hunter2.hunter2", "three parts"},
      {"an encrypted one", "hunter2.a.b.c.d", "three parts"},
      {"not base64", "a.hunter2!.c", "base64url"},
      {"base64 with another alphabet", "a.aHVu/Gy=.c", "base64url"},
      {"a length that no base64 has", "a.aHVud.c", "base64url"},
      {"no JSON", token("aHVudGVyMg"), "no JSON object"},
      {"an array", token("WzFd"), "no JSON object"},
      {"no exp", token("eyJzdWIiOiJodW50ZXIyIn0"), "`exp`"},
      {"an exp of text", token("eyJleHAiOiJodW50ZXIyIn0"), "`exp`"},
      {"an exp before all time", token("eyJleHAiOi0xfQ"), "`exp`"},
      {"an exp that overflows", token("eyJleHAiOjFlMzAwfQ"), "`exp`"},
      {"one that is too long", token(std::string(kTokenBytesMax, 'A')), "longer than"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const auto read = parse_oauth_token(row.text);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().find(row.says) != std::string::npos);
    CHECK(read.error().find("hunter2") == std::string::npos);
  }
}

TEST_CASE("a token without a subject has a name all the same") {
  const auto read = parse_oauth_token(token("eyJleHAiOjE3OTU5Njc2NDB9"));
  REQUIRE(read.has_value());
  CHECK_FALSE(read->principal.empty());
}

TEST_CASE("a token's file is read each time, and no more of it than a token may have") {
  const testing::TempDir dir;
  const auto file = dir.write("token", token(kClaims) + "\n");
  CHECK(read_oauth_token(file).has_value());
  dir.write("token", "hunter2");
  CHECK_FALSE(read_oauth_token(file).has_value());
  CHECK(read_oauth_token("/dev/zero").error().find("longer than") != std::string::npos);
  CHECK(read_oauth_token(dir.path() / "none").error().find("No such file") != std::string::npos);
  CHECK_FALSE(read_oauth_token(dir.path()).has_value());
}

}  // namespace tocsin::kafka
