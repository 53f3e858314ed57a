// What a session's flow is remembered by: what the user and the system prompt said, which results
// asked for something to be done, and where identifiers were first seen.
//
// Only hashes are kept, mixed with a seed of the session so that nobody who does not know its id
// can choose a text that collides with the user's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/finding.h"
#include "detectors/flow/passage.h"
#include "detectors/flow/wishes.h"
#include "detectors/session/mark.h"

namespace tocsin::flow {

// A set of 32-bit hashes.  Full, it takes no more.
class HashSet {
 public:
  explicit HashSet(std::size_t items_max) : items_max_(items_max) {}
  // False when there is no room.
  bool insert(std::uint32_t hash);
  [[nodiscard]] bool contains(std::uint32_t hash) const {
    return !slots_.empty() && slots_[slot_of(hash)] == hash;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t bytes() const { return slots_.capacity() * sizeof(slots_[0]); }

 private:
  // Where the hash is or would be; there are slots, and a free one among them.
  [[nodiscard]] std::size_t slot_of(std::uint32_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = (hash >> 1U) & mask;
    while (slots_[at] != 0 && slots_[at] != hash) at = (at + 1) & mask;
    return at;
  }
  void grow();

  std::size_t items_max_;
  std::size_t size_ = 0;
  std::vector<std::uint32_t> slots_;  // a power of two; 0: free
};

// Who said a word, or how, as bits.
using Sayers = std::uint32_t;
inline constexpr Sayers kByUser = 1U << 0U;
inline constexpr Sayers kNamed = 1U << 1U;  // the user's: an identifier, with a capital, in quotes
inline constexpr Sayers kBySystem = 1U << 2U;  // an identifier of the system prompt
inline constexpr Sayers kByAgent = 1U << 3U;   // in a call's arguments: read again, it is an echo

// What was said and by whom, in one table: the same words recur, and who said one is asked at once.
// Of a hash 28 bits are kept, so among a thousand words one in 270,000 that nobody said seems to
// have been.  Of each sayer so many words are kept; full, it takes no more of that one.
class SaidWords {
 public:
  // False when there is no room.  `by`: one sayer; `words_max`: of that one.
  bool add(std::uint32_t hash, Sayers by, std::size_t words_max);
  [[nodiscard]] Sayers by(std::uint32_t hash) const {
    return slots_.empty() ? 0 : slots_[slot_of(hash)] & kSayers;
  }
  [[nodiscard]] bool by(std::uint32_t hash, Sayers any_of) const {
    return (by(hash) & any_of) != 0;
  }
  [[nodiscard]] std::size_t bytes() const { return slots_.capacity() * sizeof(slots_[0]); }

 private:
  static constexpr Sayers kSayers = kByUser | kNamed | kBySystem | kByAgent;

  // Where the hash is or would be; there are slots, and a free one among them.
  [[nodiscard]] std::size_t slot_of(std::uint32_t hash) const {
    const std::uint32_t kept = hash & ~kSayers;
    std::size_t at = (std::uint64_t{kept} * slots_.size()) >> 32U;
    while (slots_[at] != 0 && (slots_[at] & ~kSayers) != kept) {
      if (++at == slots_.size()) at = 0;
    }
    return at;
  }
  void grow();

  std::vector<std::uint32_t> slots_;  // a hash and its sayers; 0: free
  std::uint32_t size_ = 0;
  std::array<std::uint16_t, 4> words_{};  // by sayer
};

// Where an identifier was seen.
struct Sighting {
  static constexpr unsigned kAmbient = 1U << 0U;  // outside of any passage that asks
  static constexpr unsigned kAsked = 1U << 1U;    // within one
  static constexpr unsigned kWhereMask = 3;
  static constexpr std::uint32_t kSourceMask = (std::uint32_t{1} << 30U) - 1;
  std::uint32_t hash = 0;         // 0: free
  std::uint32_t source : 30 = 0;  // first seen there: SessionMemory::source
  std::uint32_t where : 2 = 0;

  void see(std::uint32_t in_source, unsigned at) {
    if (where == 0) source = in_source & kSourceMask;
    where = (where | at) & kWhereMask;
  }
};

// Identifiers and where they were seen.  In two generations: when one is full, the one before it is
// forgotten.
class Sightings {
 public:
  explicit Sightings(std::size_t generation_max) : generation_max_(generation_max) {}
  // The entry, made when there is none.
  Sighting& at(std::uint32_t hash);
  [[nodiscard]] const Sighting* find(std::uint32_t hash) const;
  [[nodiscard]] std::size_t bytes() const {
    return (young_.capacity() + old_.capacity()) * sizeof(Sighting);
  }
  [[nodiscard]] bool forgot() const { return forgot_; }

 private:
  static std::size_t slot_of(const std::vector<Sighting>& slots, std::uint32_t hash);
  static bool holds(const std::vector<Sighting>& slots, std::uint32_t hash);
  void grow();

  std::size_t generation_max_;
  std::size_t size_ = 0;
  bool forgot_ = false;
  std::vector<Sighting> young_;  // open addressing, a power of two
  std::vector<Sighting> old_;
};

// A result that was read.
struct Source {
  session::Mark mark;
  bool untrusted = false;  // may hold what third parties wrote
  bool private_data = false;
  bool named = false;        // the user named what was read
  bool near_named = false;   // ... or something in which it was named
  bool ran = false;          // a program said it of its own work, and showed no text of others
  std::uint16_t parent = 0;  // 1 + the instruction that led to it; 0: none
};

// How far a user asked for what a text says to be done.
enum class Delegation : std::uint8_t { kNone, kMaterial, kActs };

// A passage of a result that asks.
struct Instruction {
  std::uint32_t source = 0;  // SessionMemory::source
  Frames frames = 0;
  Acts acts = 0;
  bool named = false;                 // the user named where it stands
  bool agreed = false;                // the user said yes after it had been read
  std::vector<std::uint32_t> tokens;  // in order; the lowest bit: an identifier that was
                                      // not the agent's own before
};

// A call whose result has not come yet.
struct PendingCall {
  std::uint32_t call = 0;    // hash of its id
  float points = 0;          // of an instruction it obeys
  std::uint16_t parent = 0;  // 1 + the instruction whose identifiers it looks up; 0: none
  bool named = false;        // the user named what it reads
  bool near_named = false;   // ... or something in which it was named
  bool runs = false;         // a program that shows no text of others
};
inline constexpr std::size_t kPendingCallsMax = 16;
inline constexpr std::size_t kSourcesMax = 64;
inline constexpr std::size_t kFilledMax = 16;

inline constexpr std::size_t kInstructionsMax = 24;
inline constexpr std::size_t kUserTokensMax = 4096;  // and of the system prompt
inline constexpr std::size_t kOwnTokensMax = 2048;   // of the agent
inline constexpr std::size_t kSightingsMax = 1024;   // of each generation

// Plain data with bounded containers; the reader writes it, detectors only read.
struct SessionMemory {
  explicit SessionMemory(std::uint64_t session_seed) : seed(session_seed) {}

  // A token's hash as this session keeps it, the lowest bit clear, never 0.
  [[nodiscard]] std::uint32_t mixed(std::uint64_t token_hash) const {
    constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15;
    const std::uint64_t product = (token_hash ^ seed) * kMix;
    const auto high = static_cast<std::uint32_t>(product >> 32U) & ~1U;
    return high == 0 ? 2U : high;
  }
  [[nodiscard]] bool said_by_principal(std::uint32_t hash) const {
    return said.by(hash, kByUser | kBySystem);
  }
  // The result with this number, counted from the session's first; null once it is forgotten.
  [[nodiscard]] const Source* source(std::uint32_t number) const {
    const std::uint32_t at = number - sources_forgotten;  // of a forgotten one: very large
    return at < sources.size() ? &sources[at] : nullptr;
  }
  // Memory held beyond this object.
  [[nodiscard]] std::size_t bytes() const;

  std::uint64_t seed;
  SaidWords said;
  Sightings sightings{kSightingsMax};
  std::vector<Source> sources;  // the latest kSourcesMax
  std::uint32_t sources_forgotten = 0;
  std::vector<Instruction> instructions;
  std::vector<PendingCall> pending;  // the latest kPendingCallsMax
  UserWishes wishes;
  // Arguments that held what the user named, by tool and name: kFilledMax at most.
  std::vector<std::uint32_t> filled;
  bool limited = false;  // something was not kept
};

}  // namespace tocsin::flow
