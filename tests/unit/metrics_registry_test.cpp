#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "daemon/metrics/process_metrics.h"
#include "daemon/metrics/registry.h"
#include "tests/unit/catch.h"

namespace tocsin::metrics {
namespace {

// The text format, read back: "name{labels}" -> value, and what the comments say.
struct Scrape {
  explicit Scrape(Registry& registry) {
    std::istringstream stream(registry.text());
    for (std::string line; std::getline(stream, line);) {
      if (line.starts_with("# TYPE ")) {
        const std::size_t space = line.find(' ', 7);
        REQUIRE(types.emplace(line.substr(7, space - 7), line.substr(space + 1)).second);
        continue;
      }
      if (line.starts_with("# HELP ") || line.empty()) continue;
      const std::size_t space = line.rfind(' ');
      REQUIRE(space != std::string::npos);
      // No series may stand there twice: Prometheus would refuse the whole scrape.
      REQUIRE(samples.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second);
      order.push_back(line.substr(0, space));
    }
  }
  [[nodiscard]] std::optional<double> operator[](const std::string& series) const {
    const auto found = samples.find(series);
    if (found == samples.end()) return std::nullopt;
    return found->second;
  }
  std::map<std::string, double> samples;
  std::map<std::string, std::string> types;
  std::vector<std::string> order;
};

TEST_CASE("a counter is there at 0, and sums its shards") {
  Registry registry;
  const CounterId id = registry.counter("t_total", "Help.", {{"a", "1"}});
  CHECK(Scrape(registry)["t_total{a=\"1\"}"] == 0.0);
  Shard& one = registry.make_shard();
  Shard& two = registry.make_shard();
  one.add(id);
  two.add(id, 41);
  CHECK(Scrape(registry)["t_total{a=\"1\"}"] == 42.0);
  CHECK(Scrape(registry).types["t_total"] == "counter");
}

TEST_CASE("the same series is the same id, another one is not") {
  Registry registry;
  const CounterId id = registry.counter("t_total", "Help.", {{"a", "1"}});
  CHECK(registry.counter("t_total", "Help.", {{"a", "1"}}).cell == id.cell);
  CHECK(registry.counter("t_total", "Help.", {{"a", "2"}}).cell != id.cell);
  CHECK(registry.counter("u_total", "Help.", {{"a", "1"}}).cell != id.cell);
  CHECK(registry.counter("t_total", "Help.").cell != id.cell);
}

TEST_CASE("counters from several threads, scraped meanwhile, lose nothing") {
  Registry registry;
  constexpr std::size_t kThreads = 4;
  constexpr std::uint64_t kRounds = 20'000;
  std::vector<CounterId> ids;
  for (int i = 0; i < 10; ++i) {
    ids.push_back(registry.counter("t_total", "Help.", {{"i", std::to_string(i)}}));
  }
  std::vector<std::jthread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, &shard = registry.make_shard()] {
      for (std::uint64_t round = 0; round < kRounds; ++round) shard.add(ids[round % ids.size()]);
    });
  }
  double before = 0;
  for (int scrape = 0; scrape < 50; ++scrape) {
    // Registering while others count must not disturb either.
    static_cast<void>(registry.counter("late_total", "Help.", {{"i", std::to_string(scrape)}}));
    double sum = 0;
    for (const auto& [name, value] : Scrape(registry).samples) {
      if (name.starts_with("t_total")) sum += value;
    }
    REQUIRE(sum >= before);
    before = sum;
  }
  threads.clear();
  const Scrape scrape(registry);
  for (int i = 0; i < 10; ++i) {
    CHECK(scrape["t_total{i=\"" + std::to_string(i) + "\"}"] == kThreads * kRounds / 10.0);
  }
}

TEST_CASE("more series than one chunk of cells holds") {
  Registry registry;
  Shard& shard = registry.make_shard();
  std::vector<CounterId> ids;
  for (int i = 0; i < 10'000; ++i) {
    ids.push_back(registry.counter("t_total", "Help.", {{"i", std::to_string(i)}}));
  }
  shard.add(ids.back(), 7);
  shard.add(ids[5000], 3);
  const Scrape scrape(registry);
  CHECK(scrape.samples.size() == 10'000);
  CHECK(scrape["t_total{i=\"9999\"}"] == 7.0);
  CHECK(scrape["t_total{i=\"5000\"}"] == 3.0);
  CHECK(scrape["t_total{i=\"0\"}"] == 0.0);
}

TEST_CASE("a gauge is absent until set, and again when cleared") {
  Registry registry;
  const GaugeId id = registry.gauge("g", "Help.");
  Shard& shard = registry.make_shard();
  CHECK(Scrape(registry)["g"] == std::nullopt);
  CHECK(Scrape(registry).types.empty());  // not even its family
  shard.set(id, 0.0);
  CHECK(Scrape(registry)["g"] == 0.0);  // 0 is a value
  CHECK(Scrape(registry).types["g"] == "gauge");
  shard.set(id, -2.5);
  CHECK(Scrape(registry)["g"] == -2.5);
  shard.clear(id);
  CHECK(Scrape(registry)["g"] == std::nullopt);
  shard.set(id, std::numeric_limits<double>::infinity());
  CHECK(Scrape(registry)["g"] == std::numeric_limits<double>::infinity());
  shard.set(id, -0.0);
  CHECK(Scrape(registry)["g"].has_value());
}

TEST_CASE("how the shards' gauges become one") {
  Registry registry;
  const GaugeId sum = registry.gauge("g_sum", "Help.");
  const GaugeId max = registry.gauge("g_max", "Help.", {}, Merge::kMax);
  const GaugeId ratio = registry.gauge("g_ratio", "Help.", {}, Merge::kRatio);
  const GaugeId behind = registry.gauge("g_behind", "Help.");  // a ratio takes two cells
  Shard& one = registry.make_shard();
  Shard& two = registry.make_shard();
  registry.make_shard();  // sets nothing, and does not count as 0
  one.set(sum, 2);
  two.set(sum, 3);
  one.set(max, -5);
  two.set(max, -7);
  one.set_ratio(ratio, 1, 4);
  two.set_ratio(ratio, 2, 2);
  one.set(behind, 9);
  const Scrape scrape(registry);
  CHECK(scrape["g_sum"] == 5.0);
  CHECK(scrape["g_max"] == -5.0);
  CHECK(scrape["g_ratio"] == 0.5);  // 3 of 6, not the mean of 1/4 and 1
  CHECK(scrape["g_behind"] == 9.0);
}

TEST_CASE("a ratio of nothing is not a number") {
  Registry registry;
  const GaugeId ratio = registry.gauge("g", "Help.", {}, Merge::kRatio);
  Shard& shard = registry.make_shard();
  CHECK(Scrape(registry)["g"] == std::nullopt);
  shard.set_ratio(ratio, 0, 0);
  const auto value = Scrape(registry)["g"];
  REQUIRE(value.has_value());
  CHECK(std::isnan(*value));
  shard.set_ratio(ratio, 0, 5);
  CHECK(Scrape(registry)["g"] == 0.0);
}

TEST_CASE("a histogram's buckets are cumulative") {
  Registry registry;
  constexpr std::array<double, 3> kBounds = {0.5, 1, 10};
  const HistogramId id = registry.histogram("h_seconds", "Help.", kBounds, {{"a", "1"}});
  const HistogramId other = registry.histogram("h_seconds", "Help.", kBounds, {{"a", "2"}});
  const CounterId behind = registry.counter("behind_total", "Help.");
  Shard& one = registry.make_shard();
  Shard& two = registry.make_shard();
  for (const double value : {0.0, 0.5, 0.6, 11.0}) one.observe(id, value);
  for (const double value : {1.0, 10.0, 1e9}) two.observe(id, value);
  one.add(behind, 3);
  const Scrape scrape(registry);
  CHECK(scrape.types.at("h_seconds") == "histogram");
  CHECK(scrape["h_seconds_bucket{a=\"1\",le=\"0.5\"}"] == 2.0);  // a bound belongs to its bucket
  CHECK(scrape["h_seconds_bucket{a=\"1\",le=\"1\"}"] == 4.0);
  CHECK(scrape["h_seconds_bucket{a=\"1\",le=\"10\"}"] == 5.0);
  CHECK(scrape["h_seconds_bucket{a=\"1\",le=\"+Inf\"}"] == 7.0);
  CHECK(scrape["h_seconds_count{a=\"1\"}"] == 7.0);
  CHECK(scrape["h_seconds_sum{a=\"1\"}"].value() == Approx(1'000'000'023.1));
  CHECK(scrape["h_seconds_count{a=\"2\"}"] == 0.0);
  CHECK(scrape["h_seconds_sum{a=\"2\"}"] == 0.0);
  CHECK(scrape["h_seconds_bucket{a=\"2\",le=\"+Inf\"}"] == 0.0);
  CHECK(scrape["behind_total"] == 3.0);  // no cell is shared
  CHECK(other.bounds.size() == 3);
}

TEST_CASE("the bounds outlive what they were given as") {
  Registry registry;
  HistogramId id;
  {
    const std::vector<double> bounds = {1, 2};
    id = registry.histogram("h", "Help.", bounds);
  }
  CHECK(std::vector<double>(id.bounds.begin(), id.bounds.end()) == std::vector<double>{1, 2});
  CHECK(registry.histogram("h", "Help.", {}).cell == id.cell);
}

TEST_CASE("a reading is a counter that somebody else keeps") {
  Registry registry;
  const GaugeId id = registry.reading("cpu_seconds_total", "Help.");
  int scrapes = 0;
  registry.on_collect([&](Shard& shard) { shard.set(id, 1.5 * ++scrapes); });
  CHECK(Scrape(registry)["cpu_seconds_total"] == 1.5);
  const Scrape again(registry);
  CHECK(again["cpu_seconds_total"] == 3.0);
  CHECK(again.types.at("cpu_seconds_total") == "counter");
}

TEST_CASE("a collector may register series of its own") {
  Registry registry;
  registry.on_collect([&](Shard& shard) { shard.set(registry.gauge("found", "Help."), 1); });
  CHECK(Scrape(registry)["found"] == 1.0);
  CHECK(Scrape(registry)["found"] == 1.0);
}

TEST_CASE("families and series come in the order they were registered") {
  Registry registry;
  static_cast<void>(registry.counter("z_total", "Help.", {{"i", "2"}}));
  static_cast<void>(registry.counter("a_total", "Help."));
  static_cast<void>(registry.counter("z_total", "Help.", {{"i", "1"}}));
  CHECK(Scrape(registry).order ==
        std::vector<std::string>{"z_total{i=\"2\"}", "z_total{i=\"1\"}", "a_total"});
}

TEST_CASE("label values are escaped") {
  Registry registry;
  static_cast<void>(
      registry.counter("t_total", "Help.",
                       {{"a", "quote \" backslash \\ newline \n end"}, {"b", "世界 {x=\"y\"}"}}));
  const std::string text = registry.text();
  CHECK(text.find(R"(t_total{a="quote \" backslash \\ newline \n end",b="世界 {x=\"y\"}"} 0)") !=
        std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);  // HELP, TYPE, the sample
}

TEST_CASE("help and type stand once before a family") {
  Registry registry;
  static_cast<void>(registry.counter("t_total", "What it counts.", {{"a", "1"}}));
  static_cast<void>(registry.counter("t_total", "What it counts.", {{"a", "2"}}));
  CHECK(registry.text() ==
        "# HELP t_total What it counts.\n# TYPE t_total counter\n"
        "t_total{a=\"1\"} 0\nt_total{a=\"2\"} 0\n");
}

TEST_CASE("large counts are exact as far as a double is") {
  Registry registry;
  const CounterId id = registry.counter("t_total", "Help.");
  registry.make_shard().add(id, (std::uint64_t{1} << 53) - 1);
  CHECK(Scrape(registry)["t_total"] == 9007199254740991.0);
}

TEST_CASE("the process describes itself") {
  Registry registry;
  register_process_metrics(registry);
  const Scrape scrape(registry);
  CHECK(scrape["process_cpu_seconds_total"].value() >= 0);
  CHECK(scrape.types.at("process_cpu_seconds_total") == "counter");
  CHECK(scrape["process_resident_memory_bytes"].value() > 1 << 20);
  CHECK(scrape["process_virtual_memory_bytes"].value() >=
        scrape["process_resident_memory_bytes"].value());
  CHECK(scrape["process_open_fds"].value() >= 3);
  CHECK(scrape["process_max_fds"].value() >= scrape["process_open_fds"].value());
  // Between 2020 and 2100: the boot time was found.
  CHECK(scrape["process_start_time_seconds"].value() > 1.577e9);
  CHECK(scrape["process_start_time_seconds"].value() < 4.1e9);
}

}  // namespace
}  // namespace tocsin::metrics
