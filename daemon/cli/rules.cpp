#include "daemon/cli/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "daemon/cli/paths.h"
#include "daemon/policy_reload.h"
#include "daemon/text.h"
#include "detectors/rules/lint.h"

namespace tocsin::cli {
namespace {

struct Source {
  std::string config;
  std::vector<std::string> paths;
  bool json = false;
};

// The policy to look at; null, with the reason on standard error.
std::shared_ptr<const Policy> load(const Source& source) {
  Diagnostics diagnostics;
  Config config =
      load_config(source.config, false, process_environment(), environment_names(), diagnostics);
  choose_rules(sort_paths(source.paths), !source.config.empty(), config);
  config.rules.systems.clear();  // rules alone
  PolicySources sources = policy_sources(config);
  sources.owner_needed = false;
  auto policy = Policy::load(sources, diagnostics);
  return report(diagnostics) == kDone ? policy : nullptr;
}

void add_source(CLI::App& command, Source& source) {
  command.add_option("--config", source.config, "The configuration file")->type_name(kFile);
  command.add_option("PATH", source.paths,
                     "Packs, or directories of them, instead of the configured ones");
  command.add_flag("--json", source.json, "JSON on standard output");
}

void add_list(CLI::App& rules, int* exit) {
  struct Options {
    Source source;
    ListFilter filter;
    bool coverage = false;
  };
  CLI::App* command = rules.add_subcommand("list", "Every rule, one a line");
  auto options = std::make_shared<Options>();
  add_source(*command, options->source);
  command->add_option("--category", options->filter.category, "Of this category only")
      ->type_name(one_of_type(category_names()));
  command->add_option("--severity", options->filter.severity, "At least this severe")
      ->type_name(one_of_type(severity_names()));
  command->add_option("--tag", options->filter.tag,
                      "With this tag, or one below it: owasp:ASI05, atlas:AML.T0051, nist");
  command
      ->add_option("--on", options->filter.on,
                   "For this type of event; detectors and correlations do not say theirs")
      ->type_name(one_of_type(event_type_names()));
  command->add_flag("--coverage", options->coverage,
                    "How many rules each tag has, and which ids of OWASP have none");
  command->footer(
      "Examples:\n"
      "  tocsin rules list --severity high --on tool_call\n"
      "  tocsin rules list --tag owasp:ASI05 rules/packs\n"
      "  tocsin rules list --coverage");
  command->callback([options, exit] {
    const auto policy = load(options->source);
    *exit = policy == nullptr
                ? kOperatorMistake
                : list_rules(*policy, options->filter, options->coverage, options->source.json);
  });
}

void add_show(CLI::App& rules, int* exit) {
  struct Options {
    Source source;
    std::string id;
  };
  CLI::App* command =
      rules.add_subcommand("show", "All about one rule, and who else covers what it covers");
  auto options = std::make_shared<Options>();
  command->add_option("ID", options->id, "The rule's id")->required();
  add_source(*command, options->source);
  command->footer(
      "Examples:\n"
      "  tocsin rules show shell.download-and-run\n"
      "  tocsin rules show --json loop.same-call");
  command->callback([options, exit] {
    const auto policy = load(options->source);
    *exit = policy == nullptr ? kOperatorMistake
                              : show_rule(*policy, options->id, options->source.json);
  });
}

void add_lint(CLI::App& rules, int* exit) {
  CLI::App* command =
      rules.add_subcommand("lint", "Mistakes in rules that load and pass their examples");
  auto source = std::make_shared<Source>();
  add_source(*command, *source);
  command->footer(
      "Exit status 3 when there is something to say.  What each means: rules/README.md.\n\n"
      "Examples:\n"
      "  tocsin rules lint\n"
      "  tocsin rules lint my-rules/ --json | jq -r .[].lint | sort | uniq -c");
  command->callback([source, exit] {
    const auto policy = load(*source);
    *exit = policy == nullptr ? kOperatorMistake : lint_rules(*policy, source->json);
  });
}

}  // namespace

int lint_rules(const Policy& policy, bool json) {
  const RuleSet& rules = policy.rules();
  const std::vector<LintWarning> warnings = lint(rules.rules(), rules.patterns());
  const int status = warnings.empty() ? kDone : kAnswerIsNo;
  if (json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const LintWarning& warning : warnings) {
      list.push_back({{"lint", name_of(warning.lint)},
                      {"file", warning.file},
                      {"line", warning.line},
                      {"column", warning.column},
                      {"rule", warning.rule},
                      {"message", warning.message},
                      {"remedy", warning.remedy}});
    }
    std::cout << list.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
              << '\n';
    return status;
  }
  const bool coloured = colour(stdout);
  const auto paint = [&](std::string_view code) { return coloured ? code : std::string_view{}; };
  std::array<std::size_t, kLintCount> counts{};
  for (const LintWarning& warning : warnings) {
    ++counts[static_cast<std::size_t>(warning.lint)];
    std::cout << fmt::format("{}{}:{}:{}:{} {}{}:{} {}: {}\n        {}\n", paint("\033[1m"),
                             printable(warning.file, 4096), warning.line, warning.column,
                             paint("\033[0m"), paint("\033[1;33m"), name_of(warning.lint),
                             paint("\033[0m"), warning.rule, printable(warning.message, 1024),
                             printable(warning.remedy, 1024));
  }
  std::cout << fmt::format("{} rule{}, {} warning{}", grouped(rules.rules().size()),
                           rules.rules().size() == 1 ? "" : "s", grouped(warnings.size()),
                           warnings.size() == 1 ? "" : "s");
  std::string_view before = ": ";
  for (std::size_t i = 0; i < kLintCount; ++i) {
    if (counts[i] == 0) continue;
    std::cout << before << grouped(counts[i]) << ' ' << lint_names()[i];
    before = ", ";
  }
  std::cout << '\n';
  return status;
}

void add_rules(CLI::App& app, int* exit) {
  CLI::App* command =
      app.add_subcommand("rules", "What can be found: list rules, show one, lint them");
  command->require_subcommand(1);
  add_list(*command, exit);
  add_show(*command, exit);
  add_lint(*command, exit);
  command->footer(
      "Without PATH and --config: the rules that come with tocsin.\n\n"
      "Examples:\n"
      "  tocsin rules list --severity high --on tool_call\n"
      "  tocsin rules list --tag owasp:ASI05 --json\n"
      "  tocsin rules list --coverage\n"
      "  tocsin rules show shell.download-and-run\n"
      "  tocsin rules lint --config /etc/tocsin/tocsin.yaml");
}

}  // namespace tocsin::cli
