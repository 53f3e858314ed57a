#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/source/kafka_source.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using Offset = std::optional<std::int64_t>;

TEST_CASE("where to start reading a partition") {
  struct Row {
    std::string_view what;
    Offset committed;
    Offset rewind;
    std::int64_t low;
    std::int64_t high;
    StartAt start_at;
    std::int64_t rewind_max;
    StartPosition expected;
  };
  constexpr auto kEarliest = StartAt::kEarliest;
  constexpr auto kLatest = StartAt::kLatest;
  const Offset none;
  const Row rows[] = {
      {"a new group, from the start", none, none, 5, 100, kEarliest, 50, {5, 5, 0, false}},
      {"a new group, from now on", none, none, 5, 100, kLatest, 50, {100, 100, 0, false}},
      {"a new group, an empty topic", none, none, 0, 0, kLatest, 50, {0, 0, 0, false}},
      {"no metadata", 60, none, 5, 100, kEarliest, 50, {60, 60, 0, false}},
      {"start_at is only for new groups", 60, none, 5, 100, kLatest, 50, {60, 60, 0, false}},
      {"a session was live", 60, 40, 5, 100, kEarliest, 50, {40, 60, 0, false}},
      {"no session was live", 60, 60, 5, 100, kEarliest, 50, {60, 60, 0, false}},
      {"exactly as far as allowed", 60, 10, 5, 100, kEarliest, 50, {10, 60, 0, false}},
      {"further than allowed", 60, 9, 5, 100, kEarliest, 50, {10, 60, 0, false}},
      {"rewinding is off", 60, 40, 5, 100, kEarliest, 0, {60, 60, 0, false}},
      {"the session's start is deleted", 60, 3, 30, 100, kEarliest, 1000, {30, 60, 0, false}},
      {"a rewind behind the commit is nonsense", 60, 80, 5, 100, kEarliest, 50, {60, 60, 0, false}},
      {"all is read", 100, 90, 5, 100, kEarliest, 50, {90, 100, 0, false}},
      {"nothing was ever read", 5, 5, 5, 100, kEarliest, 50, {5, 5, 0, false}},
      {"retention was faster", 4, 2, 5, 100, kEarliest, 50, {5, 5, 1, true}},
      {"retention was much faster", 10, none, 500, 1000, kLatest, 50, {500, 500, 490, true}},
      {"the topic was made anew", 101, 90, 0, 100, kEarliest, 50, {0, 0, 0, true}},
      {"the topic was made anew and is empty", 7, 7, 0, 0, kLatest, 50, {0, 0, 0, true}},
      {"offset 0", 0, 0, 0, 0, kEarliest, 50, {0, 0, 0, false}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const StartPosition got =
        start_position(row.committed, row.rewind, row.low, row.high, row.start_at, row.rewind_max);
    CHECK(got.read_from == row.expected.read_from);
    CHECK(got.resume_at == row.expected.resume_at);
    CHECK(got.lost == row.expected.lost);
    CHECK(got.out_of_range == row.expected.out_of_range);
  }
}

TEST_CASE("what must hold of every start position") {
  for (std::int64_t committed = 0; committed <= 12; ++committed) {
    for (std::int64_t rewind = 0; rewind <= 12; ++rewind) {
      for (const std::int64_t rewind_max : {0, 1, 3, 100}) {
        const StartPosition got =
            start_position(committed, rewind, 3, 9, StartAt::kEarliest, rewind_max);
        CAPTURE(committed, rewind, rewind_max, got.read_from, got.resume_at);
        REQUIRE(got.read_from >= 3);
        REQUIRE(got.read_from <= got.resume_at);
        REQUIRE(got.resume_at <= 9);
        REQUIRE(got.resume_at - got.read_from <= rewind_max);
        REQUIRE(got.out_of_range == (committed < 3 || committed > 9));
        if (!got.out_of_range) REQUIRE(got.resume_at == committed);
      }
    }
  }
}

TEST_CASE("the rewind survives a commit") {
  for (const std::int64_t rewind : {std::int64_t{0}, std::int64_t{1}, std::int64_t{1} << 40,
                                    std::numeric_limits<std::int64_t>::max()}) {
    CAPTURE(rewind);
    const std::string metadata = rewind_metadata(rewind);
    CHECK(parse_rewind_metadata(metadata) == rewind);
    CHECK(parse_rewind_metadata(metadata + '\0') == rewind);  // librdkafka counts the terminator
  }
  CHECK(rewind_metadata(42) == "tocsin rewind=42");  // what older and newer versions must agree on
}

TEST_CASE("metadata of somebody else means nothing") {
  const std::string_view rows[] = {
      "",
      "\0",
      "42",
      "rewind=42",
      "tocsin rewind=",
      "tocsin rewind=-1",
      "tocsin rewind=+1",
      "tocsin rewind= 1",
      "tocsin rewind=1 ",
      "tocsin rewind=1x",
      "tocsin rewind=0x10",
      "tocsin rewind=9223372036854775808",
      "TOCSIN REWIND=42",
      " tocsin rewind=42",
  };
  for (const std::string_view row : rows) {
    CAPTURE(row);
    CHECK_FALSE(parse_rewind_metadata(row).has_value());
  }
  CHECK_FALSE(parse_rewind_metadata(std::string_view("tocsin rewind=4\0"
                                                     "2",
                                                     17))
                  .has_value());
}

}  // namespace
}  // namespace tocsin
