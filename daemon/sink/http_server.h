// One HTTP port: /metrics, /healthz, /readyz, and the status page (daemon/page/status_page.h).
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct mg_connection;
struct mg_context;

namespace tocsin {

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string content_security_policy = "default-src 'none'; frame-ancestors 'none'";
};

// GET only; small limits on requests, and time limits on slow clients.  Handlers run on the
// server's few threads and must be thread-safe.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse()>;
  using BelowHandler = std::function<HttpResponse(std::string_view part)>;

  // Port 0 takes a free one.
  static std::expected<std::unique_ptr<HttpServer>, std::string> start(const std::string& address,
                                                                       std::uint16_t port);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  // An exact path.
  void handle(const std::string& path, Handler handler);
  // Every path of one more part below `prefix`, which ends in a slash; the handler is told that
  // part: letters, digits, `-`, `_` and `.`, 128 at most.
  void handle_below(const std::string& prefix, BelowHandler handler);
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  struct Route {
    std::string path;
    Handler handler;
    BelowHandler below;  // instead of `handler`
  };
  static HttpResponse answer(const Route& route, std::string_view path);
  HttpServer() = default;
  static int serve(mg_connection* connection, void* route);

  mg_context* context_ = nullptr;
  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<Route>> routes_;
};

}  // namespace tocsin
