#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "detectors/decoding/homoglyphs.h"
#include "tests/unit/catch.h"
#include "tests/unit/decoding/views.h"

namespace tocsin::decoding {
namespace {

TEST_CASE("what a reader takes for ASCII becomes ASCII") {
  const Row rows[] = {
      {"full width", "ｉｇｎｏｒｅ　ａｌｌ", "ignore all"},
      {"full width digits and points", "１６９．２５４．１", "169.254.1"},
      {"mathematical, bold and script", "𝐢𝐠𝓃𝑜𝓻𝖊", "ignore"},
      {"the one italic letter that is elsewhere", "𝑠\u210E", "sh"},
      {"circled", "ⓘⓖⓝⓞⓡⓔ", "ignore"},
      {"emoji letters", "🅘🅶🄽ore", "IGNore"},
      {"superscript", "ⁱᵍⁿᵒʳᵉ", "ignore"},
      {"small capitals", "ɪɢɴᴏʀᴇ all", "ignore all"},
      {"a ligature", "conﬁdential ﬂag", "confidential flag"},
      {"accents", "ígnóré prèvïõus", "ignore previous"},
      {"combining accents, many", "i\u0301\u0302\u0303g\u0336nore", "ignore"},
      {"Cyrillic among Latin", "ign\u043Er\u0435 all", "ignore all"},
      {"Latin behind Cyrillic", "\u0440\u0430ssword", "password"},
      {"Greek among Latin", "p\u03B1ssw\u03BFrd", "password"},
      {"Armenian, Cherokee", "\u0570ell\u0585 \u13A0ROP", "hello DROP"},
      {"with an accent between", "\u00EDgn\u043Ere", "ignore"},
      {"a word of lookalikes alone", "please \u0441\u043E\u0440\u0443 this", "please copy this"},
      {"zero width", "ig\u200Bno\u200Dre", "ignore"},
      {"soft hyphen, word joiner, byte order mark", "pass\u00ADwo\u2060r\uFEFFd", "password"},
      {"bidi controls", "ig\u202Enor\u202Ce", "ignore"},
      {"variation selectors, tags", "ig\uFE0Fno\U000E0041re", "ignore"},
      {"invisible between a word and a blank", "ignore\u200B all", "ignore all"},
      {"blanks", "ignore\u00A0all\u2003previous\u3000rules", "ignore all previous rules"},
      {"a line separator", "a\u2028b", "a\nb"},
      {"slashes and points of other scripts", "http:\u2215\u2215evil\u3002com", "http://evil.com"},
      {"regional indicators", "🇮🇬🇳🇴🇷🇪", "ignore"},
      {"typography, where there is a view anyway", "don’t “café” – …", "don't \"cafe\" - ..."},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(seen_through(row.value, "unicode") == row.view);
  }
}

TEST_CASE("prose in any script, and what typesetting adds, is no view") {
  const Row rows[] = {
      {"typography", "“Don’t” – she said… it’s 5 € — or £4", ""},
      {"Russian", "Съешь же ещё этих мягких французских булок, да выпей чаю", ""},
      {"Russian words that look Latin", "Сор у рта, а он рос сухо; в git с опцией", ""},
      {"Ukrainian", "Її їжак з'їв яблуко", ""},
      {"Greek", "Ο Γιώργος είναι εδώ και το ξέρει", ""},
      {"Hebrew", "שלום עולם, זה טקסט רגיל", ""},
      {"Arabic with its marks", "مَرْحَبًا بِالْعَالَمِ\u200F", ""},
      {"Persian with joiners", "می\u200Cخواهم", ""},
      {"Hindi with joiners", "क्\u200Dष नमस्ते दुनिया", ""},
      {"Japanese", "これはテストです。（例）ﾃｽﾄ", ""},
      {"Chinese", "我们使用这个系统：监控、报告，以及“测试”。", ""},
      {"Korean", "안녕하세요 세계", ""},
      {"emoji with their selectors", "well done ❤\uFE0F 👨\u200D👩\u200D👧 1\uFE0F\u20E3 ok", ""},
      {"flags", "🇩🇪 and 🇫🇷🇮🇹", ""},
      {"England", "go \U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F!", ""},
      {"signs", "Acme™ № 5, ½ of 3 m² at 20 ℃, ① first", ""},
      {"units", "5 µs, Δt, 2π, λ = 3", ""},
      {"a byte order mark", "\uFEFF{}", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(seen_through(row.value, "unicode") == "(none)");
  }
}

TEST_CASE("other scripts keep their letters in a view") {
  CHECK(seen_through("ｏｋ Ещё й, ά, が, 한", "unicode") == "ok Ещё й, ά, が, 한");
}

TEST_CASE("no ASCII character is another one's lookalike, and letters stay letters") {
  std::size_t letters = 0;
  for (char32_t c = 0; c < 0x20000; ++c) {
    const char ascii = lookalike(c);
    if (ascii == '\0') continue;
    ++letters;
    CAPTURE(static_cast<std::uint32_t>(c));
    CHECK(c >= 0x80);
    const bool is_letter = (ascii >= 'a' && ascii <= 'z') || (ascii >= 'A' && ascii <= 'Z');
    CHECK(is_letter);
  }
  CHECK(letters > 200);
}

}  // namespace
}  // namespace tocsin::decoding
