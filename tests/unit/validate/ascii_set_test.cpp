#include "detectors/validate/ascii_set.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin::validate {
namespace {

using Runs = std::vector<std::pair<std::size_t, std::size_t>>;

Runs runs_in(std::string_view text, const AsciiSet& between) {
  Runs runs;
  each_run(text, between,
           [&](std::size_t begin, std::size_t size) { runs.emplace_back(begin, size); });
  return runs;
}

Runs runs_of_members(std::string_view text, const AsciiSet& members) {
  Runs runs;
  each_run_of(text, members,
              [&](std::size_t begin, std::size_t size) { runs.emplace_back(begin, size); });
  return runs;
}

// Of bytes that are in the set, or of those that are not.
Runs runs_byte_by_byte(std::string_view text, const AsciiSet& set, bool in) {
  Runs runs;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (set.has(text[i]) != in) continue;
    if (runs.empty() || runs.back().first + runs.back().second != i) runs.emplace_back(i, 0);
    ++runs.back().second;
  }
  return runs;
}

TEST_CASE("runs are what is between, or of, the bytes of a set, wherever blocks end") {
  const AsciiSet between(" ,");
  const AsciiSet letters("ab");
  std::mt19937 dice(1);
  for (std::size_t size = 0; size <= 200; ++size) {
    for (const unsigned blanks : {0U, 1U, 8U, 50U, 99U, 100U}) {  // of a hundred bytes
      CAPTURE(size, blanks);
      // No byte more than the text: what reads beyond it is seen by a sanitizer.
      const auto bytes = std::make_unique<char[]>(size);
      std::generate_n(bytes.get(), size, [&] {
        return dice() % 100 < blanks ? " ,"[dice() % 2] : "ab\xC3\xA4"[dice() % 4];
      });
      const std::string_view text(bytes.get(), size);
      const Runs runs = runs_in(text, between);
      CHECK(runs == runs_byte_by_byte(text, between, false));
      CHECK(count_runs(text, between) == runs.size());
      CHECK(runs_of_members(text, letters) == runs_byte_by_byte(text, letters, true));
    }
  }
}

TEST_CASE("a run may fill blocks, and end with one") {
  const AsciiSet between(" ");
  for (const std::size_t size : {std::size_t{64}, std::size_t{128}, std::size_t{129}}) {
    CHECK(runs_in(std::string(size, 'a'), between) == Runs{{0, size}});
    CHECK(runs_in(std::string(size, 'a') + " b", between) == Runs{{0, size}, {size + 1, 1}});
    CHECK(runs_in(std::string(size, ' '), between).empty());
  }
}

}  // namespace
}  // namespace tocsin::validate
