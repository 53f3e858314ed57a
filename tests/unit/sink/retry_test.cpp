#include "daemon/sink/retry.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("retry: pauses double, are spread, and are bounded") {
  const RetryLimits limits{.first = milliseconds(1000), .longest = milliseconds(60'000)};
  struct Row {
    std::uint32_t failures;
    std::int64_t least;
    std::int64_t most;
  };
  const Row rows[] = {
      {0, 500, 1000},         {1, 500, 1000},
      {2, 1000, 2000},        {3, 2000, 4000},
      {6, 16'000, 32'000},    {7, 30'000, 60'000},
      {1000, 30'000, 60'000}, {std::numeric_limits<std::uint32_t>::max(), 30'000, 60'000}};
  for (const Row& row : rows) {
    CAPTURE(row.failures);
    CHECK(retry_pause(limits, row.failures, 0, std::nullopt).count() == row.least);
    CHECK(retry_pause(limits, row.failures, 1, std::nullopt).count() == row.most);
  }
}

TEST_CASE("retry: what the receiver asks for is the least, up to a bound") {
  const RetryLimits limits{.first = milliseconds(1000),
                           .longest = milliseconds(60'000),
                           .asked_longest = milliseconds(300'000)};
  CHECK(retry_pause(limits, 1, 1, seconds(7)) == milliseconds(7000));
  CHECK(retry_pause(limits, 5, 1, seconds(7)) == milliseconds(16'000));
  CHECK(retry_pause(limits, 1, 1, seconds(1'000'000)) == milliseconds(300'000));
  CHECK(retry_pause(limits, 1, 1, seconds(0)) == milliseconds(1000));
}

TEST_CASE("retry: what an answer means") {
  struct Row {
    int status;
    Reception reception;
  };
  const Row rows[] = {
      {0, Reception::kLater},     {100, Reception::kLater},   {200, Reception::kTaken},
      {204, Reception::kTaken},   {299, Reception::kTaken},   {301, Reception::kLater},
      {302, Reception::kLater},   {400, Reception::kRefused}, {401, Reception::kRefused},
      {404, Reception::kRefused}, {408, Reception::kLater},   {410, Reception::kRefused},
      {413, Reception::kRefused}, {425, Reception::kLater},   {429, Reception::kLater},
      {499, Reception::kRefused}, {500, Reception::kLater},   {503, Reception::kLater},
      {599, Reception::kLater},
  };
  for (const Row& row : rows) {
    CAPTURE(row.status);
    CHECK(reception_of(row.status) == row.reception);
  }
}

}  // namespace
}  // namespace tocsin
