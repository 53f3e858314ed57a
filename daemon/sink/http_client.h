// One HTTP client for what tocsin sends: POST, with time limits, and an end at once when asked.
//
// Through libcurl, with nothing left to the environment: TLS certificates are verified, redirects
// are not followed, a proxy is used only when one is configured, and of the answer no more than the
// status and Retry-After is looked at.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin {

// A URL that tocsin may post to, as the operator wrote it.
struct HttpUrl {
  std::string text;
  std::string host;
  bool https = false;
  bool loopback = false;  // localhost, 127.0.0.0/8 or ::1
};

// The error says what is wrong with it, without quoting it: it may hold a password.
std::expected<HttpUrl, std::string> parse_http_url(std::string_view text);

struct HttpResult {
  int status = 0;  // 0: there was no answer
  std::string
      error;  // why there was none, in libcurl's words; no part of what was sent or answered
  std::optional<std::chrono::seconds> retry_after;
  bool reached = false;  // the request, or a part of it, was sent
  bool stopped = false;  // asked to, before there was an answer
};

// Keeps a connection between requests.  Not thread-safe.
class HttpClient {
 public:
  static constexpr std::chrono::seconds kConnectLimit{5};
  // What is read of an answer's body before the connection is dropped; it is thrown away.
  static constexpr std::size_t kAnswerBytesMax = std::size_t{64} << 10;

  struct Options {
    std::chrono::milliseconds timeout{10'000};  // of the whole request
    std::string ca_file;                        // PEM; empty: the system's certificates
    std::string proxy;                          // empty: none, whatever the environment says
  };
  using Headers = std::vector<std::pair<std::string, std::string>>;

  explicit HttpClient(Options options);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  // `url` came from parse_http_url.  The caller vouches for the headers: no control characters.
  // Ends within a second or so of a request to stop.
  HttpResult post(const HttpUrl& url, const Headers& headers, std::string_view body,
                  const std::stop_token& stop);

 private:
  struct Handle;
  Options options_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace tocsin
