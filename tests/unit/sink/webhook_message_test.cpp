#include "daemon/sink/webhook_message.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/incident/incident_json.h"
#include "tests/unit/catch.h"
#include "tests/unit/incident/support.h"

namespace tocsin {
namespace {

Record record(std::string_view payload, std::int64_t offset = 0, std::int32_t partition = 0) {
  return {.payload = payload, .source = {.topic = "t", .partition = partition, .offset = offset}};
}

Finding finding(Severity severity = Severity::kHigh) {
  Finding out;
  out.finding_id = "0123456789abcdef0123456789abcdef";
  out.system = "bot";
  out.session_id = "s";
  out.rule = "test.rule";
  out.severity = severity;
  out.tool = "<script>\u202E\r\n\"";
  return out;
}

std::string incident_json(std::string_view state, std::string_view severity = "high",
                          bool acknowledged = false, int reopened = 0, std::string_view more = "") {
  return fmt::format(
      R"({{"incident_id":"i1","system":"bot","state":"{}","severity":"{}","detected":)"
      R"("2026-01-01T00:00:00Z","acknowledged":{},"reopened":{}{}}})",
      state, severity, acknowledged ? R"({"time":"2026-01-01T00:00:00Z","by":"x"})" : "null",
      reopened, more);
}

// What is sent: the id, "-" when it is not to be sent, "?" when it is none of ours.
std::string told(const WebhookReader::Result& result) {
  if (result.unreadable) return "?";
  return result.message ? result.message->id : "-";
}

TEST_CASE("webhook message: findings from the least severity on, under their own id") {
  WebhookConfig config;
  config.severity_min = Severity::kHigh;
  WebhookReader reader(config);
  Milestones unused;
  const std::string high = to_json(finding());
  const auto result = reader.read(WebhookTopic::kFindings, record(high, 7), unused);
  REQUIRE(result.message.has_value());
  CHECK(result.message->id == finding().finding_id);
  CHECK(result.message->body == high);
  CHECK(told(reader.read(WebhookTopic::kFindings, record(to_json(finding(Severity::kMedium))),
                         unused)) == "-");
  CHECK(told(reader.read(WebhookTopic::kFindings, record(to_json(finding(Severity::kCritical))),
                         unused)) == finding().finding_id);
}

TEST_CASE("webhook message: no text of an attacker leaves as it came") {
  const WebhookConfig config;
  WebhookReader reader(config);
  Milestones unused;
  const std::string ours = to_json(finding());
  // Somebody else writes to the topic, and not plain ASCII.
  const std::string theirs =
      "{\"finding_id\":\"f1\",\"severity\":\"high\",\n\"tool\":\"\u202E<b>\u200B\x7F\"}";
  for (const std::string& json : {ours, theirs}) {
    CAPTURE(json);
    const auto result = reader.read(WebhookTopic::kFindings, record(json), unused);
    REQUIRE(result.message.has_value());
    for (const char c : result.message->body) CHECK((c >= ' ' && static_cast<int>(c) < 0x80));
    CHECK(nlohmann::json::parse(result.message->body) == nlohmann::json::parse(json));
  }
}

TEST_CASE("webhook message: what is none of ours") {
  const WebhookConfig config;
  WebhookReader reader(config);
  Milestones milestones;
  const std::string deep = R"({"request_id":"r","x":)" + std::string(5000, '[') + "}";
  const std::string long_id = fmt::format(R"({{"request_id":"{}"}})", std::string(129, 'a'));
  const std::string rows[] = {"",
                              "x",
                              "[]",
                              "{}",
                              "null",
                              deep,
                              long_id,
                              R"({"request_id":""})",
                              R"({"request_id":"a.b"})",
                              R"({"request_id":"a\r\nb: c"})",
                              R"({"request_id":7})",
                              R"({"request_id":"é"})",
                              R"({"finding_id":"f","severity":"dire"})",
                              R"({"finding_id":"f"})",
                              R"({"incident_id":"i","state":"odd","severity":"high"})",
                              "{\"request_id\":\"\xFF\"}"};
  for (const std::string& row : rows) {
    CAPTURE(row);
    CHECK(told(reader.read(WebhookTopic::kRequests, record(row), milestones)) == "?");
    CHECK(told(reader.read(WebhookTopic::kFindings, record(row), milestones)) == "?");
    if (row.empty()) continue;  // a tombstone
    CHECK(told(reader.read(WebhookTopic::kIncidents, record(row), milestones)) == "?");
  }
}

TEST_CASE("webhook message: requests are sent whatever their severity") {
  WebhookConfig config;
  config.severity_min = Severity::kCritical;
  for (const SinkFormat format : {SinkFormat::kTocsin, SinkFormat::kOcsf}) {
    config.format = format;
    WebhookReader reader(config);
    Milestones unused;
    constexpr std::string_view kJson = R"({"request_id":"r1","severity":"medium"})";
    const auto result = reader.read(WebhookTopic::kRequests, record(kJson), unused);
    REQUIRE(result.message.has_value());
    CHECK(result.message->id == "r1");
    CHECK(result.message->body == kJson);
  }
}

TEST_CASE("webhook message: of an incident what changes how it stands") {
  struct Row {
    std::string what;
    std::string json;
    std::string_view told;
  };
  const Row rows[] = {
      {"too little", incident_json("open", "medium"), "-"},
      {"grave now", incident_json("open"), "i1-3-1"},
      {"another finding", incident_json("open", "high", false, 0, R"(,"findings":2)"), "-"},
      {"graver", incident_json("open", "critical"), "i1-3-3"},
      {"acknowledged", incident_json("open", "critical", true), "i1-3-4"},
      {"contained", incident_json("contained", "critical", true), "i1-3-5"},
      {"more of the same", incident_json("contained", "critical", true, 0, R"(,"x":1)"), "-"},
      {"reopened", incident_json("open", "critical", true, 1), "i1-3-7"},
      {"ended", incident_json("ended", "critical", true, 1), "i1-3-8"},
      {"open once more", incident_json("open", "critical", true, 1), "i1-3-9"},
      {"closed", incident_json("closed", "critical", true, 1), "i1-3-10"},
      {"merged", incident_json("merged", "critical", true, 1), "i1-3-11"},
      {"deleted", "", "-"},
  };
  const WebhookConfig config;
  WebhookReader reader(config);
  Milestones milestones;
  std::int64_t offset = 0;
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(told(reader.read(WebhookTopic::kIncidents, record(row.json, offset++, 3), milestones)) ==
          row.told);
  }
}

// A restart reads the partition again: what comes after the commit is told under the same ids, and
// nothing else is.
TEST_CASE("webhook message: a restart changes neither what is told nor under which id") {
  std::vector<std::string> records;
  for (const char* state : {"open", "open", "contained", "contained", "open", "ended", "open"}) {
    records.push_back(incident_json(state));
  }
  const WebhookConfig config;
  const auto all_told = [&](std::size_t restart_at) {
    std::vector<std::string> out;
    auto milestones = std::make_unique<Milestones>();
    WebhookReader reader(config);
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (i == restart_at) {
        milestones = std::make_unique<Milestones>();
        for (std::size_t again = 0; again < i; ++again) {
          static_cast<void>(reader.read(WebhookTopic::kIncidents,
                                        record(records[again], static_cast<std::int64_t>(again)),
                                        *milestones));
        }
      }
      out.push_back(
          told(reader.read(WebhookTopic::kIncidents,
                           record(records[i], static_cast<std::int64_t>(i)), *milestones)));
    }
    return out;
  };
  const auto expected = all_told(records.size());
  CHECK(expected ==
        std::vector<std::string>{"i1-0-0", "-", "i1-0-2", "-", "i1-0-4", "i1-0-5", "i1-0-6"});
  for (std::size_t at = 0; at < records.size(); ++at) {
    CAPTURE(at);
    CHECK(all_told(at) == expected);
  }
}

TEST_CASE("webhook message: the incidents that are remembered are bounded") {
  Milestones milestones;
  const Milestone open;
  for (std::size_t i = 0; i < Milestones::kIncidentsMax; ++i) {
    CHECK(milestones.note(fmt::format("i{}", i), open).first);
  }
  CHECK(milestones.overflows() == 0);
  CHECK_FALSE(milestones.note("i0", open).changed);
  CHECK(milestones.note("one more", open).changed);
  CHECK(milestones.overflows() == 1);
  CHECK(milestones.note("i0", open).changed);  // told once more rather than not at all
}

TEST_CASE("webhook message: OCSF where it is wanted") {
  WebhookConfig config;
  config.format = SinkFormat::kOcsf;
  WebhookReader reader(config);
  Milestones milestones;
  const std::string json = to_json(finding());
  const auto event = reader.read(WebhookTopic::kFindings, record(json), milestones);
  REQUIRE(event.message.has_value());
  CHECK(event.message->id == finding().finding_id);
  CHECK(nlohmann::json::parse(event.message->body).at("class_uid") == 2004);
  // What an incident comes to: created, updated, closed.
  const std::pair<std::string, int> rows[] = {{incident_json("open"), 1},
                                              {incident_json("open", "critical"), 2},
                                              {incident_json("contained", "critical"), 3},
                                              {incident_json("open", "critical", true, 1), 2}};
  std::int64_t offset = 0;
  for (const auto& [incident, activity] : rows) {
    const auto result =
        reader.read(WebhookTopic::kIncidents, record(incident, offset++), milestones);
    REQUIRE(result.message.has_value());
    CHECK(nlohmann::json::parse(result.message->body).at("activity_id") == activity);
  }
}

// What stage two writes is understood, and told as it changes.
TEST_CASE("webhook message: the incidents of a table") {
  using namespace incident::testing;
  incident::IncidentTable table({}, [](std::string_view) { return nullptr; });
  Recorder recorder;
  table.apply(incident::testing::finding({.session = "s1", .time = 0}), recorder);
  table.apply(incident::testing::finding({.session = "s1", .time = 1}), recorder);
  table.apply(acknowledge(2, "i-s1"), recorder);
  table.apply(containment(3, "i-s1"), recorder);
  table.apply(incident::testing::finding({.session = "s1", .time = 4}), recorder);
  const WebhookConfig config;
  WebhookReader reader(config);
  Milestones milestones;
  std::string sent;
  std::int64_t offset = 0;
  for (const auto& [id, json] : recorder.records) {
    const auto result = reader.read(WebhookTopic::kIncidents, record(json, offset++), milestones);
    REQUIRE_FALSE(result.unreadable);
    if (!result.message) continue;
    const auto body = nlohmann::json::parse(result.message->body);
    sent += fmt::format("{}{} ", body.at("state").get<std::string>(),
                        body.at("acknowledged").is_null() ? "" : "+");
  }
  CHECK(sent == "open open+ contained+ open+ ");
}

}  // namespace
}  // namespace tocsin
