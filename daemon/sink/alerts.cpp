#include "daemon/sink/alerts.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "daemon/text.h"

namespace tocsin {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kAlertsABody = 200;

void put(std::map<std::string, std::string>& map, const char* key, std::string_view value) {
  if (!value.empty()) map[key] = printable(value, kAlertTextBytesMax);
}

// The category of the highest severity, the first of the closed list where several have it.
std::string_view category_of(const incident::Incident& incident) {
  std::optional<std::size_t> highest;
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    const auto& severity = incident.categories[i];
    if (severity && (!highest || *severity > *incident.categories[*highest])) highest = i;
  }
  return highest ? category_names()[*highest] : std::string_view();
}

// The rule's title, of the first of the most severe steps.
std::string_view title_of(const incident::Incident& incident) {
  const auto found =
      std::ranges::find(incident.chain, incident.severity, &incident::Step::severity);
  return found == incident.chain.end() ? "Incident" : std::string_view(found->title);
}

std::string description_of(const incident::Incident& incident) {
  std::string out = fmt::format("{} findings in {} sessions since {}.", incident.findings,
                                incident.sessions.size(), format_time(incident.first_misuse));
  if (!incident.contact.empty()) out += fmt::format(" Contact: {}.", incident.contact);
  if (incident.acknowledged) out += " Acknowledged.";
  return out;
}

Json json_of(const Alert& alert, EventTime ends) {
  return {{"labels", alert.labels},
          {"annotations", alert.annotations},
          // One that ends before it starts would be refused, and all that are posted with it.
          {"startsAt", format_time(std::min(alert.starts, ends))},
          {"endsAt", format_time(ends)}};
}

}  // namespace

Alert alert_of(const incident::Incident& incident, std::int32_t partition, std::string_view system,
               const AlertLinks& links) {
  Alert alert{
      .partition = partition, .starts = incident.first_misuse, .labels = {}, .annotations = {}};
  put(alert.labels, "alertname", "TocsinIncident");
  put(alert.labels, "incident_id", incident.incident_id);
  put(alert.labels, "system", system);
  put(alert.labels, "severity", incident.severity >= Severity::kHigh ? "page" : "ticket");
  put(alert.labels, "incident_severity", name_of(incident.severity));
  put(alert.labels, "category", category_of(incident));
  put(alert.labels, "owner", "system");  // not the platform's to answer
  put(alert.annotations, "summary", title_of(incident));
  put(alert.annotations, "description", description_of(incident));
  put(alert.annotations, "owner", incident.owner);
  put(alert.annotations, "runbook_url", links.runbook_url);
  if (!links.external_url.empty()) {
    // Not cut: half a link leads nowhere.  The id is of bounded length.
    alert.annotations["link"] =
        fmt::format("{}/incidents/{}", links.external_url, printable(incident.incident_id));
  }
  return alert;
}

bool AlertBook::update(AlertSnapshot snapshot, EventTime now) {
  bool changed = false;
  std::map<Labels, Alert> firing;
  for (Alert& alert : snapshot.firing) {
    changed = changed || !firing_.contains(alert.labels);
    resolved_.erase(alert.labels);
    Labels labels = alert.labels;
    firing.insert_or_assign(std::move(labels), std::move(alert));
  }
  for (auto& [labels, alert] : firing_) {
    if (firing.contains(labels) || !snapshot.partitions.contains(alert.partition)) continue;
    changed = true;
    if (resolved_.size() < kAlertsMax) {
      resolved_.insert_or_assign(labels, Resolved{.alert = std::move(alert), .ends = now});
    }
  }
  firing_ = std::move(firing);
  return changed;
}

std::vector<std::string> AlertBook::bodies(EventTime now, std::chrono::seconds ends_in) const {
  std::vector<std::string> out;
  Json body = Json::array();
  const auto finish = [&] {
    out.push_back(body.dump(-1, ' ', true, Json::error_handler_t::replace));
    body = Json::array();
  };
  const auto add = [&](const Alert& alert, EventTime ends) {
    body.push_back(json_of(alert, ends));
    if (body.size() == kAlertsABody) finish();
  };
  for (const auto& [labels, alert] : firing_) add(alert, now + ends_in);
  for (const auto& [labels, resolved] : resolved_) add(resolved.alert, resolved.ends);
  if (!body.empty()) finish();
  return out;
}

void AlertBook::posted() {
  for (auto& [labels, resolved] : resolved_) --resolved.posts_left;
  std::erase_if(resolved_, [](const auto& entry) { return entry.second.posts_left <= 0; });
}

}  // namespace tocsin
