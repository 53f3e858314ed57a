// The whole daemon in this process: started, probed, stopped.
#include "daemon/daemon.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <string>

#include "daemon/version.h"
#include "tests/integration/support.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using testing::Cluster;
using testing::eventually;
using testing::http;
using testing::output_json;

using Clock = std::chrono::steady_clock;

bool has_sample(const std::string& text, const std::string& sample) {
  return ("\n" + text).find("\n" + sample + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("daemon: starts, answers, follows the broker's health, stops") {
  Cluster cluster;
  cluster.produce({output_json("forbidden", "s"), "{not json"});
  const Config config = cluster.config();
  Daemon daemon(config, testing::test_policy());
  REQUIRE(daemon.start());
  const std::uint16_t port = daemon.http_port();
  REQUIRE(port != 0);

  // Joining the group takes seconds; meanwhile it lives but is not ready, and every series exists.
  const auto joining = http(port, "GET", "/readyz");
  CHECK(joining.status == 503);
  CHECK(joining.body.starts_with("not ready\n"));
  CHECK(http(port, "GET", "/healthz").status == 200);
  const auto early = http(port, "GET", "/metrics");
  CHECK(early.headers.find("text/plain; version=0.0.4") != std::string::npos);
  CHECK(has_sample(early.body,
                   R"(tocsin_events_rejected_total{topic="events",reason="malformed_json"} 0)"));
  CHECK(has_sample(early.body, R"(tocsin_events_total{system="bot",type="model_output"} 0)"));

  REQUIRE(eventually([&] { return http(port, "GET", "/readyz").status == 200; }));
  REQUIRE(eventually([&] {
    const std::string text = http(port, "GET", "/metrics").body;
    return has_sample(text, R"(tocsin_events_total{system="bot",type="model_output"} 1)") &&
           has_sample(text,
                      R"(tocsin_events_rejected_total{topic="events",reason="malformed_json"} 1)");
  }));
  CHECK(eventually([&] { return cluster.read(Cluster::kFindings).size() == 1; }));

  CHECK(http(port, "GET", "/").status == 200);
  CHECK(http(port, "GET", "/").body.find("<title>tocsin</title>") != std::string::npos);
  CHECK(http(port, "GET", "/incidents/0123abcd").body == http(port, "GET", "/").body);
  CHECK(http(port, "GET", "/api/v1/incidents/0123abcd").status == 404);
  CHECK(http(port, "GET", "/api/v1/policy").body.find("\"version\":\"" + std::string(version())) !=
        std::string::npos);
  CHECK(http(port, "GET", "/nowhere").status == 404);
  CHECK(http(port, "GET", "/metrics/more").status == 404);
  CHECK(http(port, "POST", "/metrics").status == 405);
  CHECK(http(port, "POST", "/").status == 405);
  CHECK(http(port, "DELETE", "/healthz").status == 405);

  cluster.broker().go_down();
  CHECK(eventually([&] { return http(port, "GET", "/readyz").status == 503; },
                   std::chrono::seconds(5)));
  CHECK(http(port, "GET", "/readyz").body.find("no broker connection") != std::string::npos);
  CHECK(http(port, "GET", "/healthz").status == 200);  // waiting is no reason to be restarted
  cluster.broker().come_up();
  CHECK(eventually([&] { return http(port, "GET", "/readyz").status == 200; },
                   std::chrono::seconds(10)));
  cluster.produce({output_json("forbidden", "s")});
  CHECK(eventually([&] { return cluster.committed().value_or(testing::Committed{}).offset == 3; }));

  const auto began = Clock::now();
  CHECK(daemon.stop());
  CHECK(Clock::now() - began < Daemon::kStopLimit);
  CHECK(cluster.committed()->offset == 3);
  CHECK(cluster.read(Cluster::kFindings).size() == 2);
}

TEST_CASE("daemon: without its page it serves counts alone") {
  const Cluster cluster;
  Config config = cluster.config();
  config.http.page = false;
  Daemon daemon(config, testing::test_policy());
  REQUIRE(daemon.start());
  for (const char* path : {"/", "/page.js", "/incidents/a", "/api/v1/findings", "/api/v1/policy"}) {
    CAPTURE(path);
    CHECK(http(daemon.http_port(), "GET", path).status == 404);
  }
  CHECK(http(daemon.http_port(), "GET", "/metrics").status == 200);
  daemon.stop();
}

TEST_CASE("daemon: stops in time although the broker is away") {
  Cluster cluster;
  cluster.produce({output_json("forbidden", "s")});
  Config config = cluster.config();
  config.kafka.erase(
      "session.timeout.ms");  // a member for 45 seconds more: no way out on that side
  Daemon daemon(config, testing::test_policy());
  REQUIRE(daemon.start());
  cluster.refuse_produce();  // so that something is left to commit
  REQUIRE(eventually([&] {
    return http(daemon.http_port(), "GET", "/metrics")
               .body.find("\ntocsin_sink_retries_total{sink=\"kafka\"} 0\n") == std::string::npos;
  }));
  cluster.broker().go_down();
  const auto began = Clock::now();
  CHECK_FALSE(daemon.stop());
  CHECK(Clock::now() - began < Daemon::kStopLimit);
}

TEST_CASE("daemon: does not start on a port that is taken") {
  const Cluster cluster;
  const auto taken = HttpServer::start("127.0.0.1", 0);
  REQUIRE(taken.has_value());
  Config config = cluster.config();
  config.http.port = (*taken)->port();
  Daemon daemon(config, testing::test_policy());
  CHECK_FALSE(daemon.start());
  daemon.stop();
}

}  // namespace tocsin
