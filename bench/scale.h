// The figures that depend on how many rules there are.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace tocsin::bench {

struct ScaleOptions {
  double seconds = 1;  // a round
  int rounds = 3;
};

// Calls `add(name, value, unit)` for each.
void measure_scale(const ScaleOptions& options,
                   const std::function<void(std::string_view, double, std::string_view)>& add);

// Writes how many bytes of memory this process holds with 2,500 rules to `folder`/resident, for
// `measure_scale`.
void report_resident(const std::string& folder);

}  // namespace tocsin::bench
