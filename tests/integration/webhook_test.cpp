// A webhook against an embedded broker and a receiver that misbehaves.
#include "daemon/sink/webhook.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/sink/webhook_signature.h"
#include "tests/integration/receiver.h"
#include "tests/integration/support.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using testing::Answer;
using testing::Cluster;
using testing::eventually;
using testing::metric;
using testing::Posted;
using testing::Receiver;

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Findings and incidents are read from the topic of events: that is the one a Cluster writes to.
constexpr const char* kGroup = "tocsin-webhook-test";
const std::string kKey(32, 'k');
constexpr RetryLimits kFast{
    .first = milliseconds(20), .longest = milliseconds(50), .asked_longest = milliseconds(400)};

std::string finding_json(std::string_view id, std::string_view severity = "high") {
  return fmt::format(R"({{"finding_id":"{}","severity":"{}"}})", id, severity);
}

std::string incident_json(std::string_view state) {
  return fmt::format(R"({{"incident_id":"i1","state":"{}","severity":"high"}})", state);
}

struct Setup {
  explicit Setup(const std::string& url) {
    config.topics.findings = Cluster::kEvents;
    webhook.name = "test";
    webhook.url = parse_http_url(url).value();
    webhook.key = kKey;
    webhook.findings = true;
    webhook.http.timeout = milliseconds(10'000);
  }
  Cluster cluster;
  Config config = cluster.config();
  WebhookConfig webhook;
};

class Running {
 public:
  explicit Running(const Setup& setup, RetryLimits retry = kFast) {
    auto created = Webhook::create(setup.config, setup.webhook, registry, retry);
    if (!created) throw std::runtime_error(created.error());
    webhook_ = std::move(*created);
    thread_ = std::jthread([this](const std::stop_token& stop) { clean_ = webhook_->run(stop); });
  }
  // What `run` returned.
  bool stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    return clean_;
  }
  [[nodiscard]] double deliveries(const char* outcome) {
    return metric(registry, "tocsin_webhook_deliveries_total",
                  {{"webhook", "test"}, {"outcome", outcome}})
        .value_or(-1);
  }

  metrics::Registry registry;

 private:
  std::unique_ptr<Webhook> webhook_;
  bool clean_ = false;
  std::jthread thread_;
};

std::vector<std::string> ids(const Receiver& receiver) {
  std::vector<std::string> out;
  for (const Posted& posted : receiver.posted()) out.push_back(posted.headers.at("webhook-id"));
  return out;
}

using Strings = std::vector<std::string>;

std::int64_t committed(Setup& setup) {
  return setup.cluster.committed(0, kGroup)
      .value_or(testing::Committed{.offset = -1, .metadata = {}})
      .offset;
}

}  // namespace

TEST_CASE("webhook: posts what it is to, signed, and commits it") {
  const Receiver receiver;
  Setup setup(receiver.url());
  // A proxy that nobody configured is not used.
  setenv("http_proxy", "http://127.0.0.1:1", 1);  // NOLINT(concurrency-mt-unsafe)
  setup.cluster.produce(
      {finding_json("f1"), finding_json("f2", "low"), "not json", finding_json("f3", "critical")});
  Running running(setup);
  for (const char* outcome : {"delivered", "retried", "refused", "expired", "unreadable"}) {
    CHECK(running.deliveries(outcome) == 0);
  }
  REQUIRE(eventually([&] { return receiver.count() == 2; }));
  unsetenv("http_proxy");  // NOLINT(concurrency-mt-unsafe)
  CHECK(ids(receiver) == Strings{"f1", "f3"});
  for (const Posted& posted : receiver.posted()) {
    CHECK(posted.headers.at("content-type") == "application/json");
    CHECK(posted.headers.at("user-agent").starts_with("tocsin/"));
    const std::int64_t timestamp = std::stoll(posted.headers.at("webhook-timestamp"));
    CHECK(posted.headers.at("webhook-signature") ==
          webhook_signature(kKey, posted.headers.at("webhook-id"), timestamp, posted.body));
  }
  CHECK(receiver.posted()[0].body == finding_json("f1"));
  REQUIRE(eventually([&] { return committed(setup) == 4; }));
  CHECK(running.deliveries("delivered") == 2);
  CHECK(running.deliveries("unreadable") == 1);
  CHECK(running.deliveries("retried") == 0);
  CHECK(metric(running.registry, "tocsin_webhook_last_success_timestamp_seconds").value_or(0) >
        1e9);
  CHECK(eventually([&] {
    return metric(running.registry, "tocsin_kafka_lag", {{"consumer", "webhook-test"}}) == 0;
  }));
  CHECK_FALSE(metric(running.registry, "tocsin_webhook_oldest_undelivered_timestamp_seconds"));
  CHECK(running.stop());
}

TEST_CASE("webhook: tries again under the same id, and goes on in order") {
  const Receiver receiver([](const Posted&, std::size_t before) {
    return Answer{.status = before == 0 ? 500 : before == 1 ? 429 : 200};
  });
  Setup setup(receiver.url());
  setup.cluster.produce({finding_json("f1"), finding_json("f2")});
  Running running(setup);
  REQUIRE(eventually([&] { return receiver.count() == 4; }));
  CHECK(ids(receiver) == Strings{"f1", "f1", "f1", "f2"});
  CHECK(eventually([&] { return running.deliveries("delivered") == 2; }));
  CHECK(running.deliveries("retried") == 2);
  CHECK(running.stop());
  CHECK(committed(setup) == 2);
}

TEST_CASE("webhook: what is refused for good is passed over") {
  const Receiver receiver(
      [](const Posted&, std::size_t before) { return Answer{.status = before == 0 ? 400 : 200}; });
  Setup setup(receiver.url());
  setup.cluster.produce({finding_json("f1"), finding_json("f2")});
  Running running(setup);
  REQUIRE(eventually([&] { return receiver.count() == 2; }));
  CHECK(ids(receiver) == Strings{"f1", "f2"});
  CHECK(eventually([&] { return running.deliveries("delivered") == 1; }));
  CHECK(running.deliveries("refused") == 1);
  CHECK(running.stop());
  CHECK(committed(setup) == 2);
}

TEST_CASE("webhook: what was tried for long enough is passed over") {
  const Receiver receiver([](const Posted& posted, std::size_t) {
    return Answer{.status = posted.headers.at("webhook-id") == "poison" ? 500 : 200};
  });
  Setup setup(receiver.url());
  setup.webhook.give_up = std::chrono::seconds(1);
  setup.cluster.produce({finding_json("poison"), finding_json("f2")});
  Running running(setup);
  REQUIRE(eventually([&] { return running.deliveries("delivered") == 1; }));
  CHECK(running.deliveries("expired") == 1);
  CHECK(running.deliveries("retried") > 5);
  CHECK(ids(receiver).back() == "f2");
  const std::vector<Posted> posted = receiver.posted();
  CHECK(posted.back().came - posted.front().came >= std::chrono::seconds(1));
  CHECK(running.stop());
  CHECK(committed(setup) == 2);
}

TEST_CASE("webhook: a receiver that cannot be reached is waited for as long as it takes") {
  Setup setup("http://127.0.0.1:1/");
  setup.webhook.give_up = std::chrono::seconds(1);
  setup.cluster.produce({finding_json("f1")});
  Running running(setup);
  REQUIRE(eventually([&] { return running.deliveries("retried") >= 1; }));
  const auto began = Clock::now();
  REQUIRE(eventually([&] { return Clock::now() - began > std::chrono::milliseconds(1500); }));
  CHECK(running.deliveries("retried") > 10);
  CHECK(running.deliveries("expired") == 0);
  CHECK(running.stop());
  CHECK(committed(setup) == -1);
}

TEST_CASE("webhook: waits as long as the receiver asks, up to a bound") {
  const Receiver receiver([](const Posted&, std::size_t before) {
    return before == 0 ? Answer{.status = 503, .headers = "Retry-After: 3600\r\n"} : Answer{};
  });
  Setup setup(receiver.url());
  setup.cluster.produce({finding_json("f1")});
  Running running(setup);
  REQUIRE(eventually([&] { return receiver.count() == 2; }));
  const std::vector<Posted> posted = receiver.posted();
  CHECK(posted[1].came - posted[0].came >= kFast.asked_longest);
  CHECK(running.stop());
}

TEST_CASE("webhook: redirects are not followed, and long answers not read") {
  const Receiver elsewhere;
  const Receiver receiver([&](const Posted&, std::size_t before) {
    if (before == 0) {
      return Answer{.status = 302, .headers = fmt::format("Location: {}\r\n", elsewhere.url())};
    }
    return Answer{.status = 200, .body = std::string(std::size_t{4} << 20, 'x')};
  });
  Setup setup(receiver.url());
  setup.cluster.produce({finding_json("f1")});
  Running running(setup);
  REQUIRE(eventually([&] { return running.deliveries("delivered") == 1; }));
  CHECK(ids(receiver) == Strings{"f1", "f1"});
  CHECK(elsewhere.count() == 0);
  CHECK(running.stop());
}

TEST_CASE("webhook: a receiver that hangs costs its time limit") {
  const Receiver receiver(
      [](const Posted&, std::size_t before) { return Answer{.never = before == 0}; });
  Setup setup(receiver.url());
  setup.webhook.http.timeout = milliseconds(300);
  setup.cluster.produce({finding_json("f1")});
  Running running(setup);
  REQUIRE(eventually([&] { return running.deliveries("delivered") == 1; }));
  CHECK(running.deliveries("retried") == 1);
  CHECK(running.stop());
}

TEST_CASE("webhook: stops in the middle of a request, and the next one sends it again") {
  auto hanging = std::make_unique<Receiver>(
      [](const Posted&, std::size_t before) { return Answer{.never = before == 1}; });
  Setup setup(hanging->url());
  setup.webhook.http.timeout = std::chrono::seconds(60);
  setup.cluster.produce({finding_json("f1"), finding_json("f2")});
  Running first(setup);
  REQUIRE(eventually([&] { return hanging->count() == 2; }));
  const auto began = Clock::now();
  CHECK(first.stop());
  CHECK(Clock::now() - began < std::chrono::seconds(5));
  CHECK(committed(setup) == 1);
  hanging.reset();

  const Receiver receiver;
  setup.webhook.url = parse_http_url(receiver.url()).value();
  Running second(setup);
  REQUIRE(eventually([&] { return receiver.count() == 1; }));
  CHECK(ids(receiver) == Strings{"f2"});
  CHECK(second.stop());
  CHECK(committed(setup) == 2);
}

TEST_CASE("webhook: stops in the middle of a long pause, and says how old what waits is") {
  const Receiver receiver([](const Posted&, std::size_t) { return Answer{.status = 503}; });
  Setup setup(receiver.url());
  setup.cluster.produce({finding_json("f1")});
  Running running(setup, {.first = std::chrono::hours(1), .longest = std::chrono::hours(1)});
  REQUIRE(eventually([&] { return running.deliveries("retried") == 1; }));
  CHECK(eventually([&] {
    return metric(running.registry, "tocsin_webhook_oldest_undelivered_timestamp_seconds")
               .value_or(0) > 1e9;
  }));
  CHECK(metric(running.registry, "tocsin_kafka_lag", {{"consumer", "webhook-test"}}) == 1);
  const auto began = Clock::now();
  CHECK(running.stop());
  CHECK(Clock::now() - began < std::chrono::seconds(5));
  CHECK(receiver.count() == 1);
  CHECK(committed(setup) == -1);
}

TEST_CASE("webhook: reads ahead no further than its bound, and all arrives") {
  std::atomic<bool> down{true};
  const Receiver receiver(
      [&](const Posted&, std::size_t) { return Answer{.status = down ? 503 : 200}; });
  Setup setup(receiver.url());
  Strings many;
  const std::size_t count = 2 * Webhook::kQueuedMax + 7;
  for (std::size_t i = 0; i < count; ++i) many.push_back(finding_json(fmt::format("f{}", i)));
  setup.cluster.produce(many);
  Running running(setup);
  REQUIRE(eventually([&] { return running.deliveries("retried") >= 3; }));
  CHECK(running.deliveries("delivered") == 0);
  down = false;
  REQUIRE(eventually([&] { return running.deliveries("delivered") == count; }));
  Strings expected;
  for (std::size_t i = 0; i < count; ++i) expected.push_back(fmt::format("f{}", i));
  Strings all = ids(receiver);
  all.erase(std::unique(all.begin(), all.end()), all.end());  // the retries of the first
  CHECK(all == expected);
  CHECK(running.stop());
  CHECK(committed(setup) == static_cast<std::int64_t>(count));
}

TEST_CASE("webhook: knows after a restart how incidents stood") {
  const Receiver receiver;
  Setup setup(receiver.url());
  setup.config.topics.findings = Cluster::kFindings;
  setup.config.topics.incidents = Cluster::kEvents;
  setup.webhook.findings = false;
  setup.webhook.incidents = true;
  setup.cluster.produce({incident_json("open"), incident_json("open"), incident_json("contained")});
  {
    Running first(setup);
    REQUIRE(eventually([&] { return receiver.count() == 2; }));
    CHECK(eventually([&] { return committed(setup) == 3; }));
    CHECK(first.stop());
  }
  CHECK(setup.cluster.committed(0, kGroup)->metadata == rewind_metadata(0));
  setup.cluster.produce({incident_json("contained"), incident_json("open")});
  Running second(setup);
  REQUIRE(eventually([&] { return receiver.count() == 3; }));
  CHECK(ids(receiver) == Strings{"i1-0-0", "i1-0-2", "i1-0-4"});
  CHECK(second.stop());
  CHECK(committed(setup) == 5);
}

}  // namespace tocsin
