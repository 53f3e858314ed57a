#include "daemon/incident/incident_json.h"

#include <random>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tests/unit/catch.h"
#include "tests/unit/incident/support.h"

namespace tocsin::incident {
namespace {

using namespace testing;

std::string hostile(std::mt19937& dice) {
  constexpr std::string_view kParts[] = {
      "a", "\"", "\\", "\n", "\x1b[2J", "\xe2\x80\xae", "é", "\xf0\x9f\x99\x82", "</script>", "{}"};
  std::string out;
  for (std::size_t i = dice() % 6; i > 0; --i) out += kParts[dice() % std::size(kParts)];
  return kept_id(out + std::to_string(dice() % 50));
}

// An incident of random findings and answers, as the table makes it.
Incident random_incident(std::uint32_t seed) {
  std::mt19937 dice(seed);
  SystemProfile profile;
  profile.owner = {.name = hostile(dice), .contact = hostile(dice), .escalation = {hostile(dice)}};
  profile.containment = {{.category = Category::kPii,
                          .severity = Severity::kMedium,
                          .action = static_cast<ContainmentAction>(dice() % 5)}};
  Silent listener;
  IncidentTable table({.requests = dice() % 2 == 0 ? RequestMode::kOn : RequestMode::kDryRun},
                      [&](std::string_view) { return dice() % 2 == 0 ? &profile : nullptr; });
  const std::string system = hostile(dice);
  for (std::size_t i = 0, events = 1 + dice() % 40; i < events; ++i) {
    FindingOf of{.session = hostile(dice),
                 .time = static_cast<std::int64_t>(dice() % 5000),
                 .severity = static_cast<Severity>(dice() % kSeverityCount),
                 .rule = hostile(dice),
                 .destinations = {hostile(dice), "shared"},
                 .category = static_cast<Category>(dice() % kCategoryCount),
                 .tool = hostile(dice),
                 .tenant = hostile(dice),
                 .offset = static_cast<std::int64_t>(i),
                 .system = system};
    if (dice() % 4 == 0) of.tool.clear();
    FindingSummary summary = finding(of);
    summary.time += std::chrono::microseconds(dice() % 1'000'000);
    summary.type = static_cast<EventType>(dice() % kEventTypeCount);
    if (dice() % 2 == 0) summary.origin_event_id = hostile(dice);
    if (dice() % 2 == 0 && !summary.origin_event_id.empty()) summary.origin_tool = hostile(dice);
    table.apply(summary, listener);
    Control control =
        containment(static_cast<std::int64_t>(dice() % 5000), summary.incident_id, dice() % 2 == 0);
    switch (dice() % 6) {
      case 0: control.type = EventType::kAcknowledge; break;
      case 1: control.type = EventType::kVerdict; break;
      case 2: control.type = EventType::kContainment; break;
      default: continue;
    }
    control.system = system;
    control.by = hostile(dice);
    control.judgement = static_cast<Judgement>(dice() % 3);
    table.apply(control, listener);
  }
  table.advance(at(static_cast<std::int64_t>(dice() % 10'000)), listener);
  Incident out;
  table.for_each([&](const Incident& each) {
    if (out.findings <= each.findings) out = each;
  });
  return out;
}

TEST_CASE("an incident read back is the incident written") {
  IncidentReader reader;
  std::size_t sessions = 0;
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    const Incident incident = random_incident(seed);
    if (incident.findings == 0) continue;
    CAPTURE(seed);
    const std::string json = to_json(incident);
    const auto read = reader.read(json);
    REQUIRE(read.has_value());
    REQUIRE(*read == incident);
    REQUIRE(to_json(*read) == json);
    REQUIRE(
        json.find_first_not_of(" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]"
                               "^_`abcdefghijklmnopqrstuvwxyz{|}~") == std::string::npos);
    sessions += incident.sessions.size();
  }
  CHECK(sessions > 500);

  Incident merged;
  merged.incident_id = "a";
  merged.system = "bot";
  merged.state = State::kMerged;
  merged.merged_into = "b";
  merged.severity = Severity::kHigh;
  merged.first_misuse = at(3);
  const auto read = reader.read(to_json(merged));
  REQUIRE(read.has_value());
  CHECK(*read == merged);
}

TEST_CASE("the largest incident fits into a message") {
  // Each character takes three bytes of JSON for each of its own.
  const auto long_name = [](std::string_view kind, std::size_t i) {
    std::string out = fmt::format("{}{:05}", kind, i);
    while (out.size() + 2 <= kIdBytesMax) out += "é";
    return out;
  };
  Silent listener;
  IncidentTable table({.link_sessions_max = 10'000}, {});
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < 2 * kSessionsMax; ++i) {
    for (std::size_t j = 0; j < kSessionIdsMax; ++j) {
      FindingOf of{.session = long_name("s", i),
                   .time = static_cast<std::int64_t>(i * 10 + j),
                   .rule = long_name("r", i * kSessionIdsMax + j),
                   .tool = long_name("t", i * kSessionIdsMax + j),
                   .tenant = long_name("n", i),
                   .offset = ++offset,
                   .system = long_name("bot", 0),
                   .id = long_name("f", i * kSessionIdsMax + j),
                   .incident_id = long_name("i", i * kSessionIdsMax + j),
                   .topic = long_name("topic", j)};
      for (std::size_t d = 0; d < kIndicatorsMax; ++d) {
        std::string hash = fmt::format("h{}", d);
        of.destinations.push_back(hash + std::string(kHashBytesMax - hash.size(), 'x'));
      }
      FindingSummary summary = finding(of);
      summary.event_id = long_name("e", i);
      summary.origin_event_id = summary.origin_tool = long_name("o", i);
      summary.title = std::string(kTitleBytesMax, '\x01');
      table.apply(summary, listener);
      Control control = containment(static_cast<std::int64_t>(i), of.incident_id);
      control.system = of.system;
      control.by = long_name("by", i);
      table.apply(control, listener);
      control.type = EventType::kVerdict;
      table.apply(control, listener);
    }
  }
  std::size_t largest = 0;
  IncidentReader reader;
  table.for_each([&](const Incident& each) {
    const std::string json = to_json(each);
    largest = std::max(largest, json.size());
    REQUIRE(reader.read(json) == each);
    CHECK(each.chain.size() <= kChainMax + 2);
  });
  CHECK(largest > 200'000);
  CHECK(largest < 1'000'000);
}

TEST_CASE("why a record is no incident") {
  struct Row {
    std::string_view pointer;
    std::string_view value;  // empty: removed
    std::string_view outcome;
  };
  const Row rows[] = {
      {"/more", "{}", "read"},
      {"/owner", "null", "read"},
      {"/incident_id", "", "missing_field"},
      {"/state", "", "missing_field"},
      {"/sessions", "[]", "missing_field"},
      {"/chain", "[]", "missing_field"},
      {"/sessions/0/ids", "[]", "missing_field"},
      {"/blast_radius", "", "missing_field"},
      {"/blast_radius/tools/more", "", "missing_field"},
      {"/state", "\"openish\"", "bad_word"},
      {"/severity", "\"x\"", "bad_word"},
      {"/first_misuse", "\"x\"", "bad_word"},
      {"/contained", "\"x\"", "bad_word"},
      {"/categories/exfiltration", "\"x\"", "bad_word"},
      {"/verdicts/0/verdict", "\"x\"", "bad_word"},
      {"/containments/0/action", "\"x\"", "bad_word"},
      {"/containments/0/outcome", "\"x\"", "bad_word"},
      {"/chain/0/source/offset", "-5", "bad_word"},
      {"/sessions/0/sources/0/partition", "-5", "bad_word"},
      {"/sessions", "{}", "wrong_type"},
      {"/sessions/0", "5", "wrong_type"},
      {"/sessions/0/ids/0", "\"x\"", "wrong_type"},
      {"/findings", "-1", "wrong_type"},
      {"/acknowledged", "\"x\"", "wrong_type"},
      {"/categories", "[]", "wrong_type"},
      {"/blast_radius/tools/names/0", "5", "wrong_type"},
  };
  Recorder listener;
  IncidentTable table({}, {});
  table.apply(finding({.time = 1, .destinations = {"d"}}), listener);
  table.apply(containment(2, "i-s1"), listener);
  table.apply(verdict(3, "i-s1", Judgement::kTruePositive), listener);
  const auto whole = nlohmann::json::parse(held(table).at("i-s1"));
  IncidentReader reader;
  const auto outcome = [&](std::string_view bytes) {
    const auto read = reader.read(bytes);
    return read ? "read" : std::string(name_of(read.error()));
  };
  for (const Row& row : rows) {
    CAPTURE(row.pointer, row.value);
    auto changed = whole;
    const nlohmann::json::json_pointer pointer{std::string(row.pointer)};
    if (row.value.empty()) {
      changed[pointer.parent_pointer()].erase(pointer.back());
    } else {
      changed[pointer] = nlohmann::json::parse(row.value);
    }
    CHECK(outcome(changed.dump()) == row.outcome);
  }
  for (const std::string_view list :
       {"/sessions", "/chain", "/rules", "/containments", "/verdicts", "/sessions/0/ids",
        "/sessions/0/sources", "/sessions/0/sightings", "/sessions/0/sources/0/finding_ids",
        "/blast_radius/tools/names"}) {
    CAPTURE(list);
    auto changed = whole;
    auto& items = changed[nlohmann::json::json_pointer{std::string(list)}];
    const auto first = items.at(0);
    for (int i = 0; i < 200; ++i) items.push_back(first);
    CHECK(outcome(changed.dump()) == "too_many");
  }
  CHECK(outcome(R"({"incident_id":"a","system":"b","severity":"high","state":"merged",)"
                R"("first_misuse":"2026-01-01T00:00:00Z"})") == "missing_field");
  CHECK(outcome("[]") == "not_an_object");
}

}  // namespace
}  // namespace tocsin::incident
