#include "detectors/session/trace.h"

#include "tests/unit/catch.h"

namespace tocsin::session {
namespace {

TEST_CASE("a field's name has no path where there is none") {
  CHECK(field_of("tool.arguments", "cc.0") == "tool.arguments.cc.0");
  CHECK(field_of("tool.arguments", "") == "tool.arguments");
}

}  // namespace
}  // namespace tocsin::session
