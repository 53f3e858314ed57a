// The subcommands.  Each adds itself to the program and, when chosen, runs and sets the exit
// status.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "daemon/config.h"
#include "daemon/diagnostics.h"
#include "daemon/policy.h"

namespace tocsin::cli {

enum Exit : int {
  kDone = 0,
  kFailed = 1,
  kOperatorMistake = 2,
  kAnswerIsNo = 3,
};

void add_run(CLI::App& app, int* exit);
void add_demo(CLI::App& app, int* exit);
void add_check(CLI::App& app, int* exit);
void add_test(CLI::App& app, int* exit);
void add_rules(CLI::App& app, int* exit);
void add_replay(CLI::App& app, int* exit);
void add_completion(CLI::App& app, int* exit);
void add_man(CLI::App& app, int* exit);

// An option whose value is a file, a directory, or either: --help says so, and shells complete it.
inline constexpr const char* kFile = "FILE";
inline constexpr const char* kPath = "PATH";

// The type of an option that takes one of these words, as --help shows it: {high,low}.  For options
// that are checked by us, with the nearest word; CLI::IsMember says it by itself.
std::string one_of_type(std::span<const std::string_view> words);

// Whether to colour what goes to `stream`: a terminal, and NO_COLOR unset.
bool colour(std::FILE* stream);

// The escape sequence for what is of this severity.
std::string_view colour_of(std::string_view severity);

// "12,345,678"
std::string grouped(std::uint64_t number);

// Prints to standard error what there is to say; the mistake's exit status, or kDone without
// errors.
int report(const Diagnostics& diagnostics);

// "gitleaks.toml: 219 rules taken, 3 refused", and what came of their own tests.
std::string summary(const ImportReport& import);

}  // namespace tocsin::cli
