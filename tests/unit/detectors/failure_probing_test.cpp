#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::call_json;
using testing::DetectorUnderTest;
using testing::with_effect;

constexpr std::size_t kFound = 0;
constexpr std::size_t kRetried = 1;
constexpr std::size_t kRefused = 2;
constexpr std::size_t kRefusedShell = 3;

// A session of calls and what came of each.
class Session {
 public:
  explicit Session(Effect effect = Effect::kRead) : context_(with_effect(effect)) {}

  std::vector<testing::Report> call(const std::string& arguments, const std::string& answer) {
    const std::string id = "c" + std::to_string(++calls_);
    CHECK(detector_.feed(call_json("get_record", arguments, id), context_).empty());
    return detector_.feed(
        testing::event_json("tool_result", R"("tool":{"name":"get_record","call_id":")" + id +
                                               "\"," + answer + "}"),
        context_);
  }
  [[nodiscard]] std::size_t state_bytes() const { return detector_.state_bytes(); }

 private:
  DetectorUnderTest detector_{"failure_probing"};
  EventContext context_;
  int calls_ = 0;
};

std::string of(int id) { return R"({"table":"staff","id":)" + std::to_string(id) + "}"; }

const std::string kDenied = R"("error":"403 Forbidden: this record is not yours")";
const std::string kMissing = R"("error":"no such record")";
const std::string kGiven = R"("result":{"name":"Ada"})";

TEST_CASE("refused in three variations, then let in") {
  Session session;
  for (int i = 1; i <= 3; ++i) CHECK(session.call(of(i), kDenied).empty());
  const auto reports = session.call(of(4), kGiven);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].rule == kFound);
  CHECK(reports[0].evidence[0].second == "3 variations refused");
  CHECK(reports[0].origin->seq == 2);  // the first refusal
  CHECK(reports[0].origin->tool == "get_record");
  CHECK(session.call(of(5), kGiven).empty());  // said once
}

TEST_CASE("how a tool refuses") {
  for (const char* answer :
       {R"("error":"Access denied")", R"("result":"Error: you are not authorized to do this")",
        R"("result":{"status":"error","message":"Permission denied for this account"})",
        R"("error":"insufficient privileges")"}) {
    CAPTURE(answer);
    Session session;
    for (int i = 1; i <= 3; ++i) session.call(of(i), answer);
    CHECK(session.call(of(4), kGiven).size() == 1);
  }
  SECTION("a document that speaks of refusals is no refusal") {
    const std::string page = R"("result":"Access denied. )" + std::string(400, 'x') + "\"";
    Session session;
    for (int i = 1; i <= 3; ++i) session.call(of(i), page);
    CHECK(session.call(of(4), kGiven).empty());
  }
}

TEST_CASE("what is no probing") {
  Session session;
  SECTION("the same call once more") {
    for (int i = 0; i < 20; ++i) CHECK(session.call(of(1), kDenied).empty());
    CHECK(session.call(of(1), kGiven).empty());
  }
  SECTION("refused twice, and then right") {
    session.call(of(1), kDenied);
    session.call(of(2), kDenied);
    CHECK(session.call(of(3), kGiven).empty());
  }
  SECTION("other calls of the same tool, which have nothing in common with the refused") {
    for (int i = 1; i <= 3; ++i) session.call(of(i), kDenied);
    CHECK(session.call(R"({"list":"mine","page":1})", kGiven).empty());
  }
  SECTION("three that were not found") {
    for (int i = 1; i <= 3; ++i) session.call(of(i), kMissing);
    CHECK(session.call(of(4), kGiven).empty());
  }
}

TEST_CASE("failing lookups and failing commands are context, not more") {
  Session lookups;
  for (int i = 1; i <= 6; ++i) lookups.call(of(i), kMissing);
  const auto found = lookups.call(of(7), kGiven);
  REQUIRE(found.size() == 1);
  CHECK(found[0].rule == kRetried);

  Session shell(Effect::kExecute);
  const auto command = [](int i) { return R"({"command":"cp a )" + std::to_string(i) + R"("})"; };
  for (int i = 1; i <= 3; ++i) shell.call(command(i), R"("result":"cp: Permission denied")");
  const auto worked = shell.call(command(4), R"("result":"")");
  REQUIRE(worked.size() == 1);
  CHECK(worked[0].rule == kRetried);
}

TEST_CASE("refused in many variations, none let in") {
  Session session;
  for (int i = 1; i <= 9; ++i) CHECK(session.call(of(i), kDenied).empty());
  const auto reports = session.call(of(10), kDenied);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].rule == kRefused);
  CHECK(session.call(of(11), kDenied).empty());

  Session shell(Effect::kExecute);
  std::size_t said = 0;
  for (int i = 1; i <= 12; ++i) {
    for (const auto& report : shell.call(R"({"c":)" + std::to_string(i) + "}", kDenied)) {
      CHECK(report.rule == kRefusedShell);
      ++said;
    }
  }
  CHECK(said == 1);
}

TEST_CASE("a session with many tools is remembered in little") {
  DetectorUnderTest detector("failure_probing");
  for (int i = 0; i < 3000; ++i) {
    const std::string tool = "t" + std::to_string(i);
    detector.feed(call_json(tool, of(i)));
    detector.feed(testing::event_json(
        "tool_result", R"("tool":{"name":")" + tool + R"(","call_id":"c1",)" + kDenied + "}"));
  }
  CHECK(detector.state_bytes() < 2048);
}

}  // namespace
}  // namespace tocsin
