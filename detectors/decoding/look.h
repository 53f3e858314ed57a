// The one look at every value: is there anything a step might undo, and where?
//
// It is all a plain value costs, so it works on 64 bytes at a time and may be wrong in one
// direction only: what it points at need not be anything, but what it does not point at is nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tocsin::decoding {

// Shorter runs of base64 or hex digits are not looked at: 12 bytes, 8 bytes.
inline constexpr std::size_t kRunCharsMin = 16;
// Fewer letters are not letter spacing ("e.g.", "U.S.A."), fewer pairs not a text in hex (a MAC
// address has six).
inline constexpr std::size_t kSpacedLettersMin = 5;
inline constexpr std::size_t kHexPairsMin = 8;

// 64 bytes with something in them: it may begin before and end behind them.
struct Spot {
  std::uint32_t offset = 0;
  bool pairs = false;   // maybe kHexPairsMin groups of two letters or digits, or as many 0x..
  bool spaced = false;  // maybe kSpacedLettersMin letters with one character between each
  // Characters of base64's alphabets directly before the offset, when with those behind it they are
  // a run of kRunCharsMin.
  std::uint8_t run_before = 0;
  // Bit i: kRunCharsMin of them from offset + i on.
  std::uint64_t runs = 0;

  [[nodiscard]] bool has_run() const { return run_before != 0 || runs != 0; }
};

struct Look {
  bool non_ascii = false;
  bool reference = false;  // '%' or '&'
  bool backslash = false;
  bool plus = false;
  std::vector<Spot> spots;

  [[nodiscard]] bool nothing() const {
    return spots.empty() && !non_ascii && !reference && !backslash && !plus;
  }
};

// Replaces what is in `look`, reusing its memory.  `text`: less than 4 GiB.
void look_at(std::string_view text, Look& look);

}  // namespace tocsin::decoding
