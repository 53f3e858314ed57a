#include "daemon/cli/cli.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "daemon/policy_reload.h"

namespace tocsin::cli {

bool colour(std::FILE* stream) {
  const char* refused = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return isatty(fileno(stream)) != 0 && (refused == nullptr || *refused == '\0');
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

std::shared_ptr<const Policy> load_policy(const Config& config, bool owner_needed,
                                          Diagnostics& diagnostics) {
  return Policy::load(policy_sources(config, owner_needed), diagnostics);
}

}  // namespace tocsin::cli
