#include <string>
#include <string_view>

#include "daemon/sink/http_client.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

TEST_CASE("http url: what may be posted to") {
  struct Row {
    std::string url;
    std::string_view said;  // host, "+s" with https, "+l" on this machine; or what is wrong
  };
  const Row rows[] = {
      {"https://a.example/hook?x=1", "a.example+s"},
      {"HTTPS://A.Example", "a.example+s"},
      {"http://a.example:8080/", "a.example"},
      {"http://localhost:1/", "localhost+l"},
      {"http://LOCALHOST", "localhost+l"},
      {"http://127.0.0.1", "127.0.0.1+l"},
      {"http://127.1.2.3:80/x", "127.1.2.3+l"},
      {"http://[::1]:80/", "[::1]+l"},
      // Names that only begin like this machine's.
      {"http://127.0.0.1.evil.example/", "127.0.0.1.evil.example"},
      {"http://localhost.evil.example/", "localhost.evil.example"},
      {"http://10.0.0.1/", "10.0.0.1"},
      {"ftp://a.example/", "it is neither https nor http"},
      {"file:///etc/passwd", "it is neither https nor http"},
      {"a.example", "it is not a URL"},
      {"", "it is not a URL"},
      {"https://", "it is not a URL"},
      {"https://user@a.example/", "it holds a name or password"},
      {"https://user:pass@a.example/", "it holds a name or password"},
      {"https://:pass@a.example/", "it holds a name or password"},
      {"https://a.example/#x", "it holds a fragment, which is never sent"},
      {"https://a.example/x\r\nHost: b", "it holds a blank or a control character"},
      {"https://a.example/x y", "it holds a blank or a control character"},
      {"https://a.example/" + std::string(3000, 'x'), "it is too long"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    const auto url = parse_http_url(row.url);
    std::string said = url ? url->host : url.error();
    if (url && url->https) said += "+s";
    if (url && url->loopback) said += "+l";
    CHECK(said == row.said);
    if (url) CHECK(url->text == row.url);
  }
}

}  // namespace
}  // namespace tocsin
