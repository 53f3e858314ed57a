#include "detectors/flow/memory.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>

#include "tests/unit/catch.h"

namespace tocsin::flow {
namespace {

// The n-th of distinct hashes as sessions keep them: the lowest bit clear, never 0.
std::uint32_t hash_of(std::uint32_t n) { return (n * 2654435761U) << 1U | 2U; }

TEST_CASE("a set holds what was put into it and nothing else") {
  HashSet set(1000);
  CHECK(set.bytes() == 0);
  CHECK_FALSE(set.contains(2));
  std::mt19937 dice(7);
  std::set<std::uint32_t> oracle;
  for (int i = 0; i < 900; ++i) {
    const auto hash = static_cast<std::uint32_t>(dice()) & ~1U;
    if (hash == 0) continue;
    CHECK(set.insert(hash));
    CHECK(set.insert(hash));  // again: it is there
    oracle.insert(hash);
  }
  CHECK(set.size() == oracle.size());
  for (const std::uint32_t hash : oracle) CHECK(set.contains(hash));
  for (int i = 0; i < 1000; ++i) {
    const auto hash = static_cast<std::uint32_t>(dice()) & ~1U;
    if (hash != 0) CHECK(set.contains(hash) == oracle.contains(hash));
  }
}

TEST_CASE("a full set takes no more, says so, and keeps what it has") {
  constexpr std::uint32_t kMax = 100;
  HashSet set(kMax);
  for (std::uint32_t i = 1; i <= kMax; ++i) CHECK(set.insert(2 * i));
  const std::size_t bytes = set.bytes();
  for (std::uint32_t i = kMax + 1; i < 100'000; ++i) {
    if (set.insert(2 * i)) FAIL("took one more");
  }
  CHECK(set.insert(2));  // an old one
  CHECK(set.size() == kMax);
  CHECK(set.contains(2 * kMax));
  CHECK_FALSE(set.contains(2 * kMax + 2));
  CHECK(set.bytes() == bytes);
  CHECK(bytes <= std::size_t{4} * kMax * sizeof(std::uint32_t));
}

TEST_CASE("hashes that fall on one slot are still told apart") {
  HashSet set(64);
  for (std::uint32_t i = 1; i <= 64; ++i) CHECK(set.insert(i << 20U));
  for (std::uint32_t i = 1; i <= 64; ++i) CHECK(set.contains(i << 20U));
  CHECK_FALSE(set.contains(65U << 20U));
}

TEST_CASE("of each word it is known who said it, whatever else was said") {
  SaidWords said;
  CHECK(said.bytes() == 0);
  CHECK(said.by(0x20) == 0);
  std::mt19937 dice(7);
  std::map<std::uint32_t, Sayers> oracle;
  for (int i = 0; i < 2000; ++i) {
    const auto hash = static_cast<std::uint32_t>(dice() % 500) << 20U | 0x10U;
    const Sayers by = Sayers{1} << (dice() % 4);
    CHECK(said.add(hash, by, 1000));
    oracle[hash] |= by;
  }
  for (std::uint32_t n = 0; n < 1000; ++n) {
    const std::uint32_t hash = n << 20U | 0x10U;
    if (said.by(hash) != (oracle.contains(hash) ? oracle[hash] : 0)) FAIL("word " << n);
  }
  CHECK(said.by(0x10, kByUser | kByAgent) == ((oracle[0x10] & (kByUser | kByAgent)) != 0));
  // The lowest bits are no part of a hash: callers may have flags of their own there.
  CHECK(said.by(0x11) == oracle[0x10]);
}

TEST_CASE("what one sayer may say is bounded, and takes nothing from the others") {
  constexpr std::uint32_t kMax = 100;
  SaidWords said;
  for (std::uint32_t i = 1; i <= kMax; ++i) CHECK(said.add(i << 8U, kByAgent, kMax));
  const std::size_t bytes = said.bytes();
  for (std::uint32_t i = kMax + 1; i < 100'000; ++i) {
    if (said.add(i << 8U, kByAgent, kMax)) FAIL("took one more");
  }
  CHECK(said.bytes() == bytes);
  CHECK(bytes <= std::size_t{3} * kMax * sizeof(std::uint32_t));
  CHECK(said.add(1U << 8U, kByAgent, kMax));  // an old one
  CHECK(said.by((kMax + 1) << 8U) == 0);
  CHECK(said.add((kMax + 1) << 8U, kByUser, kMax));
  CHECK(said.by((kMax + 1) << 8U) == kByUser);
}

TEST_CASE("a sighting is made once and found again") {
  Sightings sightings(100);
  CHECK(sightings.find(2) == nullptr);
  CHECK(sightings.bytes() == 0);
  Sighting& made = sightings.at(2);
  CHECK(made.hash == 2);
  CHECK(made.where == 0);
  made.where = Sighting::kAsked;
  made.source = 7;
  sightings.at(4).source = 8;
  CHECK(sightings.at(2).where == Sighting::kAsked);
  const Sighting* found = sightings.find(2);
  REQUIRE(found != nullptr);
  CHECK(found->source == 7);
  CHECK(sightings.find(6) == nullptr);
}

TEST_CASE("of sightings the last generation and the one before it are kept") {
  constexpr std::uint32_t kGeneration = 50;
  Sightings sightings(kGeneration);
  const auto add = [&](std::uint32_t from, std::uint32_t to) {
    for (std::uint32_t i = from; i < to; ++i) {
      sightings.at(hash_of(i)).source = i & 0xFFFF;
    }
  };
  add(0, kGeneration);
  CHECK_FALSE(sightings.forgot());
  add(kGeneration, 2 * kGeneration);
  CHECK_FALSE(sightings.forgot());
  for (std::uint32_t i = 0; i < 2 * kGeneration; ++i) {
    CAPTURE(i);
    REQUIRE(sightings.find(hash_of(i)) != nullptr);
    CHECK(sightings.find(hash_of(i))->source == i);
  }
  add(2 * kGeneration, 2 * kGeneration + 1);
  CHECK(sightings.forgot());
  CHECK(sightings.find(hash_of(0)) == nullptr);
  CHECK(sightings.find(hash_of(kGeneration)) != nullptr);
  CHECK(sightings.find(hash_of(2 * kGeneration)) != nullptr);
}

TEST_CASE("whatever is seen, sightings hold a bounded memory") {
  constexpr std::uint32_t kGeneration = 1024;
  Sightings sightings(kGeneration);
  std::size_t largest = 0;
  for (std::uint32_t i = 0; i < 1'000'000; ++i) {
    sightings.at(hash_of(i)).where = Sighting::kAmbient;
    if (i % 1000 == 0) largest = std::max(largest, sightings.bytes());
  }
  CHECK(largest <= std::size_t{2} * 2 * kGeneration * sizeof(Sighting));
}

TEST_CASE("a session's hashes are its own") {
  const SessionMemory one(1);
  const SessionMemory same(1);
  const SessionMemory other(2);
  int equal = 0;
  for (std::uint64_t token = 0; token < 1000; ++token) {
    CHECK(one.mixed(token) == same.mixed(token));
    CHECK(one.mixed(token) != 0);
    CHECK((one.mixed(token) & 1U) == 0);
    equal += one.mixed(token) == other.mixed(token) ? 1 : 0;
  }
  CHECK(equal < 5);
}

TEST_CASE("the principals are the user and the system prompt") {
  SessionMemory memory(1);
  memory.said.add(0x20, kByUser, 9);
  memory.said.add(0x40, kBySystem, 9);
  memory.said.add(0x60, kByAgent, 9);
  CHECK(memory.said_by_principal(0x20));
  CHECK(memory.said_by_principal(0x40));
  CHECK_FALSE(memory.said_by_principal(0x60));
}

TEST_CASE("a result is found by its number until it is forgotten, however many there were") {
  for (const std::size_t forgotten : {std::size_t{0}, std::size_t{100}, std::size_t{70'000}}) {
    CAPTURE(forgotten);
    SessionMemory memory(1);
    memory.sources_forgotten = static_cast<std::uint32_t>(forgotten);
    for (std::size_t i = 0; i < 3; ++i)
      memory.sources.emplace_back().mark = session::Mark("e", forgotten + i);
    for (std::size_t i = 0; i < 3; ++i) {
      const Source* found = memory.source(static_cast<std::uint32_t>(forgotten + i));
      REQUIRE(found != nullptr);
      CHECK(found->mark.origin().seq == forgotten + i);
    }
    CHECK(memory.source(static_cast<std::uint32_t>(forgotten + 3)) == nullptr);
    CHECK(memory.source(static_cast<std::uint32_t>(forgotten - 1)) == nullptr);
  }
}

TEST_CASE("what a session's memory holds is counted") {
  SessionMemory memory(1);
  CHECK(memory.bytes() == 0);
  std::size_t before = 0;
  const auto grew = [&] {
    const std::size_t now = memory.bytes();
    const bool more = now > before;
    before = now;
    return more;
  };
  memory.said.add(2, kByUser, 9);
  CHECK(grew());
  memory.sightings.at(2);
  CHECK(grew());
  memory.sources.emplace_back();
  CHECK(grew());
  memory.sources.back().mark = session::Mark(std::string(60, 'e'), 1);
  CHECK(grew());
  memory.sources.back().mark = session::Mark(std::string(60, 'e'), 1, std::string(60, 't'));
  CHECK(grew());
  memory.instructions.emplace_back();
  CHECK(grew());
  memory.instructions.back().tokens.resize(100);
  CHECK(grew());
  memory.pending.emplace_back();
  CHECK(grew());
  memory.filled.push_back(2);
  CHECK(grew());
}

}  // namespace
}  // namespace tocsin::flow
