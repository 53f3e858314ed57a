// Characters that show nothing: whoever reads or shows hostile text drops or names them.
#pragma once

#include <array>

namespace tocsin {

struct CodePointRange {
  char32_t first;
  char32_t last;
};

// Unicode's Default_Ignorable_Code_Point (zero width, bidi, fillers, variation selectors, tags),
// and interlinear annotations.  In order.  Blanks and line ends are none.
inline constexpr std::array<CodePointRange, 17> kInvisible = {{
    {0xAD, 0xAD},
    {0x34F, 0x34F},
    {0x61C, 0x61C},
    {0x115F, 0x1160},
    {0x17B4, 0x17B5},
    {0x180B, 0x180F},
    {0x200B, 0x200F},
    {0x202A, 0x202E},
    {0x2060, 0x206F},
    {0x3164, 0x3164},
    {0xFE00, 0xFE0F},
    {0xFEFF, 0xFEFF},
    {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFFB},
    {0x1BCA0, 0x1BCA3},
    {0x1D173, 0x1D17A},
    {0xE0000, 0xE0FFF},
}};

constexpr bool is_invisible(char32_t c) {
  for (const CodePointRange& range : kInvisible) {
    if (c <= range.last) return c >= range.first;
  }
  return false;
}

}  // namespace tocsin
