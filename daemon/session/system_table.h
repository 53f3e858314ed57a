// What detectors remember of systems, over all sessions of one partition: bounded in systems.
// Not thread-safe: owned by a worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "detectors/detector.h"

namespace tocsin {

struct SystemStates {
  std::string name;
  bool known = false;                                // it has a profile
  std::vector<std::unique_ptr<SystemState>> states;  // by detector
  std::size_t bytes = 0;                             // kept by the table
};

// The system whose last event is longest ago is forgotten first.  Systems without a profile have
// places of their own: whoever makes up names cannot push out what is known of a profiled one.
class SystemTable {
 public:
  static constexpr std::size_t kKnownMax = 256;
  static constexpr std::size_t kUnknownMax = 16;

  // The system's states; empty when it was not remembered.  Valid until the next `touch`.
  SystemStates& touch(std::string_view name, bool known);
  // To be called after the states changed.
  void update_bytes(SystemStates& system);

  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (const List& list : lists_) {
      for (const SystemStates& system : list) visit(system);
    }
  }
  // Forgets the system whose last event is longest ago, one without a profile first; false when
  // there is no other.
  bool evict_oldest();
  void clear();

  [[nodiscard]] std::size_t size() const { return index_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // How many systems were forgotten for want of room since the last call.
  std::uint64_t take_evicted() { return std::exchange(evicted_, 0); }

 private:
  using List = std::list<SystemStates>;  // latest first

  void drop_oldest(List& list);

  std::array<List, 2> lists_;                                   // unknown, known
  std::unordered_map<std::string_view, List::iterator> index_;  // keys: SystemStates::name
  std::size_t bytes_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace tocsin
