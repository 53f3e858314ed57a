#include "detectors/rules/correlation.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::make_policy;
using testing::PipelineUnderTest;

constexpr std::string_view kRules = R"(rules:
  - {id: w.a, title: a, severity: low, category: pii, on: [tool_call],
     where: {field: 'tool.arguments.what', in: [a]}, match: [a]}
  - {id: w.b, title: b, severity: low, category: pii, on: [tool_call],
     where: {field: 'tool.arguments.what', in: [b]}, match: [b]}
)";

std::string with_correlation(std::string_view keys) {
  return fmt::format(
      "{}correlations:\n  - {{id: c.c, title: c, severity: high, category: exfiltration, {}}}\n",
      kRules, keys);
}

struct Call {
  std::string what;
  int second = 0;
  std::string session = "s1";
  std::string amount = "0";
};

// How often the correlation was found, and after which calls.
std::vector<std::size_t> found_after(std::string_view keys, const std::vector<Call>& calls) {
  PipelineUnderTest test(make_policy(with_correlation(keys)));
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Call& call = calls[i];
    test.findings.clear();
    test.run({fmt::format(
        R"({{"time":"2026-01-05T08:{:02}:{:02}Z","system":"bot","session_id":"{}","type":"tool_call",)"
        R"("tool":{{"name":"t","call_id":"c","arguments":{{"what":"{}","amount":{}}}}}}})",
        call.second / 60, call.second % 60, call.session, call.what, call.amount)});
    for (const Finding& finding : test.findings) {
      if (finding.rule == "c.c") found.push_back(i);
    }
  }
  return found;
}

using Indices = std::vector<std::size_t>;

TEST_CASE("event_count: so many matches within the timespan") {
  constexpr std::string_view kThree =
      "type: event_count, rules: [w.a], group-by: [session], timespan: 1m, condition: {gte: 3}";
  CHECK(found_after(kThree, {{"a", 0}, {"a", 10}, {"a", 20}}) == Indices{2});
  CHECK(found_after(kThree, {{"a", 0}, {"b", 10}, {"a", 20}}).empty());
  CHECK(found_after(kThree, {{"a", 0}, {"a", 40}, {"a", 80}}).empty());  // too slow
  CHECK(found_after(kThree, {{"a", 0}, {"a", 40}, {"a", 80}, {"a", 90}}) == Indices{3});
  CHECK(found_after(kThree, {{"a", 0}, {"a", 1, "s2"}, {"a", 2, "s3"}}).empty());
  // After a finding the whole condition is needed again.
  CHECK(found_after(kThree, {{"a", 0}, {"a", 1}, {"a", 2}, {"a", 3}, {"a", 4}, {"a", 5}}) ==
        Indices{2, 5});
}

TEST_CASE("matches of several sessions count together when grouped by system") {
  CHECK(found_after("type: event_count, rules: [w.a], group-by: [system], timespan: 1m, "
                    "condition: {gte: 3}",
                    {{"a", 0, "s1"}, {"a", 1, "s2"}, {"a", 2, "s3"}}) == Indices{2});
}

TEST_CASE("value_count: different values, not matches") {
  constexpr std::string_view kTwo =
      "type: value_count, rules: [w.a], group-by: [session], timespan: 1m, condition: {gte: 2}, "
      "field: tool.arguments.amount";
  CHECK(found_after(kTwo, {{"a", 0, "s1", "5"}, {"a", 1, "s1", "5"}, {"a", 2, "s1", "6"}}) ==
        Indices{2});
}

TEST_CASE("value_sum: what the values add up to") {
  constexpr std::string_view kHundred =
      "type: value_sum, rules: [w.a], group-by: [session], timespan: 1m, condition: {gt: 100}, "
      "field: tool.arguments.amount";
  CHECK(found_after(kHundred, {{"a", 0, "s1", "60"}, {"a", 1, "s1", "40"}, {"a", 2, "s1", "1"}}) ==
        Indices{2});
}

TEST_CASE("temporal: all of them; temporal_ordered: in this order") {
  constexpr std::string_view kBoth =
      "type: temporal, rules: [w.a, w.b], group-by: [session], timespan: 1m";
  constexpr std::string_view kOrdered =
      "type: temporal_ordered, rules: [w.a, w.b], group-by: [session], timespan: 1m";
  CHECK(found_after(kBoth, {{"b", 0}, {"a", 1}}) == Indices{1});
  CHECK(found_after(kOrdered, {{"b", 0}, {"a", 1}}).empty());
  CHECK(found_after(kOrdered, {{"b", 0}, {"a", 1}, {"b", 2}}) == Indices{2});
  CHECK(found_after(kBoth, {{"a", 0}, {"b", 100}}).empty());
}

TEST_CASE("a correlation's mistakes have their places") {
  struct Row {
    std::string_view keys;
    std::string_view message;
  };
  const Row rows[] = {
      {"type: event_count, rules: [w.x], group-by: [session], timespan: 1m, condition: {gte: 3}",
       "no rule or detector reports `w.x`"},
      {"type: event_cout, rules: [w.a], group-by: [session], timespan: 1m, condition: {gte: 3}",
       "`event_cout` is not a value for `type`"},
      {"type: event_count, rules: [w.a], group-by: [nobody], timespan: 1m, condition: {gte: 3}",
       "`nobody` is nothing to group by"},
      {"type: event_count, rules: [w.a], group-by: [session], timespan: 1w, condition: {gte: 3}",
       "`1w` is not a timespan"},
      {"type: event_count, rules: [w.a], group-by: [session], timespan: 1m, condition: {lte: 3}",
       "a condition without a lower bound"},
      {"type: event_count, rules: [w.a], group-by: [session], timespan: 1m, condition: {gte: 9999}",
       "9999 matches"},
      {"type: value_sum, rules: [w.a], group-by: [session], timespan: 1m, condition: {gte: 3}",
       "`field` is missing"},
  };
  std::vector<std::string> ids = {"w.a", "w.b"};
  const std::vector<std::string_view> known(ids.begin(), ids.end());
  for (const Row& row : rows) {
    CAPTURE(row.keys);
    Diagnostics diagnostics;
    const auto document = yaml::parse(
        "p.yaml",
        fmt::format("- {{id: c.c, title: c, severity: high, category: pii, {}}}\n", row.keys),
        diagnostics);
    REQUIRE(document.has_value());
    std::vector<Correlation> read;
    read_correlations(*document->root, known, read, diagnostics);
    CHECK(read.empty());
    REQUIRE(diagnostics.errors() >= 1);
    CHECK(diagnostics.all()[0].message == row.message);
    CHECK(diagnostics.all()[0].line == 1);
  }
}

}  // namespace
}  // namespace tocsin
