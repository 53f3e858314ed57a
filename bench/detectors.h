// What the detectors cost: nanoseconds an event and bytes of state a session.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/timing.h"
#include "daemon/policy.h"

namespace tocsin::bench {

// Measures each detector of the policy, `flow::Tracker::follow` and all of them together over the
// sessions in `events`.  Figures are named `<prefix>detectors_median_ns` and so on.
void measure_detectors(const Timing& timing, const Policy& policy,
                       const std::vector<std::string>& events, std::string_view prefix,
                       const std::function<void(std::string_view, double, std::string_view)>& add);

}  // namespace tocsin::bench
