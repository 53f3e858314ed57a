#include "detectors/matcher/literal_finder.h"

#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin::matcher {
namespace {

using Place = std::pair<std::uint32_t, std::uint32_t>;  // literal, offset

std::multiset<Place> found_in(const LiteralFinder& finder, std::string_view text) {
  LowerText lower;
  lower.assign(text);
  std::multiset<Place> places;
  finder.find(
      lower, [&](std::uint32_t literal, std::uint32_t offset) { places.emplace(literal, offset); });
  return places;
}

// By std::string::find, over a text in lower case.
std::multiset<Place> expected_in(const std::vector<std::string>& literals, std::string_view text) {
  std::multiset<Place> places;
  for (std::uint32_t i = 0; i < literals.size(); ++i) {
    for (std::size_t at = text.find(literals[i]); at != std::string_view::npos;
         at = text.find(literals[i], at + 1)) {
      places.emplace(i, static_cast<std::uint32_t>(at));
    }
  }
  return places;
}

TEST_CASE("literals of every length, at every place") {
  const std::vector<std::string> literals = {
      "abc", "abcd", "bcde", "bcdeabcdea", "\xC3\xA9t\xC3\xA9", "\xFF\xFE\xFF"};
  const LiteralFinder finder(literals);
  for (const std::string_view text :
       {"", "a", "xab", "abcde", "zabcdeabcdeab", "\xC3\xA9t\xC3\xA9", "\xFF\xFE\xFF"}) {
    CHECK(found_in(finder, text) == expected_in(literals, text));
  }
}

TEST_CASE("the case of ASCII letters does not count, and no other's") {
  const LiteralFinder finder(std::vector<std::string>{"[tool_z]", "t\xC3\xA9"});
  CHECK(found_in(finder, "[Tool_Z] [TOOL_z]") == std::multiset<Place>{{0, 0}, {0, 9}});
  CHECK(found_in(finder, "{tool_z} @tool_z]").empty());  // 0x20 apart from [ and `
  CHECK(found_in(finder, "t\xC3\x89").empty());
}

TEST_CASE("the same literal twice, and none") {
  CHECK(found_in(LiteralFinder(std::vector<std::string>{"key", "key"}), "key") ==
        std::multiset<Place>{{0, 0}, {1, 0}});
  CHECK(found_in(LiteralFinder(), "key").empty());
}

TEST_CASE("what is found is what std::string finds") {
  std::mt19937 dice(20261128);
  const auto random_text = [&dice](std::size_t bytes, unsigned letters) {
    std::string text(bytes, ' ');
    for (char& c : text) c = static_cast<char>('a' + (dice() % letters));
    return text;
  };
  for (const unsigned letters : {2U, 5U, 26U}) {
    std::vector<std::string> literals;
    for (int i = 0; i < 300; ++i) literals.push_back(random_text(3 + (dice() % 9), letters));
    const LiteralFinder finder(literals);
    for (const std::size_t bytes : {2U, 3U, 511U, 512U, 513U, 2000U}) {
      const std::string text = random_text(bytes, letters);
      CHECK(found_in(finder, text) == expected_in(literals, text));
    }
  }
}

}  // namespace
}  // namespace tocsin::matcher
