// One character beyond ASCII, as a reader takes it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "detectors/lexical/words.h"

namespace tocsin::lexical {

enum class Fold : std::uint8_t {
  kLetters,    // of a word: `size` of them, lower-case, compatibility forms and marks undone
  kWide,       // a character of a script without blanks
  kInvisible,  // nothing to see
  kMark,       // punctuation, a symbol: `marks`
};

struct Folded {
  static constexpr std::size_t kLettersMax = 4;

  Fold kind = Fold::kMark;
  std::uint8_t size = 0;
  std::uint16_t marks = 0;
  char32_t letters[kLettersMax] = {};
};

Folded fold(char32_t c);

}  // namespace tocsin::lexical
