// `tocsin man`: the manual page, from what --help says, and what a page says besides.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cli/cli.h"
#include "daemon/cli/command_tree.h"
#include "daemon/version.h"

namespace tocsin::cli {
namespace {

// Text as roff shows it: minus signs that can be pasted into a shell, backslashes, and nothing at
// the start of a line that is a request.
std::string roff(std::string_view text) {
  std::string out;
  if (text.starts_with('.') || text.starts_with('\'')) out += "\\&";
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\(aq";
    } else if (c == '^') {
      out += "\\(ha";
    } else if (c == '~') {
      out += "\\(ti";
    } else if (c == '`') {
      out += "\\(ga";
    } else {
      out += c;
    }
  }
  return out;
}

// Lines of a page's source, broken between words, which roff fills anew.  Names are not hyphenated.
std::string broken(std::string_view text) {
  constexpr std::size_t kColumns = 78;
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    std::string word = roff(text.substr(0, end));
    if (word.find('_') != std::string::npos) word.insert(0, "\\%");
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool fits = column + 1 + word.size() <= kColumns;
    if (column > 0) out += fits ? ' ' : '\n';
    column = (column > 0 && fits ? column + 1 : 0) + word.size();
    out += word;
  }
  return out + "\n";
}

// A sentence begins a line, as man pages are written: roff sets the blanks between them.
std::string sentences(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t end = text.find(".  ");
    end = end == std::string_view::npos ? text.size() : end + 1;
    out += broken(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  return out;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

// A footer: indented lines are commands, shown as they stand, what introduces them is a paragraph.
std::string footer(std::string_view text) {
  std::string out;
  std::string paragraph;
  bool shown = false;  // within .EX
  const auto flush = [&] {
    if (!paragraph.empty()) out += ".PP\n" + sentences(paragraph);
    paragraph.clear();
  };
  for (const std::string_view line : lines_of(text)) {
    const bool indented = line.starts_with("  ");
    if (shown && !indented) out += ".EE\n.RE\n";
    if (indented) {
      flush();
      if (!shown) out += ".PP\n.RS 4\n.EX\n";
      out += roff(line.substr(2)) + "\n";
    } else if (line.empty()) {
      flush();
    } else {
      if (!paragraph.empty()) paragraph += line.front() == ' ' ? "" : " ";
      // What ends a line ends a sentence, if it looks like one.
      if (paragraph.ends_with(". ")) paragraph += " ";
      paragraph += line;
    }
    shown = indented;
  }
  if (shown) out += ".EE\n.RE\n";
  flush();
  return out;
}

std::string synopsis(const Command& command) {
  std::string out = fmt::format("\\fB{}\\fR", roff(joined(command.path)));
  if (!command.options.empty()) out += " [\\fIOPTIONS\\fR]";
  if (!command.subcommands.empty()) out += " \\fISUBCOMMAND\\fR";
  for (const Parameter& one : command.positionals) {
    const std::string name = fmt::format("\\fI{}\\fR{}", roff(one.name), one.repeated ? "..." : "");
    out += one.required ? " " + name : " [" + name + "]";
  }
  return out;
}

std::string parameter(const Parameter& one) {
  std::string head;
  for (const std::string& flag : one.flags) {
    head += fmt::format("{}\\fB{}\\fR", head.empty() ? "" : ", ", roff(flag));
  }
  if (!one.name.empty()) head += fmt::format("{}\\fI{}\\fR", head.empty() ? "" : " ", one.name);
  std::string out = ".TP\n" + head + "\n" + sentences(one.description);
  if (!out.ends_with(".\n") && !out.ends_with(")\n")) out.insert(out.size() - 1, ".");
  if (!one.values.empty()) out += broken("One of " + joined(one.values, ", ") + ".");
  if (!one.preset.empty()) out += fmt::format("Default: {}.\n", roff(one.preset));
  return out;
}

std::string parameters(const Command& command) {
  std::string out;
  for (const Parameter& one : command.positionals) out += parameter(one);
  for (const Parameter& one : command.options) {
    // Every subcommand has it; it is told once.
    const bool help = std::ranges::find(one.flags, "--help") != one.flags.end();
    if (!help || command.path.size() == 1) out += parameter(one);
  }
  return out;
}

constexpr std::string_view kRest = R"(.SH "EXIT STATUS"
.TP
.B 0
It is done.
.TP
.B 1
It failed: a broker, a file or the network did not do its part.
.TP
.B 2
The operator's mistake: what is wrong was said, with file, line and remedy, and
nothing was loaded.
A service manager need not try again.
.TP
.B 3
The answer is no: a test failed, or lint has something to say.
.SH ENVIRONMENT
.TP
.BI TOCSIN_ SECTION _ KEY
Takes the place of a key of the configuration, but for those of detectors:
.B \%session.idle_seconds
is
.BR TOCSIN_SESSION_IDLE_SECONDS .
Names that are no key are warned of.
.TP
.B XDG_CACHE_HOME
Compiled rules go into
.I tocsin
below it.
Without a place to write they are compiled at every start.
.TP
.B NO_COLOR
Set, and not empty: nothing is coloured.
.SH FILES
.TP
.I /etc/tocsin/tocsin.yaml
Where the service reads its configuration; every key stands there with its
default.
.TP
.I /etc/tocsin/credentials
Secrets for the service, one a file, for root alone to read.
.TP
.I ../share/tocsin/rules
Seen from the program: the rules and system profiles that come with it.
.TP
.I /var/cache/tocsin
The service's compiled rules; may be removed at any time.
.SH SIGNALS
.TP
.BR SIGTERM ", " SIGINT
Reads no more, delivers what was found, commits, and leaves within ten seconds.
.TP
.B SIGHUP
Looks at rules and profiles now.
They are looked at by themselves, too; mistakes in them leave those before in
force.
)";

}  // namespace

std::string manual_page(const Command& root) {
  std::string out = fmt::format(
      ".\\\" Written by `tocsin man`.\n.TH TOCSIN 1 \"{}\" \"tocsin {}\" \"User Commands\"\n"
      ".SH NAME\ntocsin \\- runtime monitoring of what LLM agents do\n.SH SYNOPSIS\n",
      commit_date(), version());
  std::string_view before;
  for_each_command(root, [&](const Command& command) {
    if (command.path.size() > 1 && command.subcommands.empty()) {
      out += fmt::format("{}{}\n", before, synopsis(command));
      before = ".br\n";
    }
  });
  out += ".SH DESCRIPTION\n" + sentences(root.description) + R"(.PP
Agents, gateways and collectors write tool calls and outputs to Kafka.
.B tocsin run
reads them, applies rules and detectors, and writes findings and incidents to
topics of its own, and metrics for Prometheus.
It is out of band: it never sits in the request path.
The other subcommands try, explain and test what
.B run
would do, without a broker.
)";
  out += ".SH OPTIONS\n" + parameters(root) + ".SH SUBCOMMANDS\n";
  for_each_command(root, [&](const Command& command) {
    if (command.path.size() == 1) return;
    out += fmt::format(".SS {}\n", roff(joined({command.path.begin() + 1, command.path.end()})));
    std::string description = sentences(command.description);
    if (!description.ends_with(".\n")) description.insert(description.size() - 1, ".");
    out += description + parameters(command) + footer(command.footer);
  });
  out += kRest;
  out += ".SH EXAMPLES\n";
  const std::size_t examples = root.footer.find("Examples:\n");
  if (examples != std::string::npos) {
    out += ".EX\n";
    for (const std::string_view line : lines_of(std::string_view(root.footer).substr(examples))) {
      if (line.starts_with("  ")) out += roff(line.substr(2)) + "\n";
    }
    out += ".EE\n";
  }
  return out;
}

void add_man(CLI::App& app, int* exit) {
  CLI::App* command = app.add_subcommand("man", "Print the manual page");
  command->footer(
      "Examples:\n"
      "  tocsin man | man -l -\n"
      "  tocsin man >/usr/local/share/man/man1/tocsin.1");
  command->callback([&app, exit] {
    std::cout << manual_page(command_tree(app)) << std::flush;
    *exit = std::cout ? kDone : kFailed;
  });
}

}  // namespace tocsin::cli
