#include <algorithm>
#include <cstddef>

#include "detectors/decoding/chars.h"
#include "detectors/decoding/steps.h"

namespace tocsin::decoding {
namespace {

// More blanks between two letters are a gap between columns, not words.
constexpr std::size_t kGapBlanksMax = 8;

bool is_separator(char c) { return is_ascii(c) && !is_any(c, kAlnum); }

// Reads spaced letters from one on; the text is asked for bytes only within it.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // A letter or digit that stands alone.
  [[nodiscard]] bool single_at(std::size_t i) const {
    const bool follows = i > 0 && alnum_at(i - 1);
    return alnum_at(i) && !follows && !alnum_at(i + 1) && ascii_around(i);
  }
  // The next letter when exactly the separator stands between, else where the word ends.
  [[nodiscard]] std::size_t next_in_word(std::size_t i, char separator) const {
    return i + 2 < text_.size() && text_[i + 1] == separator && single_at(i + 2) ? i + 2 : i;
  }
  // The first letter of the next spaced word behind a gap, else `i`.
  [[nodiscard]] std::size_t next_word(std::size_t i, char separator) const {
    std::size_t next = i + 1;
    while (next < text_.size() && next - i <= kGapBlanksMax && is_blank(text_[next])) ++next;
    const std::size_t blanks = next - i - 1;
    const bool gap = blanks >= (is_blank(separator) ? 2U : 1U);
    return gap && next < text_.size() && single_at(next) ? next : i;
  }
  // Whether kSpacedLettersMin of them begin here, nearly all of them letters: "1,2,3,4,5" is not
  // meant.
  [[nodiscard]] bool begins_at(std::size_t i) const {
    if (!single_at(i) || !is_any(text_[i], kAlpha)) return false;
    if (i + 1 >= text_.size() || !is_separator(text_[i + 1])) return false;
    const char separator = text_[i + 1];
    std::size_t letters = 1;
    std::size_t digits = 0;
    while (letters + digits < kSpacedLettersMin) {
      std::size_t next = next_in_word(i, separator);
      if (next == i) next = next_word(i, separator);
      if (next == i) return false;
      i = next;
      (is_any(text_[i], kAlpha) ? letters : digits) += 1;
    }
    return digits <= 1;
  }

 private:
  [[nodiscard]] bool alnum_at(std::size_t i) const {
    return i < text_.size() && is_any(text_[i], kAlnum);
  }
  // A letter next to another script's is part of a word.
  [[nodiscard]] bool ascii_around(std::size_t i) const {
    return (i == 0 || is_ascii(text_[i - 1])) && (i + 1 >= text_.size() || is_ascii(text_[i + 1]));
  }

  std::string_view text_;
};

// Joins the letters from `i`, where they begin; where they end.
std::size_t join(std::string_view text, const Reader& reader, std::size_t i, Rewrite& out) {
  const char separator = text[i + 1];
  out.put(text.substr(i, 1));
  for (;;) {
    std::size_t next = reader.next_in_word(i, separator);
    if (next == i) {
      next = reader.next_word(i, separator);
      if (next == i) return i + 1;
      out.put(std::string_view(" "));
    }
    i = next;
    out.put(text.substr(i, 1));
  }
}

}  // namespace

bool decode_spacing(std::string_view text, std::span<const Spot> spots, Rewrite& out) {
  out.clear();
  const Reader reader(text);
  // A spot may show the end of what began that far before it.
  constexpr std::size_t kBefore = 2 * kSpacedLettersMin + kGapBlanksMax;
  std::size_t copied = 0;
  std::size_t next = 0;
  for (const Spot& spot : spots) {
    if (!spot.spaced) continue;
    const std::size_t offset = spot.offset;
    std::size_t i = std::max(next, offset - std::min(offset, kBefore));
    for (; i < std::min<std::size_t>(offset + 64, text.size()); ++i) {
      if (!reader.begins_at(i)) continue;
      out.copy(text.substr(copied, i - copied));
      copied = join(text, reader, i, out);
      i = copied - 1;
    }
    next = std::max(next, i);
  }
  out.copy(text.substr(copied));
  out.finish();
  return out.changed();
}

}  // namespace tocsin::decoding
