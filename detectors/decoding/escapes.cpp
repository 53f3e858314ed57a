// URL encoding, HTML entities, backslash escapes.
#include <algorithm>
#include <array>
#include <utility>

#include "daemon/text.h"
#include "detectors/decoding/steps.h"

namespace tocsin::decoding {
namespace {

int digit_of(char c, int base) {
  int value = 99;
  if (c >= '0' && c <= '9') value = c - '0';
  if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
  if (c >= 'A' && c <= 'F') value = c - 'A' + 10;
  return value < base ? value : -1;
}

struct Number {
  char32_t value = 0;
  std::size_t digits = 0;
};

// Up to `most` digits from the front of `text`.
Number number_in(std::string_view text, int base, std::size_t most) {
  Number number;
  while (number.digits < std::min(most, text.size())) {
    const int digit = digit_of(text[number.digits], base);
    if (digit < 0) break;
    number.value = std::min<char32_t>(
        number.value * static_cast<char32_t>(base) + static_cast<char32_t>(digit), 0x110000);
    ++number.digits;
  }
  return number;
}

// Bytes that escapes spell out one by one ("%c3%a9", "\xc3\xa9") are UTF-8 together; what is none
// is taken as Latin-1, which keeps overlong and broken sequences visible.
class ByteSink {
 public:
  explicit ByteSink(std::string& out) : out_(out) {}
  ByteSink(const ByteSink&) = delete;
  ByteSink& operator=(const ByteSink&) = delete;

  void byte(unsigned value) { pending_ += static_cast<char>(value); }
  void code(char32_t value) {
    flush();
    append_code_point(value, out_);
  }
  void copy(std::string_view text) {
    if (text.empty()) return;
    flush();
    out_ += text;
  }
  void flush() {
    std::string_view rest = pending_;
    while (!rest.empty()) {
      const auto lead = static_cast<unsigned char>(rest.front());
      const CodePoint point = first_code_point(rest);
      if (lead < 0x80) {
        append_code_point(lead, out_);
        rest.remove_prefix(1);
      } else if (is_overlong_ascii(rest)) {
        append_code_point(static_cast<char32_t>((lead & 3U) << 6U |
                                                (static_cast<unsigned char>(rest[1]) & 0x3FU)),
                          out_);
        rest.remove_prefix(2);
      } else if (point.value == 0xFFFD && point.length == 1) {
        append_code_point(lead, out_);
        rest.remove_prefix(1);
      } else {
        append_code_point(point.value, out_);
        rest.remove_prefix(point.length);
      }
    }
    pending_.clear();
  }

 private:
  // C0 80 .. C1 BF: an ASCII character in two bytes, which lax decoders accept.
  static bool is_overlong_ascii(std::string_view bytes) {
    return bytes.size() >= 2 && (static_cast<unsigned char>(bytes[0]) & 0xFEU) == 0xC0 &&
           (static_cast<unsigned char>(bytes[1]) & 0xC0U) == 0x80;
  }

  std::string& out_;
  std::string pending_;
};

constexpr std::array<std::pair<std::string_view, char32_t>, 33> kEntities = {{
    {"amp", '&'},    {"apos", '\''},  {"ast", '*'},    {"bsol", '\\'},    {"colon", ':'},
    {"comma", ','},  {"commat", '@'}, {"dollar", '$'}, {"equals", '='},   {"excl", '!'},
    {"grave", '`'},  {"gt", '>'},     {"GT", '>'},     {"hyphen", '-'},   {"lbrace", '{'},
    {"lbrack", '['}, {"lcub", '{'},   {"lowbar", '_'}, {"lpar", '('},     {"lsqb", '['},
    {"lt", '<'},     {"LT", '<'},     {"nbsp", ' '},   {"newline", '\n'}, {"NewLine", '\n'},
    {"num", '#'},    {"percnt", '%'}, {"period", '.'}, {"quot", '"'},     {"rpar", ')'},
    {"semi", ';'},   {"sol", '/'},    {"Tab", '\t'},
}};

// What an escape stands for; length 0: there is none.
struct Encoded {
  char32_t value = 0;
  std::size_t length = 0;
  bool byte = false;  // one byte of UTF-8, not a code point
};

// The entity at the front of `text`, which begins with `&`.
Encoded entity_in(std::string_view text) {
  std::string_view body = text.substr(1);
  if (body.starts_with('#')) {
    body.remove_prefix(1);
    const bool hex = body.starts_with('x') || body.starts_with('X');
    const Number number = number_in(body.substr(hex ? 1 : 0), hex ? 16 : 10, 16);
    if (number.digits == 0) return {};
    const std::size_t length = 2 + (hex ? 1 : 0) + number.digits;
    const bool closed = length < text.size() && text[length] == ';';
    return {.value = number.value, .length = length + (closed ? 1 : 0)};
  }
  const std::size_t semicolon = body.substr(0, 10).find(';');
  if (semicolon == std::string_view::npos) return {};
  const auto* found = std::ranges::find(kEntities, body.substr(0, semicolon),
                                        &std::pair<std::string_view, char32_t>::first);
  if (found == kEntities.end()) return {};
  return {.value = found->second, .length = semicolon + 2};
}

// `{41}` behind `\x` or `\u`.
Encoded braced(std::string_view rest) {
  if (!rest.starts_with('{')) return {};
  const Number number = number_in(rest.substr(1), 16, 8);
  if (number.digits == 0 || rest.substr(1 + number.digits, 1) != "}") return {};
  return {.value = number.value, .length = 4 + number.digits};
}

// The escape at the front of `text`, which begins with a backslash.
Encoded escape_in(std::string_view text) {
  if (text.size() < 2) return {};
  const std::string_view rest = text.substr(2);
  switch (text[1]) {
    case 'x': {
      const Number number = number_in(rest, 16, 2);
      if (number.digits == 0) return braced(rest);
      return {.value = number.value, .length = 2 + number.digits, .byte = true};
    }
    case 'u':
    case 'U': {
      const std::size_t wanted = text[1] == 'u' ? 4 : 8;
      const Number number = number_in(rest, 16, wanted);
      if (number.digits != wanted) return braced(rest);
      return {.value = number.value, .length = 2 + wanted};
    }
    case 'n': return {.value = '\n', .length = 2};
    case 'r': return {.value = '\r', .length = 2};
    case 't': return {.value = '\t', .length = 2};
    case '"':
    case '\'':
    case '\\':
    case '/': return {.value = static_cast<unsigned char>(text[1]), .length = 2};
    default: break;
  }
  const Number octal = number_in(text.substr(1), 8, 3);
  if (octal.digits != 3 || octal.value > 0xFF) return {};  // "\1" is more often a group than a byte
  return {.value = octal.value, .length = 4, .byte = true};
}

// Copies `text` with what `encoded_at` finds at each `mark` decoded; false when that is nothing.
template <typename EncodedAt>
bool decode_marked(std::string_view text, char mark, std::size_t bytes_max, std::string& out,
                   const EncodedAt& encoded_at) {
  std::size_t copied = 0;
  ByteSink sink(out);
  bool decoded = false;
  for (std::size_t at = text.find(mark);
       at != std::string_view::npos && out.size() + (at - copied) < bytes_max;) {
    const Encoded encoded = encoded_at(at);
    if (encoded.length == 0) {
      at = text.find(mark, at + 1);
      continue;
    }
    decoded = true;
    sink.copy(text.substr(copied, at - copied));
    encoded.byte ? sink.byte(encoded.value) : sink.code(encoded.value);
    copied = at + encoded.length;
    at = text.find(mark, copied);
  }
  if (!decoded) return false;
  sink.flush();
  if (out.size() < bytes_max) out += text.substr(copied, bytes_max - out.size());
  drop_partial_character(out);
  return true;
}

}  // namespace

void append_code_point(char32_t code, std::string& out) {
  if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0xFFFD;
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0U | code >> 6U);
    out += static_cast<char>(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0U | code >> 12U);
    out += static_cast<char>(0x80U | (code >> 6U & 0x3FU));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  } else {
    out += static_cast<char>(0xF0U | code >> 18U);
    out += static_cast<char>(0x80U | (code >> 12U & 0x3FU));
    out += static_cast<char>(0x80U | (code >> 6U & 0x3FU));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  }
}

void drop_partial_character(std::string& text) {
  std::size_t lead = text.size();
  while (lead > 0 && text.size() - lead < 4) {
    --lead;
    if ((static_cast<unsigned char>(text[lead]) & 0xC0U) != 0x80) break;
  }
  if (lead >= text.size()) return;
  const CodePoint last = first_code_point(std::string_view(text).substr(lead));
  if (last.value == 0xFFFD && last.length == 1) text.resize(lead);
}

bool decode_url(std::string_view text, std::size_t bytes_max, std::string& out) {
  const auto encoded_at = [&](std::size_t i) -> Encoded {
    const std::string_view rest = text.substr(i);
    const bool wide = rest.starts_with("%u") || rest.starts_with("%U");
    const Number number = number_in(rest.substr(wide ? 2 : 1), 16, wide ? 4 : 2);
    if (number.digits != (wide ? 4U : 2U)) return {};
    return {.value = number.value, .length = (wide ? 2U : 1U) + number.digits, .byte = !wide};
  };
  const bool decoded = decode_marked(text, '%', bytes_max, out, encoded_at);
  // `+` is a blank in forms and queries, which hold no blanks of their own.
  if (decoded && text.find(' ') == std::string_view::npos) std::ranges::replace(out, '+', ' ');
  return decoded;
}

bool decode_html(std::string_view text, std::size_t bytes_max, std::string& out) {
  return decode_marked(text, '&', bytes_max, out,
                       [&](std::size_t i) { return entity_in(text.substr(i)); });
}

bool decode_escapes(std::string_view text, std::size_t bytes_max, std::string& out) {
  return decode_marked(text, '\\', bytes_max, out,
                       [&](std::size_t i) { return escape_in(text.substr(i)); });
}

}  // namespace tocsin::decoding
