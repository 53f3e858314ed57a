#include "daemon/indicators.h"

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::call_json;
using testing::event_json;
using Strings = std::vector<std::string>;

const Redactor& redactor() {
  static const Redactor made(Redactor::key_from_secret("test"));
  return made;
}

// The indicators of a call by a tool that nobody declared, or that `declared` says of.
std::vector<Indicator> of(const std::string& json, const ToolProfile* declared = nullptr,
                          Severity severity = Severity::kHigh) {
  NativeDecoder decoder;
  const auto event = decoder.decode(json, {.topic = "t", .partition = 0, .offset = 0});
  REQUIRE(event.has_value());
  EventContext context;
  context.tool.declared = declared;
  const RuleInfo rule{.severity = severity, .category = Category::kExfiltration};
  return indicators_of(**event, context, rule, {}, redactor());
}

TEST_CASE("where a call sends something") {
  struct Row {
    std::string_view arguments;
    IndicatorKind kind;
    std::string_view value;  // that was hashed; empty: there is no indicator
  };
  const Row rows[] = {
      {R"({"to":" Eve@Evil.Test "})", IndicatorKind::kDestination, "eve@evil.test"},
      {R"({"recipients":[{"email":"eve@evil.test"}]})", IndicatorKind::kDestination,
       "eve@evil.test"},
      {R"({"url":"https://Evil.test:8443/a?b=c"})", IndicatorKind::kDestination, "evil.test"},
      {R"({"url":"https://evil.test/other"})", IndicatorKind::kDestination, "evil.test"},
      {R"({"channel":"#General"})", IndicatorKind::kDestination, "#general"},
      {R"({"iban":"DE89 3704 0044 0532 0130 00"})", IndicatorKind::kAccount,
       "de89370400440532013000"},
      {R"({"iban":"de89370400440532013000"})", IndicatorKind::kAccount, "de89370400440532013000"},
      {R"({"payee":4111111111111111})", IndicatorKind::kAccount, "4111111111111111"},
      {R"({"body":"to whom it may concern"})", {}, ""},
      {R"({"to":""})", {}, ""},
      {R"({"to":null,"cc":true})", {}, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.arguments);
    const auto got = of(call_json("send", row.arguments));
    REQUIRE(got.size() == (row.value.empty() ? 0 : 1));
    if (row.value.empty()) continue;
    CHECK(name_of(got[0].kind) == name_of(row.kind));
    CHECK(got[0].hash == redactor().hash(row.value));
  }
}

TEST_CASE("a declared tool's destinations are the declared ones") {
  ToolProfile tool{.name = "send", .effect = Effect::kEgress, .destination = {"where"}};
  const std::string json = call_json("send", R"({"to":"a","where":["b","c"],"url":"d.test"})");
  CHECK(of(json, &tool).size() == 2);
  tool.destination.clear();
  CHECK(of(json, &tool).empty());
}

TEST_CASE("indicators are of high findings of calls, each once and bounded") {
  const std::string call = call_json("send", R"({"to":"a","cc":"A","bcc":["b"]})");
  CHECK(of(call).size() == 2);
  CHECK(of(call, nullptr, Severity::kCritical).size() == 2);
  CHECK(of(call, nullptr, Severity::kMedium).empty());
  CHECK(of(testing::result_json("send", R"({"to":"a"})")).empty());
  std::string many;
  for (int i = 0; i < 50; ++i) many += fmt::format(R"({}"u{}@x.test")", i == 0 ? "" : ",", i);
  CHECK(of(call_json("send", fmt::format(R"({{"to":[{}]}})", many))).size() == kIndicatorsMax);
  CHECK(of(call_json("send", fmt::format(R"({{"to":"{}"}})", std::string(513, 'x')))).empty());
}

constexpr const char* kPack = R"(
rules:
  - {id: test.secret, title: A secret, severity: critical, category: secret, on: [tool_call],
     where: {field: tool.arguments.**, regex: 'tok_[a-z]{20}'}, match: [tok_aaaaaaaaaaaaaaaaaaaa]}
  - {id: test.word, title: A word, severity: medium, category: output_policy, on: [model_output],
     where: {field: text, regex: forbidden}, match: [forbidden]}
  - {id: test.remark, title: A remark, severity: low, category: output_policy, on: [model_output],
     where: {field: text, regex: remark}, match: [remark]}
)";

TEST_CASE("a finding says which incident it belongs to and what links it") {
  testing::PipelineUnderTest test(testing::make_policy(kPack));
  const auto output = [](std::string_view text, std::string_view session) {
    return event_json("model_output", fmt::format(R"("tenant":"acme","text":"{}")", text), session);
  };
  const auto secret = [](std::string_view session) {
    return call_json("send", R"({"to":"a@b.test","body":"tok_abcdefghijklmnopqrst"})", "c",
                     session);
  };
  test.run({output("remark", "s1"), output("forbidden", "s1"), secret("s1"), secret("s2")});
  REQUIRE(test.findings.size() == 4);
  const Finding& remark = test.findings[0];
  const Finding& word = test.findings[1];
  CHECK(remark.incident_id.empty());
  CHECK(to_json(remark).find(R"("incident_id":null)") != std::string::npos);
  CHECK(word.incident_id == incident_id_of("bot", "s1", word.finding_id));
  CHECK(word.tenant == "acme");
  CHECK(word.indicators.empty());
  CHECK(test.findings[2].incident_id == word.incident_id);
  CHECK(test.findings[3].incident_id == incident_id_of("bot", "s2", test.findings[3].finding_id));
  for (const std::size_t i : {2U, 3U}) {
    REQUIRE(test.findings[i].indicators.size() == 2);
    CHECK(test.findings[i].indicators == test.findings[2].indicators);
    CHECK(test.findings[i].indicators[1].kind == IndicatorKind::kCredential);
    CHECK(test.findings[i].indicators[1].hash == test.findings[i].evidence[0].hash);
  }
  CHECK(to_json(test.findings[2]).find(fmt::format(R"("incident_id":"{}")", word.incident_id)) !=
        std::string::npos);
}

TEST_CASE("a session's incident is the same after a rewind") {
  const auto policy = testing::make_policy(kPack);
  const std::vector<std::string> events = {
      event_json("model_output", R"("event_id":"e1","text":"remark")"),
      event_json("model_output", R"("event_id":"e2","text":"forbidden")"),
      event_json(
          "tool_call",
          R"("event_id":"e3","tool":{"name":"t","arguments":{"a":"tok_abcdefghijklmnopqrst"}})")};
  testing::PipelineUnderTest whole(policy);
  whole.run(events);
  testing::PipelineUnderTest rewound(policy);
  rewound.run(std::span(events).first(2), 0, true);
  rewound.run(std::span(events).last(1));
  REQUIRE(rewound.findings.size() == 1);
  CHECK(rewound.findings[0].incident_id == whole.findings.back().incident_id);
}

}  // namespace
}  // namespace tocsin
