// The HTTP server alone: what a client may do to it.
#include "daemon/sink/http_server.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/support.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using testing::http;
using testing::HttpAnswer;
using testing::HttpConnection;

using Clock = std::chrono::steady_clock;

// One for all tests, and never stopped: civetweb takes two seconds for that.
const HttpServer& hello_server() {
  static const HttpServer* const server = [] {
    auto started = HttpServer::start("127.0.0.1", 0);
    if (!started) throw std::runtime_error(started.error());
    (*started)->handle("/hello", [] { return HttpResponse{.body = "hello\n"}; });
    return started->release();
  }();
  return *server;
}

std::string many_headers(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += fmt::format("X{}: y\r\n", i);
  return text;
}

}  // namespace

TEST_CASE("http: HEAD is GET without the body") {
  const HttpServer& server = hello_server();
  const HttpAnswer get = http(server.port(), "GET", "/hello");
  CHECK(get.status == 200);
  CHECK(get.body == "hello\n");
  const HttpAnswer head = http(server.port(), "HEAD", "/hello");
  CHECK(head.status == 200);
  CHECK(head.body.empty());
  CHECK(head.headers == get.headers);
  CHECK(head.headers.find("Content-Length: 6\r\n") != std::string::npos);
  CHECK(http(server.port(), "HEAD", "/nowhere").status == 404);
}

TEST_CASE("http: only the exact path and method, and nothing of the file system") {
  const HttpServer& server = hello_server();
  for (const char* path :
       {"/hello/", "/hello/x", "/hell", "/", "/../etc/passwd", "/%2e%2e/etc/passwd"}) {
    CAPTURE(path);
    const HttpAnswer answer = http(server.port(), "GET", path);
    CHECK(answer.status >= 400);
    CHECK(answer.status < 500);
    CHECK(answer.body.find("root:") == std::string::npos);
  }
  CHECK(http(server.port(), "GET", "/hello?a=b").status == 200);
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    CAPTURE(method);
    const HttpAnswer answer = http(server.port(), method, "/hello");
    CHECK(answer.status == 405);
    CHECK(answer.body != "hello\n");
  }
}

TEST_CASE("http: below a prefix one harmless part is answered, and nothing else") {
  auto server = HttpServer::start("127.0.0.1", 0);
  REQUIRE(server.has_value());
  (*server)->handle_below(
      "/things/", [](std::string_view part) { return HttpResponse{.body = std::string(part)}; });
  const std::uint16_t port = (*server)->port();
  CHECK(http(port, "GET", "/things/a-B_9.x").body == "a-B_9.x");
  for (const std::string& path :
       {std::string("/things/"), std::string("/things"), std::string("/things/a/b"),
        std::string("/things/%3Cb%3E"), std::string("/things/a%20b"),
        "/things/" + std::string(129, 'a')}) {
    CAPTURE(path);
    CHECK(http(port, "GET", path).status == 404);
  }
  CHECK(http(port, "POST", "/things/a").status == 405);
}

TEST_CASE("http: a request that is too large or none is refused, and the server lives on") {
  const HttpServer& server = hello_server();
  for (const std::string& request :
       {"GET /hello HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n",
        "GET /hello HTTP/1.1\r\n" + many_headers(1000) + "\r\n",
        "GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\n\r\n", std::string("\r\n\r\n"),
        std::string("nonsense\r\n\r\n"), std::string(20'000, '\0')}) {
    CAPTURE(request.substr(0, 20));
    const HttpConnection connection(server.port());
    connection.send(request);  // may be cut short: then the server has hung up
    CHECK(connection.receive(std::chrono::seconds(15)).status != 200);
    CHECK(http(server.port(), "GET", "/hello").status == 200);
  }
}

TEST_CASE("http: slow clients do not keep the others waiting") {
  const HttpServer& server = hello_server();
  std::vector<std::unique_ptr<HttpConnection>> slow;
  for (int i = 0; i < 8; ++i) {
    slow.push_back(std::make_unique<HttpConnection>(server.port()));
    REQUIRE(slow.back()->send("GET /hello HT"));  // and then nothing
  }
  // A probe's time-out is a second or a few.
  const auto began = Clock::now();
  CHECK(http(server.port(), "GET", "/hello").status == 200);
  CHECK(Clock::now() - began < std::chrono::seconds(1));
}

TEST_CASE("http: a request in drops is cut off") {
  const HttpServer& server = hello_server();
  const HttpConnection connection(server.port());
  REQUIRE(connection.send("GET /hello HTTP/1.1\r\n"));
  // Each line comes in time; all of them do not.
  const auto began = Clock::now();
  int lines = 0;
  while (Clock::now() - began < std::chrono::seconds(12) && connection.send("X: y\r\n")) {
    ++lines;
    std::this_thread::sleep_for(std::chrono::milliseconds(250));  // what a slow client does
  }
  CAPTURE(lines);
  CHECK(Clock::now() - began < std::chrono::seconds(8));
  CHECK(connection.receive(std::chrono::seconds(5)).status != 200);
}

TEST_CASE("http: what is served is for nobody's page") {
  const HttpAnswer answer = http(hello_server().port(), "GET", "/hello");
  for (const char* header :
       {"X-Content-Type-Options: nosniff\r\n", "Cache-Control: no-store\r\n",
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n",
        "Referrer-Policy: no-referrer\r\n"}) {
    CAPTURE(header);
    CHECK(answer.headers.find(header) != std::string::npos);
  }
}

TEST_CASE("http: many clients at once all get their answer") {
  const HttpServer& server = hello_server();
  std::vector<int> statuses(32);
  {
    std::vector<std::jthread> clients;
    for (int& status : statuses) {
      clients.emplace_back([&] {
        for (int i = 0; i < 5; ++i) status = http(server.port(), "GET", "/hello").status;
      });
    }
  }
  CHECK(statuses == std::vector<int>(32, 200));
}

TEST_CASE("http: a taken port is said, with what to look at") {
  const HttpServer& first = hello_server();
  const auto second = HttpServer::start("127.0.0.1", first.port());
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().find(std::to_string(first.port())) != std::string::npos);
  CHECK(second.error().find("taken") != std::string::npos);
}

}  // namespace tocsin
