#include <cstddef>

#include "detectors/decoding/chars.h"
#include "detectors/decoding/steps.h"

namespace tocsin::decoding {
namespace {

struct Escape {
  std::size_t length = 0;  // with the backslash; 0: it is none
  char32_t value = 0;
  bool is_byte = false;     // of UTF-8, not a character
  bool is_nothing = false;  // stands for no character
};

Escape read_braced(std::string_view text) {
  char32_t value = 0;
  const std::size_t digits = read_hex(text.substr(3), 8, value);
  if (digits == 0 || 3 + digits >= text.size() || text[3 + digits] != '}') return {};
  return {.length = digits + 4, .value = value};
}

Escape read_unit(std::string_view text) {
  char32_t value = 0;
  if (read_hex(text.substr(2), 4, value) != 4) return {};
  char32_t low = 0;
  if (is_high_surrogate(value) && text.substr(6, 2) == "\\u" &&
      read_hex(text.substr(8), 4, low) == 4 && is_low_surrogate(low)) {
    return {.length = 12, .value = joined_surrogates(value, low)};
  }
  return {.length = 6, .value = value};
}

// Three digits, or a zero by itself: \1 and \12 are a pattern's references more often.
Escape read_octal(std::string_view text) {
  char32_t value = 0;
  std::size_t end = 1;
  for (; end < 4 && end < text.size() && text[end] >= '0' && text[end] <= '7'; ++end) {
    value = value * 8 + static_cast<char32_t>(text[end] - '0');
  }
  const bool zero = value == 0 && end == 2;
  if ((end != 4 && !zero) || value > 0xFF) return {};
  return {.length = end, .value = value, .is_byte = true};
}

// A line that goes on in the next one: YAML's, and a shell's, which keeps the indentation.
Escape read_continuation(std::string_view text) {
  std::size_t end = 2;
  while (end < text.size() && (text[end] == ' ' || text[end] == '\t')) ++end;
  return {.length = end, .is_nothing = true};
}

// `text` begins with a backslash.
Escape read_escape(std::string_view text) {
  if (text.size() < 2) return {};
  const auto one = [](char32_t value) { return Escape{.length = 2, .value = value}; };
  const bool braced = text.size() > 2 && text[2] == '{';
  char32_t value = 0;
  switch (text[1]) {
    case '\n': return read_continuation(text);
    case '\\':
    case ' ':
    case '/':
    case '"':
    case '\'':
    case '`': return one(static_cast<unsigned char>(text[1]));
    case 'n': return one(U'\n');
    case 't': return one(U'\t');
    case 'r': return one(U'\r');
    case 'a': return one(U'\a');
    case 'b': return one(U'\b');
    case 'f': return one(U'\f');
    case 'v': return one(U'\v');
    case 'e': return one(U'\x1B');
    case 'x':
      if (braced) return read_braced(text);
      if (read_hex(text.substr(2), 2, value) != 2) return {};
      return {.length = 4, .value = value, .is_byte = true};
    case 'u': return braced ? read_braced(text) : read_unit(text);
    case 'U':
      if (read_hex(text.substr(2), 8, value) != 8) return {};
      return {.length = 10, .value = value};
    default: return read_octal(text);
  }
}

}  // namespace

bool decode_escapes(std::string_view text, Rewrite& out) {
  return rewrite_at(text, '\\', out, read_escape, [](const Escape& found, Rewrite& to) {
    if (found.is_nothing) {
      to.mark(to.position());
    } else if (found.is_byte) {
      to.put_byte(static_cast<unsigned char>(found.value));
    } else {
      to.put(found.value);
    }
  });
}

}  // namespace tocsin::decoding
