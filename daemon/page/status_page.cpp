#include "daemon/page/status_page.h"

#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "daemon/page/files.h"
#include "daemon/profile/system_profile.h"

namespace tocsin {
namespace {

using Json = nlohmann::ordered_json;

// Scripts, styles and data of this very server; nothing else, and no inline script or style.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

HttpResponse file(std::string_view content_type, std::string_view body) {
  return {.content_type = std::string(content_type),
          .body = std::string(body),
          .content_security_policy = std::string(kPolicy)};
}

HttpResponse json(std::string body) {
  return {.content_type = "application/json", .body = std::move(body)};
}

std::string as_ascii(const Json& value) {
  return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace

StatusPage::StatusPage(const Board& board, std::string version)
    : board_(board), version_(std::move(version)) {}

void StatusPage::serve(HttpServer& server) {
  const auto page = [] { return file("text/html; charset=utf-8", page::html()); };
  server.handle("/", page);
  server.handle_below("/incidents/", [page](std::string_view) { return page(); });
  server.handle("/page.css", [] { return file("text/css; charset=utf-8", page::css()); });
  server.handle("/page.js", [] { return file("text/javascript; charset=utf-8", page::js()); });
  server.handle("/page.svg", [] { return file("image/svg+xml", page::svg()); });
  server.handle("/api/v1/policy", [this] { return json(policy_json()); });
  server.handle("/api/v1/findings", [this] { return json(board_.findings()); });
  server.handle("/api/v1/incidents", [this] { return json(board_.incidents()); });
  server.handle_below("/api/v1/incidents/", [this](std::string_view id) {
    auto found = board_.incident(std::string(id));
    if (found) return json(*std::move(found));
    return HttpResponse{.status = 404,
                        .content_type = "application/json",
                        .body = R"({"error":"no such incident in this process"})"};
  });
}

void StatusPage::adopt(const std::shared_ptr<const Policy>& policy) {
  Json out = {{"version", version_},
              {"sha256", policy->sha256()},
              {"rules", Json::array()},
              {"systems", Json::array()}};
  for (const RuleInfo& rule : policy->reportable()) {
    out["rules"].push_back({{"id", rule.id},
                            {"title", rule.title},
                            {"detector", rule.detector},
                            {"severity", name_of(rule.severity)},
                            {"category", name_of(rule.category)}});
  }
  for (const SystemProfile& profile : policy->systems()) {
    out["systems"].push_back({{"system", profile.system},
                              {"risk", name_of(profile.risk)},
                              {"owner", profile.owner.name},
                              {"contact", profile.owner.contact},
                              {"escalation", profile.owner.escalation}});
  }
  std::string text = as_ascii(out);
  const std::lock_guard lock(mutex_);
  policy_json_ = std::move(text);
}

std::string StatusPage::policy_json() const {
  const std::lock_guard lock(mutex_);
  return policy_json_;
}

}  // namespace tocsin
