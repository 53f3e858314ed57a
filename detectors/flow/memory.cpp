#include "detectors/flow/memory.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tocsin::flow {
namespace {

constexpr std::size_t kSlotsMin = 8;

// Open addressing at most three quarters full.
bool is_crowded(std::size_t items, std::size_t slots) { return 4 * (items + 1) > 3 * slots; }

}  // namespace

bool HashSet::insert(std::uint32_t hash) {
  if (slots_.empty()) grow();
  std::size_t at = slot_of(hash);
  if (slots_[at] == hash) return true;
  if (size_ >= items_max_) return false;
  if (is_crowded(size_, slots_.size())) {
    grow();
    at = slot_of(hash);
  }
  slots_[at] = hash;
  ++size_;
  return true;
}

void HashSet::grow() {
  std::vector<std::uint32_t> before(std::max(kSlotsMin, 2 * slots_.size()));
  before.swap(slots_);
  for (const std::uint32_t hash : before) {
    if (hash != 0) slots_[slot_of(hash)] = hash;
  }
}

bool SaidWords::add(std::uint32_t hash, Sayers by, std::size_t words_max) {
  if (slots_.empty()) grow();
  std::size_t at = slot_of(hash);
  if ((slots_[at] & by) != 0) return true;
  std::uint16_t& words = words_[static_cast<std::size_t>(std::countr_zero(by))];
  if (words >= words_max) return false;
  if (slots_[at] == 0) {
    if (is_crowded(size_, slots_.size())) {
      grow();
      at = slot_of(hash);
    }
    slots_[at] = hash & ~kSayers;
    ++size_;
  }
  slots_[at] |= by;
  ++words;
  return true;
}

// By half: of many sessions the tables are most of the memory, and doubled ones are half empty.
void SaidWords::grow() {
  std::vector<std::uint32_t> before(std::max(kSlotsMin, slots_.size() + slots_.size() / 2));
  before.swap(slots_);
  for (const std::uint32_t word : before) {
    if (word != 0) slots_[slot_of(word)] = word;
  }
}

// Where the hash is or would be; there are slots, and a free one among them.
std::size_t Sightings::slot_of(const std::vector<Sighting>& slots, std::uint32_t hash) {
  const std::size_t mask = slots.size() - 1;
  std::size_t at = (hash >> 1U) & mask;
  while (slots[at].hash != 0 && slots[at].hash != hash) at = (at + 1) & mask;
  return at;
}

bool Sightings::holds(const std::vector<Sighting>& slots, std::uint32_t hash) {
  return !slots.empty() && slots[slot_of(slots, hash)].hash == hash;
}

const Sighting* Sightings::find(std::uint32_t hash) const {
  if (holds(young_, hash)) return &young_[slot_of(young_, hash)];
  if (holds(old_, hash)) return &old_[slot_of(old_, hash)];
  return nullptr;
}

Sighting& Sightings::at(std::uint32_t hash) {
  if (holds(young_, hash)) return young_[slot_of(young_, hash)];
  if (holds(old_, hash)) return old_[slot_of(old_, hash)];
  if (size_ >= generation_max_) {
    forgot_ = forgot_ || !old_.empty();
    old_ = std::exchange(young_, {});
    size_ = 0;
  }
  if (is_crowded(size_, young_.size())) grow();
  Sighting& made = young_[slot_of(young_, hash)];
  made.hash = hash;
  ++size_;
  return made;
}

void Sightings::grow() {
  std::vector<Sighting> before(std::max(kSlotsMin, 2 * young_.size()));
  before.swap(young_);
  for (const Sighting& sighting : before) {
    if (sighting.hash != 0) young_[slot_of(young_, sighting.hash)] = sighting;
  }
}

std::size_t SessionMemory::bytes() const {
  std::size_t sum = said.bytes() + sightings.bytes() + sources.capacity() * sizeof(Source) +
                    instructions.capacity() * sizeof(Instruction) +
                    pending.capacity() * sizeof(PendingCall) +
                    filled.capacity() * sizeof(filled[0]);
  for (const Instruction& instruction : instructions) {
    sum += instruction.tokens.capacity() * sizeof(instruction.tokens[0]);
  }
  for (const Source& source : sources) {
    sum += source.mark.heap_bytes();
  }
  return sum;
}

}  // namespace tocsin::flow
