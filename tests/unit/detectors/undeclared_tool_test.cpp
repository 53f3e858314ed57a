#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::call_json;
using testing::DetectorUnderTest;

constexpr std::size_t kInConsequential = 0;
constexpr std::size_t kInAssistive = 1;

SystemProfile profile(Decision decision) {
  SystemProfile made;
  made.system = "bot";
  made.decision = decision;
  made.tools.emplace("read_file", ToolProfile{.name = "read_file"});
  return made;
}

EventContext context_of(const SystemProfile& profile, std::string_view tool) {
  EventContext context;
  context.profile = &profile;
  context.tool.declared = profile.tool(tool);
  return context;
}

TEST_CASE("a tool the profile does not list is reported, once a session") {
  DetectorUnderTest detector("undeclared_tool");
  const SystemProfile bot = profile(Decision::kConsequential);
  const auto reports = detector.feed(call_json("send_file", "{}"), context_of(bot, "send_file"));
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].rule == kInConsequential);
  CHECK(detector.spec().rules[reports[0].rule].severity == Severity::kMedium);
  REQUIRE(reports[0].evidence.size() == 1);
  CHECK(reports[0].evidence[0] == std::pair<std::string, std::string>("tool.name", "send_file"));

  CHECK(detector.feed(call_json("send_file", "{}"), context_of(bot, "send_file")).empty());
  CHECK(detector.feed(call_json("other", "{}"), context_of(bot, "other")).size() == 1);
}

TEST_CASE("in an assistive system an undeclared tool is context, not a ticket") {
  DetectorUnderTest detector("undeclared_tool");
  const SystemProfile bot = profile(Decision::kAssistive);
  const auto reports = detector.feed(call_json("send_file", "{}"), context_of(bot, "send_file"));
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].rule == kInAssistive);
  CHECK(detector.spec().rules[reports[0].rule].severity == Severity::kLow);
}

TEST_CASE("declared tools, unknown systems and results are none of its business") {
  DetectorUnderTest detector("undeclared_tool");
  const SystemProfile bot = profile(Decision::kConsequential);
  CHECK(detector.feed(call_json("read_file", "{}"), context_of(bot, "read_file")).empty());
  CHECK(detector.feed(call_json("send_file", "{}")).empty());
  CHECK(
      detector.feed(testing::result_json("send_file", "1"), context_of(bot, "send_file")).empty());
}

TEST_CASE("a session of many undeclared tools stays within its bound") {
  DetectorUnderTest detector("undeclared_tool", "tools_max: 3");
  const SystemProfile bot = profile(Decision::kConsequential);
  std::size_t reported = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string tool = "tool_" + std::to_string(i);
    reported += detector.feed(call_json(tool, "{}"), context_of(bot, tool)).size();
  }
  CHECK(reported == 3);
  CHECK(detector.state_bytes() < 256);
}

}  // namespace
}  // namespace tocsin
