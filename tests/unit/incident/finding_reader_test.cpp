#include <fmt/format.h>

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "daemon/incident/finding_summary.h"
#include "tests/unit/catch.h"

namespace tocsin::incident {
namespace {

constexpr EventTime kTime{std::chrono::microseconds(1'767'600'000'123'456)};

Finding whole_finding() {
  Finding out;
  out.finding_id = "f1";
  out.time = kTime;
  out.detected_at = kTime + std::chrono::seconds(2);
  out.system = "bot";
  out.session_id = "s\x1b[2J\xe2\x80\xae";
  out.event_id = "e1";
  out.seq = 18446744073709551615ULL;
  out.type = EventType::kToolCall;
  out.tool = "send";
  out.rule = "a.rule";
  out.detector = "rules";
  out.severity = Severity::kCritical;
  out.category = Category::kSecret;
  out.title = "A title";
  out.evidence = {{.field = "f", .excerpt = "x", .hash = "h", .decoded = {}, .origin = {}},
                  {.field = "f",
                   .excerpt = "x",
                   .hash = "h",
                   .decoded = {},
                   .origin = Origin{.event_id = "e0", .seq = 3, .tool = "fetch"}},
                  {.field = "f",
                   .excerpt = "x",
                   .hash = "h",
                   .decoded = {},
                   .origin = Origin{.event_id = "later", .seq = 3, .tool = ""}}};
  out.indicators = {
      {.kind = IndicatorKind::kDestination, .hash = "hmac-sha256:" + std::string(64, 'a')},
      {.kind = IndicatorKind::kCredential, .hash = "hmac-sha256:b"}};
  out.incident_id = "i1";
  out.tenant = "acme";
  out.topic = "events";
  out.partition = 3;
  out.offset = 42;
  return out;
}

std::string outcome(std::string_view bytes) {
  FindingReader reader;
  const auto read = reader.read(bytes);
  return read ? "read" : std::string(name_of(read.error()));
}

TEST_CASE("a finding read is the finding made") {
  FindingReader reader;
  Finding finding = whole_finding();
  for (std::size_t i = 0; i < kSeverityCount * kCategoryCount; ++i) {
    finding.severity = static_cast<Severity>(i % kSeverityCount);
    finding.category = static_cast<Category>(i / kSeverityCount);
    finding.type = static_cast<EventType>(i % kEventTypeCount);
    const auto read = reader.read(tocsin::to_json(finding));
    REQUIRE(read.has_value());
    REQUIRE(*read == summary_of(finding));
  }
  finding = whole_finding();
  const auto read = reader.read(tocsin::to_json(finding));
  REQUIRE(read.has_value());
  CHECK(read->session_id == kept_id(finding.session_id));
  CHECK(read->origin_event_id == "e0");
  CHECK(read->origin_tool == "fetch");
  CHECK(read->time == kTime);
  CHECK(read->source == Position{.topic = "events", .partition = 3, .offset = 42});
  REQUIRE(read->indicators.size() == 2);
  CHECK(read->indicators[0].hash.size() == kHashBytesMax);
}

TEST_CASE("what a summary makes of a finding") {
  Finding finding = whole_finding();
  finding.time = finding.detected_at + std::chrono::hours(24 * 365);
  CHECK(summary_of(finding).time == finding.detected_at);  // a clock that runs ahead

  finding.time = EventTime(std::chrono::sys_days(std::chrono::year(-3) / 1 / 1));
  CHECK(format_time(summary_of(finding).time) == "1000-01-01T00:00:00.000Z");
  finding.time = kTime;

  finding.severity = Severity::kMedium;
  CHECK(summary_of(finding).indicators.empty());

  finding.incident_id.clear();
  CHECK(summary_of(finding).incident_id ==
        incident_id_of("bot", kept_id(finding.session_id), "f1"));

  finding.session_id = std::string(129, 'x');
  const std::string kept = summary_of(finding).session_id;
  CHECK(kept.size() == 71);
  CHECK(kept.starts_with("sha256:"));
  CHECK(kept_id(kept) == kept);
  finding.session_id.back() = 'y';
  CHECK(summary_of(finding).session_id != kept);
  finding.session_id = std::string("a\0b", 3);
  CHECK(summary_of(finding).session_id.starts_with("sha256:"));
  finding.session_id = std::string(128, 'x');
  CHECK(summary_of(finding).session_id == finding.session_id);

  finding.title = std::string(199, 'x') + "é";
  CHECK(summary_of(finding).title.size() == 199);
}

TEST_CASE("why a record is no finding") {
  struct Row {
    std::string_view what;
    std::string_view pointer;  // what is changed, JSON pointer
    std::string_view value;    // to this; empty: it is removed
    std::string_view outcome;
  };
  const Row rows[] = {
      {"as it is", "/nothing", "1", "read"},
      {"an unknown member", "/more", "[[{}]]", "read"},
      {"no tool", "/tool", "", "read"},
      {"no incident id", "/incident_id", "null", "read"},
      {"no indicators", "/indicators", "", "read"},
      {"no evidence", "/evidence", "null", "read"},
      {"no id", "/finding_id", "", "missing_field"},
      {"an empty id", "/finding_id", "\"\"", "missing_field"},
      {"an empty system", "/system", "\"\"", "missing_field"},
      {"no session", "/session_id", "", "missing_field"},
      {"no time", "/time", "", "missing_field"},
      {"no source", "/source", "", "missing_field"},
      {"no offset", "/source/offset", "", "missing_field"},
      {"no hash", "/indicators/0/hash", "", "missing_field"},
      {"an id that is a number", "/finding_id", "5", "wrong_type"},
      {"a system that is a list", "/system", "[\"bot\"]", "wrong_type"},
      {"a source that is a string", "/source", "\"x\"", "wrong_type"},
      {"an offset that is a string", "/source/offset", "\"1\"", "wrong_type"},
      {"a seq below zero", "/seq", "-1", "wrong_type"},
      {"indicators that are no list", "/indicators", "{}", "wrong_type"},
      {"an indicator that is a string", "/indicators/0", "\"x\"", "wrong_type"},
      {"evidence that is a number", "/evidence/0", "7", "wrong_type"},
      {"an origin that is a list", "/evidence/0/origin", "[]", "wrong_type"},
      {"a time that is none", "/time", "\"yesterday\"", "bad_word"},
      {"a severity that is none", "/severity", "\"worst\"", "bad_word"},
      {"a category that is none", "/category", "\"x\"", "bad_word"},
      {"a type that is none", "/type", "\"x\"", "bad_word"},
      {"a kind that is none", "/indicators/0/kind", "\"x\"", "bad_word"},
      {"a partition below zero", "/source/partition", "-1", "bad_word"},
      {"a partition that is too large", "/source/partition", "4294967296", "bad_word"},
      {"an offset below zero", "/source/offset", "-1", "bad_word"},
  };
  const auto whole = nlohmann::json::parse(tocsin::to_json(whole_finding()));
  for (const Row& row : rows) {
    CAPTURE(row.what);
    auto changed = whole;
    const nlohmann::json::json_pointer pointer{std::string(row.pointer)};
    if (row.value.empty()) {
      changed[pointer.parent_pointer()].erase(pointer.back());
    } else {
      changed[pointer] = nlohmann::json::parse(row.value);
    }
    CHECK(outcome(changed.dump()) == row.outcome);
  }
  auto many = whole;
  for (int i = 0; i < 9; ++i) many["indicators"][i] = whole["indicators"][0];
  CHECK(outcome(many.dump()) == "too_many");
  CHECK(outcome("") == "malformed_json");
  CHECK(outcome("{") == "malformed_json");
  CHECK(outcome("{}x") == "malformed_json");
  CHECK(outcome("{\"a\":\"\xff\"}") == "malformed_json");
  CHECK(outcome(std::string(100'000, '[')) == "malformed_json");
  CHECK(outcome("[]") == "not_an_object");
  CHECK(outcome("null") == "not_an_object");
  CHECK(outcome(std::string(FindingReader::kBytesMax + 1, ' ')) == "too_large");
}

}  // namespace
}  // namespace tocsin::incident
