#include <algorithm>
#include <array>
#include <cstddef>

#include "detectors/decoding/chars.h"
#include "detectors/decoding/steps.h"

namespace tocsin::decoding {
namespace {

struct Named {
  std::string_view name;
  char32_t value;
};

// Out of the HTML standard's 2231: those of ASCII, of blanks and of invisible characters.  Sorted.
constexpr auto kNamed = std::to_array<Named>({
    {"AMP", U'&'},
    {"GT", U'>'},
    {"Hat", U'^'},
    {"InvisibleComma", U'\u2063'},
    {"InvisibleTimes", U'\u2062'},
    {"LT", U'<'},
    {"NewLine", U'\n'},
    {"NoBreak", U'\u2060'},
    {"NonBreakingSpace", U'\u00A0'},
    {"QUOT", U'"'},
    {"Tab", U'\t'},
    {"VerticalLine", U'|'},
    {"ZeroWidthSpace", U'\u200B'},
    {"amp", U'&'},
    {"apos", U'\''},
    {"ast", U'*'},
    {"bne", U'='},
    {"bsol", U'\\'},
    {"colon", U':'},
    {"comma", U','},
    {"commat", U'@'},
    {"dollar", U'$'},
    {"emsp", U'\u2003'},
    {"ensp", U'\u2002'},
    {"equals", U'='},
    {"excl", U'!'},
    {"grave", U'`'},
    {"gt", U'>'},
    {"hyphen", U'-'},
    {"lbrace", U'{'},
    {"lbrack", U'['},
    {"lcub", U'{'},
    {"lowbar", U'_'},
    {"lpar", U'('},
    {"lrm", U'\u200E'},
    {"lsqb", U'['},
    {"lt", U'<'},
    {"mid", U'|'},
    {"midast", U'*'},
    {"nbsp", U'\u00A0'},
    {"num", U'#'},
    {"percnt", U'%'},
    {"period", U'.'},
    {"plus", U'+'},
    {"quest", U'?'},
    {"quot", U'"'},
    {"rbrace", U'}'},
    {"rbrack", U']'},
    {"rcub", U'}'},
    {"rlm", U'\u200F'},
    {"rpar", U')'},
    {"rsqb", U']'},
    {"semi", U';'},
    {"shy", U'\u00AD'},
    {"sol", U'/'},
    {"thinsp", U'\u2009'},
    {"verbar", U'|'},
    {"vert", U'|'},
    {"zwj", U'\u200D'},
    {"zwnj", U'\u200C'},
});
static_assert(std::ranges::is_sorted(kNamed, {}, &Named::name));
constexpr std::size_t kNameBytesMax = 16;

struct Reference {
  std::size_t length = 0;  // with '&'; 0: it is none
  char32_t value = 0;
};

// `text` begins with "&#".
Reference read_number(std::string_view text) {
  const bool hex = text.size() > 2 && (text[2] | 0x20) == 'x';
  const std::size_t first = hex ? 3 : 2;
  const char32_t base = hex ? 16 : 10;
  char32_t value = 0;
  std::size_t i = first;
  for (; i < text.size(); ++i) {
    const int digit = hex_value(text[i]);
    if (digit < 0 || (!hex && digit > 9)) break;
    // Beyond Unicode it no longer matters how far.
    value = std::min<char32_t>(value * base + static_cast<char32_t>(digit), 0x110000);
  }
  if (i == first) return {};
  if (i < text.size() && text[i] == ';') ++i;
  return {.length = i, .value = value == 0 ? 0xFFFD : value};
}

// `text` begins with '&'.
Reference read_name(std::string_view text) {
  std::size_t end = 1;
  while (end < text.size() && end <= kNameBytesMax && is_any(text[end], kAlpha)) ++end;
  const std::string_view name = text.substr(1, end - 1);
  if (end < text.size() && text[end] == ';') {
    const auto* const found = std::ranges::lower_bound(kNamed, name, {}, &Named::name);
    if (found != kNamed.end() && found->name == name) {
      return {.length = end + 1, .value = found->value};
    }
    return {};
  }
  // Browsers take these without ';' whatever follows, but "&lt=1" and "&gtm=2" are a query's.
  for (const std::string_view bare : {"lt", "gt", "amp", "quot"}) {
    if (!name.starts_with(bare)) continue;
    if (end < text.size() && (text[end] == '=' || is_any(text[end], kDigit))) return {};
    return {.length = bare.size() + 1,
            .value = std::ranges::lower_bound(kNamed, bare, {}, &Named::name)->value};
  }
  return {};
}

}  // namespace

bool decode_html(std::string_view text, Rewrite& out) {
  const auto read = [](std::string_view rest) {
    return rest.size() > 1 && rest[1] == '#' ? read_number(rest) : read_name(rest);
  };
  return rewrite_at(text, '&', out, read,
                    [](const Reference& found, Rewrite& to) { to.put(found.value); });
}

}  // namespace tocsin::decoding
