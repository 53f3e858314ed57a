// `tocsin completion SHELL`: what a shell asks of the command line, from the same place as --help.
//
// The scripts know words of the program's own sources and nothing else: ids of rules, which come
// from files, are not completed.
#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cli/cli.h"
#include "daemon/cli/command_tree.h"

namespace tocsin::cli {
namespace {

// As one word of a shell: bash, zsh and fish agree on this much.
std::string shell_word(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string below_root(const Command& command, const char* between) {
  return joined({command.path.begin() + 1, command.path.end()}, between);
}

std::string names_of(const std::vector<Command>& commands) {
  std::vector<std::string> names;
  for (const Command& one : commands) names.push_back(one.path.back());
  return joined(names);
}

// "'rules list' | 'rules show'", or with another mark between: every subcommand, from the top.
std::string every_path(const Command& root, const char* between) {
  std::vector<std::string> paths;
  for_each_command(root, [&](const Command& command) {
    if (command.path.size() > 1) paths.push_back(shell_word(below_root(command, " ")));
  });
  return joined(paths, between);
}

// ---------------------------------------------------------------------------------------------------------------------

// Files are left to readline: it knows about quotes, blanks and `~`.
std::string bash_script(const Command& root) {
  std::string out = fmt::format(
      R"(# bash completion for tocsin, written by `tocsin completion bash`

_tocsin_words() {{ # WORDS: these, and no files
  compopt +o default +o bashdefault 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word")
}}

_tocsin() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command='' i
  # --option=value comes as three words.
  if [[ $word == '=' ]]; then
    word=''
  elif [[ $before == '=' && $COMP_CWORD -gt 1 ]]; then
    before=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ ${{COMP_WORDS[i]}} != -* ]] || continue
    case "${{command:+$command }}${{COMP_WORDS[i]}}" in
      {}) command="${{command:+$command }}${{COMP_WORDS[i]}}" ;;
      *) break ;;
    esac
  done
  COMPREPLY=()
  case $command in
)",
      every_path(root, " | "));
  for_each_command(root, [&](const Command& command) {
    out += fmt::format("    {})\n      case $before in\n", shell_word(below_root(command, " ")));
    std::vector<std::string> flags;
    for (const Parameter& option : command.options) {
      flags.insert(flags.end(), option.flags.begin(), option.flags.end());
      if (option.name.empty()) continue;
      out += fmt::format(
          "        {}) {}return ;;\n", joined(option.flags, " | "),
          option.is_path() ? "" : "_tocsin_words " + shell_word(joined(option.values)) + "; ");
    }
    out +=
        fmt::format("      esac\n      if [[ $word == -* ]]; then _tocsin_words {}; return; fi\n",
                    shell_word(joined(flags)));
    std::vector<std::string> words;
    bool paths = false;
    for (const Parameter& one : command.positionals) {
      paths = paths || one.is_path();
      words.insert(words.end(), one.values.begin(), one.values.end());
    }
    if (!command.subcommands.empty()) words.push_back(names_of(command.subcommands));
    if (!paths) out += fmt::format("      _tocsin_words {}\n", shell_word(joined(words)));
    out += "      ;;\n";
  });
  return out + R"(  esac
}

complete -o bashdefault -o default -F _tocsin tocsin
)";
}

// ---------------------------------------------------------------------------------------------------------------------

// Within the brackets and colons of a specification for _arguments.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_value(const Parameter& one) {
  if (one.is_path()) return fmt::format(":{}:_files", one.name);
  if (one.values.empty()) return fmt::format(":{}: ", one.name);  // nothing that can be offered
  return fmt::format(":{}:({})", one.name, joined(one.values));
}

std::string zsh_script(const Command& root) {
  std::string out =
      "#compdef tocsin\n# zsh completion for tocsin, written by `tocsin completion zsh`\n";
  for_each_command(root, [&](const Command& command) {
    out += fmt::format("\n_{}() {{\n", joined(command.path, "_"));
    if (!command.subcommands.empty()) {
      out += "  local curcontext=$curcontext state\n  local -a line commands\n";
    }
    out += "  _arguments -s -C";
    for (const Parameter& option : command.options) {
      for (const std::string& flag : option.flags) {
        // One of an option's names rules out the others, and itself unless it may be repeated.
        const std::string excluded =
            option.repeated ? "*" : fmt::format("({})", joined(option.flags));
        out += " \\\n    " +
               shell_word(fmt::format("{}{}[{}]{}", excluded, flag, zsh_text(option.description),
                                      option.name.empty() ? "" : zsh_value(option)));
      }
    }
    std::size_t position = 0;
    for (const Parameter& one : command.positionals) {
      const std::string where = one.repeated ? "*" : std::to_string(++position);
      out += " \\\n    " + shell_word(where + zsh_value(one));
    }
    if (command.subcommands.empty()) {
      out += "\n}\n";
      return;
    }
    out +=
        " \\\n    '1:subcommand:->subcommand' '*::argument:->argument'\n  case $state in\n"
        "    subcommand)\n      commands=(";
    for (const Command& below : command.subcommands) {
      out += "\n        " + shell_word(below.path.back() + ":" + zsh_text(below.description));
    }
    out +=
        "\n      )\n      _describe -t commands subcommand commands ;;\n    argument)\n      case "
        "$line[1] in\n";
    for (const Command& below : command.subcommands) {
      out += fmt::format("        {}) _{} ;;\n", below.path.back(), joined(below.path, "_"));
    }
    out += "      esac ;;\n  esac\n}\n";
  });
  return out + R"(
if [[ ${funcstack[1]} == _tocsin ]]; then _tocsin "$@"; else compdef _tocsin tocsin; fi
)";
}

// ---------------------------------------------------------------------------------------------------------------------

std::string fish_script(const Command& root) {
  std::string out = fmt::format(
      R"(# fish completion for tocsin, written by `tocsin completion fish`

# Whether the words before the cursor are of this subcommand.
function __tocsin_at
    set -l words (commandline -opc)
    set -l command ''
    for word in $words[2..-1]
        if string match -q -- '-*' $word
            continue
        end
        switch (string trim -- "$command $word")
            case {}
                set command (string trim -- "$command $word")
            case '*'
                break
        end
    end
    test "$command" = "$argv[1]"
end

complete -c tocsin -f
)",
      every_path(root, " "));
  for_each_command(root, [&](const Command& command) {
    const std::string head =
        fmt::format("complete -c tocsin -n {}",
                    shell_word(fmt::format("__tocsin_at \"{}\"", below_root(command, " "))));
    for (const Command& below : command.subcommands) {
      out +=
          fmt::format("{} -a {} -d {}\n", head, below.path.back(), shell_word(below.description));
    }
    for (const Parameter& option : command.options) {
      out += head;
      for (const std::string& flag : option.flags) {
        out += flag.starts_with("--") ? " -l " + flag.substr(2) : " -s " + flag.substr(1);
      }
      if (!option.name.empty()) out += option.is_path() ? " -rF" : " -x";
      if (!option.values.empty()) out += " -a " + shell_word(joined(option.values));
      out += " -d " + shell_word(option.description) + "\n";
    }
    for (const Parameter& one : command.positionals) {
      if (one.is_path()) out += head + " -F\n";
      if (!one.values.empty()) out += head + " -a " + shell_word(joined(one.values)) + "\n";
    }
  });
  return out;
}

}  // namespace

const std::vector<std::string>& completion_shells() {
  static const std::vector<std::string> shells = {"bash", "zsh", "fish"};
  return shells;
}

std::string completion_script(const Command& root, const std::string& shell) {
  if (shell == "bash") return bash_script(root);
  if (shell == "zsh") return zsh_script(root);
  return fish_script(root);
}

void add_completion(CLI::App& app, int* exit) {
  CLI::App* command =
      app.add_subcommand("completion", "Print a script that completes tocsin's command line");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "The shell it is for")
      ->required()
      ->check(CLI::IsMember(completion_shells()));
  command->footer(
      "The script holds what --help says and nothing else; it asks no program and reads no "
      "file.\n\n"
      "Examples:\n"
      "  tocsin completion bash >~/.local/share/bash-completion/completions/tocsin\n"
      "  tocsin completion zsh >~/.zfunc/_tocsin\n"
      "  tocsin completion fish >~/.config/fish/completions/tocsin.fish\n"
      "  source <(tocsin completion bash)");
  command->callback([&app, shell, exit] {
    std::cout << completion_script(command_tree(app), *shell) << std::flush;
    *exit = std::cout ? kDone : kFailed;
  });
}

}  // namespace tocsin::cli
