#include "daemon/session/watermark.h"

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using namespace std::chrono_literals;

constexpr EventTime kStart = std::chrono::sys_days{std::chrono::year{2026} / 1 / 5};
constexpr EventTime kFuture = std::chrono::sys_days{std::chrono::year{2999} / 1 / 1};
constexpr EventTime kPast = std::chrono::sys_days{std::chrono::year{1970} / 1 / 1};

TEST_CASE("time goes with the latest event, never back for one that is late") {
  Watermark mark;
  CHECK_FALSE(mark.see(kStart, 1));
  CHECK(mark.now() == kStart);
  CHECK_FALSE(mark.see(kStart + 1h, 1));
  CHECK(mark.now() == kStart + 1h);
  CHECK_FALSE(mark.see(kStart, 2));
  CHECK(mark.now() == kStart + 1h);
  CHECK(mark.take_ahead() == 0);
  CHECK(mark.take_behind() == 0);
}

TEST_CASE("one clock that is wrong moves nothing, however often it speaks") {
  Watermark mark;
  mark.see(kStart, 1);
  for (int i = 0; i < 1000; ++i) {
    CHECK_FALSE(mark.see(kFuture + i * 1s, 2));
    CHECK_FALSE(mark.see(kPast, 3));
  }
  CHECK(mark.now() == kStart);
  CHECK(mark.take_ahead() == 1000);
  CHECK(mark.take_behind() == 1000);
  CHECK(mark.take_ahead() == 0);  // said once
}

TEST_CASE("wrong clocks among right ones move nothing") {
  Watermark mark;
  for (std::uint64_t session = 0; session < 100; ++session) {
    mark.see(kStart + session * 1s, 1000);
    CHECK_FALSE(mark.see(kFuture, session));
  }
  CHECK(mark.now() == kStart + 99s);
}

TEST_CASE("after a pause, sessions that agree move time to what all of them have reached") {
  Watermark mark;
  mark.see(kStart, 1);
  mark.see(kStart + 10h, 2);
  mark.see(kStart + 11h, 2);
  mark.see(kStart + 12h, 3);
  CHECK(mark.now() == kStart);
  mark.see(kStart + 11h, 4);
  CHECK(mark.now() == kStart + 10h);
  mark.see(kStart + 11h, 4);
  CHECK(mark.now() == kStart + 11h);
}

TEST_CASE("a first clock that was wrong is outvoted") {
  Watermark mark;
  mark.see(kFuture, 1);
  bool back = false;
  std::uint64_t events = 0;
  while (!back && events < 10'000) {
    back = mark.see(kStart + events * 1ms, events % 5);
    ++events;
  }
  CHECK(back);
  CHECK(events == Watermark::kAgreeingBack);
  CHECK(mark.now() == kStart + (events - 1) * 1ms);
}

}  // namespace
}  // namespace tocsin
