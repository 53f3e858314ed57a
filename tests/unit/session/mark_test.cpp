#include "detectors/session/mark.h"

#include <string>
#include <utility>

#include "tests/unit/catch.h"

namespace tocsin::session {
namespace {

TEST_CASE("a mark gives back the event it was made of") {
  const Mark mark("0af7651916cd43dd8448eb211c80319c", 7, "read_file");
  CHECK_FALSE(mark.empty());
  CHECK(mark.origin().event_id == "0af7651916cd43dd8448eb211c80319c");
  CHECK(mark.origin().seq == 7);
  CHECK(mark.origin().tool == "read_file");
  CHECK(mark.origin("another").tool == "another");
  CHECK(mark.heap_bytes() >= mark.origin().event_id.size() + mark.origin().tool.size());
}

TEST_CASE("a mark of no event has nothing, and takes one over") {
  Mark mark;
  CHECK(mark.empty());
  CHECK(mark.heap_bytes() == 0);
  CHECK(mark.origin("tool").event_id.empty());
  Mark other("e", 1);
  mark = std::move(other);
  CHECK(mark.origin().event_id == "e");
  CHECK(mark.origin().tool.empty());
  CHECK_FALSE(Mark("", 1).empty());
}

TEST_CASE("what is kept of an event's id and tool ends with a whole character") {
  std::string text;
  while (text.size() < 2 * Mark::kTextBytesMax) text += "\xE2\x82\xAC";
  const Mark mark(text, 1, text);
  const std::size_t whole = Mark::kTextBytesMax / 3 * 3;
  CHECK(mark.origin().event_id == text.substr(0, whole));
  CHECK(mark.origin().tool == text.substr(0, whole));
  CHECK(mark.origin(text).tool == text.substr(0, whole));
}

}  // namespace
}  // namespace tocsin::session
