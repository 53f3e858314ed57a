#include "daemon/profile/system_profile.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using Strings = std::vector<std::string>;

struct Read {
  explicit Read(std::string_view text, bool owner_needed = true) {
    const auto document = yaml::parse("bot.yaml", std::string(text), diagnostics);
    REQUIRE(document.has_value());
    profile = read_system_profile(*document, owner_needed, diagnostics);
    for (const Diagnostic& d : diagnostics.all()) {
      complaints.push_back(fmt::format("{}:{} {}", d.line, d.column, d.message));
    }
  }
  Diagnostics diagnostics;
  std::optional<SystemProfile> profile;
  Strings complaints;
};

TEST_CASE("a whole profile") {
  const Read read(R"(
system: support-bot
owner: {name: support, contact: '#support', escalation: [oncall, ciso]}
risk: high
decision: assistive
tools:
  read_ticket: {effect: read, returns: [untrusted, private], destination: []}
  fetch_page:  {effect: read, returns: untrusted, destination: url}
  send_email:  {effect: egress, returns: trusted, destination: [to, cc]}
  run:         {effect: execute}
misuse_cases:
  - {id: m1, actor: a, story: s, rules: [r.one, r.two], cases: [c1]}
containment:
  - {category: exfiltration, severity: critical, action: kill_session}
)");
  REQUIRE(read.complaints == Strings{});
  REQUIRE(read.profile.has_value());
  const SystemProfile& profile = *read.profile;
  CHECK(profile.system == "support-bot");
  CHECK(profile.owner.name == "support");
  CHECK(profile.owner.contact == "#support");
  CHECK(profile.owner.escalation == Strings{"oncall", "ciso"});
  CHECK(profile.risk == Risk::kHigh);
  CHECK(profile.decision == Decision::kAssistive);
  REQUIRE(profile.tools.size() == 4);
  const ToolProfile* ticket = profile.tool("read_ticket");
  REQUIRE(ticket != nullptr);
  CHECK(ticket->name == "read_ticket");
  CHECK(ticket->effect == Effect::kRead);
  CHECK_FALSE(ticket->returns.trusted);
  CHECK(ticket->returns.private_data);
  CHECK(ticket->returns.untrusted);
  CHECK(ticket->destination.empty());
  CHECK(profile.tool("fetch_page")->destination == Strings{"url"});
  CHECK(profile.tool("send_email")->effect == Effect::kEgress);
  CHECK(profile.tool("send_email")->returns.trusted);
  CHECK(profile.tool("send_email")->destination == Strings{"to", "cc"});
  CHECK(profile.tool("run")->effect == Effect::kExecute);
  CHECK_FALSE(profile.tool("run")->returns.trusted);
  CHECK(profile.tool("send_emai") == nullptr);
  REQUIRE(profile.misuse_cases.size() == 1);
  CHECK(profile.misuse_cases[0].id == "m1");
  CHECK(profile.misuse_cases[0].rules == Strings{"r.one", "r.two"});
  CHECK(profile.misuse_cases[0].cases == Strings{"c1"});
  REQUIRE(profile.containment.size() == 1);
  CHECK(profile.containment[0].category == Category::kExfiltration);
  CHECK(profile.containment[0].severity == Severity::kCritical);
  CHECK(profile.containment[0].action == ContainmentAction::kKillSession);
}

TEST_CASE("system and tools suffice for replay; undeclared means the stricter reading") {
  const Read read("system: s\ntools: {}\n", false);
  REQUIRE(read.complaints == Strings{});
  REQUIRE(read.profile.has_value());
  CHECK(read.profile->risk == Risk::kMedium);
  CHECK(read.profile->decision == Decision::kConsequential);
  CHECK(read.profile->tools.empty());
  CHECK(read.profile->owner.name.empty());
}

TEST_CASE("outside of replay somebody answers for a system") {
  struct Row {
    std::string_view owner;
    std::string_view complaint;
  };
  const Row rows[] = {
      {"", "1:1 `owner` is missing"},
      {"owner:\n", "1:1 `owner.name` is missing"},
      {"owner: ~\n", "1:8 `owner.name` is missing"},
      {"owner: {}\n", "1:8 `owner.name` is missing"},
      {"owner: {contact: '#x'}\n", "1:8 `owner.name` is missing"},
      {"owner: {name: ''}\n", "1:15 `owner.name` is empty"},
      {"owner: {name: }\n", "1:15 expected a string for `owner.name`, found nothing"},
      {"owner: somebody\n", "1:8 owner: expected a map, found a single value"},
      {"owner: {name: a}\n", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.owner);
    const Read read(fmt::format("{}system: s\ntools: {{}}\n", row.owner));
    CHECK(read.complaints ==
          (row.complaint.empty() ? Strings{} : Strings{std::string(row.complaint)}));
    CHECK(read.profile.has_value() == row.complaint.empty());
  }
}

TEST_CASE("every mistake has its place") {
  struct Row {
    std::string_view text;
    std::string_view complaint;
    std::string_view hint;
  };
  const Row rows[] = {
      {"tools: {}", "1:1 `system` is missing", ""},
      {"{system: '', tools: {}}", "1:10 `system` is empty", ""},
      {"{system: [a], tools: {}}", "1:10 expected a string for `system`, found a list", ""},
      {"system: s", "1:1 `tools` is missing", ""},
      {"{system: s, tools: [a]}", "1:20 tools: expected a map, found a list", ""},
      {"{system: s, tools: {a: {}}}", "1:24 `tools.a.effect` is missing",
       "read, write, egress or execute"},
      {"{system: s, tools: {a: {effect: egres}}}",
       "1:33 `egres` is not a value for `tools.a.effect`",
       "did you mean `egress`? Allowed: read, write, egress or execute"},
      {"{system: s, tools: {a: {effect: read, returns: untrustd}}}",
       "1:48 `untrustd` is not a value for `tools.a.returns`", "did you mean `untrusted`?"},
      {"{system: s, tools: {a: {effect: read, returns: [private, x]}}}",
       "1:58 `x` is not a value for `tools.a.returns`", "trusted, private or untrusted"},
      {"{system: s, tools: {a: {effect: read, destinations: [b]}}}",
       "1:39 unknown key `tools.a.destinations`", "did you mean `destination`?"},
      {"{system: s, tools: {a: read}}", "1:24 tools.a: expected a map, found a single value", ""},
      {"{system: s, tools: {}, risk: extreme}", "1:30 `extreme` is not a value for `risk`",
       "low, medium or high"},
      {"{system: s, tools: {}, decision: advisory}",
       "1:34 `advisory` is not a value for `decision`", ""},
      {"{system: s, tools: {}, rik: high}", "1:24 unknown key `rik`", "did you mean `risk`?"},
      {"{system: s, tools: {}, x: 1}", "1:24 unknown key `x`",
       "known here: system, owner, risk, decision, tools, misuse_cases or containment"},
      {"{system: s, tools: {}, misuse_cases: {}}", "1:38 `misuse_cases` must be a list", ""},
      {"{system: s, tools: {}, misuse_cases: [{actor: a}]}", "1:39 `misuse_cases.id` is missing",
       ""},
      {"{system: s, tools: {}, misuse_cases: [{id: a, rule: b}]}",
       "1:47 unknown key `misuse_cases.rule`", "did you mean `rules`?"},
      {"{system: s, tools: {}, containment: [{category: pii, severity: high}]}",
       "1:38 `containment.action` is missing", ""},
      {"{system: s, tools: {}, containment: [{category: pii, action: kill_session}]}",
       "1:38 `containment.severity` is missing", "info, low, medium, high or critical"},
      {"{system: s, tools: {}, containment: [{severity: high, action: kill_session}]}",
       "1:38 `containment.category` is missing", ""},
      {"{system: s, tools: {}, containment: [{category: pii, severity: high, action: shoot}]}",
       "1:78 `shoot` is not a value for `containment.action`", ""},
      {"[]", "1:1 the file: expected a map, found a list", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Read read(row.text, false);
    REQUIRE_FALSE(read.complaints.empty());
    CHECK(read.complaints[0] == row.complaint);
    if (!row.hint.empty()) CHECK(read.diagnostics.all()[0].hint == row.hint);
    CHECK_FALSE(read.profile.has_value());
  }
}

TEST_CASE("all mistakes of a profile are reported together") {
  const Read read("system: s\nrisk: x\ndecision: y\ntools:\n  a: {effect: z}\n  b: {}\nbogus: 1\n");
  CHECK(read.complaints == Strings{"1:1 `owner` is missing", "2:7 `x` is not a value for `risk`",
                                   "3:11 `y` is not a value for `decision`",
                                   "5:15 `z` is not a value for `tools.a.effect`",
                                   "6:6 `tools.b.effect` is missing", "7:1 unknown key `bogus`"});
}

}  // namespace
}  // namespace tocsin
