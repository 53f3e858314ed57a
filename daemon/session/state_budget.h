// The memory for the state of sessions and systems, shared by the workers of a process.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

namespace tocsin {

// Each worker has a right to an equal part, and to what the others leave of theirs: partitions fall
// unevenly, and sessions are not to be forgotten while there is room.  Who took more than its part
// gives back at its next call once the others want theirs, so all together are over by what came
// between two calls at most.
//
// From any thread, without a lock; a worker calls with its own number only.
class StateBudget {
 public:
  StateBudget(std::size_t bytes_max, std::size_t workers);

  // What the worker may hold, now that it holds `bytes`: at least its part.
  [[nodiscard]] std::size_t allow(std::size_t worker, std::size_t bytes);

  [[nodiscard]] std::size_t workers() const { return held_.size(); }

 private:
  struct alignas(64) Held {  // a cache line each: all workers write theirs at every batch
    std::atomic<std::size_t> bytes{0};
  };

  std::size_t bytes_max_;
  std::vector<Held> held_;
};

}  // namespace tocsin
