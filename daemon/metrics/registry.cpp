#include "daemon/metrics/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "daemon/check.h"
#include "daemon/text.h"

namespace tocsin::metrics {
namespace {

std::string_view type_of(auto kind) {
  using Kind = decltype(kind);
  switch (kind) {
    case Kind::kGauge: return "gauge";
    case Kind::kHistogram: return "histogram";
    default: return "counter";
  }
}

// What stands between quotes in the text format.
void append_escaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\\\"; break;
      case '"': out += "\\\""; break;
      case '\n': out += "\\n"; break;
      default: out += c;
    }
  }
}

std::string rendered(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out.append(name).append("=\"");
    append_escaped(value, out);
    out += '"';
  }
  return out;
}

void append_number(double value, std::string& out) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
}

// One line: `name`, its suffix, {labels}, the value.
template <typename Number>
void append_sample(std::string_view name, std::string_view suffix, std::string_view labels,
                   Number value, std::string& out) {
  out.append(name).append(suffix);
  if (!labels.empty()) out.append(1, '{').append(labels).append(1, '}');
  out += ' ';
  append_number(static_cast<double>(value), out);
  out += '\n';
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

std::uint32_t Registry::place(Family& family, const Labels& labels, std::size_t cells,
                              Merge merge) {
  const std::string text = rendered(labels);
  const std::uint64_t hash = hash64(text);
  const auto* found = family.index.find(hash, [&](std::uint32_t position) {
    return family.labels_of(family.series[position]) == text;
  });
  if (found != nullptr) return family.series[*found].cell;
  const std::uint32_t cell = next_cell_;
  next_cell_ += static_cast<std::uint32_t>(cells);
  CHECK(next_cell_ <= Shard::kChunkCells * Shard::kChunksMax);
  CHECK(family.labels.size() + text.size() <= std::numeric_limits<std::uint32_t>::max());
  family.index.insert(hash, static_cast<std::uint32_t>(family.series.size()));
  family.series.push_back({.labels_begin = static_cast<std::uint32_t>(family.labels.size()),
                           .labels_size = static_cast<std::uint32_t>(text.size()),
                           .cell = cell,
                           .merge = merge});
  family.labels += text;
  return cell;
}

CounterId Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  const std::scoped_lock lock(mutex_);
  return {place(family(name, help, Kind::kCounter), labels, 1, Merge::kSum)};
}

GaugeId Registry::gauge(std::string_view name, std::string_view help, const Labels& labels,
                        Merge merge) {
  const std::scoped_lock lock(mutex_);
  return {place(family(name, help, Kind::kGauge), labels, merge == Merge::kRatio ? 2 : 1, merge)};
}

GaugeId Registry::reading(std::string_view name, std::string_view help, const Labels& labels) {
  const std::scoped_lock lock(mutex_);
  return {place(family(name, help, Kind::kReading), labels, 1, Merge::kSum)};
}

HistogramId Registry::histogram(std::string_view name, std::string_view help,
                                std::span<const double> bounds, const Labels& labels) {
  const std::scoped_lock lock(mutex_);
  Family& histograms = family(name, help, Kind::kHistogram);
  if (histograms.bounds.empty()) histograms.bounds.assign(bounds.begin(), bounds.end());
  const std::uint32_t cell = place(histograms, labels, histograms.bounds.size() + 2, Merge::kSum);
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

void Registry::write_histogram(const Family& family, const Series& series, std::string& out) const {
  const std::string_view labels = family.labels_of(series);
  const auto bounds = static_cast<std::uint32_t>(family.bounds.size());
  // Counted once: were `_count` and the buckets read apart, they could contradict each other.
  std::vector<std::uint64_t> cumulative;
  std::uint64_t count = 0;
  for (std::uint32_t i = 0; i <= bounds; ++i) {
    count += total(series.cell + i);
    cumulative.push_back(count);
  }
  double sum = 0;
  for (const auto& shard : shards_) {
    sum += std::bit_cast<double>(shard->read(series.cell + bounds + 1));
  }
  append_sample(family.name, "_count", labels, count, out);
  append_sample(family.name, "_sum", labels, sum, out);
  for (std::uint32_t i = 0; i <= bounds; ++i) {
    std::string bucket(labels);
    if (!bucket.empty()) bucket += ',';
    bucket += "le=\"";
    append_number(i < bounds ? family.bounds[i] : std::numeric_limits<double>::infinity(), bucket);
    bucket += '"';
    append_sample(family.name, "_bucket", bucket, cumulative[i], out);
  }
}

void Registry::write_family(const Family& family, std::string& out) const {
  const std::size_t before = out.size();
  out.append("# HELP ").append(family.name).append(1, ' ').append(family.help);
  out.append("\n# TYPE ").append(family.name).append(1, ' ').append(type_of(family.kind));
  out += '\n';
  const std::size_t heading_end = out.size();
  for (const Series& series : family.series) {
    if (family.kind == Kind::kHistogram) {
      write_histogram(family, series, out);
    } else if (family.kind == Kind::kCounter) {
      append_sample(family.name, "", family.labels_of(series), total(series.cell), out);
    } else if (const auto value = merged(series.cell, series.merge)) {
      append_sample(family.name, "", family.labels_of(series), *value, out);
    }
  }
  if (out.size() == heading_end) out.resize(before);  // nothing set: not even the family is there
}

void Registry::run_collectors() {
  // Outside of the lock: a collector may register series.
  std::vector<std::function<void(Shard&)>> collectors;
  {
    const std::scoped_lock lock(mutex_);
    collectors = collectors_;
  }
  for (const auto& collector : collectors) collector(*collector_shard_);
}

std::string Registry::text() {
  run_collectors();
  const std::scoped_lock lock(mutex_);
  std::string out;
  out.reserve(text_bytes_ + text_bytes_ / 16);
  for (const auto& family : families_) write_family(*family, out);
  text_bytes_ = out.size();
  return out;
}

}  // namespace tocsin::metrics
