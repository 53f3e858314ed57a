#include <fmt/format.h>

#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::DetectorUnderTest;
using testing::event_json;

constexpr std::size_t kTool = 0;
constexpr std::size_t kStableDestination = 1;
constexpr std::size_t kDestination = 2;
constexpr std::size_t kShape = 3;
constexpr std::size_t kOrder = 4;
using Rules = std::vector<std::size_t>;

constexpr int kDaysOfMonth = 28;

// One system; a session of the same two calls is a day's work, unless told otherwise.
class Days {
 public:
  explicit Days(std::string options = "learning_sessions: 10\nlearning_days: 5\nstable_calls: 200")
      : detector("baseline", std::move(options)) {
    profile_.system = "bot";
    profile_.tools.emplace(
        "send", ToolProfile{.name = "send", .effect = Effect::kEgress, .destination = {"to"}});
  }

  Rules call(std::string_view tool, std::string_view arguments) {
    EventContext context;
    context.profile = &profile_;
    context.tool.declared = profile_.tool(tool);
    context.tool.effect = context.tool.declared != nullptr ? context.tool.declared->effect
                          : tool.starts_with("post")       ? Effect::kEgress
                                                           : Effect::kRead;
    const std::string time =
        fmt::format("20{:02}-{:02}-{:02}T08:00:00Z", 26 + day_ / kDaysOfMonth / 12,
                    1 + day_ / kDaysOfMonth % 12, 1 + day_ % kDaysOfMonth);
    Rules out;
    for (const testing::Report& report : detector.feed(
             event_json("tool_call",
                        fmt::format(R"("tool":{{"name":"{}","arguments":{}}})", tool, arguments),
                        fmt::format("s{}", session_), time),
             context)) {
      out.push_back(report.rule);
      evidence = report.evidence.at(0).second;
    }
    return out;
  }
  void next_session() { ++session_; }
  void next_day() { ++day_; }

  // The same work, some sessions a day; returns how many findings there were.
  int work(int days, int sessions = 5) {
    int findings = 0;
    for (int i = 0; i < days; ++i, next_day()) {
      for (int j = 0; j < sessions; ++j) {
        next_session();
        findings += static_cast<int>(call("look", R"({"id":"x"})").size());
        findings += static_cast<int>(call("send", R"({"to":"a@example.com","body":"b"})").size());
      }
    }
    next_session();
    return findings;
  }

  DetectorUnderTest detector;
  std::string evidence;

 private:
  SystemProfile profile_;
  int session_ = 0;
  int day_ = 0;
};

TEST_CASE("the first time of anything, after the learning period") {
  Days days;
  CHECK(days.work(50) == 0);
  CHECK(days.call("erase", "{}") == Rules{kTool});
  CHECK(days.evidence == "erase");
  CHECK(days.call("erase", "{}") == Rules{kOrder});  // twice in a row never was
  days.next_session();
  CHECK(days.call("erase", "{}").empty());  // known by now

  days.next_session();
  CHECK(days.call("look", R"({"id":"y"})").empty());
  CHECK(days.call("look", R"({"id":"y"})") == Rules{kOrder});
  CHECK(days.evidence == "look > look");
  days.next_session();
  CHECK(days.call("look", R"({"id":"x","raw":true})") == Rules{kShape});
  CHECK(days.evidence == "id, raw");
  days.next_session();
  CHECK(days.call("look", R"({"id":7})") == Rules{kShape});  // a number is not a text
}

TEST_CASE("nothing is said while it learns: both the sessions and the days must have passed") {
  struct Row {
    std::string_view what;
    int days;
    int sessions;
    bool says;
  };
  const Row rows[] = {{"both", 20, 5, true},
                      {"days, few sessions", 8, 1, false},
                      {"sessions, few days", 4, 100, false}};
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Days days;
    CHECK(days.work(row.days, row.sessions) == 0);
    CHECK(days.call("erase", "{}").empty() != row.says);
  }
}

TEST_CASE("destinations") {
  struct Row {
    std::string_view tool;
    std::string_view arguments;
    Rules rules;
    std::string evidence;
  };
  const Row rows[] = {
      {"send", R"({"to":"b@example.com","body":"b"})", {}, ""},  // a known domain
      {"send", R"({"to":"A@EXAMPLE.COM","body":"b"})", {}, ""},
      {"send", R"({"to":"b@example.net","body":"b"})", {kStableDestination}, "example.net"},
      {"send", R"({"to":"https://example.org/x","body":"b"})", {kStableDestination}, "example.org"},
      {"send",
       R"({"to":"DE80000043711217063249","body":"b"})",
       {kStableDestination},
       "de80000043711217063249"},
      // Not the parameter that names where it goes.
      {"send", R"({"to":"a@example.com","body":"b@example.net"})", {}, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.arguments);
    Days days;
    days.work(120);
    CHECK(days.call(row.tool, row.arguments) == row.rules);
    CHECK(days.evidence == row.evidence);
  }
}

TEST_CASE("of a tool that nobody declared, an argument that is an address is the destination") {
  Days days;
  for (int i = 0; i < 600; ++i) {
    days.next_session();
    days.next_day();
    CHECK(days.call("post_it", R"({"url":"https://a.example.com/x","text":"see it"})").empty());
  }
  CHECK(days.call("look", "{}") == Rules{kTool});
  days.next_session();
  CHECK(days.call("post_it", R"({"url":"https://b.example.net/","text":"see it"})") ==
        Rules{kStableDestination});
  days.next_session();
  CHECK(days.call("post_it",
                  R"({"url":"https://a.example.com/x","text":"see https://c.example.net/"})")
            .empty());
}

TEST_CASE("a new destination is medium only after a long history without new ones") {
  Days days("learning_sessions: 10\nlearning_days: 5\nstable_calls: 1000");
  days.work(50);
  CHECK(days.call("send", R"({"to":"b@example.net","body":"b"})") == Rules{kDestination});
  Days long_since("learning_sessions: 10\nlearning_days: 5\nstable_calls: 1000");
  long_since.work(50, 25);
  CHECK(long_since.call("send", R"({"to":"b@example.net","body":"b"})") ==
        Rules{kStableDestination});
  // And not for one after the other.
  long_since.next_session();
  CHECK(long_since.call("send", R"({"to":"b@example.org","body":"b"})") == Rules{kDestination});
}

TEST_CASE("where new ones are usual they say nothing") {
  Days days;
  int findings = 0;
  for (int i = 0; i < 2000; ++i) {
    days.next_session();
    if (i % 5 == 0) days.next_day();
    findings += static_cast<int>(
        days.call("send", fmt::format(R"({{"to":"x@customer{}.example","body":"b"}})", i)).size());
  }
  CHECK(findings == 0);
}

TEST_CASE("what is not used for long is new again, what is used is not") {
  Days days("learning_sessions: 10\nlearning_days: 5\nmemory_days: 60");
  days.work(50);
  CHECK(days.call("erase", "{}") == Rules{kTool});
  days.work(25);
  CHECK(days.call("erase", "{}").empty());
  CHECK(days.work(65) == 0);
  CHECK(days.call("erase", "{}") == Rules{kTool});
}

TEST_CASE("a flood of new things fills a bounded memory, and what is in use stays known") {
  Days days;
  days.work(50);
  const std::size_t before = days.detector.system_state()->bytes();
  CHECK(before < 20'000);
  for (int i = 0; i < 20'000; ++i) {
    days.call("t" + std::to_string(i), "{}");
    if (i % 1000 == 0) CHECK(days.work(1, 1) == 0);
  }
  CHECK(days.detector.system_state()->bytes() == before);
  CHECK(days.work(1) == 0);
}

}  // namespace
}  // namespace tocsin
