// The figures that depend on how many rules there are.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "bench/timing.h"

namespace tocsin::bench {

// Calls `add(name, value, unit)` for each.
void measure_scale(const Timing& timing,
                   const std::function<void(std::string_view, double, std::string_view)>& add);

// Writes how many bytes of memory this process holds with 2,500 rules to `folder`/resident, for
// `measure_scale`.
void report_resident(const std::string& folder);

}  // namespace tocsin::bench
