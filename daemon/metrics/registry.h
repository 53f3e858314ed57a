// Metrics: counted without locks in each worker, summed when scraped.
//
// A series is a dense id.  Every thread that counts owns a Shard, an array of cells that it alone
// writes and scrapes read; so counting is one relaxed load and store.  Series are registered at
// load time (so that each exists at 0 from the start, see contracts.md section 3) and never
// removed.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/hash_index.h"

namespace tocsin::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

struct CounterId {
  std::uint32_t cell = 0;
};
// A gauge cell starts absent and is exported once some shard has set it.
struct GaugeId {
  std::uint32_t cell = 0;
};
struct HistogramId {
  std::uint32_t cell = 0;            // `bounds` buckets, the overflow, then the sum
  std::span<const double> bounds{};  // upper, ascending; owned by the registry
};

// How a gauge that several shards set becomes one sample.  kRatio: two cells, the sum of the first
// over the sum of the second; NaN ("nothing seen yet") while that is zero.
enum class Merge : std::uint8_t { kSum, kMax, kRatio };

class Shard {
 public:
  void add(CounterId id, std::uint64_t n = 1) { bump(cell(id.cell), n); }
  void set(GaugeId id, double value) {
    cell(id.cell).store(std::bit_cast<std::uint64_t>(value) ^ kAbsent, std::memory_order_relaxed);
  }
  void set_ratio(GaugeId id, double part, double whole) {
    set(id, part);
    set({id.cell + 1}, whole);
  }
  void clear(GaugeId id) { cell(id.cell).store(0, std::memory_order_relaxed); }
  void observe(HistogramId id, double value);

 private:
  friend class Registry;

  static constexpr std::size_t kChunkCells = 4096;
  static constexpr std::size_t kChunksMax =
      4096;  // 16 M cells: far beyond what a scrape could carry
  // A gauge's bits are stored exclusive-or this NaN, which no computation yields: so a fresh,
  // zeroed cell is absent.
  static constexpr std::uint64_t kAbsent = 0xFFF8'DEAD'DEAD'DEADULL;
  using Chunk = std::array<std::atomic<std::uint64_t>, kChunkCells>;

  // Only the owner writes, so no read-modify-write is needed.
  static void bump(std::atomic<std::uint64_t>& cell, std::uint64_t n) {
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::atomic<std::uint64_t>& cell(std::uint32_t index) {
    Chunk* chunk = chunks_[index / kChunkCells].load(std::memory_order_relaxed);
    if (chunk == nullptr) chunk = grow(index / kChunkCells);
    return (*chunk)[index % kChunkCells];
  }
  Chunk* grow(std::size_t chunk);
  [[nodiscard]] std::uint64_t read(std::uint32_t index) const;

  std::array<std::atomic<Chunk*>, kChunksMax> chunks_{};
  std::vector<std::unique_ptr<Chunk>> owned_;  // owner thread only
};

class Registry {
 public:
  // Registering the same series again gives the same id.  Thread-safe, slow: at load and
  // (re)assignment only.
  CounterId counter(std::string_view family, std::string_view help, const Labels& labels = {});
  GaugeId gauge(std::string_view family, std::string_view help, const Labels& labels = {},
                Merge merge = Merge::kSum);
  // A counter that something else keeps (the kernel's CPU time) and a collector reads.
  GaugeId reading(std::string_view family, std::string_view help, const Labels& labels = {});
  HistogramId histogram(std::string_view family, std::string_view help,
                        std::span<const double> bounds, const Labels& labels = {});

  // Lives as long as the registry: what a worker counted outlives the worker.  Thread-safe.
  Shard& make_shard();

  // Called at every scrape, to set gauges that are cheaper to look up than to maintain (process_*).
  void on_collect(std::function<void(Shard&)> collector);

  // Prometheus text format 0.0.4: families in registration order, series in theirs.  Thread-safe.
  std::string text();

 private:
  friend class Shard;
  enum class Kind : std::uint8_t { kCounter, kGauge, kReading, kHistogram };
  // There is one for every rule in every system: 16 bytes, and its labels as they are exported.
  struct Series {
    std::uint32_t labels_begin = 0;  // in `Family::labels`
    std::uint32_t labels_size = 0;
    std::uint32_t cell = 0;
    Merge merge = Merge::kSum;
  };
  struct Family {
    Kind kind = Kind::kCounter;
    std::string name;
    std::string help;
    std::vector<double> bounds;
    std::vector<Series> series;
    std::string labels;              // `a="1",b="2"` of every series, one behind the other
    HashIndex<std::uint32_t> index;  // positions in `series`, by the hash of their labels

    [[nodiscard]] std::string_view labels_of(const Series& one) const {
      return std::string_view(labels).substr(one.labels_begin, one.labels_size);
    }
  };

  Family& family(std::string_view name, std::string_view help, Kind kind);
  std::uint32_t place(Family& family, const Labels& labels, std::size_t cells, Merge merge);
  void run_collectors();
  void write_family(const Family& family, std::string& out) const;
  void write_histogram(const Family& family, const Series& series, std::string& out) const;
  [[nodiscard]] std::uint64_t total(std::uint32_t cell) const;
  [[nodiscard]] std::optional<double> merged(std::uint32_t cell, Merge merge) const;

  std::mutex mutex_;
  std::vector<std::unique_ptr<Family>> families_;
  std::map<std::string, Family*, std::less<>> by_name_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::function<void(Shard&)>> collectors_;
  Shard* collector_shard_ = nullptr;
  std::uint32_t next_cell_ = 0;
  std::size_t text_bytes_ = 0;  // of the last scrape: about what the next one takes
};

}  // namespace tocsin::metrics
