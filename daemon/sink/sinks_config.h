// What the operator says about the places outside of Kafka that tocsin tells.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "daemon/finding.h"
#include "daemon/sink/alerts.h"
#include "daemon/sink/http_client.h"
#include "daemon/yaml/document.h"

namespace tocsin {

inline constexpr std::size_t kWebhooksMax = 16;      // each is a thread and a consumer
inline constexpr std::size_t kAlertmanagersMax = 8;  // of one cluster

// How a finding or an incident is written.
enum class SinkFormat : std::uint8_t { kTocsin, kOcsf };

struct WebhookConfig {
  std::string name;  // a label of metrics and part of a consumer group: [a-z0-9-], 32 bytes at most
  HttpUrl url;
  std::string key;  // of the signatures
  bool findings = false;
  bool incidents = false;
  bool requests = false;
  Severity severity_min = Severity::kHigh;  // of findings and incidents
  SinkFormat format = SinkFormat::kTocsin;
  HttpClient::Options http;
  std::chrono::seconds give_up{3600};  // of trying one record on a receiver that can be reached
};

struct AlertmanagerConfig {
  std::vector<HttpUrl> urls;  // of the Alertmanagers, without /api/v2/alerts; none: not wanted
  Severity severity_min = Severity::kHigh;
  std::chrono::seconds resend{60};
  HttpClient::Options http{.timeout = std::chrono::milliseconds(5000), .ca_file = {}, .proxy = {}};
  std::string token;  // a bearer token; empty: none
  AlertLinks links;
};

// Read the list `webhooks` and the map `alertmanager`; mistakes go to the reader's diagnostics.
std::vector<WebhookConfig> read_webhooks(yaml::MapReader& root);
AlertmanagerConfig read_alertmanager(yaml::MapReader reader);

}  // namespace tocsin
