#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/cli/cli.h"
#include "daemon/cli/explain.h"
#include "daemon/cli/paths.h"
#include "daemon/incident/replayed.h"
#include "daemon/ocsf.h"
#include "daemon/pipeline.h"
#include "daemon/policy_reload.h"
#include "daemon/source/file_source.h"
#include "daemon/text.h"

namespace tocsin::cli {
namespace {

constexpr std::size_t kBatchRecords = 1000;
constexpr auto kProgressEvery = std::chrono::milliseconds(500);

struct Options {
  std::string config;
  std::vector<std::string> rules;
  std::vector<std::string> systems;
  std::string out;
  std::string metrics;
  std::string incidents;
  std::string explain;  // a session's id; empty: findings are written
  bool ocsf = false;    // ... as OCSF
  std::vector<std::string> files;
};

// Counts and writes what the pipeline finds.
class Output final : public PipelineOutput {
 public:
  // `explainer`: tells of one session instead of writing findings; may be null.
  Output(std::ostream& out, Explainer* explainer, bool ocsf, const Policy& policy,
         const incident::Limits& limits)
      : out_(out),
        explainer_(explainer),
        ocsf_(ocsf),
        incidents_(
            limits, [&policy](std::string_view system) { return policy.profile_of(system); },
            [this](const Finding& finding) { write(finding); }) {}

  void on_event(const Event& event, const EventContext& context) override {
    incidents_.on_event(event);
    if (explainer_ != nullptr) explainer_->on_event(event, context);
  }
  void on_control(const Event& event, const Record& /*record*/) override {
    incidents_.on_control(event);
  }
  void on_finding(const Finding& finding) override {
    write(finding);
    incidents_.on_finding(finding);
  }
  incident::ReplayedIncidents& incidents() { return incidents_; }

  void write(const Finding& finding) {
    if (explainer_ != nullptr) {
      explainer_->on_finding(finding);
    } else {
      out_ << (ocsf_ ? ocsf::of_finding(finding) : to_json(finding)) << '\n';
    }
    ++findings_;
    ++by_severity_[static_cast<std::size_t>(finding.severity)];
    ++by_rule_[finding.rule];
  }
  void on_rejected(const Record& record, Reject reason) override {
    auto& entry = rejected_[reason];
    if (entry.count++ == 0) {
      entry.first = fmt::format("{}:{}", record.source.topic, record.source.offset);
    }
  }

  void summarise(std::ostream& out, const Pipeline& pipeline, double seconds) const {
    const double rate =
        seconds > 0 ? static_cast<double>(pipeline.events() + pipeline.rejected()) / seconds : 0;
    out << fmt::format("{} events, {} rejected, {} findings in {:.1f} s ({} events/s)\n",
                       grouped(pipeline.events()), grouped(pipeline.rejected()), grouped(findings_),
                       seconds, grouped(static_cast<std::uint64_t>(rate)));
    for (const auto& [reason, entry] : rejected_) {
      out << fmt::format("  rejected as {}: {}, first {}\n", name_of(reason), grouped(entry.count),
                         printable(entry.first));
    }
    out << incidents_.summary() << '\n';
    for (std::size_t i = kSeverityCount; i-- > 0;) {
      if (by_severity_[i] == 0) continue;
      out << fmt::format("  {:<8} {:>10}\n", severity_names()[i], grouped(by_severity_[i]));
    }
    std::vector<std::pair<std::string, std::uint64_t>> rules(by_rule_.begin(), by_rule_.end());
    std::ranges::sort(rules, [](const auto& a, const auto& b) { return a.second > b.second; });
    for (const auto& [rule, count] : rules) {
      out << fmt::format("  {:>10} {}\n", grouped(count), rule);
    }
  }

 private:
  struct Rejected {
    std::uint64_t count = 0;
    std::string first;
  };

  std::ostream& out_;
  Explainer* explainer_;
  bool ocsf_;
  incident::ReplayedIncidents incidents_;
  std::uint64_t findings_ = 0;
  std::array<std::uint64_t, kSeverityCount> by_severity_{};
  std::map<std::string, std::uint64_t> by_rule_;
  std::map<Reject, Rejected> rejected_;
};

// Shows on a terminal that something happens.
class Progress {
 public:
  void update(const Pipeline& pipeline) {
    if (!terminal_) return;
    const auto now = Clock::now();
    if (now - last_ < kProgressEvery) return;
    last_ = now;
    std::cerr << '\r' << grouped(pipeline.events()) << " events ..." << std::flush;
    shown_ = true;
  }
  void clear() const {
    if (shown_) std::cerr << "\r\033[K";
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  bool shown_ = false;
  Clock::time_point last_ = Clock::now();
};

// One file through the pipeline; false, with the reason on standard error, when it cannot be read
// to its end.
bool replay_file(const std::string& path, const Config& config, Pipeline& pipeline, Output& output,
                 Progress& progress) {
  auto source = FileSource::open(path, config.decode.event_bytes_max);
  if (!source) {
    std::cerr << "tocsin replay: " << printable(source.error()) << '\n';
    return false;
  }
  std::vector<std::string> lines(kBatchRecords);
  std::vector<Record> batch;
  FileSource::Status status = FileSource::Status::kLine;
  while (status == FileSource::Status::kLine) {
    batch.clear();
    std::string_view line;
    while (batch.size() < kBatchRecords &&
           (status = source->next(line)) == FileSource::Status::kLine) {
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;  // a blank line
      std::string& kept = lines[batch.size()];
      kept.assign(line);
      batch.push_back(
          {.payload = kept,
           .source = {.topic = source->name(), .partition = 0, .offset = source->line_number()}});
    }
    pipeline.run(batch, output);
    output.incidents().advance();
    progress.update(pipeline);
  }
  if (status == FileSource::Status::kEnd) return true;
  progress.clear();
  std::cerr << "tocsin replay: " << printable(source->error()) << " (after line "
            << source->line_number() << ")\n";
  return false;
}

// False, with the reason on standard error, when it cannot be written.
bool write_file(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file) return true;
  std::cerr << "tocsin replay: " << printable(path, 4096) << ": cannot be written\n";
  return false;
}

// Nobody is there to contain what is over.
incident::Limits incident_limits(const Config& config) {
  incident::Limits limits = config.incidents;
  if (limits.requests == incident::RequestMode::kOn)
    limits.requests = incident::RequestMode::kDryRun;
  return limits;
}

int replay(const Options& options) {
  Diagnostics diagnostics;
  Config config =
      load_config(options.config, false, process_environment(), environment_names(), diagnostics);
  if (!options.rules.empty()) {
    Paths paths = sort_paths(options.rules);
    config.rules.packs = std::move(paths.packs);
    config.rules.imports = std::move(paths.imports);
  }
  if (!options.systems.empty()) {
    config.rules.systems.assign(options.systems.begin(), options.systems.end());
  }
  PolicySources sources = policy_sources(config);
  sources.owner_needed = false;
  sources.proof_is_enough = true;
  const auto policy = Policy::load(sources, diagnostics);
  if (const int status = report(diagnostics); status != kDone) return status;
  for (const ImportReport& import : policy->imports()) std::cerr << summary(import) << '\n';

  std::ofstream file;
  const bool to_stdout = options.out.empty() || options.out == "-";
  if (!to_stdout) {
    file.open(options.out, std::ios::binary | std::ios::trunc);
    if (!file) {
      std::cerr << "tocsin replay: " << printable(options.out, 4096) << ": cannot be written\n";
      return kOperatorMistake;
    }
  }
  std::ostream& out = to_stdout ? std::cout : file;

  metrics::Registry registry;
  const PolicySnapshot snapshot{
      .policy = policy, .metrics = std::make_shared<const PolicyMetrics>(registry, *policy)};
  const auto redactor = std::make_shared<const Redactor>(
      config.hmac_secret.empty() ? Redactor::random_key()
                                 : Redactor::key_from_secret(config.hmac_secret));
  Pipeline pipeline(snapshot,
                    {.decode = config.decode,
                     .sessions = config.sessions,
                     .now = {},
                     .rule_watch = {},
                     .topic_label = "replay"},
                    redactor, registry);
  static_cast<void>(TopicMetrics(registry, "replay"));
  std::optional<Explainer> explainer;
  if (!options.explain.empty()) {
    explainer.emplace(out, options.explain, to_stdout && colour(stdout));
  }
  Output output(out, explainer ? &*explainer : nullptr, options.ocsf, *policy,
                incident_limits(config));
  Progress progress;
  const auto start = std::chrono::steady_clock::now();
  bool complete = true;
  for (const std::string& path :
       options.files.empty() ? std::vector<std::string>{"-"} : options.files) {
    complete = replay_file(path, config, pipeline, output, progress) && complete;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  progress.clear();
  // Files first: whoever reads findings or summary may be gone after a line, and that is a signal.
  pipeline.publish_gauges();
  if (!options.metrics.empty()) complete = write_file(options.metrics, registry.text()) && complete;
  if (!options.incidents.empty()) {
    complete = write_file(options.incidents, output.incidents().lines()) && complete;
  }
  out.flush();
  if (!explainer) output.summarise(std::cerr, pipeline, seconds);
  if (explainer && explainer->events() == 0) {
    std::cerr << "tocsin replay: no event of a session `" << printable(options.explain) << "`\n";
    complete = false;
  }
  if (!out) {
    std::cerr << "tocsin replay: findings could not all be written\n";
    complete = false;
  }
  return complete ? kDone : kFailed;
}

}  // namespace

void add_replay(CLI::App& app, int* exit) {
  CLI::App* command = app.add_subcommand(
      "replay", "Recorded events through the same engine: findings as JSON lines");
  auto options = std::make_shared<Options>();
  command->add_option("--config", options->config, "The configuration file")->type_name(kFile);
  // One value each time: what follows it is a FILE.
  command
      ->add_option("--rules", options->rules,
                   "A rule pack, a directory of them, a gitleaks.toml or a folder of Agent Threat "
                   "Rules; may be repeated")
      ->type_name(kPath)
      ->allow_extra_args(false);
  command
      ->add_option("--systems", options->systems,
                   "A system profile, or a directory of them; may be repeated")
      ->type_name(kPath)
      ->allow_extra_args(false);
  auto format = std::make_shared<std::string>("tocsin");
  command->add_option("--format", *format, "How the events are written")
      ->check(CLI::IsMember({"tocsin"}))
      ->capture_default_str();
  command->add_option("--out", options->out, "Where findings go (default: standard output)")
      ->type_name(kFile);
  auto output_format = std::make_shared<std::string>("tocsin");
  command
      ->add_option("--output-format", *output_format,
                   "How findings are written: as on the topic, or as OCSF Detection Findings")
      ->check(CLI::IsMember({"tocsin", "ocsf"}))
      ->capture_default_str();
  command->add_option("--explain", options->explain,
                      "Tell one session as a timeline instead: its events, where values came "
                      "from, what was found");
  command
      ->add_option("--metrics", options->metrics,
                   "Write the metrics here, in Prometheus's text format")
      ->type_name(kFile);
  command
      ->add_option("--incidents", options->incidents,
                   "Write the incidents here, as JSON lines: what the findings add up to")
      ->type_name(kFile);
  command->add_option("FILE", options->files,
                      "JSON lines, gzip or not; - or nothing: standard input");
  command->footer(
      "Time is the events' own: findings are detected at the moment of their event.\n"
      "A summary goes to standard error.\n\n"
      "Examples:\n"
      "  tocsin replay events.jsonl.gz --out findings.jsonl\n"
      "  zcat events.jsonl.gz | tocsin replay --metrics m.prom --out f.jsonl -\n"
      "  tocsin replay events.jsonl --out f.jsonl --incidents incidents.jsonl\n"
      "  tocsin replay --explain d16b203e8648410aea34 events.jsonl.gz | less -R\n"
      "  tocsin replay --rules my-rules/ events.jsonl | jq -r .rule | sort | uniq -c");
  command->callback([options, format, output_format, exit] {
    options->ocsf = *output_format == "ocsf";
    *exit = replay(*options);
  });
}

}  // namespace tocsin::cli
