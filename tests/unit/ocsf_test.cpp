#include "daemon/ocsf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/unit/catch.h"
#include "tests/unit/incident/support.h"

namespace tocsin {
namespace {

using Json = nlohmann::json;

Finding finding() {
  Finding out;
  out.finding_id = "0123456789abcdef0123456789abcdef";
  out.time = incident::testing::at(0);
  out.detected_at = incident::testing::at(2);
  out.system = "bot";
  out.session_id = "s1";
  out.event_id = "e1";
  out.seq = 7;
  out.tool = "send_email";
  out.rule = "dataflow.untrusted-destination";
  out.detector = "dataflow";
  out.severity = Severity::kCritical;
  out.category = Category::kExfiltration;
  out.title = "A title";
  out.message = "A message";
  out.tags = {"owasp:ASI01"};
  out.evidence = {{.field = "tool.arguments.to",
                   .excerpt = "a…@e…",
                   .hash = "hmac-sha256:00",
                   .decoded = "base64",
                   .origin = Origin{.event_id = "e0", .seq = 4, .tool = "fetch_page"}}};
  out.indicators = {{.kind = IndicatorKind::kDestination, .hash = "hmac-sha256:11"}};
  out.incident_id = "i1";
  out.owner = "bot-owner";
  out.topic = "events";
  return out;
}

// What the class asks for, and the words it allows: schema.ocsf.io/1.4.0/classes/detection_finding.
void check_class(const Json& event) {
  CAPTURE(event.dump(2));
  constexpr std::string_view kRequired[] = {"activity_id",  "category_uid", "class_uid",
                                            "finding_info", "metadata",     "severity_id",
                                            "time",         "type_uid"};
  for (const std::string_view name : kRequired) {
    CAPTURE(name);
    REQUIRE(event.contains(std::string(name)));
  }
  CHECK(event["class_uid"] == 2004);
  CHECK(event["category_uid"] == 2);
  CHECK(event["type_uid"] == 200'400 + event["activity_id"].get<int>());
  struct Enumeration {
    const char* id;
    const char* caption;
    std::vector<std::pair<int, std::string_view>> values;
  };
  const Enumeration enumerations[] = {
      {"activity_id", "activity_name", {{1, "Create"}, {2, "Update"}, {3, "Close"}}},
      {"severity_id",
       "severity",
       {{1, "Informational"}, {2, "Low"}, {3, "Medium"}, {4, "High"}, {5, "Critical"}}},
      {"status_id",
       "status",
       {{1, "New"}, {2, "In Progress"}, {3, "Suppressed"}, {4, "Resolved"}, {99, ""}}},
  };
  for (const Enumeration& each : enumerations) {
    CAPTURE(each.id);
    const auto found = std::ranges::find(each.values, event[each.id].get<int>(),
                                         [](const auto& v) { return v.first; });
    REQUIRE(found != each.values.end());
    const auto caption = event[each.caption].get<std::string>();
    // Of "Other" the caption is the source's own word.
    if (found->second.empty()) {
      CHECK_FALSE(caption.empty());
    } else {
      CHECK(caption == found->second);
    }
  }
  CHECK(event["metadata"]["version"] == "1.4.0");
  CHECK_FALSE(event["metadata"]["product"]["name"].get<std::string>().empty());
  CHECK_FALSE(event["metadata"]["product"]["vendor_name"].get<std::string>().empty());
  CHECK_FALSE(event["finding_info"]["uid"].get<std::string>().empty());
  CHECK_FALSE(event["finding_info"]["title"].get<std::string>().empty());
  const std::vector<int> analytics = {0, 1, 2, 3, 4, 99};
  CHECK(std::ranges::count(analytics, event["finding_info"]["analytic"]["type_id"].get<int>()) ==
        1);
  // Milliseconds since 1970, not seconds and not microseconds.
  for (const char* key : {"time", "start_time", "end_time"}) {
    if (!event.contains(key)) continue;
    CHECK(event[key].get<std::int64_t>() > 1'000'000'000'000);
    CHECK(event[key].get<std::int64_t>() < 10'000'000'000'000);
  }
  for (const Json& observable : event.value("observables", Json::array())) {
    CHECK(observable["type_id"].is_number_integer());
    CHECK(observable["name"].is_string());
  }
  for (const Json& evidence : event.value("evidences", Json::array())) {
    CHECK(evidence.contains("data"));  // one of those that the object must have
  }
  for (const Json& resource : event["resources"]) CHECK((resource.contains("name")));
}

TEST_CASE("ocsf: a finding is a Detection Finding") {
  const Json event = Json::parse(ocsf::of_finding(finding()));
  check_class(event);
  CHECK(event["activity_id"] == 1);
  CHECK(event["severity_id"] == 5);
  CHECK(event["status_id"] == 1);
  CHECK(event["is_alert"] == true);
  CHECK(event["time"] == 1'767'600'002'000);
  CHECK(event["start_time"] == 1'767'600'000'000);
  CHECK(event["message"] == "A title");
  CHECK(event["metadata"]["uid"] == finding().finding_id);
  CHECK(event["metadata"]["labels"] == Json::array({"owasp:ASI01"}));
  const Json& info = event["finding_info"];
  CHECK(info["uid"] == finding().finding_id);
  CHECK(info["title"] == "A title");
  CHECK(info["desc"] == "A message");
  CHECK(info["types"] == Json::array({"exfiltration"}));
  CHECK(info["analytic"]["uid"] == "dataflow.untrusted-destination");
  CHECK(info["analytic"]["type_id"] == 2);
  CHECK(info["first_seen_time"] == 1'767'600'000'000);
  CHECK(event["resources"][0]["owner"]["name"] == "bot-owner");
  CHECK(event["evidences"][0]["data"] ==
        Json({{"field", "tool.arguments.to"},
              {"hash", "hmac-sha256:00"},
              {"decoded", "base64"},
              {"origin", {{"event_id", "e0"}, {"seq", 4}, {"tool", "fetch_page"}}}}));
  CHECK(event["observables"][0]["value"] == "hmac-sha256:11");
  CHECK(event["unmapped"]["incident_id"] == "i1");
  CHECK(event["unmapped"]["tool"] == "send_email");
}

TEST_CASE("ocsf: every severity and category, and the sparsest finding") {
  for (std::size_t severity = 0; severity < kSeverityCount; ++severity) {
    for (std::size_t category = 0; category < kCategoryCount; ++category) {
      Finding sparse;
      sparse.finding_id = "f";
      sparse.time = incident::testing::at(0);
      sparse.detected_at = incident::testing::at(0);
      sparse.title = "t";
      sparse.severity = static_cast<Severity>(severity);
      sparse.category = static_cast<Category>(category);
      const Json event = Json::parse(ocsf::of_finding(sparse));
      check_class(event);
      CHECK(event["severity_id"] == severity + 1);
      CHECK(event["finding_info"]["types"][0] == std::string(category_names()[category]));
      CHECK(event["is_alert"] == (severity >= static_cast<std::size_t>(Severity::kHigh)));
    }
  }
}

TEST_CASE("ocsf: no excerpt, and no byte beyond ASCII, leaves") {
  Finding hostile = finding();
  hostile.tool = "\u202E<script>\r\n";
  hostile.evidence[0].excerpt = "the secret itself";
  const std::string text = ocsf::of_finding(hostile);
  CHECK(text.find("the secret itself") == std::string::npos);
  for (const char c : text) CHECK((c >= ' ' && static_cast<int>(c) < 0x80));
  CHECK(Json::parse(text)["unmapped"]["tool"] == hostile.tool);
}

TEST_CASE("ocsf: an incident through its life") {
  using namespace incident::testing;
  incident::IncidentTable table({}, [](std::string_view) { return nullptr; });
  Recorder recorder;
  table.apply(incident::testing::finding({.session = "s1", .time = 0}), recorder);
  table.apply(acknowledge(2, "i-s1"), recorder);
  table.apply(containment(3, "i-s1"), recorder);
  table.apply(incident::testing::finding({.session = "s1", .time = 4}), recorder);
  table.apply(verdict(5, "i-s1", Judgement::kFalsePositive), recorder);
  struct Row {
    int activity;
    int status;
    bool alert;
  };
  const Row rows[] = {{1, 1, true}, {2, 2, true}, {3, 4, false}, {2, 2, true}, {3, 3, false}};
  REQUIRE(recorder.records.size() == std::size(rows));
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    CAPTURE(i);
    const auto text = ocsf::of_incident_json(recorder.records[i].second, i == 0);
    REQUIRE(text.has_value());
    const Json event = Json::parse(*text);
    check_class(event);
    CHECK(event["activity_id"] == rows[i].activity);
    CHECK(event["status_id"] == rows[i].status);
    CHECK(event["is_alert"] == rows[i].alert);
    CHECK(event["finding_info"]["uid"] == "i-s1");
    CHECK(event["finding_info"]["related_events"][0]["uid"] == "f-s1-0-test.rule");
    CHECK_FALSE(event["unmapped"].contains("sessions"));
  }
}

TEST_CASE("ocsf: an incident that is ended or merged says so in its own words") {
  for (const std::string_view state : {"ended", "merged"}) {
    CAPTURE(state);
    const auto text = ocsf::of_incident_json(
        fmt::format(R"({{"incident_id":"i","system":"bot","state":"{}","severity":"high",)"
                    R"("first_misuse":"2026-01-01T00:00:00Z","merged_into":"j"}})",
                    state),
        false);
    REQUIRE(text.has_value());
    const Json event = Json::parse(*text);
    check_class(event);
    CHECK(event["activity_id"] == 3);
    CHECK(event["status_id"] == 99);
    CHECK(event["status"] == std::string(state));
  }
}

TEST_CASE("ocsf: what is none of ours is refused, and what is of another type left out") {
  const std::string deep = R"({"finding_id":)" + std::string(100'000, '[');
  for (const std::string& json :
       {std::string(), std::string("x"), std::string("[]"), std::string("{}"), deep,
        std::string(R"({"finding_id":"f","severity":"high"})"),
        std::string(R"({"finding_id":7,"severity":"high","detected_at":"2026-01-01T00:00:00Z"})"),
        std::string(R"({"finding_id":"f","severity":"odd","detected_at":"2026-01-01T00:00:00Z"})"),
        std::string(R"({"finding_id":"f","severity":"high","detected_at":"yesterday"})")}) {
    CAPTURE(json.substr(0, 100));
    CHECK_FALSE(ocsf::of_finding_json(json).has_value());
    CHECK_FALSE(ocsf::of_incident_json(json, true).has_value());
  }
  const auto odd = ocsf::of_finding_json(
      R"({"finding_id":"f","severity":"high","detected_at":"2026-01-01T00:00:00Z","title":["t"],)"
      R"("evidence":{"a":1},"indicators":[7,{"kind":3}],"repeats":"many","owner":{},"tags":null})");
  REQUIRE(odd.has_value());
  CHECK(Json::parse(*odd)["class_uid"] == 2004);
}

}  // namespace
}  // namespace tocsin
