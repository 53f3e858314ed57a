#include "detectors/session/recent.h"

#include <string>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin::session {
namespace {

struct Item {
  char name = ' ';
  int uses = 0;
};

TEST_CASE("the least recent is forgotten first, and what is used is the most recent") {
  struct Row {
    std::string used;
    std::string kept;  // in order
  };
  for (const Row& row : {Row{"a", "a"}, Row{"abc", "abc"}, Row{"abca", "bca"}, Row{"abcc", "abc"},
                         Row{"abcd", "bcd"}, Row{"abcad", "cad"}, Row{"abcab", "cab"}}) {
    CAPTURE(row.used);
    std::vector<Item> items;
    for (const char name : row.used) ++touch(items, &Item::name, name, 3).uses;
    std::string kept;
    int uses = 0;
    for (const Item& item : items) {
      kept += item.name;
      uses += item.uses;
    }
    CHECK(kept == row.kept);
    CHECK(uses ==
          static_cast<int>(row.used.size()) - (row.used.find('d') == row.used.npos ? 0 : 1));
  }
}

TEST_CASE("there is room for little more than what is kept") {
  std::vector<Item> items;
  for (char name = 'a'; name < 'f'; ++name) touch(items, &Item::name, name, 16);
  CHECK(items.capacity() < 8);
}

}  // namespace
}  // namespace tocsin::session
