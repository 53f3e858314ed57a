// What stages and detectors cost: nanoseconds an event and bytes of state a session.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/timing.h"
#include "daemon/policy.h"

namespace tocsin::bench {

// Measures decoding, rules, each detector of the policy, `flow::Tracker::follow`, all detectors
// together with it, and the whole pipeline over the sessions in `events`: of each event the
// shortest time of all passes.  Figures are named `<prefix>detectors_median_ns` and so on.
void measure_stages(const Timing& timing, const std::shared_ptr<const Policy>& policy,
                    const std::vector<std::string>& events, std::string_view prefix,
                    const std::function<void(std::string_view, double, std::string_view)>& add);

}  // namespace tocsin::bench
