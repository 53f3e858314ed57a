// process_*: what Prometheus clients say about their own process, from /proc/self.
#pragma once

#include "daemon/metrics/registry.h"

namespace tocsin {

void register_process_metrics(metrics::Registry& registry);

}  // namespace tocsin
