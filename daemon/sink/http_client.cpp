#include "daemon/sink/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/check.h"
#include "daemon/text.h"
#include "daemon/version.h"

namespace tocsin {
namespace {

constexpr std::size_t kUrlBytesMax = 2048;

void initialise() {
  static const bool done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  CHECK(done);
}

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

// Empty when there is no such part.
std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

void append(List& list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  CHECK(longer != nullptr);
  static_cast<void>(list.release());  // `longer` begins with it
  list.reset(longer);
}

// What a request needs while it is under way.
struct Transfer {
  const std::stop_token& stop;
  std::size_t answered = 0;  // bytes of body
};

int on_progress(void* transfer, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const Transfer*>(transfer)->stop.stop_requested() ? 1 : 0;
}

std::size_t on_body(char*, std::size_t size, std::size_t count, void* transfer) {
  auto& answered = static_cast<Transfer*>(transfer)->answered;
  answered += size * count;
  return answered > HttpClient::kAnswerBytesMax ? 0 : size * count;
}

}  // namespace

std::expected<HttpUrl, std::string> parse_http_url(std::string_view text) {
  initialise();
  // libcurl would take some of these as they come.
  if (text.size() > kUrlBytesMax) return std::unexpected("it is too long");
  if (std::ranges::any_of(text, [](char c) { return c <= ' ' || c == 0x7F; })) {
    return std::unexpected("it holds a blank or a control character");
  }
  const std::unique_ptr<CURLU, UrlDeleter> url(curl_url());
  CHECK(url != nullptr);
  const std::string written(text);
  if (curl_url_set(url.get(), CURLUPART_URL, written.c_str(), 0) != CURLUE_OK) {
    return std::unexpected("it is not a URL");
  }
  HttpUrl out{.text = written, .host = ascii_lower(part_of(url.get(), CURLUPART_HOST))};
  const std::string scheme = ascii_lower(part_of(url.get(), CURLUPART_SCHEME));
  out.https = scheme == "https";
  if (!out.https && scheme != "http") return std::unexpected("it is neither https nor http");
  if (out.host.empty()) return std::unexpected("it names no host");
  char* user = nullptr;
  const bool has_user = curl_url_get(url.get(), CURLUPART_USER, &user, 0) == CURLUE_OK;
  curl_free(user);
  if (has_user || !part_of(url.get(), CURLUPART_PASSWORD).empty()) {
    return std::unexpected("it holds a name or password");
  }
  if (!part_of(url.get(), CURLUPART_FRAGMENT).empty()) {
    return std::unexpected("it holds a fragment, which is never sent");
  }
  out.loopback = is_loopback(out.host);
  return out;
}

struct HttpClient::Handle {
  CURL* curl = curl_easy_init();
  std::array<char, CURL_ERROR_SIZE> error{};

  Handle() { CHECK(curl != nullptr); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { curl_easy_cleanup(curl); }

  template <typename Value>
  void set(CURLoption option, Value value) {
    CHECK(curl_easy_setopt(curl, option, value) == CURLE_OK);
  }
};

HttpClient::HttpClient(Options options) : options_(std::move(options)) {
  initialise();
  handle_ = std::make_unique<Handle>();
  Handle& handle = *handle_;
  handle.set(CURLOPT_ERRORBUFFER, handle.error.data());
  handle.set(CURLOPT_NOSIGNAL, 1L);
  // Else an abort waits for the resolver's thread, which waits for a name server.
  handle.set(CURLOPT_QUICK_EXIT, 1L);
  handle.set(CURLOPT_PROTOCOLS_STR, "http,https");
  handle.set(CURLOPT_FOLLOWLOCATION, 0L);
  handle.set(CURLOPT_PROXY, options_.proxy.c_str());
  handle.set(CURLOPT_USERAGENT, ("tocsin/" + std::string(version())).c_str());  // is copied
  handle.set(CURLOPT_CONNECTTIMEOUT_MS,
             static_cast<long>(
                 std::min<std::chrono::milliseconds>(kConnectLimit, options_.timeout).count()));
  handle.set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  handle.set(CURLOPT_SSL_VERIFYPEER, 1L);
  handle.set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options_.ca_file.empty()) handle.set(CURLOPT_CAINFO, options_.ca_file.c_str());
  handle.set(CURLOPT_POST, 1L);
  handle.set(CURLOPT_NOPROGRESS, 0L);
  handle.set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  handle.set(CURLOPT_WRITEFUNCTION, &on_body);
}

HttpClient::~HttpClient() = default;

HttpResult HttpClient::post(const HttpUrl& url, const Headers& headers, std::string_view body,
                            const std::stop_token& stop) {
  Handle& handle = *handle_;
  List list;
  append(list, "Expect:");  // do not wait for a leave to send a large body
  for (const auto& [name, value] : headers) append(list, fmt::format("{}: {}", name, value));
  Transfer transfer{.stop = stop};
  handle.set(CURLOPT_URL, url.text.c_str());
  handle.set(CURLOPT_HTTPHEADER, list.get());
  handle.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  const char* const bytes = body.data();  // not copied, and as long as was said
  handle.set(CURLOPT_POSTFIELDS, bytes);
  handle.set(CURLOPT_XFERINFODATA, &transfer);
  handle.set(CURLOPT_WRITEDATA, &transfer);
  handle.error[0] = 0;
  const CURLcode code = curl_easy_perform(handle.curl);
  handle.set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));  // `list` is about to go

  HttpResult result;
  long sent = 0;
  curl_easy_getinfo(handle.curl, CURLINFO_REQUEST_SIZE, &sent);
  result.reached = sent > 0;
  // An answer that went on for too long is one nevertheless.
  if (code == CURLE_OK || code == CURLE_WRITE_ERROR) {
    long status = 0;
    curl_easy_getinfo(handle.curl, CURLINFO_RESPONSE_CODE, &status);
    result.status = static_cast<int>(status);
    curl_off_t retry_after = 0;
    curl_easy_getinfo(handle.curl, CURLINFO_RETRY_AFTER, &retry_after);
    if (retry_after > 0) {
      constexpr curl_off_t kYear = 31'622'400;  // beyond it, arithmetic is in danger
      result.retry_after = std::chrono::seconds(std::min(retry_after, kYear));
    }
    return result;
  }
  result.stopped = code == CURLE_ABORTED_BY_CALLBACK;
  result.error = curl_easy_strerror(code);
  return result;
}

}  // namespace tocsin
