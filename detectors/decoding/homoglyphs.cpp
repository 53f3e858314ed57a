#include "detectors/decoding/homoglyphs.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace tocsin::decoding {
namespace {

// Chosen by eye in common sans-serif faces: a letter is here when a reader takes it for the ASCII
// one within a word.  Those that only resemble it (Greek beta, Cyrillic ya) are not.
struct Row {
  char ascii;
  std::u32string_view letters;
};
constexpr Row kRows[] = {
    // Cyrillic, Greek, Armenian, Cherokee, Lisu, then Latin that normalisation leaves alone: small
    // capitals, IPA, dotless and barred letters.
    {'A', U"\u0410\u0391\u13AA\uA4EE\u1D00\u0386"},
    {'B', U"\u0412\u0392\u13F4\uA4D0\u0181"},
    {'C', U"\u0421\u03F9\u13DF\uA4DA\u0187"},
    {'D', U"\u13A0\uA4D3\u0110\u0189"},
    {'E', U"\u0415\u0401\u0400\u0395\u13AC\uA4F0\u0388"},
    {'F', U"\u03DC\uA4DD\u0191"},
    {'G', U"\u050C\u13C0\uA4D6\u0193"},
    {'H', U"\u041D\u0397\u13BB\uA4E7\u0126\u0389"},
    {'I', U"\u0406\u0407\u04C0\u0399\uA4F2\u0197\u038A"},
    {'J', U"\u0408\u037F\u13AB\uA4D9"},
    {'K', U"\u041A\u039A\u13E6\uA4D7\u0198\u040C"},
    {'L', U"\u13DE\uA4E1\u053C\u0141"},
    {'M', U"\u041C\u039C\u13B7\uA4DF"},
    {'N', U"\u039D\uA4E0\u019D"},
    {'O', U"\u041E\u039F\u0555\uA4F3\u00D8\u04E8\u038C"},
    {'P', U"\u0420\u03A1\u13E2\uA4D1\u01A4"},
    {'Q', U"\u051A"},
    {'R', U"\u13D2\uA4E3"},
    {'S', U"\u0405\u054F\u13DA\uA4E2"},
    {'T', U"\u0422\u03A4\u13A2\uA4D4\u0166\u01AC"},
    {'U', U"\u054D\uA4F4\u0244"},
    {'V', U"\u0474\u13D9\uA4E6"},
    {'W', U"\u051C\u13B3\uA4EA"},
    {'X', U"\u0425\u03A7\uA4EB"},
    {'Y', U"\u04AE\u03A5\u13BD\uA4EC\u01B3\u038E"},
    {'Z', U"\u0396\u13C3\uA4DC\u01B5"},
    {'a', U"\u0430\u03B1\u0251\u04D9\u03AC"},
    {'b', U"\u042C\u0184\u0180\u0253\u0299"},
    {'c', U"\u0441\u03F2\u1D04\u0188"},
    {'d', U"\u0501\u0111\u0256\u0257\u1D05\u13E7"},
    {'e', U"\u0435\u0451\u0450\u04BD\u1D07\u03B5\u025B\u0247\u03AD"},
    {'f', U"\u0192\uA730\u0584"},
    {'g', U"\u0261\u0260\u0262\u0581"},
    {'h', U"\u04BB\u0570\u0127\u029C\u0266"},
    {'i', U"\u0456\u0457\u03B9\u0131\u026A\u0269\u0268\u13A5\u03AF\u0390\u03CA"},
    {'j', U"\u0458\u03F3\u0575\u1D0A\u0249"},
    {'k', U"\u043A\u03BA\u1D0B\u0199\u049B\u045C"},
    {'l', U"\u04CF\u029F\u0142\u019A\u026B\u01C0\u05DF"},
    {'m', U"\u043C\u1D0D\u0271"},
    {'n', U"\u0578\u057C\u0274\u0272\u0273\u014B\u043F\u03B7\u03AE"},
    {'o', U"\u043E\u03BF\u03C3\u0585\u1D0F\u00F8\u04E9\u0275\u05E1\u03CC"},
    {'p', U"\u0440\u03C1\u1D18\u01A5"},
    {'q', U"\u051B\u0566\u02A0"},
    {'r', U"\u0433\u0280\u027C\u027D\u024D\u0453"},
    {'s', U"\u0455\uA731\u0282\u023F"},
    {'t', U"\u0442\u03C4\u1D1B\u0167\u01AD\u0288"},
    {'u', U"\u057D\u03C5\u1D1C\u0289\u028B\u03CB\u03CD"},
    {'v', U"\u0475\u03BD\u1D20"},
    {'w', U"\u051D\u0461\u1D21\u03C9\u026F\u03CE"},
    {'x', U"\u0445\u03C7"},
    {'y', U"\u0443\u04AF\u03B3\u028F\u01B4"},
    {'z', U"\u1D22\u01B6\u0225\u0290"},
};

struct Pair {
  char32_t letter;
  char ascii;
};

constexpr std::size_t kPairs = [] {
  std::size_t count = 0;
  for (const Row& row : kRows) count += row.letters.size();
  return count;
}();

constexpr auto kSorted = [] {
  std::array<Pair, kPairs> pairs{};
  std::size_t i = 0;
  for (const Row& row : kRows) {
    for (const char32_t letter : row.letters) pairs[i++] = {.letter = letter, .ascii = row.ascii};
  }
  std::ranges::sort(pairs, {}, &Pair::letter);
  return pairs;
}();
static_assert(std::ranges::adjacent_find(kSorted, {}, &Pair::letter) == kSorted.end());

// Where most of what is asked for lies; the rest is searched for.
constexpr char32_t kTableEnd = 0x590;
constexpr auto kTable = [] {
  std::array<char, kTableEnd> table{};
  for (const Pair& pair : kSorted) {
    if (pair.letter < kTableEnd) table[pair.letter] = pair.ascii;
  }
  return table;
}();

}  // namespace

char lookalike(char32_t c) {
  if (c < kTableEnd) return kTable[c];
  const auto* const found = std::ranges::lower_bound(kSorted, c, {}, &Pair::letter);
  return found != kSorted.end() && found->letter == c ? found->ascii : '\0';
}

}  // namespace tocsin::decoding
