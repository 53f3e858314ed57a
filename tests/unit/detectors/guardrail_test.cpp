#include <fmt/format.h>

#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::call_json;
using testing::DetectorUnderTest;
using testing::guardrail_json;
using testing::PipelineUnderTest;

constexpr std::size_t kAllowedUnsafe = 0;
constexpr std::size_t kSilent = 1;

std::vector<FoundRule> found(Severity severity) {
  return {{.id = "some.rule", .severity = severity, .category = Category::kShellCommand}};
}

TEST_CASE("an allowance and an unsafe call disagree, in either order") {
  struct Row {
    std::string_view verdict;
    Severity severity;
    bool disagree;
  };
  const Row rows[] = {
      {"allow", Severity::kCritical, true}, {"allow", Severity::kHigh, true},
      {"allow", Severity::kMedium, false},  {"deny", Severity::kHigh, false},
      {"modify", Severity::kHigh, false},   {"warn", Severity::kCritical, false},
      {"escalate", Severity::kHigh, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.verdict, name_of(row.severity));
    const auto findings = found(row.severity);
    {
      DetectorUnderTest detector("guardrail");
      CHECK(detector.feed(call_json("run", "{}", "c1"), {}, findings).empty());
      CHECK(detector.feed(guardrail_json("g", row.verdict, "c1")).size() == (row.disagree ? 1 : 0));
      CHECK(detector.counts().size() == (row.disagree ? 1 : 0));
    }
    DetectorUnderTest detector("guardrail");
    CHECK(detector.feed(guardrail_json("g", row.verdict, "c1")).empty());
    CHECK(detector.feed(call_json("run", "{}", "c1"), {}, findings).size() ==
          (row.disagree ? 1 : 0));
    CHECK(detector.counts().size() == (row.disagree ? 1 : 0));
  }
}

TEST_CASE("the evidence is the guardrail, and the other of the two events") {
  const auto findings = found(Severity::kHigh);
  DetectorUnderTest detector("guardrail");
  detector.feed(call_json("run", "{}", "c1"), {}, findings);
  auto reports = detector.feed(guardrail_json("g", "allow", "c1"));
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].rule == kAllowedUnsafe);
  CHECK(reports[0].evidence[0].second == "g");
  REQUIRE(reports[0].origin.has_value());
  CHECK(reports[0].origin->seq == 1);
  CHECK(reports[0].origin->tool == "run");

  detector.feed(guardrail_json("h", "allow", "c2"));
  reports = detector.feed(call_json("run", "{}", "c2"), {}, findings);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].evidence[0].second == "h");
  CHECK(reports[0].origin->seq == 3);
  CHECK(detector.counts() == std::vector<std::pair<std::size_t, std::string>>{{0, "g"}, {0, "h"}});
}

TEST_CASE("what is no disagreement") {
  const auto findings = found(Severity::kHigh);
  DetectorUnderTest detector("guardrail");
  SECTION("another call") {
    detector.feed(guardrail_json("g", "allow", "c1"));
    CHECK(detector.feed(call_json("run", "{}", "c2"), {}, findings).empty());
  }
  SECTION("the same id in another session") {
    detector.feed(guardrail_json("g", "allow", "c1", "s2"));
    CHECK(detector.feed(call_json("run", "{}", "c1", "s1"), {}, findings).empty());
  }
  SECTION("a verdict without a target") {
    detector.feed(call_json("run", "{}", ""), {}, findings);
    CHECK(detector.feed(guardrail_json("g", "allow", "")).empty());
  }
  SECTION("an allowance taken back before the call") {
    detector.feed(guardrail_json("g", "allow", "c1"));
    detector.feed(guardrail_json("g", "deny", "c1"));
    CHECK(detector.feed(call_json("run", "{}", "c1"), {}, findings).empty());
  }
  SECTION("another guardrail's denial does not take it back") {
    detector.feed(guardrail_json("g", "allow", "c1"));
    detector.feed(guardrail_json("h", "deny", "c1"));
    CHECK(detector.feed(call_json("run", "{}", "c1"), {}, findings).size() == 1);
  }
  SECTION("an allowance counts for one call, not for the next of that id") {
    detector.feed(guardrail_json("g", "allow", "c1"));
    detector.feed(call_json("run", "{}", "c1"));
    CHECK(detector.feed(call_json("run", "{}", "c1"), {}, findings).empty());
  }
}

// The number of the call, from 1, at which silence is said; 0: it is not.
int silence_said_at(DetectorUnderTest& detector, int calls) {
  for (int i = 1; i <= calls; ++i) {
    const auto reports = detector.feed(call_json("get", "{}", "quiet"));
    if (reports.empty()) continue;
    CHECK(reports[0].rule == kSilent);
    CHECK(reports[0].evidence[0].second == "g");
    return i;
  }
  return 0;
}

// It speaks `times`, after every `gap` calls.
void speak(DetectorUnderTest& detector, int times, int gap) {
  for (int i = 0; i < times; ++i) {
    for (int call = 0; call < gap; ++call) detector.feed(call_json("get", "{}", "c"));
    detector.feed(guardrail_json("g", "allow", "c", "s" + std::to_string(i)));
  }
}

TEST_CASE("a guardrail that used to speak and stops is silent, measured by its own pace") {
  struct Row {
    int times;
    int gap;
    int said_at;
  };
  const Row rows[] = {
      {100, 1, 50},    // it judged every call
      {100, 20, 200},  // one in twenty
      {19, 1, 0},      // not established
  };
  for (const Row& row : rows) {
    CAPTURE(row.times, row.gap);
    DetectorUnderTest detector("guardrail");
    speak(detector, row.times, row.gap);
    const int said = silence_said_at(detector, 1000);
    CHECK(said >= row.said_at * 19 / 20);
    CHECK(said <= row.said_at * 21 / 20);
    CHECK(silence_said_at(detector, 1000) == 0);  // once
  }
}

TEST_CASE("a guardrail that speaks again and stops again is silent again") {
  DetectorUnderTest detector("guardrail");
  speak(detector, 30, 1);
  CHECK(silence_said_at(detector, 100) == 50);
  speak(detector, 1, 1);
  CHECK(silence_said_at(detector, 2000) > 100);  // it has shown a longer pause
}

TEST_CASE("made-up guardrails fill a bounded memory and push out none that is established") {
  DetectorUnderTest detector("guardrail");
  speak(detector, 30, 1);
  for (int i = 0; i < 5000; ++i) {
    detector.feed(guardrail_json("x" + std::to_string(i) + std::string(300, 'x'), "allow",
                                 "c" + std::to_string(i)));
  }
  CHECK(detector.system_state()->bytes() < 4096);
  CHECK(detector.state_bytes() < 16'384);
  CHECK(silence_said_at(detector, 100) == 50);
}

constexpr std::string_view kPack = R"(rules:
  - id: t.unsafe
    title: t
    severity: high
    category: shell_command
    tags: ['owasp:ASI05']
    on: [tool_call]
    where: {field: tool.arguments.**, regex: 'boom'}
    match: ['boom']
)";

TEST_CASE("the pipeline tells it what rules found, and counts the disagreement once") {
  PipelineUnderTest tested(testing::make_policy(std::string(kPack), {"system: bot\ntools: {}\n"},
                                                "undeclared_tool: {enabled: false}"));
  const std::string records[] = {
      guardrail_json("g", "allow", "c1"),        call_json("run", R"({"x":"boom"})", "c1"),
      call_json("run", R"({"x":"boom"})", "c2"), guardrail_json("g", "allow", "c2"),
      call_json("run", R"({"x":"fine"})", "c3"), guardrail_json("g", "allow", "c3")};
  const auto of_guardrail = [&] {
    return std::ranges::count(tested.findings, std::string("guardrail.allowed-unsafe"),
                              &Finding::rule);
  };
  tested.run(std::span(records).first(2), 0, /*replayed=*/true);
  CHECK(tested.metric("tocsin_guardrail_disagreements_total") == 0);
  tested.run(std::span(records).subspan(2));
  CHECK(of_guardrail() == 1);
  CHECK(tested.metric("tocsin_guardrail_disagreements_total",
                      {{"system", "bot"}, {"guardrail", "g"}}) == 1);
}

TEST_CASE(
    "what is known of a system stays when a policy is read again, and goes with its partition") {
  const auto policy = [] {
    return testing::make_policy("", {"system: bot\ntools: {}\n"},
                                "undeclared_tool: {enabled: false}");
  };
  PipelineUnderTest tested(policy());
  std::vector<std::string> spoken;
  for (int i = 0; i < 30; ++i) {
    spoken.push_back(call_json("get", fmt::format(R"({{"i":{}}})", i), "c"));
    spoken.push_back(guardrail_json("g", "allow", "c"));
  }
  std::vector<std::string> quiet;
  for (int i = 0; i < 60; ++i) {
    quiet.push_back(call_json("get", fmt::format(R"({{"j":{}}})", i), "c", "s2"));
  }
  tested.run(spoken);
  CHECK(tested.metric("tocsin_state_bytes") > 1000);
  SECTION("a reload") {
    const auto again = policy();
    tested.pipeline->adopt(
        {.policy = again,
         .metrics = std::make_shared<const PolicyMetrics>(tested.registry, *again)});
    tested.run(quiet);
    CHECK(testing::brief(tested.findings) == std::vector<std::string>{"guardrail.silent@50"});
  }
  SECTION("another partition knows nothing of it") {
    tested.run(quiet, 1);
    CHECK(tested.findings.empty());
  }
  SECTION("the partition goes") {
    tested.pipeline->forget_partition("events", 0);
    CHECK(tested.metric("tocsin_state_bytes") == 0);
    tested.run(quiet);
    CHECK(tested.findings.empty());
  }
}

}  // namespace
}  // namespace tocsin
