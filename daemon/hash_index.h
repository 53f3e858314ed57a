// Finds things by the hash of their key: open addressing with linear probing, so that a look-up
// costs one cache line and no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tocsin {

// `Value`: small and cheap to copy, a pointer or an iterator.  The keys are the caller's business:
// it hashes them (with a seed that nobody knows, when strangers choose them) and says which of the
// values with an equal hash is meant.  Not thread-safe.
template <typename Value>
class HashIndex {
 public:
  // Null: none.  Valid until the next change.
  template <typename Same>
  [[nodiscard]] const Value* find(std::uint64_t hash, const Same& same) const {
    const std::size_t at = position(hash, same);
    return at == kNowhere ? nullptr : &slots_[at].value;
  }

  // The caller has looked: it is not there yet.
  void insert(std::uint64_t hash, Value value) {
    if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    place({.hash = used(hash), .value = value});
    ++size_;
  }

  // False: it was not there.
  template <typename Same>
  bool erase(std::uint64_t hash, const Same& same) {
    std::size_t hole = position(hash, same);
    if (hole == kNowhere) return false;
    // What stands behind moves up where it may, so that no search stops early.
    for (std::size_t i = next(hole); slots_[i].hash != kFree; i = next(i)) {
      const std::size_t home = slots_[i].hash & mask();
      const bool stays = ((i - home) & mask()) < ((i - hole) & mask());
      if (stays) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = {};
    --size_;
    return true;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::uint64_t kFree = 0;
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  static constexpr std::size_t kSlotsMin = 16;  // a power of two, as every size is
  struct Slot {
    std::uint64_t hash = kFree;
    Value value{};
  };

  static std::uint64_t used(std::uint64_t hash) { return hash == kFree ? 1 : hash; }
  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  [[nodiscard]] std::size_t next(std::size_t i) const { return (i + 1) & mask(); }

  template <typename Same>
  [[nodiscard]] std::size_t position(std::uint64_t hash, const Same& same) const {
    if (slots_.empty()) return kNowhere;
    hash = used(hash);
    for (std::size_t i = hash & mask(); slots_[i].hash != kFree; i = next(i)) {
      if (slots_[i].hash == hash && same(slots_[i].value)) return i;
    }
    return kNowhere;
  }

  void place(const Slot& slot) {
    std::size_t i = slot.hash & mask();
    while (slots_[i].hash != kFree) i = next(i);
    slots_[i] = slot;
  }

  void grow() {
    std::vector<Slot> old =
        std::exchange(slots_, std::vector<Slot>(slots_.empty() ? kSlotsMin : slots_.size() * 2));
    for (const Slot& slot : old) {
      if (slot.hash != kFree) place(slot);
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace tocsin
