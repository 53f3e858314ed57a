#include "daemon/session/system_table.h"

#include <string>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

class Counted : public SystemState {
 public:
  explicit Counted(std::size_t size) : size_(size) {}
  [[nodiscard]] std::size_t bytes() const override { return size_; }

 private:
  std::size_t size_;
};

SystemStates& touch(SystemTable& table, const std::string& name, bool known,
                    std::size_t bytes = 1000) {
  SystemStates& system = table.touch(name, known);
  if (system.states.empty()) system.states.push_back(std::make_unique<Counted>(bytes));
  table.update_bytes(system);
  return system;
}

TEST_CASE("a system's state stays, whatever other systems do") {
  SystemTable table;
  const SystemState* kept = touch(table, "bot", true).states[0].get();
  touch(table, "other", false);
  CHECK(table.touch("bot", true).states[0].get() == kept);
  CHECK(table.size() == 2);
}

TEST_CASE("unknown systems are few, and the one silent longest is forgotten") {
  SystemTable table;
  touch(table, "known", true);
  for (std::size_t i = 0; i < SystemTable::kUnknownMax; ++i) {
    touch(table, "u" + std::to_string(i), false);
  }
  touch(table, "u0", false);
  CHECK(table.take_evicted() == 0);
  touch(table, "one too many", false);
  CHECK(table.take_evicted() == 1);
  CHECK(table.size() == SystemTable::kUnknownMax + 1);
  CHECK_FALSE(table.touch("u0", false).states.empty());
  CHECK_FALSE(table.touch("known", true).states.empty());
  CHECK(table.touch("u1", false).states.empty());
}

TEST_CASE("known systems are bounded too") {
  SystemTable table;
  for (std::size_t i = 0; i <= SystemTable::kKnownMax; ++i) {
    touch(table, "k" + std::to_string(i), true);
  }
  CHECK(table.size() == SystemTable::kKnownMax);
  CHECK(table.take_evicted() == 1);
}

TEST_CASE("a system that gets a profile keeps what is known of it, and moves to the known ones") {
  SystemTable table;
  const SystemState* kept = touch(table, "bot", false).states[0].get();
  touch(table, "other", false);
  CHECK(table.touch("bot", true).states[0].get() == kept);
  for (std::size_t i = 0; i < 2 * SystemTable::kUnknownMax; ++i) {
    touch(table, "u" + std::to_string(i), false);
  }
  CHECK(table.touch("bot", true).states[0].get() == kept);
}

TEST_CASE("memory is given back by systems without a profile first, and never all of it") {
  SystemTable table;
  CHECK_FALSE(table.evict_oldest());
  touch(table, "known1", true);
  touch(table, "known2", true);
  touch(table, "unknown", false);
  CHECK(table.evict_oldest());
  CHECK(table.touch("unknown", false).states.empty());
  CHECK(table.evict_oldest());
  CHECK(table.evict_oldest());
  CHECK(table.touch("known1", true).states.empty());
  CHECK_FALSE(table.touch("known2", true).states.empty());
  CHECK(table.take_evicted() == 3);
}

TEST_CASE("bytes are those of the systems there are") {
  SystemTable table;
  touch(table, "a", true, 1000);
  const std::size_t one = table.bytes();
  CHECK(one >= 1000);
  touch(table, "b", true, 5000);
  CHECK(table.bytes() == 2 * one + 4000);
  for (std::size_t i = 0; i < 100; ++i) touch(table, "u" + std::to_string(i), false, 100'000);
  CHECK(table.bytes() < 110'000 * SystemTable::kUnknownMax);
  table.clear();
  CHECK(table.bytes() == 0);
  CHECK(table.size() == 0);
}

}  // namespace
}  // namespace tocsin
