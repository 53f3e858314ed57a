#include "detectors/session/trace.h"

#include <string>

#include "tests/unit/catch.h"

namespace tocsin::session {
namespace {

TEST_CASE("a field's name has no path where there is none") {
  CHECK(field_of("tool.arguments", "cc.0") == "tool.arguments.cc.0");
  CHECK(field_of("tool.arguments", "") == "tool.arguments");
}

TEST_CASE("what is kept of an event's id and tool ends with a whole character") {
  std::string text;
  while (text.size() < 2 * kOriginBytesMax) text += "\xE2\x82\xAC";
  Event event;
  event.event_id = text;
  event.tool.name = text;
  const Origin origin = origin_of(event, {});
  const std::size_t whole = kOriginBytesMax / 3 * 3;
  CHECK(origin.event_id == text.substr(0, whole));
  CHECK(origin.tool == text.substr(0, whole));
}

}  // namespace
}  // namespace tocsin::session
