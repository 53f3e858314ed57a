#include "daemon/metrics/registry.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "daemon/check.h"

namespace tocsin::metrics {
namespace {

prometheus::MetricType exported_type(bool gauge, bool histogram) {
  if (gauge) return prometheus::MetricType::Gauge;
  return histogram ? prometheus::MetricType::Histogram : prometheus::MetricType::Counter;
}

}  // namespace

Shard::Chunk* Shard::grow(std::size_t chunk) {
  CHECK(chunk < kChunksMax);
  auto made = std::make_unique<Chunk>();
  for (auto& cell : *made) cell.store(0, std::memory_order_relaxed);
  owned_.push_back(std::move(made));
  // Release: a scrape that sees the chunk sees its zeroes.
  chunks_[chunk].store(owned_.back().get(), std::memory_order_release);
  return owned_.back().get();
}

std::uint64_t Shard::read(std::uint32_t index) const {
  const Chunk* chunk = chunks_[index / kChunkCells].load(std::memory_order_acquire);
  return chunk == nullptr ? 0 : (*chunk)[index % kChunkCells].load(std::memory_order_relaxed);
}

void Shard::observe(HistogramId id, double value) {
  const auto bucket =
      static_cast<std::uint32_t>(std::ranges::lower_bound(id.bounds, value) - id.bounds.begin());
  bump(cell(id.cell + bucket), 1);
  auto& sum = cell(id.cell + static_cast<std::uint32_t>(id.bounds.size()) + 1);
  const auto so_far = std::bit_cast<double>(sum.load(std::memory_order_relaxed));
  sum.store(std::bit_cast<std::uint64_t>(so_far + value), std::memory_order_relaxed);
}

Registry::Family& Registry::family(std::string_view name, std::string_view help, Kind kind) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    CHECK(found->second->kind == kind);
    return *found->second;
  }
  families_.push_back(std::make_unique<Family>());
  Family& made = *families_.back();
  made.kind = kind;
  made.name = name;
  made.help = help;
  by_name_.emplace(std::string(name), &made);
  return made;
}

std::uint32_t Registry::place(Family& family, Labels labels, std::size_t cells, Merge merge) {
  if (const auto found = family.index.find(labels); found != family.index.end()) {
    return family.series[found->second].cell;
  }
  const std::uint32_t cell = next_cell_;
  next_cell_ += static_cast<std::uint32_t>(cells);
  CHECK(next_cell_ <= Shard::kChunkCells * Shard::kChunksMax);
  family.index.emplace(labels, family.series.size());
  family.series.push_back({.labels = std::move(labels), .cell = cell, .merge = merge});
  return cell;
}

CounterId Registry::counter(std::string_view name, std::string_view help, Labels labels) {
  const std::scoped_lock lock(mutex_);
  return {place(family(name, help, Kind::kCounter), std::move(labels), 1, Merge::kSum)};
}

GaugeId Registry::gauge(std::string_view name, std::string_view help, Labels labels, Merge merge) {
  const std::scoped_lock lock(mutex_);
  return {place(family(name, help, Kind::kGauge), std::move(labels), merge == Merge::kRatio ? 2 : 1,
                merge)};
}

GaugeId Registry::reading(std::string_view name, std::string_view help, Labels labels) {
  const std::scoped_lock lock(mutex_);
  return {place(family(name, help, Kind::kReading), std::move(labels), 1, Merge::kSum)};
}

HistogramId Registry::histogram(std::string_view name, std::string_view help,
                                std::span<const double> bounds, Labels labels) {
  const std::scoped_lock lock(mutex_);
  Family& histograms = family(name, help, Kind::kHistogram);
  if (histograms.bounds.empty()) histograms.bounds.assign(bounds.begin(), bounds.end());
  const std::uint32_t cell =
      place(histograms, std::move(labels), histograms.bounds.size() + 2, Merge::kSum);
  return {.cell = cell, .bounds = histograms.bounds};
}

Shard& Registry::make_shard() {
  const std::scoped_lock lock(mutex_);
  shards_.push_back(std::make_unique<Shard>());
  return *shards_.back();
}

void Registry::on_collect(std::function<void(Shard&)> collector) {
  const std::scoped_lock lock(mutex_);
  if (collector_shard_ == nullptr) {
    shards_.push_back(std::make_unique<Shard>());
    collector_shard_ = shards_.back().get();
  }
  collectors_.push_back(std::move(collector));
}

std::uint64_t Registry::total(std::uint32_t cell) const {
  std::uint64_t sum = 0;
  for (const auto& shard : shards_) sum += shard->read(cell);
  return sum;
}

std::optional<double> Registry::merged(std::uint32_t cell, Merge merge) const {
  if (merge == Merge::kRatio) {
    const auto part = merged(cell, Merge::kSum);
    const auto whole = merged(cell + 1, Merge::kSum);
    if (!part || !whole) return std::nullopt;
    return *whole > 0 ? *part / *whole : std::numeric_limits<double>::quiet_NaN();
  }
  std::optional<double> out;
  for (const auto& shard : shards_) {
    const std::uint64_t bits = shard->read(cell);
    if (bits == 0) continue;
    const auto value = std::bit_cast<double>(bits ^ Shard::kAbsent);
    if (!out) {
      out = value;
    } else {
      out = merge == Merge::kSum ? *out + value : std::max(*out, value);
    }
  }
  return out;
}

prometheus::ClientMetric Registry::sample(const Family& family, const Series& series) const {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : series.labels) metric.label.push_back({name, value});
  switch (family.kind) {
    case Kind::kCounter: metric.counter.value = static_cast<double>(total(series.cell)); break;
    case Kind::kGauge: metric.gauge.value = merged(series.cell, series.merge).value_or(0); break;
    case Kind::kReading:
      metric.counter.value = merged(series.cell, series.merge).value_or(0);
      break;
    case Kind::kHistogram: {
      std::uint64_t cumulative = 0;
      const auto buckets = static_cast<std::uint32_t>(family.bounds.size());
      for (std::uint32_t i = 0; i <= buckets; ++i) {
        cumulative += total(series.cell + i);
        prometheus::ClientMetric::Bucket bucket;
        bucket.upper_bound =
            i < buckets ? family.bounds[i] : std::numeric_limits<double>::infinity();
        bucket.cumulative_count = cumulative;
        metric.histogram.bucket.push_back(bucket);
      }
      metric.histogram.sample_count = cumulative;
      for (const auto& shard : shards_) {
        metric.histogram.sample_sum +=
            std::bit_cast<double>(shard->read(series.cell + buckets + 1));
      }
      break;
    }
  }
  return metric;
}

std::vector<prometheus::MetricFamily> Registry::collect() {
  {
    // Outside of the lock: a collector may register series.
    std::vector<std::function<void(Shard&)>> collectors;
    {
      const std::scoped_lock lock(mutex_);
      collectors = collectors_;
    }
    for (const auto& collector : collectors) collector(*collector_shard_);
  }
  const std::scoped_lock lock(mutex_);
  std::vector<prometheus::MetricFamily> out;
  for (const auto& family : families_) {
    prometheus::MetricFamily exported;
    exported.name = family->name;
    exported.help = family->help;
    exported.type = exported_type(family->kind == Kind::kGauge, family->kind == Kind::kHistogram);
    for (const Series& series : family->series) {
      const bool set_by_value = family->kind == Kind::kGauge || family->kind == Kind::kReading;
      if (set_by_value && !merged(series.cell, series.merge)) continue;
      exported.metric.push_back(sample(*family, series));
    }
    if (!exported.metric.empty()) out.push_back(std::move(exported));
  }
  return out;
}

std::string Registry::text() { return prometheus::TextSerializer().Serialize(collect()); }

}  // namespace tocsin::metrics
