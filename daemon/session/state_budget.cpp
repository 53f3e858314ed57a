#include "daemon/session/state_budget.h"

#include <algorithm>

#include "daemon/check.h"

namespace tocsin {

StateBudget::StateBudget(std::size_t bytes_max, std::size_t workers)
    : bytes_max_(bytes_max), held_(workers) {
  CHECK(workers > 0);
}

std::size_t StateBudget::allow(std::size_t worker, std::size_t bytes) {
  CHECK(worker < held_.size());
  // Relaxed: a sum that is a batch old moves the bound by that batch.
  held_[worker].bytes.store(bytes, std::memory_order_relaxed);
  std::size_t others = 0;
  for (std::size_t i = 0; i < held_.size(); ++i) {
    if (i != worker) others += held_[i].bytes.load(std::memory_order_relaxed);
  }
  return std::max(bytes_max_ / held_.size(), bytes_max_ - std::min(bytes_max_, others));
}

}  // namespace tocsin
