#include <fmt/format.h>

#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::call_json;
using testing::DetectorUnderTest;
using testing::rules_of;
using testing::with_effect;

constexpr std::size_t kSome = 0;
constexpr std::size_t kMany = 1;
constexpr std::string_view kSmall = "destinations_min: 3\ndestinations_many: 5";

std::string mail_to(const std::string& whom) {
  return call_json("send_email", R"({"to":")" + whom + R"(","body":"hello"})");
}

using Rules = std::vector<std::size_t>;

TEST_CASE("distinct destinations of outward calls are counted") {
  DetectorUnderTest detector("fan_out", std::string(kSmall));
  const EventContext egress = with_effect(Effect::kEgress);
  Rules said;
  for (const char* whom : {"a@x.test", "b@x.test", "b@x.test", "c@x.test", "A@x.test", "d@x.test",
                           "e@x.test", "f@x.test"}) {
    for (const std::size_t rule : rules_of(detector.feed(mail_to(whom), egress))) {
      said.push_back(rule);
    }
  }
  CHECK(said == Rules{kSome, kMany});
}

TEST_CASE("the evidence is how many destinations and the first of the calls") {
  DetectorUnderTest detector("fan_out", std::string(kSmall));
  const EventContext egress = with_effect(Effect::kEgress);
  detector.feed(mail_to("a@x.test"), egress);
  const auto reports = detector.feed(mail_to("b@x.test, c@x.test"), egress);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].evidence[0].second == "3 destinations");
  CHECK(reports[0].origin->seq == 1);
  CHECK(reports[0].origin->tool == "send_email");
}

TEST_CASE("what counts as a destination") {
  DetectorUnderTest detector("fan_out", std::string(kSmall));
  SECTION("the parameters that a profile declares, and no others") {
    const ToolProfile tool{.name = "notify", .effect = Effect::kEgress, .destination = {"room"}};
    EventContext declared = with_effect(Effect::kEgress);
    declared.tool.declared = &tool;
    CHECK(detector.feed(call_json("notify", R"({"to":["a","b","c","d"],"room":"r1"})"), declared)
              .empty());
    CHECK(rules_of(detector.feed(call_json("notify", R"({"room":["r2","r3"]})"), declared)) ==
          Rules{kSome});
  }
  SECTION("by their name, where nobody declared the tool") {
    CHECK(rules_of(detector.feed(
              call_json("post", R"({"receiver_id":"u1","webhook_url":"https://h.test/1",
        "channel":"c"})"),
              with_effect(Effect::kEgress))) == Rules{kSome});
  }
  SECTION("pages of one host are one place") {
    const auto urls = R"({"url":["https://h.test/1","https://h.test/2","https://h.test/3?x=1"]})";
    CHECK(detector.feed(call_json("post", urls), with_effect(Effect::kEgress)).empty());
  }
  SECTION("hosts that commands send to") {
    const EventContext shell = with_effect(Effect::kExecute);
    for (const char* host : {"a.test", "b.test"}) {
      CHECK(
          detector
              .feed(call_json("sh", R"({"cmd":"curl -d @f https://)" + std::string(host) + "/\"}"),
                    shell)
              .empty());
    }
    CHECK(rules_of(detector.feed(call_json("sh", R"({"cmd":"scp f me@c.test:/tmp/"})"), shell)) ==
          Rules{kSome});
  }
}

TEST_CASE("destinations that are not counted") {
  DetectorUnderTest detector("fan_out", std::string(kSmall));
  SECTION("those the user named") {
    detector.feed(testing::event_json(
        "user_message", R"("text":"Invite a@x.test, b@x.test, c@x.test and <d@x.test>.")"));
    for (const char* whom : {"a@x.test", "b@x.test", "c@x.test", "d@x.test"}) {
      CHECK(detector.feed(mail_to(whom), with_effect(Effect::kEgress)).empty());
    }
  }
  SECTION("however many they are") {
    std::string named;
    for (int i = 0; i < 100; ++i) named += fmt::format("u{}@x.test ", i);
    detector.feed(testing::event_json("user_message", fmt::format(R"("text":"{}")", named)));
    for (int i = 0; i < 100; ++i) {
      CHECK(detector.feed(mail_to(fmt::format("u{}@x.test", i)), with_effect(Effect::kEgress))
                .empty());
    }
  }
  SECTION("those at a host the user named, however either is written") {
    for (int i = 0; i < 5; ++i) {
      const std::string named = fmt::format(R"("text":"See www.H{}.test/docs, me@c{}.test")", i, i);
      detector.feed(testing::event_json("user_message", named));
      const std::string page = fmt::format(R"({{"url":"https://h{}.test/new"}})", i);
      CHECK(detector.feed(call_json("post", page), with_effect(Effect::kEgress)).empty());
      const std::string copy = fmt::format(R"({{"cmd":"scp f me@c{}.test:/tmp/f"}})", i);
      CHECK(detector.feed(call_json("sh", copy), with_effect(Effect::kExecute)).empty());
    }
  }
  SECTION("reading from many places") {
    for (int i = 0; i < 50; ++i) {
      CHECK(
          detector
              .feed(call_json("fetch", R"({"url":"https://h)" + std::to_string(i) + R"(.test/"})"),
                    with_effect(Effect::kRead))
              .empty());
    }
  }
}

TEST_CASE("what the user named counts for the place itself, not for what hangs on it") {
  DetectorUnderTest detector("fan_out", std::string(kSmall));
  detector.feed(testing::event_json("user_message", R"("text":"Mail a@x.test about /srv/in")"));
  CHECK(rules_of(detector.feed(call_json("post", R"({"url":["https://h1.test/?to=a@x.test",
            "https://h2.test/?to=a@x.test","https://h3.test/?to=a@x.test"]})"),
                               with_effect(Effect::kEgress))) == Rules{kSome});
  const auto copied = detector.feed(
      call_json("sh", R"({"cmd":"scp f me@h4.test:/srv/in; scp f me@h5.test:/srv/in"})"),
      with_effect(Effect::kExecute));
  CHECK(rules_of(copied) == Rules{kMany});
}

TEST_CASE("a session that sends to a million is remembered in little") {
  DetectorUnderTest detector("fan_out");
  for (int i = 0; i < 5000; ++i) {
    detector.feed(mail_to("u" + std::to_string(i) + "@x.test"), with_effect(Effect::kEgress));
    detector.feed(
        testing::event_json("user_message", R"("text":"n)" + std::to_string(i) + R"(@y.test")"));
  }
  CHECK(detector.state_bytes() < 1024);
}

}  // namespace
}  // namespace tocsin
