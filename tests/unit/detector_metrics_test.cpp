#include "daemon/metrics/detector_metrics.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

constexpr DetectorMetric kCounter{.kind = DetectorMetric::Kind::kCounter,
                                  .name = "t_total",
                                  .help = "h",
                                  .label = "word",
                                  .labels_max = 2};
constexpr DetectorMetric kGauge{.kind = DetectorMetric::Kind::kGauge,
                                .name = "t_gauge",
                                .help = "h",
                                .label = "word",
                                .labels_max = 2};

constexpr DetectorMetric kLevel{.kind = DetectorMetric::Kind::kLevel,
                                .name = "t_level",
                                .help = "h",
                                .label = "word",
                                .labels_max = 2};

// The samples as Prometheus reads them, in order.
std::vector<std::string> samples(metrics::Registry& registry) {
  std::vector<std::string> out;
  const std::string text = registry.text();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (text[at] != '#') out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}
using Strings = std::vector<std::string>;

struct Fixture {
  metrics::Registry registry;
  DetectorMetrics metrics{registry, registry.make_shard()};
};

TEST_CASE("a counter has a series for each system's first labels, and one for all others") {
  Fixture f;
  for (const char* word : {"a", "b", "c", "d", "a"}) f.metrics.count(kCounter, "bot", word);
  f.metrics.count(kCounter, "other-bot", "c");
  CHECK(samples(f.registry) == Strings{R"(t_total{system="bot",word="a"} 2)",
                                       R"(t_total{system="bot",word="b"} 1)",
                                       R"(t_total{system="bot",word="other"} 2)",
                                       R"(t_total{system="other-bot",word="c"} 1)"});
}

TEST_CASE("a label is shown, not believed: control characters and length") {
  Fixture f;
  f.metrics.count(kCounter, "bot", "a\nb" + std::string(500, 'x'));
  const Strings all = samples(f.registry);
  REQUIRE(all.size() == 1);
  CHECK(all[0].size() < 150);
}

TEST_CASE("of a level the values add up, over partitions and over workers") {
  Fixture f;
  DetectorMetrics other_worker{f.registry, f.registry.make_shard()};
  for (int scrape = 0; scrape < 2; ++scrape) {
    for (DetectorMetrics* metrics : {&f.metrics, &other_worker}) {
      metrics->begin_gauges();
      metrics->set_gauge(kLevel, "bot", "v1", 3);
      metrics->set_gauge(kLevel, "bot", "v1", 4);
      metrics->end_gauges();
    }
    CHECK(samples(f.registry) == Strings{R"(t_level{system="bot",word="v1"} 14)"});
  }
}

TEST_CASE("of a gauge the largest value counts, and what is not told any more is gone") {
  Fixture f;
  f.metrics.begin_gauges();
  f.metrics.set_gauge(kGauge, "bot", "v1", 1);
  f.metrics.set_gauge(kGauge, "bot", "v1", 0);
  f.metrics.set_gauge(kGauge, "bot", "v2", 0);
  f.metrics.end_gauges();
  CHECK(samples(f.registry) ==
        Strings{R"(t_gauge{system="bot",word="v1"} 1)", R"(t_gauge{system="bot",word="v2"} 0)"});
  f.metrics.begin_gauges();
  f.metrics.set_gauge(kGauge, "bot", "v2", 1);
  f.metrics.end_gauges();
  CHECK(samples(f.registry) == Strings{R"(t_gauge{system="bot",word="v2"} 1)"});
}

}  // namespace
}  // namespace tocsin
