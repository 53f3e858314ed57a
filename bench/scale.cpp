#include "bench/scale.h"

#include <fmt/format.h>
#include <hs/hs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/detectors.h"
#include "bench/material.h"
#include "bench/pipeline_run.h"
#include "bench/timing.h"
#include "daemon/config.h"
#include "detectors/matcher/regex_node.h"
#include "detectors/matcher/widen.h"

namespace tocsin::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kEvents = 3000;
constexpr std::size_t kFew = 250;
constexpr std::size_t kMany = 2500;

// Shipped rules and invented ones, `count` in all, and their cache.
class Rules {
 public:
  Rules(const fs::path& folder, std::size_t count)
      : cache_(folder / "cache"), packs_(packs_of(folder, count)) {}

  [[nodiscard]] std::shared_ptr<const Policy> load() const {
    Diagnostics diagnostics;
    auto policy =
        Policy::load({.packs = packs_, .cache = cache_, .proof_is_enough = true}, diagnostics);
    if (policy == nullptr) {
      print(std::cerr, diagnostics, false);
      throw std::runtime_error("the invented rules do not load");
    }
    return policy;
  }
  void forget_cache() const { fs::remove_all(cache_); }

 private:
  fs::path cache_;
  std::vector<fs::path> packs_;
};

// Hyperscan (or Vectorscan) alone: the rules' patterns as one database, over the same texts.
class Alone {
 public:
  explicit Alone(const PatternTable& table) {
    std::vector<std::string> texts;
    std::vector<unsigned> flags;
    for (PatternId id = 0; id < table.size(); ++id) {
      if (!table.scanned(id)) continue;
      if (table.kind(id) == PatternTable::Kind::kLiteral) {
        std::string text;
        for (const char c : table.text(id)) {
          text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
        texts.push_back(std::move(text));
        flags.push_back(HS_FLAG_CASELESS);
        continue;
      }
      const auto tree = matcher::parse_re2(table.text(id));
      if (!tree) continue;
      const auto expression = matcher::to_expression(
          matcher::widen(*tree, {.run_min = 16, .run_max = 0, .group_positions = 8}));
      texts.push_back(expression.text);
      flags.push_back(expression.caseless ? HS_FLAG_CASELESS : 0U);
    }
    compile(texts, flags);
  }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;
  ~Alone() {
    hs_free_scratch(scratch_);
    hs_free_database(database_);
  }

  void scan(std::string_view text) {
    hs_scan(database_, text.data(), static_cast<unsigned>(text.size()), 0, scratch_, &count, this);
  }
  std::size_t matches = 0;
  std::size_t left_out = 0;

 private:
  static int count(unsigned, unsigned long long, unsigned long long, unsigned, void* self) {
    ++static_cast<Alone*>(self)->matches;
    return 0;
  }

  // Those that are too large are left out, which only flatters it.
  void compile(std::vector<std::string>& texts, std::vector<unsigned>& flags) {
    for (;;) {
      std::vector<const char*> pointers;
      for (const std::string& text : texts) pointers.push_back(text.c_str());
      hs_compile_error_t* error = nullptr;
      if (hs_compile_multi(pointers.data(), flags.data(), nullptr,
                           static_cast<unsigned>(texts.size()), HS_MODE_BLOCK, nullptr, &database_,
                           &error) == HS_SUCCESS) {
        break;
      }
      const int at = error->expression;
      hs_free_compile_error(error);
      if (at < 0) throw std::runtime_error("Hyperscan alone does not compile");
      texts.erase(texts.begin() + at);
      flags.erase(flags.begin() + at);
      ++left_out;
    }
    if (hs_alloc_scratch(database_, &scratch_) != HS_SUCCESS) throw std::bad_alloc();
  }

  hs_database_t* database_ = nullptr;
  hs_scratch_t* scratch_ = nullptr;
};

struct Matching {
  double ours_ns = 0;
  double alone_ns = 0;
};

// Both get texts that are laid out already: decoding views is ours alone to do.
Matching matching_ns(const Timing& timing, const Policy& policy,
                     const std::vector<std::string>& events) {
  std::vector<std::string> texts;
  std::vector<std::uint16_t> kinds;
  std::vector<std::size_t> separators;
  NativeDecoder decoder;
  EventValues values;
  for (const std::string& event : events) {
    const auto decoded = decoder.decode(event, {.topic = "bench", .partition = 0, .offset = 0});
    if (!decoded) throw std::runtime_error("an invented event is none");
    values.lay_out(**decoded);
    texts.emplace_back(values.joined());
    separators.push_back(values.separators());
    kinds.push_back(static_cast<std::uint16_t>(1U << static_cast<unsigned>((*decoded)->type)));
  }
  const matcher::FirstStage& stage = policy.rules().first_stage();
  matcher::FirstStage::Scratch scratch;
  std::vector<std::uint32_t> candidates;
  Matching out;
  out.ours_ns = best_ns(timing, texts.size(), [&] {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      candidates.clear();
      stage.scan(texts[i], separators[i], kinds[i], scratch, candidates);
    }
  });
  Alone alone(policy.rules().patterns());
  out.alone_ns = best_ns(timing, texts.size(), [&] {
    for (const std::string& text : texts) alone.scan(text);
  });
  return out;
}

double load_seconds(const Rules& rules) {
  const auto start = std::chrono::steady_clock::now();
  const auto policy = rules.load();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Of a process of its own (`report_resident`) that has loaded the rules, from the cache.
double resident_bytes(const fs::path& folder) {
  const fs::path out = folder / "resident";
  const pid_t child = fork();
  if (child == 0) {
    const std::string path = folder.string();
    execl("/proc/self/exe", "tocsin_bench", "--resident", path.c_str(), nullptr);
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  double bytes = 0;
  if (status != 0 || !(std::ifstream(out) >> bytes)) {
    throw std::runtime_error("the process that was to be measured died");
  }
  return bytes;
}

}  // namespace

void report_resident(const std::string& folder) {
  const auto policy = Rules(folder, kMany).load();
  pipeline_ns({.seconds = 0, .rounds = 1}, policy, ordinary_events(1));
  long pages = 0;
  long resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  std::ofstream(fs::path(folder) / "resident") << resident * sysconf(_SC_PAGESIZE);
}

void measure_scale(const Timing& timing,
                   const std::function<void(std::string_view, double, std::string_view)>& add) {
  std::string name = (fs::temp_directory_path() / "tocsin-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  const fs::path folder = name;
  const Rules few(folder, kFew);
  const Rules many(folder, kMany);

  // First: what is resident must not hold what earlier measurements left behind.
  many.forget_cache();
  add("load_seconds_2500_cold", load_seconds(many), "s");
  add("load_seconds_2500_cached", load_seconds(many), "s");
  add("rss_bytes_2500", resident_bytes(folder), "bytes");

  const std::vector<std::string> ordinary = ordinary_events(kEvents);
  std::size_t bytes = 0;
  for (const std::string& event : ordinary) bytes += event.size();
  add("scale_event_bytes_mean", static_cast<double>(bytes) / kEvents, "bytes");
  const auto policy = few.load();
  const Matching matching = matching_ns(timing, *policy, ordinary);
  add("match_ns_per_event_250", matching.ours_ns, "ns");
  add("match_ratio_vectorscan_250", matching.alone_ns / matching.ours_ns, "ratio");
  std::string found;
  const double plain = pipeline_ns(timing, policy, ordinary, &found);
  if (!found.empty()) throw std::runtime_error("ordinary events have findings: " + found);
  add("pipeline_events_per_second_250", 1e9 / plain, "events/s");
  measure_stages(timing, policy, ordinary, "scale_", add);
  const double with_findings = pipeline_ns(timing, policy, mixed_events(ordinary), &found);
  if (found.empty()) throw std::runtime_error("matching events have no findings");
  add("pipeline_ratio_5pct_matching", plain / with_findings, "ratio");
  add("pipeline_ratio_2500_to_250", plain / pipeline_ns(timing, many.load(), ordinary), "ratio");
  fs::remove_all(folder);
}

}  // namespace tocsin::bench
