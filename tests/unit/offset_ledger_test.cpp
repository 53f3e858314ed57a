#include "daemon/offset_ledger.h"

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using Strings = std::vector<std::string>;

Position at(std::string_view topic, std::int32_t partition, std::int64_t next,
            std::int64_t rewind = 0) {
  return {
      .at = {.topic = std::string(topic), .partition = partition}, .next = next, .rewind = rewind};
}

// "topic/partition:next<rewind" of what may be committed.
Strings settled(OffsetLedger& ledger) {
  Strings out;
  for (const Position& position : ledger.take_settled()) {
    out.push_back(fmt::format("{}/{}:{}<{}", position.at.topic, position.at.partition,
                              position.next, position.rewind));
  }
  return out;
}

TEST_CASE("a batch without deliveries settles when it is closed") {
  OffsetLedger ledger;
  const auto batch = ledger.open();
  ledger.cover(batch, at("t", 0, 10, 3));
  CHECK(settled(ledger) == Strings{});
  ledger.close(batch);
  CHECK(settled(ledger) == Strings{"t/0:10<3"});
  CHECK(settled(ledger) == Strings{});  // said once
}

TEST_CASE("a batch waits for its last delivery") {
  OffsetLedger ledger;
  const auto batch = ledger.open();
  ledger.cover(batch, at("t", 0, 10));
  ledger.expect(batch);
  ledger.expect(batch);
  ledger.close(batch);
  CHECK(ledger.outstanding() == 2);
  CHECK(settled(ledger) == Strings{});
  ledger.delivered(batch);
  CHECK(ledger.outstanding() == 1);
  CHECK(settled(ledger) == Strings{});
  ledger.delivered(batch);
  CHECK(ledger.outstanding() == 0);
  CHECK(settled(ledger) == Strings{"t/0:10<0"});
}

TEST_CASE("delivered but not closed: more may come") {
  OffsetLedger ledger;
  const auto batch = ledger.open();
  ledger.cover(batch, at("t", 0, 10));
  ledger.expect(batch);
  ledger.delivered(batch);
  CHECK(settled(ledger) == Strings{});
  ledger.close(batch);
  CHECK(settled(ledger) == Strings{"t/0:10<0"});
}

TEST_CASE("an earlier batch that waits holds the later ones back") {
  OffsetLedger ledger;
  const auto first = ledger.open();
  const auto second = ledger.open();
  const auto third = ledger.open();
  ledger.cover(first, at("t", 0, 10));
  ledger.cover(second, at("t", 0, 20));
  ledger.cover(second, at("u", 5, 200));
  ledger.cover(third, at("t", 1, 7));
  ledger.expect(first);
  ledger.expect(second);
  for (const auto batch : {third, second, first}) ledger.close(batch);
  ledger.delivered(second);
  CHECK(settled(ledger) == Strings{});  // the first one's finding is not out yet
  ledger.delivered(first);
  // Of each partition the newest.
  CHECK(settled(ledger) == Strings{"t/0:20<0", "t/1:7<0", "u/5:200<0"});
  CHECK(ledger.outstanding() == 0);
}

TEST_CASE("positions gather until they are taken") {
  OffsetLedger ledger;
  for (std::int64_t next = 1; next <= 5; ++next) {
    const auto batch = ledger.open();
    ledger.cover(batch, at("t", 0, next, next - 1));
    ledger.close(batch);
  }
  CHECK(settled(ledger) == Strings{"t/0:5<4"});
}

TEST_CASE("a partition that moved away is not committed any more") {
  OffsetLedger ledger;
  const auto done = ledger.open();
  ledger.cover(done, at("t", 0, 10));
  ledger.cover(done, at("t", 1, 11));
  ledger.close(done);
  const auto waiting = ledger.open();
  ledger.cover(waiting, at("t", 0, 20));
  ledger.cover(waiting, at("t", 1, 21));
  ledger.expect(waiting);
  ledger.close(waiting);

  ledger.forget({.topic = "t", .partition = 0});
  ledger.forget({.topic = "nobody's", .partition = 0});
  CHECK(settled(ledger) == Strings{"t/1:11<0"});
  CHECK(ledger.outstanding() == 1);  // its findings are still to be delivered
  ledger.delivered(waiting);
  CHECK(settled(ledger) == Strings{"t/1:21<0"});

  // It may come back.
  const auto again = ledger.open();
  ledger.cover(again, at("t", 0, 15));
  ledger.close(again);
  CHECK(settled(ledger) == Strings{"t/0:15<0"});
}

TEST_CASE("tickets stay valid while earlier batches settle") {
  OffsetLedger ledger;
  std::vector<OffsetLedger::Ticket> tickets;
  for (std::int64_t i = 0; i < 100; ++i) {
    tickets.push_back(ledger.open());
    ledger.cover(tickets.back(), at("t", 0, i + 1));
    ledger.expect(tickets.back());
    ledger.close(tickets.back());
  }
  // Every second one first, then the rest: what is settled is always the gapless front.
  for (std::size_t i = 1; i < 100; i += 2) ledger.delivered(tickets[i]);
  CHECK(settled(ledger) == Strings{});
  for (std::size_t i = 0; i < 100; i += 2) {
    ledger.delivered(tickets[i]);
    REQUIRE(settled(ledger) == Strings{fmt::format("t/0:{}<0", i + 2)});
  }
  CHECK(ledger.outstanding() == 0);
}

}  // namespace
}  // namespace tocsin
