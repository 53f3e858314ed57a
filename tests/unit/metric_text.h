// Reads what a scrape says.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/metrics/registry.h"

namespace tocsin::testing {

// The sum over the family's series that have these labels (for a histogram: of its counts);
// nothing: there is none.
inline std::optional<double> metric_in(std::string_view text, std::string_view family,
                                       const metrics::Labels& labels) {
  std::optional<double> sum;
  while (!text.empty()) {
    const std::string line(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t name_end = line.find_first_of("{ ");
    const std::string_view name = std::string_view(line).substr(0, name_end);
    if (name != family && name != std::string(family) + "_count") continue;
    const std::size_t value = line.rfind(' ');
    bool wanted = true;
    for (const auto& [label, is] : labels) {
      const std::string pair = label + "=\"" + is + "\"";
      const std::size_t at = line.find(pair, name_end + 1);
      wanted = wanted && at != std::string::npos && (line[at - 1] == '{' || line[at - 1] == ',');
    }
    if (wanted) sum = sum.value_or(0) + std::strtod(line.c_str() + value, nullptr);
  }
  return sum;
}

}  // namespace tocsin::testing
