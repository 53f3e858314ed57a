#include "daemon/session/system_table.h"

namespace tocsin {
namespace {

constexpr std::size_t kBookkeepingBytes = 128;  // a system's share of the list and the index

}  // namespace

SystemStates& SystemTable::touch(std::string_view name, bool known) {
  List& list = lists_[known ? 1 : 0];
  if (!list.empty() && list.front().name == name) return list.front();
  if (const auto found = index_.find(name); found != index_.end()) {
    const auto at = found->second;
    // A profile may have come or gone since.
    list.splice(list.begin(), lists_[at->known ? 1 : 0], at);
    at->known = known;
  } else {
    SystemStates& made = list.emplace_front();
    made.name = name;
    made.known = known;
    index_.emplace(made.name, list.begin());
  }
  if (list.size() > (known ? kKnownMax : kUnknownMax)) drop_oldest(list);
  return list.front();
}

void SystemTable::drop_oldest(List& list) {
  bytes_ -= list.back().bytes;
  index_.erase(list.back().name);
  list.pop_back();
  ++evicted_;
}

bool SystemTable::evict_oldest() {
  if (index_.size() < 2) return false;
  List& unknown = lists_[0];
  drop_oldest(unknown.empty() ? lists_[1] : unknown);
  return true;
}

void SystemTable::update_bytes(SystemStates& system) {
  std::size_t bytes = kBookkeepingBytes + sizeof(SystemStates) + system.name.capacity() +
                      system.states.capacity() * sizeof(system.states[0]);
  for (const auto& state : system.states) {
    if (state != nullptr) bytes += state->bytes();
  }
  bytes_ = bytes_ - system.bytes + bytes;
  system.bytes = bytes;
}

void SystemTable::clear() {
  index_.clear();
  for (List& list : lists_) list.clear();
  bytes_ = 0;
}

}  // namespace tocsin
