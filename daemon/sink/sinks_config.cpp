#include "daemon/sink/sinks_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "daemon/config_files.h"
#include "daemon/sink/webhook_signature.h"

namespace tocsin {
namespace {

using yaml::MapReader;
using yaml::Node;

constexpr std::size_t kNameBytesMax = 32;
constexpr std::string_view kHttpsHint =
    "https://...; http is for this machine alone, or with `insecure: true`";

template <typename Duration>
void read_duration(MapReader& reader, std::string_view key, std::int64_t min, std::int64_t max,
                   Duration* out) {
  std::int64_t count = std::chrono::duration_cast<std::chrono::seconds>(*out).count();
  reader.integer(key, min, max, &count);
  *out = std::chrono::seconds(count);
}

void read_severity(MapReader& reader, Severity* out) {
  auto severity = static_cast<std::size_t>(*out);
  reader.choice("severity_min", severity_names(), &severity);
  *out = static_cast<Severity>(severity);
}

// Without the line: a password may stand in it.
void error_unquoted(const Node& where, std::string message, Diagnostics& diagnostics) {
  diagnostics.add({.file = where.source->name,
                   .line = where.line,
                   .column = where.column,
                   .excerpt = "",
                   .message = std::move(message),
                   .hint = std::string(kHttpsHint)});
}

std::optional<HttpUrl> checked_url(const Node& where, std::string_view what, std::string_view text,
                                   bool insecure, Diagnostics& diagnostics) {
  auto url = parse_http_url(text);
  if (!url) {
    error_unquoted(where, fmt::format("`{}` cannot be posted to: {}", what, url.error()),
                   diagnostics);
    return std::nullopt;
  }
  if (url->https || url->loopback) return std::move(*url);
  if (!insecure) {
    yaml::error_at(where, fmt::format("`{}` is not encrypted", what), std::string(kHttpsHint),
                   diagnostics);
    return std::nullopt;
  }
  yaml::warning_at(where,
                   fmt::format("`{}` is not encrypted: whoever is on the way reads along", what),
                   "use https", diagnostics);
  return std::move(*url);
}

void read_http(MapReader& reader, HttpClient::Options* out) {
  read_duration(reader, "timeout_seconds", 1, 60, &out->timeout);
  std::string ca_file;
  reader.string("ca_file", &ca_file);
  if (!ca_file.empty()) {
    const Node& where = *reader.node("ca_file");
    out->ca_file = resolve_path(where, ca_file).string();
    // Read here for its mistakes alone; libcurl reads it at each connection.
    static_cast<void>(read_text_file(where, "ca_file", ca_file, reader.context().diagnostics));
  }
  std::string proxy;
  reader.string("proxy", &proxy);
  if (proxy.empty()) return;
  if (const auto url = parse_http_url(proxy); !url) {
    error_unquoted(*reader.node("proxy"), fmt::format("`proxy` will not do: {}", url.error()),
                   reader.context().diagnostics);
  }
  out->proxy = std::move(proxy);
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '-' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

void read_name(MapReader& reader, std::span<const WebhookConfig> earlier, WebhookConfig* out) {
  reader.string("name", &out->name);
  if (!reader.require("name", "a word for metrics and logs, for example soar")) return;
  const Node& where = *reader.node("name");
  if (!is_name(out->name)) {
    yaml::error_at(where, fmt::format("`{}` is no name for a webhook", out->name),
                   "lower-case letters, digits and dashes, 32 at most; it is a metric's label and "
                   "part of the consumer group's name",
                   reader.context().diagnostics);
  } else if (std::ranges::find(earlier, out->name, &WebhookConfig::name) != earlier.end()) {
    yaml::error_at(where, fmt::format("a second webhook is called `{}`", out->name),
                   "each has a consumer group of its own; give each its own name",
                   reader.context().diagnostics);
  }
}

void read_url(MapReader& reader, WebhookConfig* out) {
  bool insecure = false;
  reader.boolean("insecure", &insecure);
  std::string url;
  reader.string("url", &url);
  if (!reader.require("url", "where to post to")) return;
  const Node& where = *reader.node("url");
  if (where.kind != Node::Kind::kScalar) return;  // was reported
  if (auto read = checked_url(where, "url", url, insecure, reader.context().diagnostics)) {
    out->url = std::move(*read);
  }
}

void read_key(MapReader& reader, WebhookConfig* out) {
  std::string file;
  reader.string("secret_file", &file);
  if (!reader.require("secret_file", "the key of the signatures: openssl rand -base64 32")) return;
  const Node& where = *reader.node("secret_file");
  if (where.kind != Node::Kind::kScalar) return;  // was reported
  const auto secret = read_secret(where, file, reader.context().diagnostics);
  if (!secret) return;
  auto key = webhook_key(*secret);
  if (!key) {
    yaml::error_at(where, fmt::format("the secret in `{}` will not do: {}", file, key.error()),
                   "24 to 512 random bytes as they are, or base64 of them after `whsec_`: "
                   "openssl rand -base64 32",
                   reader.context().diagnostics);
    return;
  }
  out->key = std::move(*key);
}

void read_send(MapReader& reader, WebhookConfig* out) {
  static constexpr std::array<std::string_view, 3> kWhat = {"findings", "incidents", "requests"};
  const std::array<bool*, 3> wanted = {&out->findings, &out->incidents, &out->requests};
  std::vector<std::string> send;
  reader.strings("send", &send);
  if (!reader.require("send", "what to send: [findings, incidents, requests], or some of them")) {
    return;
  }
  const Node& where = *reader.node("send");
  for (const std::string& word : send) {
    const auto found = std::ranges::find(kWhat, word);
    if (found == kWhat.end()) {
      const std::string_view near = nearest(word, kWhat);
      yaml::error_at(where, fmt::format("`{}` is nothing that `webhooks.send` knows", word),
                     near.empty() ? one_of(kWhat) : fmt::format("did you mean `{}`?", near),
                     reader.context().diagnostics);
      continue;
    }
    *wanted[static_cast<std::size_t>(found - kWhat.begin())] = true;
  }
  if (send.empty() && where.kind != Node::Kind::kMap) {
    yaml::error_at(where, "`webhooks.send` is empty", one_of(kWhat), reader.context().diagnostics);
  }
}

void read_webhook(const Node& node, yaml::ReadContext& context, std::vector<WebhookConfig>* out) {
  yaml::ReadContext from_file(context.diagnostics);  // nothing of a list can be overridden
  MapReader reader(&node, "webhooks", from_file);
  if (reader.self() == nullptr) {
    if (node.kind == Node::Kind::kNull) {
      yaml::error_at(node, "a webhook is missing here", "{name: ..., url: ..., ...}",
                     context.diagnostics);
    }
    return;
  }
  WebhookConfig webhook;
  read_name(reader, *out, &webhook);
  read_url(reader, &webhook);
  read_key(reader, &webhook);
  read_send(reader, &webhook);
  read_severity(reader, &webhook.severity_min);
  static constexpr std::array<std::string_view, 2> kFormats = {"tocsin", "ocsf"};
  auto format = static_cast<std::size_t>(webhook.format);
  reader.choice("format", kFormats, &format);
  webhook.format = static_cast<SinkFormat>(format);
  read_http(reader, &webhook.http);
  read_duration(reader, "give_up_seconds", 1, 2'592'000, &webhook.give_up);
  reader.finish();
  out->push_back(std::move(webhook));
}

// For people to follow; tocsin never does.
void read_link(MapReader& reader, std::string_view key, std::string* out) {
  reader.string(key, out);
  if (out->empty()) return;
  if (const auto url = parse_http_url(*out); !url) {
    yaml::error_at(*reader.node(key), fmt::format("`alertmanager.{}`: {}", key, url.error()),
                   "https://...", reader.context().diagnostics);
  }
}

}  // namespace

std::vector<WebhookConfig> read_webhooks(MapReader& root) {
  std::vector<WebhookConfig> webhooks;
  const Node* list = root.node("webhooks");
  if (list == nullptr || list->kind == Node::Kind::kNull) return webhooks;
  Diagnostics& diagnostics = root.context().diagnostics;
  constexpr std::string_view kExample =
      "[{name: soar, url: 'https://...', secret_file: ..., send: [incidents]}]";
  if (list->kind != Node::Kind::kSequence) {
    yaml::error_at(*list, "`webhooks` must be a list", std::string(kExample), diagnostics);
    return webhooks;
  }
  if (list->items.size() > kWebhooksMax) {
    yaml::error_at(*list, fmt::format("`webhooks` has {} items", list->items.size()),
                   fmt::format("{} at most", kWebhooksMax), diagnostics);
    return webhooks;
  }
  for (const Node& item : list->items) read_webhook(item, root.context(), &webhooks);
  return webhooks;
}

AlertmanagerConfig read_alertmanager(MapReader reader) {
  AlertmanagerConfig out;
  Diagnostics& diagnostics = reader.context().diagnostics;
  bool insecure = false;
  reader.boolean("insecure", &insecure);
  std::vector<std::string> urls;
  reader.strings("urls", &urls);
  for (std::string& text : urls) {
    while (text.ends_with('/')) text.pop_back();
    auto url = checked_url(*reader.node("urls"), "alertmanager.urls", text, insecure, diagnostics);
    if (url && text.find('?') != std::string::npos) {
      yaml::error_at(*reader.node("urls"),
                     "`alertmanager.urls` cannot be posted to: it holds a query",
                     "/api/v2/alerts is put behind it", diagnostics);
    }
    if (url) out.urls.push_back(std::move(*url));
  }
  if (urls.size() > kAlertmanagersMax) {
    yaml::error_at(*reader.node("urls"), fmt::format("{} Alertmanagers", urls.size()),
                   fmt::format("{} at most", kAlertmanagersMax), diagnostics);
  }
  read_severity(reader, &out.severity_min);
  read_duration(reader, "resend_seconds", 5, 3600, &out.resend);
  read_http(reader, &out.http);
  std::string token_file;
  reader.string("token_file", &token_file);
  if (!token_file.empty()) {
    const Node& where = *reader.node("token_file");
    if (auto token = read_secret(where, token_file, diagnostics)) {
      if (token->empty() ||
          std::ranges::any_of(*token, [](char c) { return c <= ' ' || c > '~'; })) {
        yaml::error_at(where, fmt::format("`{}` holds no bearer token", token_file),
                       "one word of printable ASCII", diagnostics);
      }
      out.token = std::move(*token);
    }
  }
  read_link(reader, "external_url", &out.links.external_url);
  while (out.links.external_url.ends_with('/')) out.links.external_url.pop_back();
  read_link(reader, "runbook_url", &out.links.runbook_url);
  reader.finish();
  return out;
}

}  // namespace tocsin
