// What it costs, as named figures of one run on one thread: `./dev bench` writes build/bench.json.
//
// This machine may be shared and noisy: compare figures of one run with each other (the ratios do),
// not with those of another day.  Each stage is measured by running it alone over the same events,
// the best of several rounds counts.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/detectors.h"
#include "bench/material.h"
#include "bench/pipeline_run.h"
#include "bench/scale.h"
#include "bench/timing.h"
#include "bench/write_material.h"
#include "daemon/config.h"
#include "daemon/pipeline.h"
#include "daemon/source/demo_script.h"
#include "daemon/source/file_source.h"

namespace tocsin {
namespace {

constexpr std::size_t kAgentSessions = 300;

struct Options {
  std::string json;
  std::string events;
  std::string recorded;
  std::string part;      // empty: all
  double seconds = 1.0;  // a round
  int rounds = 3;
};

// Ten minutes of the demo's traffic.
std::vector<std::string> demo_events() {
  constexpr std::uint64_t kSeed = 7;
  constexpr auto kStep = std::chrono::milliseconds(100);
  constexpr int kSteps = 6000;
  const auto start = std::chrono::sys_time<std::chrono::microseconds>(std::chrono::days(20'000));
  DemoScript script(kSeed);
  std::vector<std::string> events;
  for (int i = 0; i < kSteps; ++i) {
    for (DemoRecord& record : script.due(start + i * kStep)) {
      events.push_back(std::move(record.payload));
    }
  }
  return events;
}

std::vector<std::string> file_events(const std::string& path) {
  auto source = FileSource::open(path, DecodeLimits{}.event_bytes_max);
  if (!source) throw std::runtime_error(source.error());
  std::vector<std::string> events;
  for (std::string_view line; source->next(line) == FileSource::Status::kLine;) {
    events.emplace_back(line);
  }
  return events;
}

struct Figure {
  std::string name;
  double value = 0;
};

class Bench {
 public:
  Bench(Options options, std::vector<std::string> events, std::shared_ptr<const Policy> policy)
      : options_(std::move(options)), events_(std::move(events)), policy_(std::move(policy)) {
    for (const std::string& event : events_) bytes_ += event.size();
  }

  std::vector<Figure> run() {
    const auto take = [this](std::string_view name, double value, std::string_view unit) {
      add(std::string(name), value, unit);
    };
    const auto wanted = [this](std::string_view part) {
      return options_.part.empty() || options_.part == part;
    };
    if (wanted("demo")) measure_demo();
    if (wanted("sessions")) {
      bench::measure_stages(timing(), policy_, bench::agent_sessions(kAgentSessions), "", take);
    }
    if (wanted("recorded") && !options_.recorded.empty()) {
      bench::measure_stages(timing(), policy_, file_events(options_.recorded), "recorded_", take);
    }
    if (wanted("scale")) bench::measure_scale(timing(), take);
    return figures_;
  }

 private:
  // Each stage alone over the demo's traffic, or that of --events.
  void measure_demo() {
    const auto events = static_cast<double>(events_.size());
    add("events", events, "events");
    add("event_bytes_mean", static_cast<double>(bytes_) / events, "bytes");
    add("rules", static_cast<double>(policy_->rules().rules().size()), "rules");
    const double decode =
        bench::best_ns(timing(), events_.size(), [&] { decode_all([](const Event&) {}); });
    add("decode_ns_per_event", decode, "ns");
    add("decode_mb_per_second", static_cast<double>(bytes_) / events / decode * 1e3, "MB/s");
    RuleSet::Scratch scratch;
    bench::Counting silent;
    const double rules =
        bench::best_ns(timing(), events_.size(),
                       [&] {
                         decode_all([&](const Event& event) {
                           policy_->rules().evaluate(event, EventContext{}, scratch, silent);
                         });
                       }) -
        decode;
    add("rules_ns_per_event", rules, "ns");
    const double pipeline = bench::pipeline_ns(timing(), policy_, events_);
    add("pipeline_ns_per_event", pipeline, "ns");
    add("pipeline_events_per_second", 1e9 / pipeline, "events/s");
    add("pipeline_share_decode", decode / pipeline, "ratio");
    add("pipeline_share_rules", rules / pipeline, "ratio");
  }

  [[nodiscard]] bench::Timing timing() const {
    return {.seconds = options_.seconds, .rounds = options_.rounds};
  }

  void add(std::string name, double value, std::string_view unit) {
    std::cout << fmt::format("{:<40} {:>14.4g} {}\n", name, value, unit) << std::flush;
    figures_.push_back({std::move(name), value});
  }

  template <typename Visit>
  void decode_all(const Visit& visit) {
    std::int64_t offset = 0;
    for (const std::string& event : events_) {
      const auto decoded =
          decoder_.decode(event, {.topic = "bench", .partition = 0, .offset = offset++});
      if (decoded) visit(**decoded);
    }
  }

  Options options_;
  std::vector<std::string> events_;
  std::shared_ptr<const Policy> policy_;
  std::size_t bytes_ = 0;
  NativeDecoder decoder_;
  std::vector<Figure> figures_;
};

int run(const Options& options) {
  Diagnostics diagnostics;
  const std::filesystem::path rules = shipped_rules();
  const auto policy =
      Policy::load({.packs = {rules / "packs"}, .systems = {rules / "systems"}}, diagnostics);
  if (policy == nullptr) {
    print(std::cerr, diagnostics, false);
    return 2;
  }
  Bench bench(options, options.events.empty() ? demo_events() : file_events(options.events),
              policy);
  nlohmann::ordered_json json;
  for (const Figure& figure : bench.run()) {
    json[figure.name] = figure.value;
  }
  if (options.json.empty()) return 0;
  std::ofstream out(options.json);
  out << json.dump(2) << '\n';
  out.close();
  return out ? 0 : 1;
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  tocsin::Options options;
  CLI::App app{"Measures each stage alone and the whole pipeline, on one thread."};
  app.add_option("--json", options.json, "Write the figures here");
  app.add_option("--events", options.events, "Recorded events to measure on, gzip or not");
  app.add_option("--recorded", options.recorded,
                 "Recorded sessions to measure the detectors on, too, gzip or not");
  app.add_option("--part", options.part, "Measure only this")
      ->check(CLI::IsMember({"demo", "sessions", "recorded", "scale"}));
  app.add_option("--seconds", options.seconds, "Length of a round")->capture_default_str();
  app.add_option("--rounds", options.rounds, "Rounds; the best counts")->capture_default_str();
  std::string material;
  app.add_option(
      "--write-material", material,
      "Measure nothing: write events.jsonl, patterns.jsonl and a pack to this folder, for "
      "bench/peers");
  std::size_t material_events = 30'000;
  app.add_option("--material-events", material_events, "How many events")->capture_default_str();
  std::string resident;
  app.add_option("--resident", resident)->group("");  // for its own use
  CLI11_PARSE(app, argc, argv);
  try {
    if (!resident.empty()) {
      tocsin::bench::report_resident(resident);
      return 0;
    }
    if (!material.empty()) {
      tocsin::bench::write_material(material, material_events);
      return 0;
    }
    return tocsin::run(options);
  } catch (const std::exception& error) {
    std::cerr << "tocsin_bench: " << error.what() << '\n';
    return 1;
  }
}
