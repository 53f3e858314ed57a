#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/cli/cli.h"
#include "daemon/cli/paths.h"
#include "daemon/policy_reload.h"
#include "daemon/text.h"

namespace tocsin::cli {
namespace {

struct Options {
  std::string config;
  std::vector<std::string> paths;
  bool json = false;
};

// One line a rule, in the order of the files.
struct Remark {
  const ImportNote* note;
  std::string_view what;
};

std::vector<Remark> remarks_on(const ImportReport& import) {
  std::vector<Remark> remarks;
  for (const ImportNote& note : import.refused) remarks.push_back({&note, "refused"});
  for (const ImportNote& note : import.reduced) remarks.push_back({&note, "taken in part"});
  for (const ImportNote& note : import.failed) remarks.push_back({&note, "fails its own tests"});
  std::ranges::stable_sort(remarks, {}, [](const Remark& remark) {
    return std::pair(std::string_view(remark.note->file), remark.note->line);
  });
  return remarks;
}

void print_imports(const Policy& policy, bool coloured) {
  const std::string_view bold = coloured ? "\033[1m" : "";
  const std::string_view yellow = coloured ? "\033[1;33m" : "";
  const std::string_view reset = coloured ? "\033[0m" : "";
  for (const ImportReport& import : policy.imports()) {
    std::cout << summary(import) << '\n';
    for (const auto& [note, what] : remarks_on(import)) {
      std::cout << fmt::format("  {}{}:{}:{} {}: {}{}{}: {}\n", bold, printable(note->file, 4096),
                               note->line, reset, note->id, yellow, what, reset, note->text);
    }
  }
}

// The diagnostics, and what was said of imported rules as warnings among them.
std::string all_as_json(const Diagnostics& diagnostics, const Policy* policy) {
  auto list = nlohmann::ordered_json::parse(to_json(diagnostics));
  if (policy != nullptr) {
    for (const ImportReport& import : policy->imports()) {
      for (const auto& [note, what] : remarks_on(import)) {
        list.push_back({{"gravity", "warning"},
                        {"file", note->file},
                        {"line", note->line},
                        {"column", 1},
                        {"message", fmt::format("{}: {}", note->id, what)},
                        {"hint", note->text}});
      }
    }
  }
  return list.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

int check(const Options& options) {
  Diagnostics diagnostics;
  Config config = load_config(options.config, !options.config.empty(), process_environment(),
                              environment_names(), diagnostics);
  if (!options.paths.empty()) {
    Paths paths = sort_paths(options.paths);
    config.rules.packs = std::move(paths.packs);
    config.rules.systems = std::move(paths.systems);
    config.rules.imports = std::move(paths.imports);
  } else if (options.config.empty() && !shipped_rules().empty()) {
    config.rules.systems = {shipped_rules() / "systems"};
  }
  const auto policy = Policy::load(policy_sources(config), diagnostics);
  if (options.json) {
    std::cout << all_as_json(diagnostics, policy.get()) << '\n';
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
  print_imports(*policy, colour(stdout));
  const matcher::FirstStage::Stats& stats = policy->rules().first_stage().stats();
  if (!stats.trusted) {
    std::cerr << "this machine's Vectorscan misses matches and is not used: every rule is tried on "
                 "every event, "
                 "which is slow; libhyperscan is the one to install on x86-64\n";
  } else if (stats.always > 0) {
    std::cout << fmt::format(
        "{} of {} patterns cannot be searched for together and cost a search "
        "each, in every event\n",
        stats.always, stats.gated + stats.scanned + stats.always);
  }
  return kDone;
}

}  // namespace

void add_check(CLI::App& app, int* exit) {
  CLI::App* command = app.add_subcommand(
      "check", "Validate configuration, rules and system profiles; run the rules' examples");
  auto options = std::make_shared<Options>();
  command->add_option("--config", options->config, "The configuration file")->type_name(kFile);
  command->add_option("PATH", options->paths,
                      "Packs, profiles, or directories of them, a gitleaks.toml, a folder of Agent "
                      "Threat Rules, instead of the configured ones");
  command->add_flag("--json", options->json, "Diagnostics as a JSON array on standard output");
  command->footer(
      "Prints every mistake with file:line:column, the line and what is allowed; exit status 2\n"
      "when there is one.\n\n"
      "Examples:\n"
      "  tocsin check                                    # the rules that come with tocsin\n"
      "  tocsin check --config /etc/tocsin/tocsin.yaml\n"
      "  tocsin check rules/packs/shell.yaml\n"
      "  tocsin check .gitleaks.toml node_modules/agent-threat-rules");
  command->callback([options, exit] { *exit = check(*options); });
}

}  // namespace tocsin::cli
