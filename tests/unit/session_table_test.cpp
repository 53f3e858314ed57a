#include "daemon/session/session_table.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using namespace std::chrono_literals;

constexpr EventTime kStart = std::chrono::sys_days{std::chrono::year{2026} / 1 / 5};

// A table with an idle time of a minute, fed with events that are `at` after the start.
struct Table {
  Session& touch(std::string_view session, std::chrono::microseconds at, std::int64_t offset = 0,
                 std::string_view system = "bot") {
    Event event;
    event.system = system;
    event.session_id = session;
    event.time = kStart + at;
    return table.touch(event, offset);
  }
  SessionTable table{60s};
};

class State : public DetectorState {
 public:
  explicit State(std::size_t bytes) : bytes_(bytes) {}
  [[nodiscard]] std::size_t bytes() const override { return bytes_; }
  std::size_t bytes_;
};

TEST_CASE("the same session is the same state, another one is not") {
  Table t;
  const Session& first = t.touch("a", 0s);
  CHECK(first.arrivals == 1);
  CHECK(first.key == std::string("bot\0a", 5));
  CHECK(t.touch("a", 1s).arrivals == 2);
  CHECK(t.touch("b", 1s).arrivals == 1);
  CHECK(t.touch("a", 1s, 0, "other").arrivals == 1);  // ids are unique within a system only
  CHECK(t.touch("a", 2s).arrivals == 3);
  CHECK(t.table.size() == 3);
  // The separator cannot be forged into another session's key by the parts' lengths.
  CHECK(t.touch("ta", 2s, 0, "bo").arrivals == 1);
}

TEST_CASE("idle sessions are dropped by event time") {
  Table t;
  t.touch("a", 0s);
  t.touch("b", 30s);
  t.touch("c", 60s);
  CHECK(t.table.size() == 3);  // exactly the idle time is not too long
  CHECK(t.table.take_expired() == 0);
  t.touch("c", 60s + 1us);
  CHECK(t.table.size() == 2);
  CHECK(t.table.take_expired() == 1);
  CHECK(t.table.take_expired() == 0);  // said once
  t.touch("c", 1h);
  CHECK(t.table.size() == 1);
  CHECK(t.table.take_expired() == 2);  // b, and c itself: it is a new session
  CHECK(t.touch("c", 1h).arrivals == 2);
}

TEST_CASE("a session goes on for as long as it is touched") {
  Table t;
  for (int i = 0; i < 100; ++i) {
    CHECK(t.touch("a", i * 60s).arrivals == static_cast<std::uint64_t>(i + 1));
  }
  CHECK(t.table.take_expired() == 0);
}

TEST_CASE("a session that was idle too long begins anew, with a new first offset") {
  Table t;
  Session& before = t.touch("a", 0s, 7);
  before.states.push_back(std::make_unique<State>(100));
  const Session& after = t.touch("a", 60s + 1us, 9);
  CHECK(after.arrivals == 1);
  CHECK(after.states.empty());
  CHECK(after.first_offset == 9);
  CHECK(t.table.oldest_offset() == 9);
  CHECK(t.table.take_expired() == 1);
}

TEST_CASE("late sessions keep their state") {
  Table t;
  t.touch("now", 10h, 1);
  // An agent that was offline delivers an hour of its past, in order.
  for (int minute = 0; minute < 60; ++minute) {
    CAPTURE(minute);
    CHECK(t.touch("late", minute * 1min, 2 + minute).arrivals ==
          static_cast<std::uint64_t>(minute + 1));
  }
  CHECK(t.table.size() == 2);
  // What ends it is that the partition moves on.
  t.touch("now", 10h + 60s, 100);
  CHECK(t.table.size() == 2);
  t.touch("now", 10h + 60s + 1us, 101);
  CHECK(t.table.size() == 1);
}

TEST_CASE("a late session too can be idle by its own clock") {
  Table t;
  t.touch("now", 10h);
  t.touch("late", 0s);
  CHECK(t.touch("late", 61s).arrivals == 1);
  CHECK(t.table.take_expired() == 1);
}

TEST_CASE("events out of order belong to the session") {
  Table t;
  t.touch("a", 50s);
  CHECK(t.touch("a", 0s).arrivals == 2);
  // Its latest time counts, not its last event's.
  CHECK(t.touch("a", 105s).arrivals == 3);
}

TEST_CASE("a clock that is years ahead ends nobody's session") {
  Table t;
  t.touch("a", 0s);
  t.touch("b", 1s);
  for (int i = 0; i < 50; ++i) t.touch("wrong", 24h * 365 * 900 + i * 1s);
  CHECK(t.touch("a", 2s).arrivals == 2);
  CHECK(t.touch("b", 3s).arrivals == 2);
  CHECK(t.table.take_ahead() == 50);
  CHECK(t.table.take_expired() == 0);
}

TEST_CASE("times from year 0000 to 9999 do not confuse it") {
  Table t;
  const auto year = [](int y) {
    return EventTime(std::chrono::sys_days{std::chrono::year{y} / 1 / 1}) - kStart;
  };
  CHECK(t.touch("a", year(0)).arrivals == 1);
  CHECK(t.touch("a", year(9999)).arrivals == 1);
  CHECK(t.table.size() == 1);
  CHECK(t.touch("b", year(0)).arrivals == 1);
  CHECK(t.touch("a", year(9999)).arrivals == 2);
  CHECK(t.table.size() == 2);
}

TEST_CASE("the oldest offset is the first record of the oldest live session") {
  Table t;
  CHECK(t.table.oldest_offset() == std::nullopt);
  t.touch("a", 0s, 10);
  t.touch("b", 30s, 20);
  t.touch("a", 50s, 30);
  t.touch("c", 50s, 40);
  CHECK(t.table.oldest_offset() == 10);
  t.touch("c", 91s, 50);  // b is gone; a was touched since
  CHECK(t.table.size() == 2);
  CHECK(t.table.oldest_offset() == 10);
  t.touch("c", 111s, 60);  // a too
  CHECK(t.table.oldest_offset() == 40);
  t.touch("c", 10h, 70);
  CHECK(t.table.oldest_offset() == 70);
}

TEST_CASE("two sessions may begin at one offset") {
  Table t;
  t.touch("a", 0s, 5);
  t.touch("b", 30s, 5);
  t.touch("c", 61s, 6);  // a is gone, and took one 5 with it, not both
  CHECK(t.table.size() == 2);
  CHECK(t.table.oldest_offset() == 5);
}

TEST_CASE("the session touched longest ago is evicted, never the latest") {
  Table t;
  t.touch("a", 0s, 1);
  t.touch("b", 1s, 2);
  t.touch("c", 2s, 3);
  t.touch("a", 3s, 4);
  CHECK(t.table.evict_oldest());  // b
  CHECK(t.table.oldest_offset() == 1);
  CHECK(t.touch("a", 3s).arrivals == 3);
  CHECK(t.table.evict_oldest());  // c
  CHECK_FALSE(t.table.evict_oldest());
  CHECK(t.table.size() == 1);
  CHECK(t.touch("a", 3s).arrivals == 4);
  CHECK(t.table.take_expired() == 0);  // evicted is not expired
  CHECK_FALSE(SessionTable(60s).evict_oldest());
}

TEST_CASE("bytes are counted with the state, and given back with the session") {
  Table t;
  CHECK(t.table.bytes() == 0);
  Session& a = t.touch("a", 0s);
  const std::size_t bare = t.table.bytes();
  CHECK(bare >= sizeof(Session));
  auto state = std::make_unique<State>(1000);
  State& held = *state;
  a.states.push_back(std::move(state));
  a.states.push_back(nullptr);  // a detector that made none
  t.table.update_bytes(a);
  const std::size_t with_state = t.table.bytes();
  CHECK(with_state >= bare + 1000);
  CHECK(with_state < bare + 1200);
  held.bytes_ = 5000;
  t.table.update_bytes(a);
  CHECK(t.table.bytes() == with_state + 4000);
  t.table.update_bytes(a);
  CHECK(t.table.bytes() == with_state + 4000);  // not added twice
  held.bytes_ = 10;
  t.table.update_bytes(a);
  CHECK(t.table.bytes() == with_state - 990);

  t.touch("b", 59min);
  CHECK(t.table.size() == 1);
  CHECK(t.table.bytes() == bare);  // a's are all back; b is as large as a was
}

TEST_CASE("the bytes add up whatever happens") {
  Table t;
  std::mt19937 random(11);
  auto at = std::chrono::microseconds(0);
  for (std::int64_t i = 0; i < 20'000; ++i) {
    at += std::chrono::milliseconds(random() % 3000);
    const bool late = random() % 10 == 0;
    Session& session = t.touch("s" + std::to_string(random() % 50), late ? at - 5min : at, i);
    if (session.states.empty()) session.states.push_back(std::make_unique<State>(0));
    static_cast<State&>(*session.states[0]).bytes_ = random() % 10'000;
    t.table.update_bytes(session);
    if (random() % 20 == 0) t.table.evict_oldest();
    REQUIRE(t.table.size() <= 50);
    REQUIRE(t.table.oldest_offset().has_value());
    REQUIRE(*t.table.oldest_offset() <= i);
  }
  // One last session, alone, is worth what one is worth in a fresh table.
  at += 59min;
  t.touch("last", at);
  Table fresh;
  fresh.touch("last", at);
  CHECK(t.table.size() == 1);
  CHECK(t.table.bytes() == fresh.table.bytes());
}

}  // namespace
}  // namespace tocsin
