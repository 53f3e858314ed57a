#include "daemon/sink/http_server.h"

#include <civetweb.h>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <string_view>
#include <vector>

namespace tocsin {
namespace {

std::string_view status_text(int status) {
  switch (status) {
    case 200: return "OK";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 503: return "Service Unavailable";
    default: return "Error";
  }
}

void write(mg_connection* connection, const HttpResponse& response, bool with_body) {
  const std::string head = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n"
      "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
      "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
      "Referrer-Policy: no-referrer\r\n\r\n",
      response.status, status_text(response.status), response.content_type, response.body.size());
  mg_write(connection, head.data(), head.size());
  if (with_body) mg_write(connection, response.body.data(), response.body.size());
}

}  // namespace

std::expected<std::unique_ptr<HttpServer>, std::string> HttpServer::start(
    const std::string& address, std::uint16_t port) {
  static const bool initialised = [] {
    mg_init_library(0);
    return true;
  }();
  static_cast<void>(initialised);
  const std::string listen = fmt::format("{}:{}", address, port);
  // A client that says nothing holds a thread until the time-out: enough threads that a few such
  // clients do not keep a probe waiting, and a short time-out.
  const std::array<const char*, 13> options = {
      "listening_ports",
      listen.c_str(),
      "num_threads",
      "16",
      "request_timeout_ms",
      "3000",
      "max_request_size",
      "8192",
      "enable_keep_alive",
      "no",
      "enable_directory_listing",
      "no",
      nullptr,
  };
  std::array<char, 256> text{};
  mg_error_data error{};
  error.text = text.data();
  error.text_buffer_size = text.size();
  mg_callbacks callbacks{};
  callbacks.log_message = [](const mg_connection*, const char*) { return 1; };  // we report below
  mg_init_data init{};
  init.callbacks = &callbacks;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): civetweb does not write to the options
  init.configuration_options = const_cast<const char**>(options.data());

  std::unique_ptr<HttpServer> server(new HttpServer);
  server->context_ = mg_start2(&init, &error);
  if (server->context_ == nullptr) {
    return std::unexpected(fmt::format("cannot listen on {}: {}; is the port taken?", listen,
                                       text[0] != 0 ? text.data() : "no reason given"));
  }
  std::array<mg_server_port, 4> ports{};
  if (mg_get_server_ports(server->context_, static_cast<int>(ports.size()), ports.data()) > 0) {
    server->port_ = static_cast<std::uint16_t>(ports[0].port);
  }
  return server;
}

HttpServer::~HttpServer() {
  if (context_ != nullptr) mg_stop(context_);
}

void HttpServer::handle(const std::string& path, Handler handler) {
  routes_.push_back(std::make_unique<Route>(Route{.path = path, .handler = std::move(handler)}));
  // `$` ends a civetweb pattern: without it a path would answer for everything below it.
  mg_set_request_handler(context_, (path + "$").c_str(), &HttpServer::serve, routes_.back().get());
}

int HttpServer::serve(mg_connection* connection, void* route) {
  const mg_request_info* request = mg_get_request_info(connection);
  const std::string_view method(request->request_method);
  const bool head = method == "HEAD";
  if (method != "GET" && !head) {
    write(connection, {.status = 405, .body = "GET only\n"}, true);
    return 405;
  }
  const HttpResponse response = static_cast<const Route*>(route)->handler();
  write(connection, response, !head);
  return response.status;
}

}  // namespace tocsin
