// The command line as data, for the manual page and for completions: what --help says, read from
// the same place.
//
// All of it is text of the program's own sources.  Nothing of a configuration, a rule, a profile or
// an event gets in, so what is written from it may be run by a shell.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace tocsin::cli {

// An option, or a positional argument: then `flags` is empty.
struct Parameter {
  std::vector<std::string> flags;   // -h, --help
  std::string name;                 // FILE; empty: it takes no value
  std::vector<std::string> values;  // the only ones allowed; empty: any
  std::string preset;               // its default, where --help shows one
  std::string description;
  bool required = false;
  bool repeated = false;

  // Its value is a file or a directory.
  [[nodiscard]] bool is_path() const;
};

struct Command {
  std::vector<std::string> path;  // tocsin, rules, list
  std::string description;
  std::string footer;
  std::vector<Parameter> options;
  std::vector<Parameter> positionals;
  std::vector<Command> subcommands;
};

Command command_tree(const CLI::App& app);

// Calls `visit` for the command and all below it, those above first.
template <typename Visit>
void for_each_command(const Command& command, const Visit& visit) {
  visit(command);
  for (const Command& below : command.subcommands) for_each_command(below, visit);
}

// "tocsin rules list"
std::string joined(const std::vector<std::string>& words, const char* between = " ");

// tocsin(1), in roff's man macros.
std::string manual_page(const Command& root);

// A script of completions; `shell` is one of completion_shells().
const std::vector<std::string>& completion_shells();
std::string completion_script(const Command& root, const std::string& shell);

}  // namespace tocsin::cli
