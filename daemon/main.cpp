// The program: one subcommand, one exit status.
#include <exception>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "daemon/cli/cli.h"
#include "daemon/version.h"

int main(int argc, char** argv) {
  using namespace tocsin;
  CLI::App app{
      "tocsin watches what LLM agents do: tool calls and outputs in, findings and metrics out."};
  app.name("tocsin");
  app.set_version_flag("--version", version_line());
  app.footer(
      "Exit status: 0 done, 1 it failed, 2 the operator's mistake, 3 the answer is no.\n\n"
      "Examples:\n"
      "  tocsin demo\n"
      "  tocsin run --config /etc/tocsin/tocsin.yaml\n"
      "  tocsin check --config /etc/tocsin/tocsin.yaml\n"
      "  tocsin test rules/ my-cases/\n"
      "  tocsin rules lint rules/packs/shell.yaml\n"
      "  tocsin replay events.jsonl.gz --out findings.jsonl");
  int exit = cli::kDone;
  cli::add_run(app, &exit);
  cli::add_demo(app, &exit);
  cli::add_check(app, &exit);
  cli::add_test(app, &exit);
  cli::add_rules(app, &exit);
  cli::add_replay(app, &exit);
  cli::add_completion(app, &exit);
  cli::add_man(app, &exit);
  app.require_subcommand(0, 1);  // so that `check rules` means a folder
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version come this way too, and are no mistakes.
    return app.exit(error) == 0 ? cli::kDone : cli::kOperatorMistake;
  } catch (const std::exception& error) {
    std::cerr << "tocsin: " << error.what() << '\n';
    return cli::kFailed;
  }
  if (app.get_subcommands().empty()) {
    std::cerr << app.help();
    return cli::kOperatorMistake;
  }
  return exit;
}
