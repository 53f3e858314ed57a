// The metrics that detectors count by words of the traffic (DetectorMetric), each bounded in
// labels.  A series exists from its label's first appearance on: nobody knows the words before.
// Not thread-safe: one a worker.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "daemon/metrics/registry.h"
#include "detectors/detector.h"

namespace tocsin {

class DetectorMetrics {
 public:
  static constexpr std::size_t kLabelBytesMax = 64;

  DetectorMetrics(metrics::Registry& registry, metrics::Shard& shard)
      : registry_(registry), shard_(shard) {}

  void count(const DetectorMetric& metric, std::string_view system, std::string_view label);

  // Gauges are told anew each time: `begin`, `set` for each that stands, `end`.  Of several values
  // of one series the largest counts, of a level their sum; a series that is not told is no longer
  // exported.
  void begin_gauges();
  void set_gauge(const DetectorMetric& metric, std::string_view system, std::string_view label,
                 double value);
  void end_gauges();

 private:
  struct Series {
    metrics::CounterId counter;
    metrics::GaugeId gauge;
    double value = 0;
    bool told = false;
    bool exported = false;
  };
  // Metric, system, label.
  using Key = std::tuple<std::string, std::string, std::string>;

  Series& series(const DetectorMetric& metric, std::string_view system, std::string_view label);

  metrics::Registry& registry_;
  metrics::Shard& shard_;
  std::map<Key, Series> series_;
  std::map<std::pair<std::string, std::string>, std::size_t> labels_;  // how many a system has
};

}  // namespace tocsin
