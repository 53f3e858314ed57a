// The thread that tells Alertmanagers, against receivers that misbehave.
#include "daemon/sink/alertmanager.h"

#include <fmt/format.h>

#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "tests/integration/receiver.h"
#include "tests/integration/support.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using testing::Answer;
using testing::eventually;
using testing::metric;
using testing::Posted;
using testing::Receiver;

using Clock = std::chrono::steady_clock;

AlertSnapshot snapshot(const std::set<std::string>& ids) {
  AlertSnapshot out{.partitions = {0}};
  for (const std::string& id : ids) {
    out.firing.push_back({.partition = 0,
                          .starts = EventTime{},
                          .labels = {{"incident_id", id}},
                          .annotations = {}});
  }
  return out;
}

// "a" fires, "a/" is over.
std::set<std::string> told(const Posted& posted) {
  std::set<std::string> out;
  const std::string now =
      format_time(std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()));
  for (const auto& alert : nlohmann::json::parse(posted.body)) {
    const bool over = alert.at("endsAt").get<std::string>() <= now;
    out.insert(alert.at("labels").at("incident_id").get<std::string>() + (over ? "/" : ""));
  }
  return out;
}

AlertmanagerConfig config_for(const std::string& url) {
  AlertmanagerConfig config;
  // The path that is put behind it is no part of a receiver's.
  HttpUrl parsed = parse_http_url(url + "?").value();
  config.urls = {std::move(parsed)};
  config.token = "t0k3n";
  return config;
}

struct Running {
  explicit Running(const AlertmanagerConfig& config) : poster(config, registry) {
    thread = std::jthread([this](const std::stop_token& stop) { poster.run(stop); });
  }
  double posts(const char* outcome) {
    return metric(registry, "tocsin_alertmanager_posts_total",
                  {{"alertmanager", "0"}, {"outcome", outcome}})
        .value_or(-1);
  }
  metrics::Registry registry;
  AlertPoster poster;
  std::jthread thread;
};

}  // namespace

TEST_CASE("alertmanager: a change is told at once, and again at each interval") {
  const Receiver receiver;
  // NOLINTNEXTLINE(misc-const-correctness): it is changed; clang-tidy 19 overlooks it
  AlertmanagerConfig config = config_for(receiver.url());
  config.resend = std::chrono::seconds(1);
  // NOLINTNEXTLINE(misc-const-correctness): it is changed; clang-tidy 19 overlooks it
  Running running(config);
  CHECK(running.posts("taken") == 0);
  CHECK(running.posts("failed") == 0);
  CHECK(running.posts("refused") == 0);
  const auto began = Clock::now();
  running.poster.mailbox().put(snapshot({"a"}));
  REQUIRE(eventually([&] { return receiver.count() == 1; }));
  CHECK(receiver.posted()[0].came - began < std::chrono::milliseconds(900));
  CHECK(receiver.posted()[0].headers.at("authorization") == "Bearer t0k3n");
  CHECK(told(receiver.posted()[0]) == std::set<std::string>{"a"});
  REQUIRE(eventually([&] { return receiver.count() == 2; }));
  CHECK(told(receiver.posted()[1]) == std::set<std::string>{"a"});
  running.poster.mailbox().put(snapshot({"b"}));
  REQUIRE(eventually([&] { return receiver.count() == 3; }));
  CHECK(told(receiver.posted()[2]) == std::set<std::string>{"a/", "b"});
  // The end is told some times, and then no more.
  CHECK(eventually([&] { return told(receiver.posted().back()) == std::set<std::string>{"b"}; }));
  CHECK(running.posts("taken") >= 3);
  CHECK(metric(running.registry, "tocsin_alertmanager_alerts") == 1);
  CHECK(metric(running.registry, "tocsin_alertmanager_last_success_timestamp_seconds").value_or(0) >
        1e9);
}

TEST_CASE("alertmanager: one that fails is told again soon; nothing is told of nothing") {
  const Receiver receiver(
      [](const Posted&, std::size_t before) { return Answer{.status = before == 0 ? 500 : 200}; });
  const AlertmanagerConfig config = config_for(receiver.url());  // resends after a minute
  Running running(config);
  running.poster.mailbox().put(snapshot({}));
  running.poster.mailbox().put(snapshot({"a"}));
  REQUIRE(eventually([&] { return running.posts("taken") == 1; }));
  CHECK(running.posts("failed") == 1);
  CHECK(receiver.count() == 2);
}

TEST_CASE("alertmanager: the others are told although one is away") {
  const Receiver receiver;
  // NOLINTNEXTLINE(misc-const-correctness): it is changed; clang-tidy 19 overlooks it
  AlertmanagerConfig config = config_for("http://127.0.0.1:1/");
  config.urls.push_back(config_for(receiver.url()).urls[0]);
  // NOLINTNEXTLINE(misc-const-correctness): it is changed; clang-tidy 19 overlooks it
  Running running(config);
  running.poster.mailbox().put(snapshot({"a"}));
  REQUIRE(eventually([&] { return receiver.count() >= 1; }));
  CHECK(running.posts("failed") >= 1);
}

TEST_CASE("alertmanager: the mailbox holds the latest alone, and nobody waits to put") {
  AlertMailbox mailbox;
  const std::stop_source never;
  mailbox.put(snapshot({"a"}));
  mailbox.put(snapshot({"b", "c"}));
  const auto taken = mailbox.take(Clock::now(), never.get_token());
  REQUIRE(taken.has_value());
  CHECK(taken->firing.size() == 2);
  CHECK_FALSE(mailbox.take(Clock::now(), never.get_token()).has_value());
}

TEST_CASE("alertmanager: stops in the middle of a request") {
  const Receiver receiver([](const Posted&, std::size_t) { return Answer{.never = true}; });
  AlertmanagerConfig config = config_for(receiver.url());
  config.http.timeout = std::chrono::seconds(60);
  Running running(config);
  running.poster.mailbox().put(snapshot({"a"}));
  REQUIRE(eventually([&] { return receiver.count() == 1; }));
  const auto began = Clock::now();
  running.thread.request_stop();
  running.thread.join();
  CHECK(Clock::now() - began < std::chrono::seconds(3));
}

}  // namespace tocsin
