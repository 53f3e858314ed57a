#include "daemon/sink/alerts.h"

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/unit/catch.h"
#include "tests/unit/incident/support.h"

namespace tocsin {
namespace {

using incident::testing::at;
using Json = nlohmann::json;

incident::Incident open_incident() {
  incident::Incident out;
  out.incident_id = "i1";
  out.system = "bot";
  out.severity = Severity::kHigh;
  out.categories[static_cast<std::size_t>(Category::kPii)] = Severity::kMedium;
  out.categories[static_cast<std::size_t>(Category::kShellCommand)] = Severity::kHigh;
  out.first_misuse = at(0);
  out.findings = 3;
  out.owner = "bot-owner";
  out.contact = "#bot";
  incident::Step lesser;
  lesser.severity = Severity::kMedium;
  lesser.title = "Lesser";
  incident::Step worst;
  worst.severity = Severity::kHigh;
  worst.title = "Worst";
  out.chain = {lesser, worst};
  out.sessions.resize(2);
  return out;
}

Alert alert(const std::string& id, std::int32_t partition = 0, const char* severity = "high") {
  return {.partition = partition,
          .starts = at(0),
          .labels = {{"incident_id", id}, {"severity", severity}},
          .annotations = {}};
}

AlertSnapshot snapshot(std::vector<Alert> firing, std::set<std::int32_t> partitions = {0, 1}) {
  return {.partitions = std::move(partitions), .firing = std::move(firing)};
}

// What would be posted: "id" fires, "id/" is over; with the severity where it is not high.
std::set<std::string> posted(const AlertBook& book, EventTime now = at(100)) {
  std::set<std::string> out;
  for (const std::string& body : book.bodies(now, std::chrono::seconds(240))) {
    for (const Json& each : Json::parse(body)) {
      std::string name = each["labels"]["incident_id"];
      if (each["labels"]["severity"] != "high") name += each["labels"]["severity"];
      const bool over = each["endsAt"].get<std::string>() <= format_time(now);
      out.insert(over ? name + "/" : name);
    }
  }
  return out;
}

using Names = std::set<std::string>;

TEST_CASE("alerts: what an alert says of an incident") {
  const Alert made = alert_of(
      open_incident(), 2, "bot",
      {.external_url = "https://tocsin.example", .runbook_url = "https://runbooks.example/it"});
  CHECK(made.partition == 2);
  CHECK(made.starts == at(0));
  CHECK(made.labels == std::map<std::string, std::string>{{"alertname", "TocsinIncident"},
                                                          {"incident_id", "i1"},
                                                          {"system", "bot"},
                                                          {"severity", "page"},
                                                          {"incident_severity", "high"},
                                                          {"category", "shell_command"},
                                                          {"owner", "system"}});
  incident::Incident lesser = open_incident();
  lesser.severity = Severity::kMedium;
  CHECK(alert_of(lesser, 2, "bot", {}).labels.at("severity") == "ticket");
  CHECK(made.annotations ==
        std::map<std::string, std::string>{
            {"summary", "Worst"},
            {"description",
             "3 findings in 2 sessions since 2026-01-05T08:00:00.000Z. Contact: #bot."},
            {"link", "https://tocsin.example/incidents/i1"},
            {"owner", "bot-owner"},
            {"runbook_url", "https://runbooks.example/it"}});
}

TEST_CASE("alerts: hostile and long text is escaped and cut, and nothing is empty") {
  incident::Incident incident = open_incident();
  incident.incident_id = "i\n\u202E1";
  incident.owner.clear();
  incident.contact.clear();
  incident.chain[1].title = std::string(10'000, 'x') + "\u202E\x1B[31m";
  const Alert made = alert_of(incident, 0, "unknown", {});
  CHECK_FALSE(made.annotations.contains("owner"));
  CHECK_FALSE(made.annotations.contains("link"));
  CHECK(made.labels.at("system") == "unknown");
  for (const auto* map : {&made.labels, &made.annotations}) {
    for (const auto& [name, value] : *map) {
      CAPTURE(name, value);
      CHECK_FALSE(value.empty());
      CHECK(value.size() <= kAlertTextBytesMax);
      CHECK(value.find('\n') == std::string::npos);
      CHECK(value.find('\x1B') == std::string::npos);
      CHECK(value.find("\u202E") == std::string::npos);
    }
  }
}

TEST_CASE("alerts: what Alertmanager is sent") {
  AlertBook book;
  CHECK(book.bodies(at(1), std::chrono::seconds(240)).empty());
  book.update(snapshot({alert_of(open_incident(), 0, "bot", {})}), at(10));
  const auto bodies = book.bodies(at(10), std::chrono::seconds(240));
  REQUIRE(bodies.size() == 1);
  const Json body = Json::parse(bodies[0]);
  REQUIRE(body.size() == 1);
  CHECK(body[0]["labels"]["alertname"] == "TocsinIncident");
  CHECK(body[0]["startsAt"] == "2026-01-05T08:00:00.000Z");
  CHECK(body[0]["endsAt"] == "2026-01-05T08:04:10.000Z");
  CHECK(body[0]["annotations"]["summary"] == "Worst");
}

TEST_CASE("alerts: what fires is told again and again, what is over some times") {
  AlertBook book;
  CHECK(book.update(snapshot({alert("a"), alert("b")}), at(0)));
  CHECK(posted(book) == Names{"a", "b"});
  book.posted();
  CHECK_FALSE(book.update(snapshot({alert("a"), alert("b")}), at(1)));
  CHECK(posted(book) == Names{"a", "b"});
  CHECK(book.update(snapshot({alert("b")}), at(2)));
  for (int i = 0; i < kResolvedPosts; ++i) {
    CHECK(posted(book) == Names{"a/", "b"});
    book.posted();
    CHECK_FALSE(book.update(snapshot({alert("b")}), at(3 + i)));
  }
  CHECK(posted(book) == Names{"b"});
}

TEST_CASE("alerts: what fires again is not over") {
  AlertBook book;
  book.update(snapshot({alert("a")}), at(0));
  book.update(snapshot({}), at(1));
  CHECK(posted(book) == Names{"a/"});
  CHECK(book.update(snapshot({alert("a")}), at(2)));
  CHECK(posted(book) == Names{"a"});
}

TEST_CASE("alerts: a higher severity is another alert") {
  AlertBook book;
  book.update(snapshot({alert("a")}), at(0));
  CHECK(book.update(snapshot({alert("a", 0, "critical")}), at(1)));
  CHECK(posted(book) == Names{"a/", "acritical"});
}

TEST_CASE("alerts: what left with its partition has another owner and is not over") {
  AlertBook book;
  book.update(snapshot({alert("a", 0), alert("b", 1)}), at(0));
  CHECK_FALSE(book.update(snapshot({alert("a", 0)}, {0}), at(1)));
  CHECK(posted(book) == Names{"a"});
  CHECK_FALSE(book.update(snapshot({}, {}), at(2)));  // leaving
  CHECK(posted(book) == Names{});
  CHECK(book.update(snapshot({alert("a", 0)}), at(3)));  // back again
  CHECK(posted(book) == Names{"a"});
}

TEST_CASE("alerts: the end is when it was seen, and never before the start") {
  AlertBook book;
  Alert early = alert("a");
  early.starts = at(500);  // a clock that runs ahead
  book.update(snapshot({early}), at(0));
  book.update(snapshot({}), at(10));
  for (const EventTime now : {at(10), at(70)}) {
    const Json body = Json::parse(book.bodies(now, std::chrono::seconds(240)).at(0));
    CHECK(body[0]["endsAt"] == format_time(at(10)));
    CHECK(body[0]["startsAt"] == format_time(at(10)));
  }
}

TEST_CASE("alerts: many are told in several requests, and what is over is bounded") {
  AlertBook book;
  std::vector<Alert> many;
  for (std::size_t i = 0; i < kAlertsMax; ++i) many.push_back(alert(fmt::format("a{}", i)));
  book.update(snapshot(many), at(0));
  CHECK(book.bodies(at(0), std::chrono::seconds(1)).size() == kAlertsMax / 200);
  CHECK(posted(book).size() == kAlertsMax);
  for (Alert& each : many) each.labels["incident_id"] += "x";
  book.update(snapshot(many), at(1));
  for (Alert& each : many) each.labels["incident_id"] += "x";
  book.update(snapshot(many), at(2));
  CHECK(posted(book).size() == 2 * kAlertsMax);
}

}  // namespace
}  // namespace tocsin
