#include "detectors/lexical/fold.h"

#include <utf8proc.h>

#include <array>

#include "daemon/invisible.h"

namespace tocsin::lexical {
namespace {

constexpr bool within(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

// Thai to Lao, Hiragana to Katakana, Han, Hangul.
constexpr bool is_wide(char32_t c) {
  return within(c, 0x0E01, 0x0EDF) || within(c, 0x3041, 0x30FF) || within(c, 0x3400, 0x9FFF) ||
         within(c, 0xAC00, 0xD7A3) || within(c, 0xF900, 0xFAFF) || within(c, 0x20000, 0x3FFFF);
}

std::uint16_t marks_of(char32_t c) {
  if (within(c, 0x2018, 0x201F) || c == 0xAB || c == 0xBB || within(c, 0x300C, 0x300F)) {
    return kQuote;
  }
  if (c == 0x3002 || c == 0x2026) return kStop;
  if (c == 0xFF01 || c == 0xA1) return kBang;
  if (c == 0xFF1F || c == 0xBF) return kQuestion;
  if (c == 0xFF1A) return kColon;
  if (c == 0xFF0C || c == 0x3001 || within(c, 0x2010, 0x2015)) return kComma;
  if (within(c, 0x3008, 0x300B)) return kAngle;
  if (within(c, 0x3010, 0x3011)) return kBracket;
  if (c == 0x85 || c == 0x2028 || c == 0x2029) return kNewline;
  return 0;
}

bool is_of_word(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

Folded compute(char32_t c) {
  Folded folded;
  if (is_wide(c)) return {.kind = Fold::kWide, .size = 1, .letters = {c}};
  if (is_invisible(c)) return {.kind = Fold::kInvisible};
  folded.marks = marks_of(c);
  if (folded.marks != 0) return folded;
  std::array<utf8proc_int32_t, 24> out{};  // the longest decomposition has 18
  int boundary = 0;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT |
                                                      UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK);
  const auto size = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), out.data(),
                                            out.size(), options, &boundary);
  if (size == 0) return {.kind = Fold::kInvisible};  // a combining mark
  for (utf8proc_ssize_t i = 0; i < size && folded.size < Folded::kLettersMax; ++i) {
    const auto letter = static_cast<char32_t>(out[static_cast<std::size_t>(i)]);
    if (is_of_word(letter)) folded.letters[folded.size++] = letter;
  }
  if (folded.size != 0) folded.kind = Fold::kLetters;
  return folded;
}

// Latin, Greek and Cyrillic letters come often enough to be looked up.
constexpr char32_t kTableBegin = 0x80;
constexpr char32_t kTableEnd = 0x530;

std::array<Folded, kTableEnd - kTableBegin> make_table() {
  std::array<Folded, kTableEnd - kTableBegin> table;
  for (char32_t c = kTableBegin; c < kTableEnd; ++c) table[c - kTableBegin] = compute(c);
  return table;
}

}  // namespace

Folded fold(char32_t c) {
  static const auto table = make_table();
  if (c >= kTableBegin && c < kTableEnd) return table[c - kTableBegin];
  return compute(c);
}

}  // namespace tocsin::lexical
