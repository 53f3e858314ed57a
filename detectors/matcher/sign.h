// What a text must have for a pattern to match it, besides words: marks, digits, a long token.
//
// One cheap pass over a text tells, and prose seldom has them: quotes and pipes are in attacks and
// in code, twenty letters without a space in tokens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "detectors/matcher/regex_node.h"

namespace tocsin::matcher {

// A bit for each mark of ASCII that some prose does without, two for line breaks within a value,
// one for other control characters, one for all beyond ASCII.
using Marks = std::uint64_t;

// One of each of these is in every match.
std::vector<Marks> required_marks(const Node& node);

// Whether a character beyond ASCII is in every match.
bool requires_beyond_ascii(const Node& node);

// So many bytes of a set that follow each other, with at most one of `separators` between two.
class Run {
 public:
  Run(std::size_t bytes, const ByteSet& of, const ByteSet& separators);
  [[nodiscard]] bool in(std::string_view text) const;

 private:
  enum class Part : std::uint8_t { kNone, kMember, kSeparator };

  std::size_t bytes_;
  std::array<Part, 256> parts_{};
};

// How long the longest run is that is in every match.
std::size_t required_run(const Node& node, const ByteSet& of, const ByteSet& separators);

// Of few kinds, so that patterns share them.
struct Sign {
  static constexpr std::size_t kRuns = 6;

  Marks marks = 0;      // one of them; 0: any text will do
  std::size_t run = 0;  // number of a kind of run, from 1; 0: any text will do

  bool operator==(const Sign&) const = default;
};
Sign sign_of(const Node& node);

// What one text has.  Not thread-safe.
class TextSigns {
 public:
  // So many line feeds separate the values that the text is made of.  The text must outlive the
  // questions.
  TextSigns(std::string_view text, std::size_t separators);

  bool has(const Sign& sign) {
    return (sign.marks == 0 || has_one_of(sign.marks)) && (sign.run == 0 || has_run(sign.run));
  }
  [[nodiscard]] bool has_one_of(Marks marks) const { return (marks_ & marks) != 0; }

 private:
  bool has_run(std::size_t run);

  std::string_view text_;
  Marks marks_ = 0;
  std::array<std::optional<bool>, Sign::kRuns> runs_;  // those that were asked for
};

}  // namespace tocsin::matcher
