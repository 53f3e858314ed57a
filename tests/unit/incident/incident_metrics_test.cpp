#include "daemon/incident/incident_metrics.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/incident/support.h"

namespace tocsin::incident {
namespace {

using namespace testing;

class Counting final : public Listener {
 public:
  explicit Counting(Metrics& metrics) : metrics_(metrics) {}
  void on_incident(const Incident& incident, const Before& before) override {
    metrics_.on_incident(incident, before);
  }
  void on_forgotten(const Incident&, std::span<const std::string>) override {}
  void on_containment_failed(const Finding&) override {}

 private:
  Metrics& metrics_;
};

// The lines of the text format that begin like that and are not zero.
std::vector<std::string> samples(metrics::Registry& registry, std::string_view prefix) {
  std::vector<std::string> out;
  const std::string text = registry.text();
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    if (line.starts_with(prefix) && !line.ends_with(" 0")) out.push_back(line);
    begin = end + 1;
  }
  return out;
}
using Strings = std::vector<std::string>;

TEST_CASE("the metrics of incidents") {
  metrics::Registry registry;
  const Strings systems = {"bot"};
  Metrics metrics(registry, registry.make_shard(), systems);
  const std::string text = registry.text();
  CHECK(
      text.find(R"(tocsin_incidents_total{system="bot",severity="high",outcome="contained"} 0)") !=
      std::string::npos);
  CHECK(text.find(R"(tocsin_incidents_open{system="unknown",severity="critical"} 0)") !=
        std::string::npos);
  CHECK(text.find("tocsin_incident_oldest_open_timestamp_seconds{") == std::string::npos);

  Counting listener(metrics);
  IncidentTable table({.idle = std::chrono::seconds(1000)}, {});
  const auto apply = [&](const auto& what) { table.apply(what, listener); };
  apply(finding({.session = "a", .time = 0, .severity = Severity::kMedium}));
  apply(finding({.session = "a", .time = 5}));
  apply(finding({.session = "b", .time = 10}));
  apply(
      finding({.session = "c", .time = 20, .severity = Severity::kCritical, .system = "made up"}));
  IncidentTable* const tables[] = {&table};
  metrics.publish(tables);
  CHECK(samples(registry, "tocsin_incidents_open") ==
        Strings{R"(tocsin_incidents_open{system="bot",severity="high"} 2)",
                R"(tocsin_incidents_open{system="unknown",severity="critical"} 1)"});
  const auto oldest = samples(registry, "tocsin_incident_oldest_open");
  REQUIRE(oldest.size() == 2);
  CHECK(oldest[0].find("17676") != std::string::npos);

  apply(acknowledge(35, "i-a"));
  apply(acknowledge(36, "i-a"));
  apply(containment(100, "i-a"));
  apply(finding({.session = "a", .time = 200}));  // reopened
  apply(containment(300, "i-a"));
  apply(verdict(50, "i-b", Judgement::kFalsePositive));
  table.advance(at(2000), listener);
  metrics.publish(tables);
  CHECK(samples(registry, "tocsin_incidents_open").empty());
  CHECK(samples(registry, "tocsin_incident_oldest_open").empty());
  CHECK(
      samples(registry, "tocsin_incidents_total") ==
      Strings{R"(tocsin_incidents_total{system="bot",severity="medium",outcome="opened"} 1)",
              R"(tocsin_incidents_total{system="bot",severity="high",outcome="opened"} 1)",
              R"(tocsin_incidents_total{system="bot",severity="high",outcome="contained"} 2)",
              R"(tocsin_incidents_total{system="bot",severity="high",outcome="closed"} 1)",
              R"(tocsin_incidents_total{system="unknown",severity="critical",outcome="opened"} 1)",
              R"(tocsin_incidents_total{system="unknown",severity="critical",outcome="ended"} 1)"});
  CHECK(samples(registry, "tocsin_acknowledge_seconds_sum") ==
        Strings{R"(tocsin_acknowledge_seconds_sum{system="bot",severity="high"} 35)"});
  CHECK(samples(registry, "tocsin_containment_seconds_sum") ==
        Strings{R"(tocsin_containment_seconds_sum{system="bot",severity="high"} 400)"});
  CHECK(samples(registry, "tocsin_incident_duplicates_total") ==
        Strings{"tocsin_incident_duplicates_total 1"});
}

TEST_CASE("an incident that becomes part of another is open no more") {
  metrics::Registry registry;
  const Strings none;
  Metrics metrics(registry, registry.make_shard(), none);
  Counting listener(metrics);
  IncidentTable table({}, {});
  for (const char* session : {"a", "b"}) {
    table.apply(finding({.session = session, .time = 0}), listener);
  }
  for (const char* session : {"a", "b"}) {
    table.apply(finding({.session = session, .time = 1, .destinations = {"d"}}), listener);
  }
  IncidentTable* const tables[] = {&table};
  metrics.publish(tables);
  CHECK(samples(registry, "tocsin_incidents_total") ==
        Strings{R"(tocsin_incidents_total{system="unknown",severity="high",outcome="opened"} 2)",
                R"(tocsin_incidents_total{system="unknown",severity="high",outcome="merged"} 1)"});
  CHECK(samples(registry, "tocsin_incidents_open") ==
        Strings{R"(tocsin_incidents_open{system="unknown",severity="high"} 1)"});
}

}  // namespace
}  // namespace tocsin::incident
