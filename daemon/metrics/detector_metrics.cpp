#include "daemon/metrics/detector_metrics.h"

#include <algorithm>
#include <utility>

#include "daemon/text.h"

namespace tocsin {
namespace {

constexpr std::string_view kOther = "other";

}  // namespace

DetectorMetrics::Series& DetectorMetrics::series(const DetectorMetric& metric,
                                                 std::string_view system, std::string_view label) {
  Key key{metric.name, system, printable(label, kLabelBytesMax)};
  if (const auto found = series_.find(key); found != series_.end()) return found->second;
  std::size_t& labels = labels_[{std::string(metric.name), std::string(system)}];
  if (labels >= metric.labels_max) {
    std::get<2>(key) = kOther;
    if (const auto found = series_.find(key); found != series_.end()) return found->second;
  }
  ++labels;
  Series& made = series_[key];
  const metrics::Labels names = {{"system", std::get<1>(key)},
                                 {std::string(metric.label), std::get<2>(key)}};
  if (metric.kind == DetectorMetric::Kind::kCounter) {
    made.counter = registry_.counter(metric.name, metric.help, names);
  } else {
    const bool level = metric.kind == DetectorMetric::Kind::kLevel;
    made.gauge = registry_.gauge(metric.name, metric.help, names,
                                 level ? metrics::Merge::kSum : metrics::Merge::kMax);
  }
  return made;
}

void DetectorMetrics::count(const DetectorMetric& metric, std::string_view system,
                            std::string_view label) {
  shard_.add(series(metric, system, label).counter);
}

void DetectorMetrics::begin_gauges() {
  for (auto& [key, series] : series_) series.told = false;
}

void DetectorMetrics::set_gauge(const DetectorMetric& metric, std::string_view system,
                                std::string_view label, double value) {
  Series& at = series(metric, system, label);
  const bool level = metric.kind == DetectorMetric::Kind::kLevel;
  const double before = at.told ? at.value : level ? 0 : value;
  at.value = level ? before + value : std::max(before, value);
  at.told = at.exported = true;
}

void DetectorMetrics::end_gauges() {
  for (auto& [key, series] : series_) {
    if (!series.exported) continue;
    if (series.told) {
      shard_.set(series.gauge, series.value);
    } else {
      shard_.clear(series.gauge);
      series.exported = false;
    }
  }
}

}  // namespace tocsin
