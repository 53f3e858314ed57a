// A text being written anew by a step: what it left as it was, and where it changed something.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::decoding {

// One is reused for many texts; its memory stays at the largest so far.
class Rewrite {
 public:
  // A text longer than this is shown only around its changes.
  static constexpr std::size_t kWholeBytesMax = 4096;
  static constexpr std::size_t kContextBytes = 512;

  void clear();

  // Text as it was.  Must be whole characters, as must be what the two after it are given.
  void copy(std::string_view unchanged);
  // Something changed; `quietly`: it alone makes no view.
  void put(std::string_view changed);
  void put_quietly(std::string_view changed);
  void put(char32_t changed);
  // One byte of a character, which the bytes put directly after it complete, or U+FFFD.
  void put_byte(unsigned char byte);
  // Something changed at this position of the new text (nothing is left of it there).  Positions
  // never go back.
  void mark(std::size_t position) { mark(position, position); }
  [[nodiscard]] std::size_t position() const { return text_.size() + bytes_.size(); }

  // The text is complete: `text` and `changed` may be asked.
  void finish() { flush(); }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] bool changed() const { return !hunks_.empty(); }

  // The text for the rules: all of it, or kContextBytes before and behind every change with a
  // newline in the place of what is left out.  Cut at a character when `to` is too small.
  struct Excerpt {
    std::size_t size = 0;
    bool cut = false;
  };
  Excerpt write_excerpt(std::span<char> to) const;

 private:
  struct Hunk {
    std::size_t begin;
    std::size_t end;
  };

  void flush();
  void mark(std::size_t begin, std::size_t end);

  std::string text_;
  std::string bytes_;  // decoded, not yet known to be UTF-8; belong behind text_
  std::vector<Hunk> hunks_;
};

// Rewrites what follows a mark: `read(rest)` says what stands at one and its `length` (0: nothing),
// `put(found, out)` what takes its place.  True when something changed.
template <typename Read, typename Put>
bool rewrite_at(std::string_view text, char mark, Rewrite& out, const Read& read, const Put& put) {
  out.clear();
  std::size_t copied = 0;
  for (std::size_t i = text.find(mark); i != std::string_view::npos; i = text.find(mark, i)) {
    const auto found = read(text.substr(i));
    if (found.length == 0) {
      ++i;
      continue;
    }
    if (copied < i) out.copy(text.substr(copied, i - copied));
    put(found, out);
    i += found.length;
    copied = i;
  }
  out.copy(text.substr(copied));
  out.finish();
  return out.changed();
}

}  // namespace tocsin::decoding
