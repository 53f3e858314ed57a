// The figures that depend on how many rules there are.
#pragma once

#include <functional>
#include <string_view>

namespace tocsin::bench {

struct ScaleOptions {
  double seconds = 1;  // a round
  int rounds = 3;
};

// Calls `add(name, value, unit)` for each.
void measure_scale(const ScaleOptions& options,
                   const std::function<void(std::string_view, double, std::string_view)>& add);

}  // namespace tocsin::bench
