#include "daemon/pipeline.h"

#include <algorithm>
#include <array>
#include <random>
#include <set>

#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::brief;
using testing::call_json;
using testing::event_json;
using testing::make_policy;
using testing::PipelineUnderTest;

constexpr const char* kPack = R"(
rules:
  - {id: test.word, title: The word, severity: high, category: output_policy, on: [model_output],
     where: {field: text, regex: forbidden}, match: [forbidden], tags: [owasp:LLM05]}
  - {id: test.secret, title: A secret, severity: critical, category: secret, on: [model_output, tool_call],
     where: {field: tool.arguments.**, regex: 'tok_[a-z]{20}'}, match: [tok_aaaaaaaaaaaaaaaaaaaa]}
)";
// A rule's field must be there in all its events, so the second rule looks at calls only.
std::string pack() {
  std::string text = kPack;
  const std::string both = "[model_output, tool_call]";
  return text.replace(text.find(both), both.size(), "[tool_call]");
}
constexpr const char* kProfile = R"(
system: bot
risk: high
owner: {name: team-a}
tools:
  send_email: {effect: egress, destination: [to]}
  read_file: {effect: read}
)";

std::string output_json(std::string_view text, std::string_view extra = "") {
  return event_json("model_output", fmt::format(R"("text":"{}"{})", text, extra));
}

// Sessions in turn, with loops, undeclared tools, words and secrets among them.
std::vector<std::string> traffic(int events, std::uint32_t seed) {
  std::mt19937 dice(seed);
  std::vector<std::string> out;
  for (int i = 0; i < events; ++i) {
    const std::string session = "s" + std::to_string(dice() % 7);
    const std::string time = fmt::format("2026-01-05T08:{:02}:{:02}Z", i / 60 % 60, i % 60);
    const std::string id = fmt::format(R"("event_id":"e{}",)", i);
    switch (dice() % 6) {
      case 0:
        out.push_back(event_json("model_output", id + R"("text":"forbidden")", session, time));
        break;
      case 1:
        out.push_back(event_json("model_output", id + R"("text":"fine")", session, time));
        break;
      case 2:
        out.push_back(event_json(
            "tool_call",
            id + fmt::format(R"("tool":{{"name":"odd{}","arguments":{{}}}})", dice() % 3), session,
            time));
        break;
      default:
        out.push_back(event_json(
            "tool_call",
            id + R"("tool":{"name":"send_email","call_id":"c","arguments":{"to":"a@b.test"}})",
            session, time));
    }
  }
  return out;
}

std::multiset<std::string> ids(const std::vector<Finding>& findings) {
  std::multiset<std::string> out;
  for (const Finding& finding : findings) out.insert(finding.finding_id);
  return out;
}

TEST_CASE("a finding says what, where, why and whose it is") {
  PipelineUnderTest test(make_policy(pack(), {kProfile}));
  test.run({event_json(
      "tool_call",
      R"("event_id":"e1","seq":7,"tool":{"name":"send_email","call_id":"c1",)"
      R"("arguments":{"to":"x@y.test","parts":[{"body":"see tok_abcdefghijklmnopqrst ok"}]}})")});
  REQUIRE(test.findings.size() == 1);
  const Finding& finding = test.findings[0];
  CHECK(finding.finding_id.size() == 32);
  CHECK(finding.rule == "test.secret");
  CHECK(finding.detector == "rules");
  CHECK(finding.severity == Severity::kCritical);
  CHECK(finding.category == Category::kSecret);
  CHECK(finding.system == "bot");
  CHECK(finding.session_id == "s1");
  CHECK(finding.event_id == "e1");
  CHECK(finding.seq == 7);
  CHECK(finding.tool == "send_email");
  CHECK(finding.owner == "team-a");
  CHECK(finding.topic == "events");
  CHECK(format_time(finding.time) == "2026-01-05T08:00:00.000Z");
  CHECK(finding.detected_at == finding.time);  // no clock given: the event's own time
  REQUIRE(finding.evidence.size() == 1);
  CHECK(finding.evidence[0].field == "tool.arguments.parts.0.body");
  CHECK(finding.evidence[0].hash.starts_with("hmac-sha256:"));
  CHECK(to_json(finding).find("abcdefghij") == std::string::npos);
}

TEST_CASE("the id of a finding depends on the event and the rule alone") {
  const auto policy = make_policy(pack(), {kProfile});
  PipelineUnderTest one(policy);
  PipelineUnderTest two(
      policy, {.decode = {}, .sessions = {}, .now = [] { return EventTime{}; }, .topic_label = {}});
  const std::string event = output_json("forbidden", R"(,"event_id":"e1")");
  one.run({event});
  two.run({output_json("fine"), output_json("fine"), event});
  REQUIRE(one.findings.size() == 1);
  REQUIRE(two.findings.size() == 1);
  CHECK(one.findings[0].finding_id == two.findings[0].finding_id);

  PipelineUnderTest other(policy);
  other.run({output_json("forbidden", R"(,"event_id":"e2")")});
  CHECK(other.findings[0].finding_id != one.findings[0].finding_id);
}

TEST_CASE("an event id used twice does not make two events one") {
  PipelineUnderTest test(make_policy(pack()));
  test.run({event_json("model_output", R"("event_id":"same","seq":1,"text":"forbidden")"),
            event_json("model_output", R"("event_id":"same","seq":2,"text":"forbidden")"),
            event_json("model_output", R"("event_id":"same","seq":1,"text":"forbidden")", "s2")});
  CHECK(std::set<std::string>{test.findings[0].finding_id, test.findings[1].finding_id,
                              test.findings[2].finding_id}
            .size() == 3);
}

TEST_CASE("one batch of n says what n batches of one say") {
  const auto policy = make_policy(pack(), {kProfile});
  const auto events = traffic(500, 11);
  PipelineUnderTest together(policy);
  together.run(events);
  PipelineUnderTest apart(policy);
  for (const std::string& event : events) apart.run({event});
  REQUIRE(together.findings.size() > 20);
  CHECK(brief(together.findings) == brief(apart.findings));
  CHECK(ids(together.findings) == ids(apart.findings));
}

TEST_CASE("the stream split by session over workers gives the same findings") {
  const auto policy = make_policy(pack(), {kProfile});
  const auto events = traffic(500, 12);
  PipelineUnderTest whole(policy);
  whole.run(events);
  std::multiset<std::string> split;
  for (int worker = 0; worker < 3; ++worker) {
    PipelineUnderTest part(policy);
    for (const std::string& event : events) {
      const std::size_t at = event.find("\"session_id\":\"s") + 15;
      if ((event[at] - '0') % 3 == worker) part.run({event});
    }
    split.merge(ids(part.findings));
  }
  CHECK(split == ids(whole.findings));
}

TEST_CASE("a worker that takes over rewinds and says what the first would have said") {
  const auto policy = make_policy(pack(), {kProfile});
  const auto events = traffic(200, 13);
  PipelineUnderTest whole(policy);
  whole.run(events);
  REQUIRE(whole.findings.size() > 20);
  for (std::size_t cut = 0; cut <= events.size(); cut += 7) {
    CAPTURE(cut);
    const std::span all(events);
    PipelineUnderTest first(policy);
    first.run(all.first(cut));
    const auto rewind =
        static_cast<std::size_t>(first.pipeline->rewind_offset("events", 0).value_or(0));
    REQUIRE(rewind <= cut);

    PipelineUnderTest second(policy);
    second.run(all.subspan(rewind, cut - rewind), 0, true);
    CHECK(second.findings.empty());
    CHECK(second.metric("tocsin_events_total") == 0);
    CHECK(second.metric("tocsin_events_replayed_total") == static_cast<double>(cut - rewind));
    second.run(all.subspan(cut));
    auto both = ids(first.findings);
    both.merge(ids(second.findings));
    CHECK(both == ids(whole.findings));
  }
}

TEST_CASE("what cannot be decoded is counted by reason and handed on, and the rest goes on") {
  PipelineUnderTest test(make_policy(pack()));
  test.run({"", "{", "[]", output_json("forbidden"),
            R"({"type":"nope","time":"2026-01-01T00:00:00Z"})", output_json("forbidden")});
  CHECK(test.rejected == std::vector<Reject>{Reject::kEmpty, Reject::kMalformedJson,
                                             Reject::kNotAnObject, Reject::kUnknownType});
  CHECK(test.findings.size() == 2);
  CHECK(test.metric("tocsin_events_total") == 2);
  CHECK(test.metric("tocsin_events_rejected_total") == 4);
  CHECK(test.metric("tocsin_events_rejected_total", {{"reason", "malformed_json"}}) == 1);
}

TEST_CASE("every series a policy gives rise to is there at zero before the first event") {
  PipelineUnderTest test(make_policy(pack(), {kProfile}));
  const std::string text = test.registry.text();
  for (
      const char* line :
      {R"(tocsin_findings_total{system="bot",rule="test.word",severity="high",category="output_policy",suppressed="false"} 0)",
       R"(tocsin_findings_total{system="unknown",rule="loop.same-call",severity="low",category="resource_abuse",suppressed="false"} 0)",
       R"(tocsin_tool_calls_total{system="bot",tool="send_email",effect="egress",effect_source="declared"} 0)",
       R"(tocsin_tool_calls_total{system="unknown",tool="undeclared",effect="execute",effect_source="inferred"} 0)",
       R"(tocsin_unsafe_tool_calls_total{system="bot",tool="read_file",effect="read",effect_source="declared"} 0)",
       R"(tocsin_events_total{system="bot",type="selftest"} 0)",
       R"(tocsin_policy_violating_outputs_total{system="bot",risk="high"} 0)",
       R"(tocsin_rule_last_match_timestamp_seconds{rule="test.word"} 0)"}) {
    CAPTURE(line);
    CHECK(text.find(line) != std::string::npos);
  }
}

TEST_CASE(
    "events are counted by known system and type only; effects of unknown tools are inferred") {
  PipelineUnderTest test(make_policy(pack(), {kProfile}));
  test.run({call_json("send_email", R"({"to":"a@b.test"})"), call_json("transfer_money", "{}"),
            event_json("tool_call", R"("tool":{"name":"run_code","arguments":{}})", "s9",
                       "2026-01-05T08:00:00Z", "nobody-knows-me"),
            output_json("forbidden"), output_json("fine")});
  using L = metrics::Labels;
  CHECK(test.metric("tocsin_events_total", L{{"system", "bot"}, {"type", "tool_call"}}) == 2);
  CHECK(test.metric("tocsin_events_total", L{{"system", "unknown"}}) == 1);
  CHECK(test.metric("tocsin_tool_calls_total", L{{"tool", "send_email"}}) == 1);
  CHECK(test.metric("tocsin_tool_calls_total",
                    L{{"system", "bot"}, {"tool", "undeclared"}, {"effect", "egress"}}) == 1);
  CHECK(test.metric("tocsin_tool_calls_total", L{{"system", "unknown"}, {"effect", "execute"}}) ==
        1);
  CHECK(test.metric("tocsin_outputs_total", L{{"system", "bot"}}) == 2);
  CHECK(test.metric("tocsin_policy_violating_outputs_total", L{{"system", "bot"}}) == 1);
  CHECK(test.registry.text().find("nobody-knows-me") == std::string::npos);
}

TEST_CASE("a description in the tool definitions says more than an odd name") {
  PipelineUnderTest test(make_policy(pack()));
  test.run(
      {call_json("zap", "{}"),
       event_json("tool_definitions",
                  R"("tools":[{"name":"zap","description":"Sends a message to a phone number"}])"),
       call_json("zap", "{}")});
  CHECK(test.metric("tocsin_tool_calls_total", {{"effect", "write"}}) == 1);
  CHECK(test.metric("tocsin_tool_calls_total", {{"effect", "egress"}}) == 1);
}

TEST_CASE("coverage is the share of calls whose arguments were captured") {
  PipelineUnderTest test(make_policy(pack(), {kProfile}));
  CHECK(test.registry.text().find(R"(tocsin_content_coverage_ratio{system="bot"} Nan)") !=
        std::string::npos);
  test.run(
      {call_json("read_file", "{}"), event_json("tool_call", R"("tool":{"name":"read_file"})")});
  CHECK(test.metric("tocsin_content_coverage_ratio", {{"system", "bot"}}) ==
        Approx(0.5).epsilon(0.01));
}

TEST_CASE("detection time is measured from the misuse event's own time, and never negative") {
  const auto policy = make_policy(pack(), {kProfile});
  const auto clock = [](int seconds) {
    return [seconds] { return EventTime(std::chrono::seconds(1767600000 + seconds)); };  // 08:00:00
  };
  PipelineUnderTest late(
      policy, {.decode = {}, .sessions = {}, .now = clock(3), .rule_watch = {}, .topic_label = {}});
  late.run({output_json("forbidden")});
  CHECK(late.registry.text().find(
            R"(tocsin_detection_seconds_sum{system="bot",severity="high"} 3)") !=
        std::string::npos);
  PipelineUnderTest early(
      policy,
      {.decode = {}, .sessions = {}, .now = clock(-3), .rule_watch = {}, .topic_label = {}});
  early.run({output_json("forbidden")});
  CHECK(early.registry.text().find(
            R"(tocsin_detection_seconds_bucket{system="bot",severity="high",le="0.01"} 1)") !=
        std::string::npos);
}

TEST_CASE("session state stays within its bytes; what is given up is counted") {
  PipelineUnderTest test(make_policy(pack(), {kProfile}),
                         {.decode = {},
                          .sessions = {.idle = std::chrono::seconds(1800), .bytes_max = 100'000},
                          .now = {},
                          .rule_watch = {},
                          .topic_label = {}});
  for (int i = 0; i < 2000; ++i) {
    test.run(
        {call_json("send_email", R"({"to":"a@b.test"})", "c1", "session-" + std::to_string(i))});
  }
  CHECK(test.metric("tocsin_state_bytes") <= 100'000);
  const double live = test.metric("tocsin_sessions_live");
  CHECK(live > 10);
  CHECK(test.metric("tocsin_sessions_evicted_total", {{"reason", "memory"}}) == 2000 - live);
  CHECK(test.metric("tocsin_sessions_evicted_total", {{"reason", "idle"}}) == 0);
}

TEST_CASE("workers share the memory for state, and one gives back what another wants") {
  const auto budget = std::make_shared<StateBudget>(200'000, 2);
  const auto policy = make_policy(pack(), {kProfile});
  const auto options = [&](std::size_t worker) {
    PipelineOptions made{
        .decode = {}, .sessions = {}, .now = {}, .rule_watch = {}, .topic_label = {}};
    made.budget = budget;
    made.worker = worker;
    return made;
  };
  PipelineUnderTest first(policy, options(0));
  PipelineUnderTest second(policy, options(1));
  const auto fill = [](PipelineUnderTest& test) {
    for (int i = 0; i < 300; ++i) {
      test.run(
          {call_json("send_email", R"({"to":"a@b.test"})", "c1", "session-" + std::to_string(i))});
    }
  };
  fill(first);
  CHECK(first.metric("tocsin_state_bytes") > 150'000);
  CHECK(first.metric("tocsin_state_bytes") <= 200'000);
  fill(second);
  CHECK(second.metric("tocsin_state_bytes") > 80'000);
  CHECK(second.metric("tocsin_state_bytes") <= 100'000);
  first.pipeline->publish_gauges();  // idle: it gives back all the same
  CHECK(first.metric("tocsin_state_bytes") > 80'000);
  CHECK(first.metric("tocsin_state_bytes") <= 120'000);
}

TEST_CASE(
    "what is known of systems stays within a quarter of the bytes, and is counted when given up") {
  PipelineUnderTest test(make_policy(pack(), {kProfile}),
                         {.decode = {},
                          .sessions = {.idle = std::chrono::seconds(1800), .bytes_max = 400'000},
                          .now = {},
                          .rule_watch = {},
                          .topic_label = {}});
  constexpr int kSystems = 10;
  for (int i = 0; i < kSystems; ++i) {
    test.run({testing::event_json("tool_call", R"("tool":{"name":"get","arguments":{}})", "s1",
                                  "2026-01-05T08:00:00Z", "system-" + std::to_string(i))});
  }
  CHECK(test.metric("tocsin_state_bytes") <= 150'000);
  CHECK(test.metric("tocsin_sessions_live") == kSystems);
  CHECK(test.metric("tocsin_system_states_evicted_total") > 3);
  CHECK(test.metric("tocsin_system_states_evicted_total") < kSystems);
}

TEST_CASE("a session whose memory reached a bound is counted, once, and not when read again") {
  // More words than are kept of what a user says.
  std::string text;
  for (int i = 0; i < 6000; ++i) text += fmt::format("word{}x ", i);
  const std::string long_message = event_json("user_message", fmt::format(R"("text":"{}")", text));
  const auto policy = make_policy(pack(), {kProfile});
  PipelineUnderTest test(policy);
  CHECK(test.registry.text().find("tocsin_session_memory_limited_total 0") != std::string::npos);
  test.run({event_json("user_message", R"("text":"a short one")")});
  CHECK(test.metric("tocsin_session_memory_limited_total") == 0);
  test.run({long_message, long_message});
  CHECK(test.metric("tocsin_session_memory_limited_total") == 1);

  PipelineUnderTest rewound(policy);
  rewound.run(std::vector{long_message}, 0, true);
  rewound.run({long_message});
  CHECK(rewound.metric("tocsin_session_memory_limited_total") == 0);
}

TEST_CASE("the gauge of the rule of two follows sessions, over partitions and to their end") {
  constexpr const char* kMail = R"(
system: bot
risk: high
owner: {name: team-a}
tools:
  read_page: {effect: read, returns: untrusted}
  read_account: {effect: read, returns: private}
  send_email: {effect: egress, destination: [to]}
)";
  PipelineUnderTest test(make_policy(pack(), {kMail}));
  const auto sessions = [&](std::string_view state) {
    return test.metric("tocsin_sessions_rule_of_two",
                       {{"system", "bot"}, {"state", std::string(state)}});
  };
  const auto states = [&] {
    return std::array{sessions("untrusted_input"), sessions("private_data"),
                      sessions("outward_effect"), sessions("all")};
  };
  const auto result = [](std::string_view tool, std::string_view session) {
    return testing::result_json(tool, R"("some text")", "c1", session);
  };
  test.run({result("read_page", "s1"), result("read_account", "s2")});
  CHECK(states() == std::array{1.0, 1.0, 0.0, 0.0});
  test.run(std::vector{result("read_page", "s3")}, 1);
  CHECK(states() == std::array{2.0, 1.0, 0.0, 0.0});
  test.run({result("read_account", "s1"),
            call_json("send_email", R"({"to":"a@b.test","body":"hello"})", "c2", "s1")});
  CHECK(states() == std::array{2.0, 2.0, 1.0, 1.0});
  test.pipeline->forget_partition("events", 1);
  CHECK(states() == std::array{1.0, 2.0, 1.0, 1.0});
  // Half an hour and more later the sessions are over.
  test.run({event_json("model_output", R"("text":"fine")", "s9", "2026-01-05T08:50:00Z")});
  CHECK(states() == std::array{0.0, 0.0, 0.0, 0.0});
}

TEST_CASE("gauges stand as they were until they are published; forgetting counts what went") {
  PipelineUnderTest test(make_policy(pack(), {kProfile}));
  const auto output_at = [](std::string_view session, std::string_view time) {
    return event_json("model_output", R"("text":"fine")", session, time);
  };
  const std::vector<std::string> events = {output_at("s1", "2026-01-05T08:00:00Z"),
                                           output_at("s2", "2026-01-05T08:45:00Z")};
  std::vector<Record> batch;
  for (const std::string& event : events) {
    batch.push_back({.payload = event, .source = {.topic = "events", .partition = 0, .offset = 1}});
  }
  test.pipeline->run(batch, test);
  CHECK(test.metric("tocsin_sessions_live") == 0);
  test.pipeline->publish_gauges();
  CHECK(test.metric("tocsin_sessions_live") == 1);
  CHECK(test.metric("tocsin_sessions_evicted_total", {{"reason", "idle"}}) == 1);

  const std::string later = output_at("s3", "2026-01-05T09:30:00Z");
  const Record record{.payload = later, .source = {.topic = "events", .partition = 0, .offset = 2}};
  test.pipeline->run(std::span(&record, 1), test);
  test.pipeline->forget_partition("events", 0);
  CHECK(test.metric("tocsin_sessions_live") == 0);
  CHECK(test.metric("tocsin_sessions_evicted_total", {{"reason", "idle"}}) == 2);
}

TEST_CASE("a clock that is years ahead is counted and ends nobody's session") {
  PipelineUnderTest test(make_policy(pack(), {kProfile}));
  const auto output_at = [](std::string_view session, std::string_view time) {
    return event_json("model_output", R"("text":"fine")", session, time);
  };
  test.run({output_at("s1", "2026-01-05T08:00:00Z"), output_at("wrong", "2999-01-05T08:00:00Z"),
            output_at("wrong", "2999-01-05T08:00:01Z"), output_at("s2", "1970-01-01T00:00:00Z")});
  CHECK(test.metric("tocsin_sessions_live") == 3);
  CHECK(test.metric("tocsin_sessions_evicted_total", {{"reason", "idle"}}) == 0);
  CHECK(test.metric("tocsin_event_clock_skew_total", {{"direction", "ahead"}}) == 2);
  CHECK(test.metric("tocsin_event_clock_skew_total", {{"direction", "behind"}}) == 1);
}

TEST_CASE("control events need no session and are counted") {
  PipelineUnderTest test(make_policy(pack(), {kProfile}));
  test.run(
      {R"({"time":"2026-01-05T08:00:00Z","system":"bot","type":"selftest","selftest":{"id":"1","sent_at":"2026-01-05T08:00:00Z"}})",
       R"({"time":"2026-01-05T08:00:00Z","system":"bot","type":"break_glass","break_glass":{"id":"b","by":"ann","state":"opened"}})"});
  CHECK(test.rejected.empty());
  CHECK(test.metric("tocsin_events_total", {{"type", "selftest"}}) == 1);
  CHECK(test.metric("tocsin_sessions_live") == 0);
}

TEST_CASE("a rule that floods is told as low, and says what it was") {
  PipelineUnderTest test(make_policy(pack(), {kProfile}),
                         {.decode = {},
                          .sessions = {},
                          .now = {},
                          .rule_watch = RuleWatchLimits{.window_events = 20,
                                                        .time_share = 1,
                                                        .time_seconds_min = 100,
                                                        .findings_share = 0.2,
                                                        .findings_min = 10},
                          .topic_label = {}});
  std::vector<std::string> batch;
  for (int i = 0; i < 25; ++i) {
    batch.push_back(
        event_json("model_output", R"("text":"forbidden")", "session-" + std::to_string(i)));
  }
  test.run(batch);
  REQUIRE(test.findings.size() == 25);
  CHECK(test.findings[19].severity == Severity::kHigh);
  CHECK_FALSE(test.findings[19].demoted_from.has_value());
  CHECK(test.findings[20].severity == Severity::kLow);
  CHECK(test.findings[20].demoted_from == Severity::kHigh);
  CHECK(to_json(test.findings[20]).find(R"("severity":"low","demoted_from":"high")") !=
        std::string::npos);
  CHECK(test.metric("tocsin_rule_demoted", {{"reason", "flood"}}) == 1);
  CHECK(test.metric("tocsin_rule_demoted", {{"reason", "time"}}) == 0);
  REQUIRE(test.demotions.size() == 1);
  CHECK(test.demotions[0] == test.findings[0].rule + " in bot");
  CHECK(test.metric("tocsin_rule_seconds_total") > 0);
}

TEST_CASE("a rule that people found wrong is told one severity lower, and says what it was") {
  PipelineUnderTest test(make_policy(pack(), {kProfile}));
  const auto find = [&](const std::string& session) {
    test.run({event_json("model_output", R"("text":"forbidden")", session)});
    REQUIRE_FALSE(test.findings.empty());
    return test.findings.back();
  };
  const Finding before = find("before");
  CHECK(before.severity == Severity::kHigh);
  CHECK_FALSE(before.incident_id.empty());
  test.pipeline->lower(std::make_shared<const incident::RuleNames>(
      incident::RuleNames{before.rule, "no.such-rule"}));
  const Finding lowered = find("lowered");
  CHECK(lowered.severity == Severity::kMedium);
  CHECK(lowered.demoted_from == Severity::kHigh);
  CHECK_FALSE(lowered.incident_id.empty());  // still worth an incident
  test.pipeline->lower(std::make_shared<const incident::RuleNames>());
  CHECK(find("after").severity == Severity::kHigh);
}

}  // namespace
}  // namespace tocsin
