#include "daemon/cli/command_tree.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tocsin::cli {
namespace {

// The words of `TEXT:{tocsin,ocsf}`.
std::vector<std::string> values_of(std::string_view type) {
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', open);
  if (open == std::string_view::npos || close == std::string_view::npos) return {};
  std::vector<std::string> values;
  std::string_view rest = type.substr(open + 1, close - open - 1);
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    values.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return values;
}

Parameter parameter(const CLI::Option& option) {
  Parameter out;
  for (const std::string& name : option.get_snames()) out.flags.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) out.flags.push_back("--" + name);
  const std::string type = option.get_type_name();
  if (!option.nonpositional()) {
    out.name = option.get_name(true);
  } else if (option.get_items_expected_max() > 0) {
    out.name = type.substr(0, type.find(':'));
  }
  if (!out.name.empty()) out.values = values_of(type);
  out.preset = option.get_default_str();
  out.description = option.get_description();
  out.required = option.get_required();
  out.repeated = option.get_expected_max() > 1;
  return out;
}

Command command(const CLI::App& app, std::vector<std::string> path) {
  Command out;
  path.push_back(app.get_name());
  out.path = std::move(path);
  out.description = app.get_description();
  out.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    (option->nonpositional() ? out.options : out.positionals).push_back(parameter(*option));
  }
  for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; })) {
    out.subcommands.push_back(command(*below, out.path));
  }
  return out;
}

}  // namespace

bool Parameter::is_path() const { return name == "FILE" || name == "PATH"; }

Command command_tree(const CLI::App& app) { return command(app, {}); }

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

}  // namespace tocsin::cli
