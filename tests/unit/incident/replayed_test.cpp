#include "daemon/incident/replayed.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/text.h"
#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin::incident {
namespace {

using tocsin::testing::event_json;

constexpr const char* kPack = R"(
rules:
  - {id: test.secret, title: A secret, severity: critical, category: secret, on: [tool_call],
     where: {field: tool.arguments.**, regex: 'tok_[a-z]{4}'}, match: [tok_aaaa]}
  - {id: test.word, title: A word, severity: medium, category: output_policy, on: [model_output],
     where: {field: text, regex: forbidden}, match: [forbidden]}
)";

struct Said {
  std::string session;  // empty: a control event
  std::string json;
};

// Twelve sessions, some of which use the same credential, and what was done about it.
std::vector<Said> traffic(std::uint32_t seed) {
  std::mt19937 dice(seed);
  std::vector<Said> out;
  for (int i = 0; i < 400; ++i) {
    const std::string session = fmt::format("s{}", dice() % 12);
    const std::string time = fmt::format("2026-01-05T{:02}:{:02}:{:02}Z", 8 + i / 120, i / 2 % 60,
                                         i % 2 * 30 + static_cast<int>(dice() % 30));
    const std::string id = fmt::format(R"("event_id":"e{}",)", i);
    // A key of its own, now and then one that others have too.
    const char letter =
        static_cast<char>(dice() % 8 == 0 ? 'x' + dice() % 2 : 'a' + std::stoul(session.substr(1)));
    switch (dice() % 8) {
      case 0:
        out.push_back(
            {session, event_json("model_output", id + R"("text":"forbidden")", session, time)});
        break;
      case 1:
        out.push_back({session, event_json("tool_call",
                                           id + fmt::format(R"("tool":{{"name":"t{}","arguments":)"
                                                            R"({{"key":"tok_{}"}}}})",
                                                            dice() % 3, std::string(4, letter)),
                                           session, time)});
        break;
      case 2:
        if (dice() % 4 != 0) break;
        out.push_back({"", fmt::format(R"({{"time":"{}","system":"bot","session_id":"{}",)"
                                       R"("type":"containment","containment":{{"action":)"
                                       R"("kill_session","by":"soc","outcome":"done"}}}})",
                                       time, session)});
        break;
      default:
        out.push_back(
            {session, event_json("model_output", id + R"("text":"fine")", session, time)});
    }
  }
  return out;
}

class Through final : public PipelineOutput {
 public:
  Through(const std::shared_ptr<const Policy>& policy)
      : incidents({.wait = std::chrono::hours(1000)}, {},
                  [this](const Finding& finding) { failed.insert(finding.finding_id); }),
        pipeline(
            {.policy = policy, .metrics = std::make_shared<const PolicyMetrics>(registry, *policy)},
            {}, std::make_shared<const Redactor>(Redactor::key_from_secret("k")), registry) {}
  void on_event(const Event& event, const EventContext&) override { incidents.on_event(event); }
  void on_control(const Event& event, const Record& /*record*/) override {
    incidents.on_control(event);
  }
  void on_finding(const Finding& finding) override { incidents.on_finding(finding); }
  void on_rejected(const Record&, Reject) override { ++rejected; }

  metrics::Registry registry;
  std::set<std::string> failed;
  ReplayedIncidents incidents;
  Pipeline pipeline;
  int rejected = 0;
};

// Without where the events stood: that is another place when there are other partitions.
nlohmann::json without_positions(const std::string& lines) {
  nlohmann::json out = nlohmann::json::array();
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = lines.find('\n', begin);
    auto incident = nlohmann::json::parse(lines.substr(begin, end - begin));
    begin = end + 1;
    for (auto& step : incident["chain"]) step.erase("source");
    for (auto& session : incident["sessions"]) session.erase("sources");
    for (auto& rule : incident["rules"]) {
      rule.erase("first_source");
      rule.erase("last_source");
    }
    out.push_back(std::move(incident));
  }
  return out;
}

TEST_CASE("incidents are the same whatever the number of partitions and how they interleave") {
  const auto policy = tocsin::testing::make_policy(kPack);
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    const std::vector<Said> said = traffic(seed);
    nlohmann::json expected;
    std::set<std::string> expected_failed;
    for (const std::size_t partitions : {1U, 2U, 5U, 12U}) {
      CAPTURE(seed, partitions);
      // Each partition in its order, the control events on one more, all of them by turns.
      std::vector<std::vector<const Said*>> queues(partitions + 1);
      for (const Said& each : said) {
        const bool control = each.session.empty();
        queues[control ? partitions : hash64(each.session) % partitions].push_back(&each);
      }
      Through through(policy);
      std::mt19937 dice(static_cast<std::uint32_t>(partitions));
      std::vector<std::int64_t> offsets(queues.size());
      for (std::size_t left = said.size(); left > 0; --left) {
        std::size_t pick = dice() % queues.size();
        while (static_cast<std::size_t>(offsets[pick]) == queues[pick].size()) {
          pick = (pick + 1) % queues.size();
        }
        const Said& next = *queues[pick][static_cast<std::size_t>(offsets[pick])];
        const Record record{.payload = next.json,
                            .source = {.topic = "events",
                                       .partition = static_cast<std::int32_t>(pick),
                                       .offset = offsets[pick]++}};
        through.pipeline.run({&record, 1}, through);
      }
      through.incidents.advance();
      REQUIRE(through.rejected == 0);
      const auto got = without_positions(through.incidents.lines());
      if (partitions == 1) {
        expected = got;
        expected_failed = through.failed;
        CHECK(got.size() > 1);  // some joined, not all
        CHECK(got.size() < 12);
        CHECK_FALSE(expected_failed.empty());
      }
      CHECK(got == expected);
      CHECK(through.failed == expected_failed);
    }
  }
}

TEST_CASE("the summary of a replay's incidents") {
  ReplayedIncidents none({}, {}, [](const Finding&) {});
  CHECK(none.summary() == "0 incidents");
  CHECK(none.lines().empty());

  const auto policy = tocsin::testing::make_policy(kPack);
  Through through(policy);
  const std::string events[] = {
      event_json("model_output", R"("text":"forbidden")", "a"),
      event_json("tool_call", R"("tool":{"name":"t","arguments":{"k":"tok_aaaa"}})", "b",
                 "2026-01-05T09:00:00Z"),
      event_json("containment",
                 R"("containment":{"action":"kill_session","by":"soc","outcome":"done"})", "b",
                 "2026-01-05T09:01:00Z"),
      event_json("tool_call", R"("tool":{"name":"t","arguments":{"k":"tok_bbbb"}})", "c",
                 "2026-01-05T09:02:00Z"),
      event_json("model_output", R"("text":"fine")", "d", "2026-01-05T09:03:00Z")};
  for (const std::string& each : events) {
    const Record record{.payload = each, .source = {.topic = "t", .partition = 0, .offset = 1}};
    through.pipeline.run({&record, 1}, through);
  }
  through.incidents.advance();
  CHECK(through.incidents.summary() ==
        "3 incidents: 2 critical, 1 medium; 1 open, 1 contained, 1 ended");
}

}  // namespace
}  // namespace tocsin::incident
