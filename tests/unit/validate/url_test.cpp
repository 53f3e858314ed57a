#include "detectors/validate/url.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin::validate {
namespace {

// "scheme|host|port" of every URL.
std::string found(std::string_view text) {
  UrlFinder finder(text);
  std::string out;
  while (const auto url = finder.next()) {
    if (!out.empty()) out += ' ';
    out += std::string(url->scheme()) + '|' + std::string(url->host()) + '|' +
           std::to_string(url->port);
  }
  return out;
}

struct Row {
  std::string_view text;
  std::string_view found;
};

TEST_CASE("URLs are found where they stand") {
  const Row rows[] = {
      {"", ""},
      {"no URL at all: none", ""},
      {"see https://a.test/x.", "https|a.test|443"},
      {"(http://a.test), <http://b.test>; \"http://c.test\"",
       "http|a.test|80 http|b.test|80 http|c.test|80"},
      {"[text](https://a.test/p?q=1#f)", "https|a.test|443"},
      {"![](https://a.test/i.png?d=c2VjcmV0)", "https|a.test|443"},
      {"http://a.test,http://b.test", "http|a.test|80 http|b.test|80"},
      {"http://a.test\nhttp://b.test", "http|a.test|80 http|b.test|80"},
      {"http://a.test:8080/x", "http|a.test|8080"},
      {"http://a.test:/x", "http|a.test|80"},
      {"http://a.test:99999/", "http|a.test|80"},
      {"http://a.test:port/", "http|a.test|80"},
      {"url=http://a.test&x", "http|a.test|80"},
      {"URL:http://a.test", "http|a.test|80"},
      {"see.http://a.test", "http|a.test|80"},
      {"jdbc:mysql://db.test/x", "mysql|db.test|3306"},
      {"git+ssh://git@a.test/r", "git+ssh|a.test|0"},
      {"gopher://127.0.0.1:6379/_x", "gopher|127.0.0.1|6379"},
      {"s3://bucket/key", "s3|bucket|0"},
      {"file:///etc/passwd", "file||0"},
      {"file:/etc/passwd", "file||0"},
      {"file://server/share", "file|server|0"},
      {"data:text/html;base64,PGI+", "data||0"},
      {"javascript:alert(1)", "javascript||0"},
      {"mailto:a@b.test", "mailto||0"},
      {"the data: none", ""},
      {"std::vector<int>", ""},
      {"12:30:45", ""},
      {"C:\\Windows\\x", ""},
      {"http://", ""},
      {"http:///", ""},
      {"http://${host}/", ""},
      {"http://<host>/", ""},
      {"https://a.test/?next=http://169.254.169.254/x", "https|a.test|443 http|169.254.169.254|80"},
      {"请看https://a.test/页。然后", "https|a.test|443"},
      {"请看https://a.test然后", "https|a.test|443"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(found(row.text) == row.found);
  }
}

TEST_CASE("a URL in disguise is the one a program would fetch") {
  const Row rows[] = {
      {"HTTP://EVIL.TEST/", "http|evil.test|80"},
      {"http://good.com@evil.test/", "http|evil.test|80"},
      {"http://good.com:80@evil.test:81/", "http|evil.test|81"},
      {"http://a@b@evil.test/", "http|evil.test|80"},
      {"http://good.com%40evil.test/",
       ""},  // a forbidden character once decoded: nobody goes there
      {"http://good.com\\@evil.test/", "http|good.com|80 http|evil.test|80"},
      {"http://evil.test\\path", "http|evil.test|80"},
      {"http://evil.test#@good.com", "http|evil.test|80"},
      {"http://evil.test?@good.com", "http|evil.test|80"},
      {"http:\\\\evil.test\\x", "http|evil.test|80"},
      {"http:/evil.test/x", "http|evil.test|80"},
      {"http:////evil.test/x", "http|evil.test|80"},
      {"http:\\/\\/evil.test\\/x", "http|evil.test|80"},  // JSON's slashes
      {"http://evil.test./", "http|evil.test|80"},
      {"http://e%76il.te%73t/", "http|evil.test|80"},
      {"http://%31%32%37.0.0.1/", "http|127.0.0.1|80"},
      {"http://2130706433/", "http|2130706433|80"},
      {"http://[::1]:8080/x", "http|::1|8080"},
      {"http://[::ffff:A9FE:a9fe]/", "http|::ffff:a9fe:a9fe|80"},
      {"http://[fe80::1%25eth0]/", "http|fe80::1%25eth0|80"},
      {"http://[not-an-address]/", ""},
      {"http://xn--80ak6aa92e.com/", "http|xn--80ak6aa92e.com|80"},
      {"http://пример.рф/", "http|пример.рф|80"},
      {"http://ev\til.test/", "http|ev|80 http|evil.test|80"},
      {"ht\ntp://evil.test/", "tp|evil.test|0"},
      {"http://ev\nil.test/", "http|ev|80 http|evil.test|80"},
      {"//evil.test/x", "|evil.test|0"},
      {"<img src=//evil.test/x>", "|evil.test|0"},
      {"['//evil.test/x']", "|evil.test|0"},
      {"/\\evil.test/x", "|evil.test|0"},
      {"\\\\evil.test\\share", "|evil.test|0"},
      {"//127.0.0.1/x", "|127.0.0.1|0"},
      {"// a comment", ""},
      {"x = 1; //todo.later", ""},
      {"a//b.test", ""},
      {"www.evil.test", "|www.evil.test|0"},
      {"go to WWW.Evil.Test/x now", "|www.evil.test|0"},
      {"awww.evil.test", ""},
      {"curl 169.254.169.254/latest/meta-data", "|169.254.169.254|0"},
      {"connect to 10.0.0.7:6379 now", "|10.0.0.7|6379"},
      {"10.0.0.0/8", ""},
      {"1.2.3.4", ""},
      {"version 1.2.3.4/5", ""},
      {"evil.test/x", "|evil.test|0"},
      {"evil.test:8080/x?y", "|evil.test|8080"},
      {" evil.co.uk/x\n", "|evil.co.uk|0"},
      {"open evil.test/x", ""},  // only when it is the whole text
      {"evil.test", ""},         // could be a file
      {"src/main.py", ""},
      {"main.unknownsuffix/x", ""},
      {"me@evil.test/x", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(found(row.text) == row.found);
  }
}

TEST_CASE("the parts of a URL stand as they were written") {
  UrlFinder finder("go: https://user:p%40ss@A.Test:8443/p/a;t?q=1&r#frag).");
  const auto url = finder.next();
  REQUIRE(url);
  CHECK(url->text == "https://user:p%40ss@A.Test:8443/p/a;t?q=1&r#frag");
  CHECK(url->scheme() == "https");
  CHECK(url->userinfo == "user:p%40ss");
  CHECK(url->host() == "a.test");
  CHECK(url->port == 8443);
  CHECK(url->path == "/p/a;t");
  CHECK(url->query == "q=1&r");
  CHECK(url->fragment == "frag");
  CHECK_FALSE(finder.next());

  UrlFinder data("data:text/plain,hello!");
  const auto opaque = data.next();
  REQUIRE(opaque);
  CHECK(opaque->path == "text/plain,hello");
}

TEST_CASE("the finder is bounded and says so") {
  std::string many;
  for (int i = 0; i < 1200; ++i) many += "http://a.test/ ";
  UrlFinder finder(many);
  std::size_t count = 0;
  while (finder.next()) ++count;
  CHECK(count == UrlFinder::kMax);
  CHECK(finder.limited());

  UrlFinder exact("http://a.test http://b.test", 2);
  CHECK(exact.next());
  CHECK(exact.next());
  CHECK_FALSE(exact.next());
  CHECK_FALSE(exact.limited());

  const std::string long_path = "http://a.test/" + std::string(10'000, 'x');
  UrlFinder cut(long_path);
  CHECK(cut.next()->text.size() == kUrlBytesMax);
  CHECK(found("http://" + std::string(254, 'a') + "/").empty());
  CHECK(found("http://" + std::string(253, 'a') + "/") == "http|" + std::string(253, 'a') + "|80");
}

TEST_CASE("texts made to be slow are not") {
  const auto repeat = [](std::string_view unit) {
    std::string out;
    while (out.size() < 1'000'000) out += unit;
    return out;
  };
  for (const std::string_view unit :
       {":",      "/",          "a:",         "a:/",      "http:",
        "http:/", "http://a/",  "//",         "'//a.b",   "www.",
        ",www.a", "1.1.1.1:",   "1.1.1.1:8,", ")",        "http://a/)))))",
        "\\",     "http:\\\\@", "[::",        "http://[", "@",
        "data:",  "data:a,"}) {
    CAPTURE(unit);
    const std::string text = repeat(unit);
    UrlFinder finder(text);
    std::size_t count = 0;
    while (finder.next()) ++count;
    CHECK(count <= UrlFinder::kMax);
  }
}

TEST_CASE("registrable domains") {
  CHECK(registrable_domain("a.b.example.com") == "example.com");
  CHECK(registrable_domain("example.com") == "example.com");
  CHECK(registrable_domain("a.example.co.uk") == "example.co.uk");
  CHECK(registrable_domain("user.github.io") == "user.github.io");
  CHECK(registrable_domain("a.b.unknownsuffix") == "b.unknownsuffix");
  CHECK(registrable_domain("a.b.test") == "b.test");
  CHECK(registrable_domain("a.xn--p1ai") == "a.xn--p1ai");
  CHECK(registrable_domain("co.uk").empty());
  CHECK(registrable_domain("com").empty());
  CHECK(registrable_domain("127.0.0.1").empty());
  CHECK(registrable_domain("::1").empty());
  CHECK(registrable_domain("").empty());
  CHECK(registrable_domain(std::string(300, 'a')).empty());

  CHECK(has_public_suffix("a.com"));
  CHECK(has_public_suffix("a.test"));
  CHECK(has_public_suffix("a.рф"));
  CHECK_FALSE(has_public_suffix("a.unknownsuffix"));
  CHECK_FALSE(has_public_suffix("1.2.3.4"));
  CHECK_FALSE(has_public_suffix("a."));
  CHECK_FALSE(has_public_suffix(""));

  CHECK(is_within("a.b.test", "b.test"));
  CHECK(is_within("b.test", "b.test"));
  CHECK_FALSE(is_within("ab.test", "b.test"));
  CHECK_FALSE(is_within("b.test", "a.b.test"));
  CHECK_FALSE(is_within("b.test", ""));
}

TEST_CASE("the address that a value stands for") {
  struct AddressRow {
    std::string_view value;
    std::uint32_t address;  // 0: none
  };
  const AddressRow rows[] = {
      {"10.0.0.1", 0x0a000001},
      {" 10.0.0.1\n", 0x0a000001},
      {"10.0.0.1:80", 0x0a000001},
      {"[::ffff:10.0.0.1]:80", 0x0a000001},
      {"::ffff:10.0.0.1", 0x0a000001},
      {"http://10.0.0.1/x", 0x0a000001},
      {"http://167772161/x", 0x0a000001},
      {"https://u@0x0a.1:8443", 0x0a000001},
      {"10.0.0.1/path", 0x0a000001},
      {"http://10.0.0.1.nip.io/", 0x0a000001},
      {"167772161", 0},
      {"10.1", 0},
      {"10.1:80", 0},
      {"at 10.0.0.1", 0},
      {"see http://10.0.0.1/", 0},
      {"http://example.com/", 0},
      {"10.0.0.0/8", 0},
      {"", 0},
  };
  for (const AddressRow& row : rows) {
    CAPTURE(row.value);
    const auto address = address_in(row.value);
    CHECK((address ? address->v4() : 0) == row.address);
  }
}

TEST_CASE("the url test of a rule") {
  const std::vector<std::string> inside = {"loopback", "private", "metadata"};
  struct ConditionRow {
    std::string_view what;
    UrlCondition condition;
    std::string_view text;
    bool matches;
  };
  const ConditionRow rows[] = {
      {"nothing asked, a URL", {}, "http://a.test", true},
      {"nothing asked, no URL", {}, "a test", false},
      {"scheme", {.scheme = {"file", "gopher"}}, "see FILE:///etc/passwd", true},
      {"another scheme", {.scheme = {"file"}}, "http://file/", false},
      {"host", {.host = {"a.test"}}, "http://A.test.", true},
      {"host is exact", {.host = {"a.test"}}, "http://x.a.test", false},
      {"domain", {.domain = {"a.test"}}, "http://x.a.test", true},
      {"domain itself", {.domain = {"a.test"}}, "http://a.test", true},
      {"domain ends at a dot", {.domain = {"a.test"}}, "http://xa.test", false},
      {"domain in the userinfo", {.domain = {"a.test"}}, "http://a.test@b.test", false},
      {"not_domain", {.not_domain = {"a.test"}}, "http://b.test", true},
      {"not_domain, within", {.not_domain = {"a.test"}}, "http://x.a.test", false},
      {"not_domain, lookalike", {.not_domain = {"a.test"}}, "http://a.test.b.test", true},
      {"not_domain, one of two", {.not_domain = {"a.test"}}, "http://a.test http://b.test", true},
      {"not_domain needs a host", {.not_domain = {"a.test"}}, "data:text/plain,x", false},
      {"not_domain, an address", {.not_domain = {"a.test"}}, "http://192.0.2.7", true},
      {"port", {.port = {22, 6379}}, "gopher://a.test:6379", true},
      {"the scheme's port", {.port = {443}}, "https://a.test", true},
      {"another port", {.port = {443}}, "http://a.test", false},
      {"address", {.address = AddressSet::parse(inside).value()}, "http://0x7f.1/", true},
      {"address, by name",
       {.address = AddressSet::parse(inside).value()},
       "http://metadata.google.internal/",
       true},
      {"address, elsewhere",
       {.address = AddressSet::parse(inside).value()},
       "http://b.test",
       false},
      {"all of one URL",
       {.scheme = {"http"}, .domain = {"a.test"}},
       "https://a.test http://b.test",
       false},
      {"hidden from browsers", {.domain = {"evil.test"}}, "http://good.test\\@evil.test/", true},
  };
  for (const ConditionRow& row : rows) {
    CAPTURE(row.what, row.text);
    CHECK(row.condition.matches_any(row.text) == row.matches);
  }
}

}  // namespace
}  // namespace tocsin::validate
