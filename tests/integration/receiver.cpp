#include "tests/integration/receiver.h"

#include <civetweb.h>
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <stdexcept>
#include <utility>

#include "daemon/text.h"

namespace tocsin::testing {
namespace {

struct Server {
  mg_context* context = nullptr;
  int port = 0;
};

const Server& server() {
  static const Server started = [] {
    mg_init_library(0);
    const std::array<const char*, 7> options = {
        "listening_ports", "127.0.0.1:0", "num_threads", "32", "enable_keep_alive", "yes", nullptr};
    mg_callbacks callbacks{};
    callbacks.log_message = [](const mg_connection*, const char*) { return 1; };
    Server out{.context = mg_start(&callbacks, nullptr, const_cast<const char**>(options.data()))};
    std::array<mg_server_port, 1> ports{};
    if (out.context == nullptr || mg_get_server_ports(out.context, 1, ports.data()) != 1) {
      throw std::runtime_error("the receiver cannot listen");
    }
    out.port = ports[0].port;
    return out;
  }();
  return started;
}

Posted read(mg_connection* connection) {
  Posted out;
  out.came = std::chrono::steady_clock::now();
  const mg_request_info* request = mg_get_request_info(connection);
  for (int i = 0; i < request->num_headers; ++i) {
    out.headers.emplace(ascii_lower(request->http_headers[i].name), request->http_headers[i].value);
  }
  std::array<char, 4096> buffer{};
  for (int got = 0; (got = mg_read(connection, buffer.data(), buffer.size())) > 0;) {
    out.body.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return out;
}

}  // namespace

Receiver::Receiver(Answering answer) : answer_(std::move(answer)) {
  static std::atomic<int> paths{0};
  path_ = fmt::format("/r{}", paths++);
  mg_set_request_handler(server().context, (path_ + "$").c_str(), &Receiver::serve, this);
}

Receiver::~Receiver() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  gone_.notify_all();
  // Waits for those that are being served.
  mg_set_request_handler(server().context, (path_ + "$").c_str(), nullptr, nullptr);
}

std::string Receiver::url() const {
  return fmt::format("http://127.0.0.1:{}{}", server().port, path_);
}

std::vector<Posted> Receiver::posted() const {
  const std::lock_guard lock(mutex_);
  return posted_;
}

int Receiver::serve(mg_connection* connection, void* self) {
  auto& receiver = *static_cast<Receiver*>(self);
  const Posted posted = read(connection);
  std::size_t before = 0;
  {
    const std::lock_guard lock(receiver.mutex_);
    before = receiver.posted_.size();
    receiver.posted_.push_back(posted);
  }
  const Answer answer = receiver.answer_(posted, before);
  if (answer.never) {
    std::unique_lock lock(receiver.mutex_);
    receiver.gone_.wait(lock, [&] { return receiver.leaving_; });
    return 500;
  }
  const std::string head = fmt::format("HTTP/1.1 {} Answer\r\nContent-Length: {}\r\n{}\r\n",
                                       answer.status, answer.body.size(), answer.headers);
  mg_write(connection, head.data(), head.size());
  mg_write(connection, answer.body.data(), answer.body.size());
  return answer.status;
}

}  // namespace tocsin::testing
