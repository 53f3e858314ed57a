#include "daemon/cli/cli.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "daemon/policy_reload.h"
#include "daemon/text.h"

namespace tocsin::cli {

std::string one_of_type(std::span<const std::string_view> words) {
  return fmt::format("TEXT:{{{}}}", fmt::join(words, ","));
}

bool colour(std::FILE* stream) {
  const char* refused = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return isatty(fileno(stream)) != 0 && (refused == nullptr || *refused == '\0');
}

std::string_view colour_of(std::string_view severity) {
  if (severity == "critical") return "\033[1;31m";
  if (severity == "high") return "\033[31m";
  if (severity == "medium") return "\033[33m";
  return "\033[2m";
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

int report(const Diagnostics& diagnostics) {
  print(std::cerr, diagnostics, colour(stderr));
  if (!diagnostics.has_errors()) return kDone;
  std::cerr << diagnostics.errors() << (diagnostics.errors() == 1 ? " error" : " errors")
            << "; nothing was loaded\n";
  return kOperatorMistake;
}

std::string summary(const ImportReport& import) {
  std::string said =
      fmt::format("{}: {} rules taken", printable(import.path, 4096), grouped(import.taken));
  if (!import.reduced.empty()) said += fmt::format(" ({} in part)", grouped(import.reduced.size()));
  said += fmt::format(", {} refused", grouped(import.refused.size()));
  if (import.left_out > 0) said += fmt::format(", {} not wanted", grouped(import.left_out));
  if (import.tests > 0) {
    said += fmt::format("; {} of their own {} tests fail", grouped(import.tests_failed),
                        grouped(import.tests));
  }
  if (import.evasions > 0) {
    said += fmt::format("; {} of {} evasions that their authors know of are found",
                        grouped(import.evasions_found), grouped(import.evasions));
  }
  return said;
}

}  // namespace tocsin::cli
