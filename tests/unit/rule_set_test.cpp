#include "detectors/rules/rule_set.h"

#include <fmt/format.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detectors/rules/pack.h"
#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::call_json;
using testing::event_json;
using testing::Recorder;
using testing::Report;
using testing::result_json;

// A rule set from the text of one pack; fails the test on any mistake in it.
std::unique_ptr<const RuleSet> make_rules(const std::string& pack) {
  Diagnostics diagnostics;
  auto document = yaml::parse("p.yaml", pack, diagnostics);
  REQUIRE(document.has_value());
  std::vector<yaml::Document> packs;
  packs.push_back(std::move(*document));
  auto patterns = std::make_unique<PatternTable>();
  auto rules = read_packs(packs, *patterns, diagnostics);
  for (const Diagnostic& each : diagnostics.all()) {
    UNSCOPED_INFO(fmt::format("{}:{} {}", each.line, each.column, each.message));
  }
  REQUIRE_FALSE(diagnostics.has_errors());
  auto set = RuleSet::compile(std::move(rules), std::move(patterns));
  REQUIRE(set.has_value());
  return std::move(*set);
}

std::string rule(std::string_view id, std::string_view on, std::string_view where,
                 std::string_view match) {
  return fmt::format(
      "  - id: {}\n    title: t\n    severity: high\n    category: shell_command\n    on: [{}]\n"
      "    where: {}\n    match: [{}]\n",
      id, on, where, match);
}

// An event evaluated; the decoder keeps what the reports point to.
class Bench {
 public:
  explicit Bench(const std::string& pack) : set(make_rules(pack)) {}

  std::vector<Report> evaluate(const std::string& json, const EventContext& context = {}) {
    const auto event =
        decoder_.decode(json, {.topic = "test", .partition = 0, .offset = next_offset_++});
    INFO(json);
    REQUIRE(event.has_value());
    Recorder recorder;
    set->evaluate(**event, context, scratch, recorder);
    return recorder.reports;
  }

  std::unique_ptr<const RuleSet> set;
  RuleSet::Scratch scratch;

 private:
  NativeDecoder decoder_;
  std::int64_t next_offset_ = 0;
};

TEST_CASE("a condition and what it finds") {
  struct Row {
    std::string_view where;
    std::string_view argument;  // of a call's `to`
    std::string_view evidence;  // empty: nothing is found
  };
  const Row rows[] = {
      {"{field: tool.arguments.to, regex: 'ev[i1]l'}", "good ev1l evil", "ev1l"},
      {"{field: tool.arguments.**, regex: [bad, 'ev.l']}", "evil bad", "bad"},
      {"{field: tool.arguments.cc, regex: evil}", "evil", ""},
      {"{field: content, regex: '(?i)\\bEVIL\\b'}", "an evil plan", "evil"},
      {"{field: content, contains: [EVIL, worse]}", "devilish", "evil"},
      {"{field: content, words: [evil]}", "devilish", ""},
      {"{field: content, words: [evil]}", "devil, evil", "evil"},
      {"{field: content, in: [Evil]}", "eVIL", "eVIL"},
      {"{field: content, in: [evil]}", "evil ", ""},
      {"{field: content, starts_with: [evil]}", "Evil plan", "Evil"},
      {"{field: content, starts_with: [evil]}", "an evil plan", ""},
      {"{field: content, ends_with: [evil]}", "an evil", "evil"},
      {"{field: content, gte: 1000}", "1000", "1000"},
      {"{field: content, gt: 1000}", "1000", ""},
      {"{field: content, lt: 5}", "many", ""},
      {"{field: content, cidr: [10.0.0.0/8]}", "10.1.2.3", "10.1.2.3"},
      {"{field: content, cidr: [10.0.0.0/8]}", "http://u@0x0a010203:80/x",
       "http://u@0x0a010203:80/x"},
      {"{field: content, cidr: [10.0.0.0/8]}", "11.1.2.3", ""},
      {"{field: content, url: {domain: [evil.test]}}", "see https://a.evil.test/x now",
       "https://a.evil.test/x"},
      {"{field: content, url: {domain: [evil.test]}}", "https://notevil.test/", ""},
      {"{field: content, url: {not_domain: [corp.test]}}", "https://corp.test.evil.test/",
       "https://corp.test.evil.test/"},
      {"{field: content, url: {address: [metadata]}}", "curl http://2852039166/latest",
       "http://2852039166/latest"},
      {"{field: content, url: {port: 2375}}", "tcp://x:2375/", "tcp://x:2375/"},
      {"{field: content, exists: true}", "x", "x"},
      // Refinements: when one fails, the next match counts.
      {"{field: content, regex: 'n=(\\d+)', capture: 1, validate: luhn}", "n=12 n=18", "18"},
      {"{field: content, regex: 'k=(\\w+)', capture: 1, unless: ['^x+$']}", "k=xxx k=abc", "abc"},
      // Where the group took no part, the next that did; without any, the match.
      {"{field: content, regex: 'a=(\\d+)|b=(\\w+)|c=(\\w+)', capture: 1, unless: ['^x+$']}",
       "c=xxx b=xxx c=abc b=def", "abc"},
      {"{field: content, regex: 'a=(\\d+)|b=(\\w+)', capture: 2, unless: ['^a=1$']}", "a=1 a=2",
       "a=2"},
      {"{field: content, regex: 'k=\\w+', unless_line: ['#']}", "# k=a\\nk=b", "k=b"},
      {"{field: content, regex: 'k=\\w+', unless_value: [test]}", "k=a test", ""},
      {"{field: content, regex: '\\d{4}', require_any: [PIN], within: 10}",
       "1234 ......... pin 5678", "5678"},
      {"{field: content, regex: '\\d{4}', require_any: [pin]}", "1234", ""},
      // Combinations.
      {"{all: [{field: content, regex: a1}, {field: content, regex: b2}]}", "b2 a1", "a1"},
      {"{all: [{field: content, regex: a1}, {field: content, regex: b2}]}", "a1", ""},
      {"{any: [{field: content, regex: a1}, {field: content, regex: b2}]}", "b2", "b2"},
      {"{field: content, regex: a1, none: [{field: content, regex: b2}]}", "a1", "a1"},
      {"{field: content, regex: a1, none: [{field: content, regex: b2}]}", "a1 b2", ""},
      // Decoded views.
      {"{field: content, regex: 'rm -rf'}", "cm0gLXJmIC9ob21lL3VzZXI=", "rm -rf"},
      {"{field: content, regex: 'rm -rf', decode: false}", "cm0gLXJmIC9ob21lL3VzZXI=", ""},
      {"{field: content, regex: 'rm -rf', decode: only}", "rm -rf /", ""},
      {"{field: content, regex: 'rm -rf', through: [hex]}", "cm0gLXJmIC9ob21lL3VzZXI=", ""},
      {"{field: content, regex: 'rm -rf', through: [url, base64]}",
       "cm0gLXJmIC9ob21lL3VzZXI=", "rm -rf"},
      // Context.
      {"{field: content, regex: a1, all: [{field: tool.effect, in: [egress]}]}", "a1", "a1"},
      {"{field: content, regex: a1, all: [{field: tool.effect, in: [read]}]}", "a1", ""},
      {"{field: content, regex: a1, all: [{field: tool.declared, in: ['false']}]}", "a1", "a1"},
      {"{field: content, regex: a1, all: [{field: system.risk, in: [high]}]}", "a1", "a1"},
      {"{field: content, regex: a1, all: [{field: tenant, exists: true}]}", "a1", ""},
      {"{field: content, regex: a1, all: [{field: system, starts_with: [bo]}]}", "a1", "a1"},
  };
  EventContext context;
  context.tool.effect = Effect::kEgress;
  for (const Row& row : rows) {
    CAPTURE(row.where, row.argument);
    // An example that every condition above finds would be a test of its own.
    const std::string pack = fmt::format(
        "rules:\n  - id: r.r\n    title: t\n    severity: high\n    category: pii\n"
        "    on: [tool_call]\n    where:\n      any:\n        - {{field: tool.name, in: [never]}}\n"
        "        - {}\n    match: [{{tool: never}}]\n",
        row.where);
    Bench bench(pack);
    const auto reports =
        bench.evaluate(call_json("send", fmt::format(R"({{"to":"{}"}})", row.argument)), context);
    CHECK(reports.size() == (row.evidence.empty() ? 0U : 1U));
    if (reports.empty() || reports[0].evidence.empty()) continue;
    CHECK(reports[0].evidence[0].second == row.evidence);
  }
}

TEST_CASE("a rule looks at its event types and at nothing else") {
  const std::string json[] = {
      event_json("system_message", R"("text":"evil")"),
      event_json("user_message", R"("text":"evil")"),
      event_json("model_output", R"("text":"evil")"),
      event_json("tool_definitions", R"("tools":[{"name":"n","description":"evil"}])"),
      call_json("evil", R"({"a":"evil"})"),
      result_json("evil", R"({"r":"evil"})"),
  };
  const std::string_view types[] = {"system_message",   "user_message", "model_output",
                                    "tool_definitions", "tool_call",    "tool_result"};
  std::string pack = "rules:\n";
  for (std::size_t i = 0; i < std::size(types); ++i) {
    pack += rule(fmt::format("r.r{}", i), types[i], "{field: content, regex: evil}", "evil");
  }
  Bench bench(pack);
  for (std::size_t i = 0; i < std::size(json); ++i) {
    CAPTURE(types[i]);
    const auto reports = bench.evaluate(json[i]);
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].rule == i);
    CHECK(reports[0].evidence[0].second == "evil");
  }
}

TEST_CASE("all rules are evaluated, each reports once an event, whatever the scratch saw before") {
  std::string pack = "rules:\n";
  for (int i = 0; i < 40; ++i) {
    const std::string_view regex = i % 2 == 0 ? "evil" : "none";
    pack += rule(fmt::format("r.r{}", i), "user_message",
                 fmt::format("{{field: text, regex: {}}}", regex), regex);
  }
  Bench large(pack);
  Bench small("rules:\n" + rule("r.one", "user_message", "{field: text, regex: evil}", "evil"));
  for (int again = 0; again < 3; ++again) {
    const auto reports = large.evaluate(event_json("user_message", R"("text":"evil, evil")"));
    REQUIRE(reports.size() == 20);
    for (std::size_t i = 0; i < reports.size(); ++i) CHECK(reports[i].rule == 2 * i);
    // One worker's scratch outlives the rules it was made for.
    small.scratch = std::move(large.scratch);
    CHECK(small.evaluate(event_json("user_message", R"("text":"evil")")).size() == 1);
    large.scratch = std::move(small.scratch);
  }
}

TEST_CASE("one severity an event type, one entry a severity") {
  Bench bench(
      "rules:\n  - id: r.r\n    title: t\n"
      "    severity: {model_output: critical, tool_call: high, tool_result: high}\n"
      "    category: secret\n    on: [model_output, tool_call, tool_result]\n"
      "    where: {field: content, regex: evil}\n    match: [evil]\n");
  REQUIRE(bench.set->reportable().size() == 2);
  const auto severity = [&](const std::string& json) {
    const auto reports = bench.evaluate(json);
    REQUIRE(reports.size() == 1);
    return bench.set->reportable()[reports[0].rule].severity;
  };
  CHECK(severity(event_json("model_output", R"("text":"evil")")) == Severity::kCritical);
  CHECK(severity(call_json("t", R"({"a":"evil"})")) == Severity::kHigh);
  CHECK(severity(result_json("t", R"("evil")")) == Severity::kHigh);
}

TEST_CASE("lists and macros stand for what they name") {
  Bench bench(
      "lists:\n  paste: [pastebin.test, 0x0.test]\nmacros:\n"
      "  outward: {field: tool.effect, in: [egress]}\n"
      "  leak: {all: [{macro: outward}, {field: content, contains: {list: paste}}]}\n"
      "rules:\n  - id: r.r\n    title: t\n    severity: high\n    category: exfiltration\n"
      "    on: [tool_call]\n    where: {macro: leak}\n"
      "    match: [{effect: egress, arguments: {url: 'https://pastebin.test/x'}}]\n"
      "    no_match: [{effect: read, arguments: {url: 'https://pastebin.test/x'}}]\n");
  EventContext context;
  context.tool.effect = Effect::kEgress;
  CHECK(bench.evaluate(call_json("t", R"({"u":"http://0X0.test"})"), context).size() == 1);
  context.tool.effect = Effect::kRead;
  CHECK(bench.evaluate(call_json("t", R"({"u":"http://0x0.test"})"), context).empty());
}

TEST_CASE("errors, numbers and descriptions are looked at; booleans and nulls are not") {
  Bench bench("rules:\n" + rule("r.r", "tool_call, tool_result, tool_definitions",
                                "{field: content, regex: '666|true|null'}", "'666'"));
  CHECK(bench.evaluate(call_json("t", R"({"n":666})")).size() == 1);
  CHECK(bench.evaluate(call_json("t", R"({"b":true,"x":null})")).empty());
  CHECK(
      bench.evaluate(event_json("tool_result", R"("tool":{"name":"t","error":"e 666"})")).size() ==
      1);
  CHECK(
      bench
          .evaluate(event_json(
              "tool_definitions",
              R"("tools":[{"name":"n","parameters":{"properties":{"to":{"description":"666"}}}}])"))
          .size() == 1);
  CHECK(bench
            .evaluate(event_json(
                "tool_definitions",
                R"("tools":[{"name":"n","parameters":{"properties":{"to":{"title":"666"}}}}])"))
            .empty());
}

TEST_CASE("evidence is the match alone, in whole characters") {
  Bench bench("rules:\n" + rule("r.r", "user_message",
                                "{field: text, regex: '(?i)é+vil', decode: false}", "évil"));
  const auto reports =
      bench.evaluate(event_json("user_message", R"("text":"世界 🙂 ÉéVIL und évil")"));
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].evidence[0].second == "ÉéVIL");
}

TEST_CASE("of very many URLs the first are looked at, and the event is counted") {
  Bench bench("rules:\n" + rule("a.b", "tool_call",
                                "{field: 'tool.arguments.**', url: {host: [bad.example.net]}}",
                                "'https://bad.example.net/'"));
  const auto urls = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += fmt::format("https://h{}.example.com/ ", i);
    return text + "https://bad.example.net/";
  };
  const auto call = [&](std::size_t count) {
    return call_json("fetch", fmt::format(R"({{"text":"{}"}})", urls(count)));
  };
  CHECK(bench.evaluate(call(10)).size() == 1);
  CHECK_FALSE(bench.scratch.urls_limited);
  CHECK(bench.evaluate(call(10'000)).empty());
  CHECK(bench.scratch.urls_limited);
  CHECK(bench.evaluate(call(10)).size() == 1);
  CHECK_FALSE(bench.scratch.urls_limited);
}

TEST_CASE("a demoted rule is tried on short events only, and what is passed over is counted") {
  const auto rules =
      make_rules("rules:\n" + rule("a.one", "user_message", "{field: text, regex: evil}", "evil") +
                 rule("a.two", "user_message", "{field: text, regex: evil}", "evil"));
  NativeDecoder decoder;
  RuleSet::Scratch scratch;
  scratch.demoted = {1};
  const auto found = [&](std::size_t padding) {
    const auto event = decoder.decode(
        event_json("user_message", fmt::format(R"("text":"evil{}")", std::string(padding, ' '))),
        {.topic = "test", .partition = 0, .offset = 0});
    REQUIRE(event.has_value());
    Recorder recorder;
    rules->evaluate(**event, {}, scratch, recorder);
    std::vector<std::size_t> which;
    for (const Report& report : recorder.reports) which.push_back(report.rule);
    return which;
  };
  CHECK(found(1) == std::vector<std::size_t>{0, 1});
  CHECK(scratch.passed_over == 0);
  CHECK(found(RuleSet::kLongTextBytes) == std::vector<std::size_t>{1});
  CHECK(scratch.passed_over == 1);
}

}  // namespace
}  // namespace tocsin
