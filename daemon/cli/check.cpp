#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/cli/cli.h"
#include "daemon/cli/paths.h"

namespace tocsin::cli {
namespace {

struct Options {
  std::string config;
  std::vector<std::string> paths;
  bool json = false;
};

int check(const Options& options) {
  Diagnostics diagnostics;
  Config config = load_config(options.config, !options.config.empty(), process_environment(),
                              environment_names(), diagnostics);
  if (!options.paths.empty()) {
    Paths paths = sort_paths(options.paths);
    config.rules.packs = std::move(paths.packs);
    config.rules.systems = std::move(paths.systems);
  } else if (options.config.empty() && !shipped_rules().empty()) {
    config.rules.systems = {shipped_rules() / "systems"};
  }
  const auto policy = load_policy(config, true, diagnostics);
  if (options.json) {
    std::cout << to_json(diagnostics) << '\n';
    return diagnostics.has_errors() ? kOperatorMistake : kDone;
  }
  if (const int status = report(diagnostics); status != kDone) return status;
  std::size_t examples = 0;
  for (const Rule& rule : policy->rules().rules()) {
    examples += rule.examples;
  }
  std::cout << fmt::format("ok: {} rules ({} examples passed), {} detectors, {} systems\n",
                           policy->rules().rules().size(), examples, policy->detectors().size(),
                           policy->systems().size());
  const matcher::FirstStage::Stats& stats = policy->rules().first_stage().stats();
  if (stats.always > 0) {
    std::cout << fmt::format(
        "{} of {} patterns cannot be searched for together and cost a search "
        "each, in every event\n",
        stats.always, stats.exact + stats.loosened + stats.always);
  }
  return kDone;
}

}  // namespace

void add_check(CLI::App& app, int* exit) {
  CLI::App* command = app.add_subcommand(
      "check", "Validate configuration, rules and system profiles; run the rules' examples");
  auto options = std::make_shared<Options>();
  command->add_option("--config", options->config, "The configuration file");
  command->add_option("PATH", options->paths,
                      "Packs, profiles, or directories of them, instead of the configured ones");
  command->add_flag("--json", options->json, "Diagnostics as a JSON array on standard output");
  command->footer(
      "Prints every mistake with file:line:column, the line and what is allowed; exit status 2\n"
      "when there is one.\n\n"
      "Examples:\n"
      "  tocsin check                                    # the rules that come with tocsin\n"
      "  tocsin check --config /etc/tocsin/tocsin.yaml\n"
      "  tocsin check rules/packs/shell.yaml");
  command->callback([options, exit] { *exit = check(*options); });
}

}  // namespace tocsin::cli
