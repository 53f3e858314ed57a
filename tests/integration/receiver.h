// An HTTP server in the test's process that takes POST requests and answers as it is told.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

struct mg_connection;

namespace tocsin::testing {

struct Posted {
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::chrono::steady_clock::time_point came;
};

struct Answer {
  int status = 200;
  std::string headers;  // whole lines
  std::string body;
  bool never = false;  // not before the receiver is gone
};

// A path of its own on one server that all share, for civetweb takes two seconds to stop.
class Receiver {
 public:
  // `answer` is told what came and how many came before it; it may be called by several threads.
  using Answering = std::function<Answer(const Posted& posted, std::size_t before)>;

  explicit Receiver(Answering answer = [](const Posted&, std::size_t) { return Answer{}; });
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  ~Receiver();

  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::vector<Posted> posted() const;
  [[nodiscard]] std::size_t count() const { return posted().size(); }

 private:
  static int serve(mg_connection* connection, void* self);

  Answering answer_;
  std::string path_;
  mutable std::mutex mutex_;
  std::condition_variable gone_;
  std::vector<Posted> posted_;
  bool leaving_ = false;
};

}  // namespace tocsin::testing
