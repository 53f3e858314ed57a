#include <algorithm>
#include <cstddef>

#include "detectors/decoding/chars.h"
#include "detectors/decoding/steps.h"

namespace tocsin::decoding {
namespace {

// %uXXXX at the beginning of `text`, with its second half when that is a surrogate.  Its length, or
// 0 when it is something else.
std::size_t read_unit(std::string_view text, char32_t& value) {
  const auto unit = [](std::string_view at, char32_t& out) {
    return at.size() >= 6 && at[0] == '%' && (at[1] | 0x20) == 'u' &&
           read_hex(at.substr(2), 4, out) == 4;
  };
  if (!unit(text, value)) return 0;
  char32_t low = 0;
  if (is_high_surrogate(value) && unit(text.substr(6), low) && is_low_surrogate(low)) {
    value = joined_surrogates(value, low);
    return 12;
  }
  return 6;
}

// Where the next '%' or '+' is; asked for positions that grow.
class Signs {
 public:
  explicit Signs(std::string_view text)
      : text_(text), percent_(text.find('%')), plus_(text.find('+')) {}

  // npos when there is none from `i` on.
  std::size_t next(std::size_t i) {
    if (percent_ < i) percent_ = text_.find('%', i);
    if (plus_ < i) plus_ = text_.find('+', i);
    return std::min(percent_, plus_);
  }

 private:
  std::string_view text_;
  std::size_t percent_;
  std::size_t plus_;
};

bool ends_word(char c) { return is_blank(c) || c == '"' || c == '\'' || c == '<' || c == '>'; }

bool has_percent_encoding(std::string_view word) {
  for (std::size_t i = word.find('%'); i != std::string_view::npos; i = word.find('%', i + 1)) {
    char32_t value = 0;
    if (read_hex(word.substr(i + 1), 2, value) == 2 || read_unit(word.substr(i), value) != 0) {
      return true;
    }
  }
  return false;
}

bool has_query_blanks(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  if (word.find('?') > equals && word.find('&') == std::string_view::npos) return false;
  std::size_t blanks = 0;
  for (std::size_t i = equals + 1; i + 1 < word.size(); ++i) {
    if (word[i] == '+' && is_any(word[i - 1], kAlnum) && is_any(word[i + 1], kAlnum)) ++blanks;
  }
  return blanks >= 2;
}

void decode_word(std::string_view word, bool plus_is_blank, Rewrite& out) {
  std::size_t copied = 0;
  Signs signs(word);
  for (std::size_t i = signs.next(0); i < word.size(); i = signs.next(i)) {
    char32_t value = 0;
    std::size_t length = 0;
    const bool is_byte = read_hex(word.substr(i + 1), 2, value) == 2 && word[i] == '%';
    if (is_byte) {
      length = 3;
    } else if (word[i] == '+') {
      length = plus_is_blank ? 1 : 0;
      value = U' ';
    } else {
      length = read_unit(word.substr(i), value);
    }
    if (length == 0) {
      ++i;
      continue;
    }
    // Nothing is copied between two bytes of one character: the copy would end it.
    if (copied < i) out.copy(word.substr(copied, i - copied));
    if (is_byte) {
      out.put_byte(static_cast<unsigned char>(value));
    } else {
      out.put(value);
    }
    i += length;
    copied = i;
  }
  if (copied < word.size()) out.copy(word.substr(copied));
}

}  // namespace

bool decode_url(std::string_view text, Rewrite& out) {
  out.clear();
  std::size_t copied = 0;
  Signs signs(text);
  for (std::size_t i = signs.next(0); i < text.size(); i = signs.next(i)) {
    std::size_t begin = i;
    while (begin > copied && !ends_word(text[begin - 1])) --begin;
    std::size_t end = i;
    while (end < text.size() && !ends_word(text[end])) ++end;
    const std::string_view word = text.substr(begin, end - begin);
    const bool percent = has_percent_encoding(word);
    if (percent || has_query_blanks(word)) {
      out.copy(text.substr(copied, begin - copied));
      decode_word(word, true, out);
      copied = end;
    }
    i = end;
  }
  out.copy(text.substr(copied));
  out.finish();
  return out.changed();
}

}  // namespace tocsin::decoding
