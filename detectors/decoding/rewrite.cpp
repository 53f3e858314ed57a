#include "detectors/decoding/rewrite.h"

#include <algorithm>
#include <cstring>

#include "daemon/text.h"
#include "detectors/decoding/utf8.h"

namespace tocsin::decoding {
namespace {

// Fills a span, then only remembers that there was more.
class Writer {
 public:
  explicit Writer(std::span<char> to) : to_(to) {}

  void write(std::string_view text) {
    const std::size_t size = cut_at_character(text, to_.size() - size_);
    if (size > 0) std::memcpy(to_.data() + size_, text.data(), size);
    size_ += size;
    cut_ = cut_ || size < text.size();
  }
  [[nodiscard]] Rewrite::Excerpt result() const { return {.size = size_, .cut = cut_}; }

 private:
  std::span<char> to_;
  std::size_t size_ = 0;
  bool cut_ = false;
};

}  // namespace

void Rewrite::clear() {
  text_.clear();
  bytes_.clear();
  hunks_.clear();
}

void Rewrite::copy(std::string_view unchanged) {
  flush();
  text_.append(unchanged);
}

void Rewrite::put(std::string_view changed) {
  flush();
  mark(text_.size(), text_.size() + changed.size());
  text_.append(changed);
}

void Rewrite::put_quietly(std::string_view changed) { copy(changed); }

void Rewrite::put(char32_t changed) {
  flush();
  const std::size_t begin = text_.size();
  append_code_point(text_, changed);
  mark(begin, text_.size());
}

void Rewrite::put_byte(unsigned char byte) { bytes_ += static_cast<char>(byte); }

void Rewrite::flush() {
  if (bytes_.empty()) return;
  const std::size_t begin = text_.size();
  append_bytes(text_, bytes_);
  bytes_.clear();
  mark(begin, text_.size());
}

void Rewrite::mark(std::size_t begin, std::size_t end) {
  if (!hunks_.empty() && begin <= hunks_.back().end + 2 * kContextBytes) {
    hunks_.back().end = std::max(hunks_.back().end, end);
  } else {
    hunks_.push_back({.begin = begin, .end = end});
  }
}

Rewrite::Excerpt Rewrite::write_excerpt(std::span<char> to) const {
  Writer writer(to);
  const std::string_view text = text_;
  if (text.size() <= kWholeBytesMax) {
    writer.write(text);
    return writer.result();
  }
  std::size_t shown = 0;
  for (const Hunk& hunk : hunks_) {
    const std::size_t begin =
        cut_at_character(text, hunk.begin - std::min(hunk.begin, kContextBytes));
    const std::size_t end = cut_at_character(text, hunk.end + kContextBytes);
    if (begin > shown) writer.write("\n");
    // Contexts may overlap by the bytes of one character, as cuts go backwards.
    const std::size_t from = std::max(begin, shown);
    writer.write(text.substr(from, end - from));
    shown = end;
  }
  if (shown < text.size()) writer.write("\n");
  return writer.result();
}

}  // namespace tocsin::decoding
