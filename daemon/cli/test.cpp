#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/cases.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/paths.h"
#include "daemon/policy_reload.h"
#include "daemon/text.h"

namespace tocsin::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLineShown = 400;
constexpr std::size_t kDifferencesShown = 20;  // of one case

struct Options {
  std::string config;
  std::vector<std::string> paths;
  bool update = false;
  bool json = false;
};

struct FailedCase {
  std::filesystem::path folder;
  CaseResult result;
};

struct Outcome {
  std::size_t examples = 0;
  std::size_t rules = 0;
  std::size_t cases = 0;
  std::vector<ExampleFailure> failed_examples;
  std::vector<FailedCase> failed_cases;
  std::vector<std::filesystem::path> recorded;  // what is expected of them has changed

  [[nodiscard]] std::size_t failures() const {
    return failed_examples.size() + failed_cases.size();
  }
};

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", grouped(count), what, count == 1 ? "" : "s");
}

std::string listed(const std::vector<EventType>& types) {
  std::string out;
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (i > 0) out += i + 1 == types.size() ? " and " : ", ";
    out += name_of(types[i]);
  }
  return out;
}

void print(const ExampleFailure& failure, bool coloured) {
  const auto paint = [&](std::string_view code) { return coloured ? code : std::string_view{}; };
  const std::string where = listed(failure.types);
  std::string came = "nothing is found";
  if (!failure.wanted) {
    came = failure.found.empty() ? "it holds"
                                 : fmt::format("found: {}", printable(failure.found, kLineShown));
  }
  std::cout << fmt::format(
      "{}{}:{}:{}:{} {}FAILED{} {}: a `{}` example {}\n"
      "        example:  {}\n"
      "        expected: {} in {}\n"
      "        came:     {}\n",
      paint("\033[1m"), printable(failure.file, kLineShown), failure.line, failure.column,
      paint("\033[0m"), paint("\033[1;31m"), paint("\033[0m"), failure.rule,
      failure.wanted ? "match" : "no_match", failure.wanted ? "is not found" : "is found",
      printable(failure.example, kLineShown), failure.wanted ? "a finding" : "no finding", where,
      came);
}

void print(const FailedCase& failed, bool coloured) {
  const auto paint = [&](std::string_view code) { return coloured ? code : std::string_view{}; };
  std::cout << fmt::format("{}{}:{} {}FAILED{}: ", paint("\033[1m"),
                           printable(failed.folder.string(), kLineShown), paint("\033[0m"),
                           paint("\033[1;31m"), paint("\033[0m"));
  if (!failed.result.error.empty()) {
    std::cout << printable(failed.result.error, kLineShown) << '\n';
    return;
  }
  if (failed.result.recorded_in.empty()) {
    std::cout << "nothing is recorded yet; --update writes findings.txt\n";
    return;
  }
  std::cout << fmt::format("not what {} asks for (- expected, + came)\n",
                           failed.result.recorded_in);
  const auto differences = line_differences(failed.result.expected, failed.result.found);
  for (std::size_t i = 0; i < differences.size() && i < kDifferencesShown; ++i) {
    std::cout << "        " << printable(differences[i], kLineShown) << '\n';
  }
  if (differences.size() > kDifferencesShown) {
    std::cout << "        ... and " << differences.size() - kDifferencesShown << " more lines\n";
  }
}

std::string summary(const Outcome& outcome) {
  const std::string counts =
      fmt::format("{} of {}, {}: ", counted(outcome.examples, "example"),
                  counted(outcome.rules, "rule"), counted(outcome.cases, "case"));
  return counts + (outcome.failures() == 0 ? "all passed"
                                           : fmt::format("{} failed", grouped(outcome.failures())));
}

Json json_of(const Outcome& outcome) {
  Json failures = Json::array();
  for (const ExampleFailure& failure : outcome.failed_examples) {
    Json types = Json::array();
    for (const EventType type : failure.types) types.push_back(name_of(type));
    failures.push_back({{"kind", "example"},
                        {"file", failure.file},
                        {"line", failure.line},
                        {"column", failure.column},
                        {"rule", failure.rule},
                        {"example", failure.example},
                        {"expected", failure.wanted ? "match" : "no_match"},
                        {"types", types},
                        {"found", failure.found}});
  }
  for (const FailedCase& failed : outcome.failed_cases) {
    failures.push_back(
        {{"kind", "case"},
         {"folder", failed.folder.string()},
         {"error", failed.result.error},
         {"recorded", !failed.result.recorded_in.empty()},
         {"differences", line_differences(failed.result.expected, failed.result.found)}});
  }
  return {{"examples", outcome.examples},
          {"rules", outcome.rules},
          {"cases", outcome.cases},
          {"failures", failures}};
}

// Plays a case, and with `update` takes what came for what is expected.
void play(const std::filesystem::path& folder, const std::shared_ptr<const Policy>& policy,
          const Config& config, bool update, Outcome& outcome) {
  CaseResult result = play_case(folder, policy, config.decode, config.sessions);
  ++outcome.cases;
  if (update && result.error.empty() && !result.passed() && record_case(folder, result.found)) {
    outcome.recorded.push_back(folder);
    result = play_case(folder, policy, config.decode, config.sessions);
  }
  if (!result.passed()) outcome.failed_cases.push_back({folder, std::move(result)});
}

int test(const Options& options) {
  Diagnostics diagnostics;
  Config config =
      load_config(options.config, false, process_environment(), environment_names(), diagnostics);
  const Paths paths = sort_paths(options.paths);
  if (!options.paths.empty() && paths.packs.empty() && paths.systems.empty() &&
      paths.cases.empty()) {
    std::cerr << "tocsin test: neither rules nor recorded cases in "
              << printable(options.paths.front(), kLineShown) << '\n';
    return kOperatorMistake;
  }
  choose_rules(paths, !options.config.empty(), config);
  Outcome outcome;
  PolicySources sources = policy_sources(config);
  sources.owner_needed = false;
  sources.failed_examples = &outcome.failed_examples;
  const auto policy = Policy::load(sources, diagnostics);
  if (const int status = report(diagnostics); status != kDone) return status;

  for (const Rule& rule : policy->rules().rules()) outcome.examples += rule.examples;
  outcome.rules = policy->rules().rules().size();
  for (const auto& folder : paths.cases) play(folder, policy, config, options.update, outcome);

  if (options.json) {
    std::cout << json_of(outcome).dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  } else {
    const bool coloured = colour(stdout);
    for (const ExampleFailure& failure : outcome.failed_examples) print(failure, coloured);
    for (const auto& folder : outcome.recorded) {
      std::cout << printable(folder.string(), kLineShown) << ": recorded anew\n";
    }
    for (const FailedCase& failed : outcome.failed_cases) print(failed, coloured);
    std::cout << summary(outcome) << '\n';
  }
  return outcome.failures() == 0 ? kDone : kAnswerIsNo;
}

}  // namespace

void add_test(CLI::App& app, int* exit) {
  CLI::App* command =
      app.add_subcommand("test", "Run the rules' own examples, and recorded cases of events");
  auto options = std::make_shared<Options>();
  command->add_option("--config", options->config, "The configuration file")->type_name(kFile);
  command->add_option("PATH", options->paths,
                      "Packs, profiles, directories of them, and recorded cases or directories of "
                      "these, instead of the configured rules");
  command->add_flag("--update", options->update,
                    "Take what the cases give now for what they are to give");
  command->add_flag("--json", options->json, "One JSON object on standard output");
  command->footer(
      "A recorded case is a directory with events.jsonl (the native format, gzip or not) and\n"
      "either findings.txt, a line a finding, or expect.txt, a line a session: `ID: below high`,\n"
      "or `ID: high by 9`, a finding as severe as that on the event with seq 9 or an earlier one.\n"
      "--update writes findings.txt; expect.txt is for a person to change.  Cases alone are\n"
      "played through the configured rules and profiles.  Exit status 3: something failed.\n\n"
      "Examples:\n"
      "  tocsin test                                     # the rules that come with tocsin\n"
      "  tocsin test rules/packs/shell.yaml\n"
      "  tocsin test --config /etc/tocsin/tocsin.yaml my-cases/\n"
      "  tocsin test --update my-cases/refund-to-stranger  # read the difference, then commit it");
  command->callback([options, exit] { *exit = test(*options); });
}

}  // namespace tocsin::cli
