// What a reader, or a model, takes for ASCII made ASCII:
// * compatibility forms (NFKC): full width, mathematical, circled, superscript letters, ligatures;
// * accents and other marks on Latin letters, precomposed or not, in any number;
// * invisible characters (zero width, soft hyphen, bidi, variation selectors, tags) are removed,
// any
//   blank is ' ', line and paragraph separators are newlines, typographic quotes and dashes are
//   ASCII;
// * letters of other scripts that look like ASCII ones (homoglyphs.h), in words that have Latin
//   letters too, or at least kPureLettersMin letters and nothing but such.
// Other scripts stay as they are, with their marks.
//
// Not every change makes a view, or each prose text would have one.  Letters and digits do (but not
// a trade mark sign or a fraction), blanks, invisible characters and punctuation between two ASCII
// characters, words of lookalikes alone only in a text mostly ASCII: in Russian they are words.
#include <utf8proc.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "daemon/invisible.h"
#include "daemon/text.h"
#include "detectors/decoding/chars.h"
#include "detectors/decoding/homoglyphs.h"
#include "detectors/decoding/steps.h"
#include "detectors/decoding/utf8.h"

namespace tocsin::decoding {
namespace {

constexpr std::size_t kPureLettersMin = 3;

constexpr bool within(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

bool is_blank_character(char32_t c) {
  return c == 0xA0 || within(c, 0x2000, 0x200A) || c == 0x202F || c == 0x205F || c == 0x3000 ||
         c == 0x1680 || c == 0x2800;
}

bool is_line_end(char32_t c) { return c == 0x85 || c == 0x2028 || c == 0x2029; }

std::string_view typographic(char32_t c) {
  if (within(c, 0x2018, 0x201B) || c == 0x2032) return "'";
  if (within(c, 0x201C, 0x201F) || c == 0x2033) return "\"";
  if (within(c, 0x2010, 0x2015) || c == 0x2212) return "-";
  if (c == 0x2026) return "...";
  return {};
}

// Punctuation that normalisation leaves alone: division slash, fraction slash, ratio, ideographic
// full stop.
char like_punctuation(char32_t c) {
  if (c == 0x2215 || c == 0x2044) return '/';
  if (c == 0x2236 || c == 0x02D0) return ':';
  return c == 0x3002 ? '.' : '\0';
}

// Greek, Cyrillic, Armenian, Hebrew; Greek extended; Cherokee; Lisu: the scripts of the lookalikes.
bool is_other_script(char32_t c) {
  return within(c, 0x370, 0x5FF) || within(c, 0x1F00, 0x1FFF) || within(c, 0x13A0, 0x13FF) ||
         within(c, 0xA4D0, 0xA4FF);
}

// Where letters live that become Latin ones below; only used to tell whether a word mixes scripts.
bool is_latin_form(char32_t c) {
  return within(c, 0xC0, 0x2AF) || within(c, 0x1D00, 0x1DBF) || within(c, 0x1E00, 0x1EFF) ||
         within(c, 0x2100, 0x214F) || within(c, 0x24B6, 0x24E9) || within(c, 0xFF21, 0xFF5A) ||
         within(c, 0x1D400, 0x1D7FF) || within(c, 0x1F130, 0x1F189);
}

bool is_mark(char32_t c) {
  return within(c, 0x300, 0x36F) || within(c, 0x483, 0x489) || within(c, 0x1AB0, 0x1AFF) ||
         within(c, 0x1DC0, 0x1DFF) || within(c, 0x20D0, 0x20FF) || within(c, 0xFE20, 0xFE2F);
}

// Kana, Han, Hangul; most emoji: nothing becomes of them, and there are many.
bool is_never_changed(char32_t c) {
  return within(c, 0x3041, 0x30FF) || within(c, 0x3400, 0x9FFF) || within(c, 0xAC00, 0xD7A3) ||
         within(c, 0x1F300, 0x1FAFF);
}

// Signs made of letters or digits that prose has, and that hide nothing.
bool is_ordinary_sign(char32_t c) {
  return c == 0xAA || c == 0xBA || within(c, 0xB2, 0xB3) || c == 0xB9 || within(c, 0xBC, 0xBE) ||
         within(c, 0x2070, 0x209F) || within(c, 0x20A0, 0x20CF) || within(c, 0x2100, 0x2101) ||
         c == 0x2103 || within(c, 0x2105, 0x2106) || c == 0x2109 || c == 0x2116 ||
         within(c, 0x2120, 0x2122) || within(c, 0x2150, 0x217F) || within(c, 0x2460, 0x249B) ||
         within(c, 0x3200, 0x33FF);
}

constexpr char32_t kRegionalFirst = 0x1F1E6;
constexpr char32_t kRegionalLast = 0x1F1FF;

// Emoji letters: negative circled, negative squared.
char emoji_letter(char32_t c) {
  if (within(c, 0x1F150, 0x1F169)) return static_cast<char>('A' + (c - 0x1F150));
  if (within(c, 0x1F170, 0x1F189)) return static_cast<char>('A' + (c - 0x1F170));
  return '\0';
}

bool is_word_character(char c) { return is_any(c, kAlnum) || c == '_'; }

class Folder {
 public:
  Folder(std::string_view text, Rewrite& out) : text_(text), out_(out) {}

  bool fold_all() {
    while (at_ < text_.size()) {
      if (is_ascii(text_[at_])) {
        copy_ascii();
      } else {
        const CodePoint c = first_code_point(text_.substr(at_));
        const std::string_view original = text_.substr(at_, c.length);
        at_ += c.length;
        fold(c.value, original);
      }
    }
    out_.finish();
    const std::size_t ascii = text_.size() - non_ascii_bytes_;
    const bool lookalikes = pure_letters_ > 0 && other_letters_ * 8 <= ascii + pure_letters_;
    return certain_ || lookalikes;
  }

 private:
  void copy_ascii() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_ascii(text_[at_])) ++at_;
    settle(is_blank(text_[begin]));
    out_.copy(text_.substr(begin, at_ - begin));
    std::size_t word = at_;
    bool latin = false;
    while (word > begin && is_word_character(text_[word - 1])) {
      --word;
      latin = latin || is_any(text_[word], kAlpha);
    }
    if (word > begin) end_word();
    latin_ = latin_ || latin;
  }

  void fold(char32_t c, std::string_view original) {
    non_ascii_bytes_ += original.size();
    if (is_never_changed(c)) return keep(original);
    if (is_invisible(c)) return suspect();
    if (is_blank_character(c) || is_line_end(c)) {
      suspect();
      end_word();
      return out_.put_quietly(is_blank_character(c) ? " " : "\n");
    }
    if (const char ascii = lookalike(c); ascii != 0) return fold_lookalike(ascii, original);
    if (is_other_script(c)) return keep_letter(original);
    if (is_mark(c)) return fold_mark(original);
    if (const std::string_view ascii = typographic(c); !ascii.empty()) {
      end_word();
      settle(true);
      return out_.put_quietly(ascii);
    }
    if (within(c, kRegionalFirst, kRegionalLast)) return fold_regional(original.size());
    if (const char ascii = emoji_letter(c); ascii != 0) return put_letter(ascii);
    if (const char ascii = like_punctuation(c); ascii != 0) return put_punctuation({&ascii, 1});
    fold_compatibility(c, original);
  }

  void fold_compatibility(char32_t c, std::string_view original) {
    std::array<utf8proc_int32_t, 24> parts{};
    int boundary = 0;
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
        static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT), &boundary);
    if (count <= 0 || static_cast<std::size_t>(count) > parts.size()) return keep(original);
    const auto first = static_cast<char32_t>(parts[0]);
    if (first >= 0x80) {
      // One part: a mathematical alpha, half-width kana.  Several: a syllable, which stays whole.
      const char ascii = count == 1 && first != c ? lookalike(first) : '\0';
      if (ascii != 0) return fold_lookalike(ascii, original);
      if (count != 1 || first == c) return keep(original);
      end_word();
      settle_not();
      std::string form;
      append_code_point(form, first);
      return out_.put_quietly(form);
    }
    std::string form;
    bool word = false;
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      const auto part = static_cast<char32_t>(parts[static_cast<std::size_t>(i)]);
      if (is_mark(part)) continue;
      const char like = like_punctuation(part);
      append_code_point(form, like != 0 ? static_cast<char32_t>(like) : part);
      word = word || (part < 0x80 && is_any(static_cast<char>(part), kAlnum));
    }
    if (!word) return put_punctuation(form);
    latin_ = true;
    settle(false);
    if (is_ordinary_sign(c)) return out_.put_quietly(form);
    certain_ = true;
    out_.put(form);
  }

  void fold_lookalike(char ascii, std::string_view original) {
    if (at_ > decided_until_) decide_word();
    if (!map_word_) return keep_letter(original);
    settle(false);
    out_.put(std::string_view(&ascii, 1));
    if (latin_word_) {
      certain_ = true;
    } else {
      ++pure_letters_;
    }
  }

  // Of which letters the word is whose first lookalike was just read: what follows in it, and what
  // came before (latin_, other_).
  void decide_word() {
    std::size_t i = at_;
    std::size_t letters = 1;
    latin_word_ = latin_;
    bool other = other_;
    while (i < text_.size()) {
      if (is_ascii(text_[i])) {
        if (!is_word_character(text_[i])) break;
        latin_word_ = latin_word_ || is_any(text_[i], kAlpha);
        ++i;
        continue;
      }
      const CodePoint c = first_code_point(text_.substr(i));
      if (lookalike(c.value) != 0) {
        ++letters;
      } else if (is_other_script(c.value)) {
        other = true;
      } else if (is_latin_form(c.value)) {
        latin_word_ = true;
      } else if (!is_invisible(c.value) && !is_mark(c.value)) {
        break;
      }
      i += c.length;
    }
    decided_until_ = i;
    map_word_ = latin_word_ || (!other && letters >= kPureLettersMin);
  }

  void fold_mark(std::string_view original) {
    const char base = last();
    if (!is_any(base, kAlnum)) return keep_in_word(original);
    if (!is_any(base, kAlpha)) return settle_not();  // a key cap
    certain_ = true;
    out_.mark(out_.position());
  }

  // Flags are pairs.  One alone, or more than two flags in a row, are letters.
  void fold_regional(std::size_t length) {
    std::size_t count = 1;
    std::size_t end = at_;
    for (; end + length <= text_.size(); end += length, ++count) {
      if (is_ascii(text_[end])) break;
      const CodePoint c = first_code_point(text_.substr(end));
      if (!within(c.value, kRegionalFirst, kRegionalLast)) break;
    }
    const std::size_t begin = at_ - length;
    at_ = end;
    if (count != 1 && count < 5) return keep(text_.substr(begin, end - begin));
    for (std::size_t i = begin; i < end; i += length) {
      const char32_t c = first_code_point(text_.substr(i)).value;
      put_letter(static_cast<char>('a' + (c - kRegionalFirst)));
    }
  }

  void put_letter(char ascii) {
    settle(false);
    latin_ = true;
    certain_ = true;
    out_.put(std::string_view(&ascii, 1));
  }

  void put_punctuation(std::string_view ascii) {
    end_word();
    settle(false);
    suspect();
    out_.put_quietly(ascii);
  }

  void keep(std::string_view original) {
    end_word();
    keep_in_word(original);
  }

  void keep_in_word(std::string_view original) {
    settle_not();
    out_.copy(original);
  }

  void keep_letter(std::string_view original) {
    if (!latin_) ++other_letters_;
    other_ = true;
    keep_in_word(original);
  }

  // Something was changed here that counts only between two ASCII characters (not two blanks): the
  // one before it is known, `settle` is told of the one behind it.
  void suspect() {
    const char before = last();
    if (suspect_ || out_.text().empty() || !is_ascii(before)) return;
    suspect_ = true;
    suspect_blank_ = is_blank(before);
    suspect_position_ = out_.position();
  }
  void settle(bool blank) {
    if (suspect_ && !(blank && suspect_blank_)) {
      certain_ = true;
      out_.mark(suspect_position_);
    }
    suspect_ = false;
  }
  void settle_not() { suspect_ = false; }

  void end_word() { latin_ = other_ = false; }

  [[nodiscard]] char last() const { return out_.text().empty() ? '\0' : out_.text().back(); }

  std::string_view text_;
  Rewrite& out_;
  std::size_t at_ = 0;
  bool latin_ = false;  // what the word so far has
  bool other_ = false;
  std::size_t decided_until_ = 0;  // to here, the next two are right
  bool latin_word_ = false;
  bool map_word_ = false;
  bool suspect_ = false;
  bool suspect_blank_ = false;
  std::size_t suspect_position_ = 0;
  bool certain_ = false;  // there is a view
  std::size_t pure_letters_ = 0;
  std::size_t other_letters_ = 0;
  std::size_t non_ascii_bytes_ = 0;
};

}  // namespace

bool decode_unicode(std::string_view text, Rewrite& out) {
  out.clear();
  return Folder(text, out).fold_all();
}

}  // namespace tocsin::decoding
