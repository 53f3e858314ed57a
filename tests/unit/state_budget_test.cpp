#include "daemon/session/state_budget.h"

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

TEST_CASE("a worker may hold what the others leave") {
  StateBudget budget(1000, 2);
  CHECK(budget.allow(0, 0) == 1000);
  CHECK(budget.allow(1, 200) == 1000);
  CHECK(budget.allow(0, 800) == 800);
  CHECK(budget.allow(0, 900) == 800);
}

TEST_CASE("a worker's part is its own, and who has more gives back") {
  StateBudget budget(1000, 2);
  CHECK(budget.allow(0, 1000) == 1000);
  CHECK(budget.allow(1, 400) == 500);  // over together, for as long as it takes the other to see
  CHECK(budget.allow(0, 1000) == 600);
  CHECK(budget.allow(0, 600) == 600);
  CHECK(budget.allow(1, 400) == 500);
  CHECK(budget.allow(1, 500) == 500);
  CHECK(budget.allow(0, 600) == 500);
}

TEST_CASE("what is held is not added up") {
  StateBudget budget(1000, 3);
  for (int i = 0; i < 5; ++i) CHECK(budget.allow(2, 300) == 1000);
  CHECK(budget.allow(0, 100) == 700);
  CHECK(budget.allow(1, 0) == 600);
  CHECK(budget.allow(2, 0) == 900);
  CHECK(budget.allow(1, 0) == 900);
}

}  // namespace
}  // namespace tocsin
