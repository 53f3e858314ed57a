// Many RE2 patterns over one text: the seam behind which matching gets fast.
//
// Today every pattern is run by itself, which is obviously right and slow with many patterns
// (about 2.5 us a pattern and KB).  A first stage that finds candidates in one pass belongs behind
// this interface; RE2 stays what decides.
#pragma once

#include <re2/re2.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::matcher {

struct Match {
  std::uint32_t pattern = 0;  // position in what was compiled
  std::size_t begin = 0;      // bytes of the text
  std::size_t end = 0;
};

// Immutable after `compile`; thread-safe.
class PatternSet {
 public:
  // Memory RE2 may use for one pattern, program and caches together.
  static constexpr std::int64_t kPatternBytesMax = std::int64_t{8} << 20;

  static std::expected<std::unique_ptr<re2::RE2>, std::string> compile_one(std::string_view regex);

  // Patterns must compile; use `compile_one` first where they come from a user.
  explicit PatternSet(std::span<const std::string> patterns);

  // Appends the leftmost match of every pattern that matches somewhere in `text`, in pattern order.
  // Text must be UTF-8.  Linear in the text for each pattern, whatever either of them is.
  void scan(std::string_view text, std::vector<Match>& out) const;

  [[nodiscard]] bool empty() const { return patterns_.empty(); }

 private:
  std::vector<std::unique_ptr<re2::RE2>> patterns_;
};

}  // namespace tocsin::matcher
