#include "daemon/decode/rfc3339.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/finding.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

TEST_CASE("RFC 3339 timestamps") {
  struct Row {
    std::string_view text;
    std::int64_t micros;  // since 1970
  };
  const Row rows[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01t00:00:00z", 0},
      {"1970-01-01 00:00:00Z", 0},
      {"1969-12-31T23:59:59.999999Z", -1},
      {"2026-11-23T08:15:30.123Z", 1'795'421'730'123'000},
      {"2026-11-23T08:15:30.1Z", 1'795'421'730'100'000},
      {"2026-11-23T08:15:30.123456Z", 1'795'421'730'123'456},
      {"2026-11-23T08:15:30.123456999Z", 1'795'421'730'123'456},  // cut, not rounded
      {"2026-11-23T08:15:30.00000000000000000000000000000001Z", 1'795'421'730'000'000},
      {"2026-11-23T09:15:30+01:00", 1'795'421'730'000'000},
      {"2026-11-23T08:15:30-00:00", 1'795'421'730'000'000},
      {"2026-11-22T22:30:30-09:45", 1'795'421'730'000'000},
      {"2026-11-24T08:14:30+23:59", 1'795'421'730'000'000},
      {"2024-02-29T00:00:00Z", 1'709'164'800'000'000},
      {"2000-02-29T00:00:00Z", 951'782'400'000'000},
      {"2016-12-31T23:59:60Z", 1'483'228'800'000'000},  // a leap second is the next second
      {"0000-01-01T00:00:00Z", -62'167'219'200'000'000},
      {"9999-12-31T23:59:59.999999Z", 253'402'300'799'999'999},
      {"0000-01-01T00:00:00+23:59", -62'167'305'540'000'000},
      {"9999-12-31T23:59:60-23:59", 253'402'387'140'000'000},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto time = parse_rfc3339(row.text);
    REQUIRE(time.has_value());
    CHECK(time->time_since_epoch().count() == row.micros);
  }
}

TEST_CASE("what is no RFC 3339 timestamp") {
  const std::string_view rows[] = {
      "",
      "now",
      "2026",
      "2026-11-23",
      "2026-11-23T08:15:30",         // no zone
      "2026-11-23T08:15Z",           // no seconds
      "20261123T081530Z",            // ISO 8601's basic form
      "2026-11-23_08:15:30Z",        //
      "2026-11-23T08:15:30.Z",       // a fraction without digits
      "2026-11-23T08:15:30,5Z",      //
      "2026-11-23T08:15:30ZZ",       //
      "2026-11-23T08:15:30Z ",       //
      " 2026-11-23T08:15:30Z",       //
      "2026-11-23T08:15:30z+01:00",  //
      "2026-11-23T08:15:30+1:00",    //
      "2026-11-23T08:15:30+0100",    //
      "2026-11-23T08:15:30+01",      //
      "2026-11-23T08:15:30+24:00",   //
      "2026-11-23T08:15:30+01:60",   //
      "2026-11-23T08:15:30+:00",     //
      "2026-11-23T08:15:30+01:",     //
      "2026-11-23T08:15:30UTC",      //
      "2026-11-23T24:00:00Z",        //
      "2026-11-23T08:60:00Z",        //
      "2026-11-23T08:15:61Z",        //
      "2026-11-23T8:15:30Z",         //
      "2026-00-23T08:15:30Z",        //
      "2026-13-23T08:15:30Z",        //
      "2026-11-00T08:15:30Z",        //
      "2026-11-31T08:15:30Z",        //
      "2026-02-29T08:15:30Z",        // no leap year
      "1900-02-29T08:15:30Z",        // a century is none
      "2026-1-05T08:15:30Z",         //
      "12026-11-23T08:15:30Z",       //
      "-2026-11-23T08:15:30Z",       //
      "+2026-11-23T08:15:30Z",       //
      "2026-11-23T08:15:-1Z",        //
      "２026-11-23T08:15:30Z",       // a full-width digit
      "1795421730",                  //
  };
  for (const std::string_view row : rows) {
    CAPTURE(row);
    CHECK_FALSE(parse_rfc3339(row).has_value());
  }
  CHECK_FALSE(parse_rfc3339(std::string_view("2026-11-23T08:15:30Z\0", 21)).has_value());
}

TEST_CASE("every cut of a timestamp is refused") {
  constexpr std::string_view kWhole = "2026-11-23T08:15:30.123+01:00";
  REQUIRE(parse_rfc3339(kWhole).has_value());
  for (std::size_t length = 0; length < kWhole.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(parse_rfc3339(kWhole.substr(0, length)).has_value());
  }
}

TEST_CASE("format_time writes what parse_rfc3339 reads") {
  struct Row {
    std::string_view text;
    std::string_view written;
  };
  const Row rows[] = {
      {"2026-11-23T09:15:30+01:00", "2026-11-23T08:15:30.000Z"},
      {"2026-11-23T08:15:30.1Z", "2026-11-23T08:15:30.100Z"},
      {"2026-11-23T08:15:30.000001Z", "2026-11-23T08:15:30.000001Z"},
      {"0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"},
      {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
      {"1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto time = parse_rfc3339(row.text);
    REQUIRE(time.has_value());
    CHECK(format_time(*time) == row.written);
    CHECK(parse_rfc3339(format_time(*time)) == time);
  }
}

}  // namespace
}  // namespace tocsin
