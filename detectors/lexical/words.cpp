#include "detectors/lexical/words.h"

#include <algorithm>
#include <array>
#include <bit>

#include "daemon/text.h"
#include "detectors/decoding/homoglyphs.h"
#include "detectors/lexical/fold.h"
#include "detectors/lexical/word_hash.h"

namespace tocsin::lexical {
namespace {

constexpr std::size_t kStemBytes = 6;
constexpr std::size_t kUpperLettersMin = 3;
constexpr std::size_t kLookalikesMin = 3;  // letters of a word that is nothing but lookalikes
constexpr std::size_t kLettersMax = 40;    // of a folded word that are kept
constexpr char32_t kTagsBegin = 0xE0000;   // tag characters stand for ASCII

enum ByteKind : std::uint8_t { kOther, kLetter, kDigit, kUnderscore, kBlank, kHigh };

constexpr auto kByteKinds = [] {
  std::array<ByteKind, 256> kinds{};
  for (unsigned c = 'a'; c <= 'z'; ++c) kinds[c] = kinds[c - 'a' + 'A'] = kLetter;
  for (unsigned c = '0'; c <= '9'; ++c) kinds[c] = kDigit;
  kinds['_'] = kUnderscore;
  for (const char c : std::string_view(" \t\r\v\f")) kinds[static_cast<unsigned char>(c)] = kBlank;
  for (unsigned c = 0x80; c <= 0xFF; ++c) kinds[c] = kHigh;
  return kinds;
}();

constexpr auto kByteMarks = [] {
  std::array<std::uint16_t, 256> marks{};
  marks['\n'] = kNewline;
  marks['.'] = kStop;
  marks['!'] = kBang;
  marks['?'] = kQuestion;
  marks[':'] = kColon;
  for (const char c : std::string_view(",;")) marks[static_cast<unsigned char>(c)] = kComma;
  for (const char c : std::string_view("\"'`")) marks[static_cast<unsigned char>(c)] = kQuote;
  for (const char c : std::string_view("<>|")) marks[static_cast<unsigned char>(c)] = kAngle;
  for (const char c : std::string_view("[]{}()")) marks[static_cast<unsigned char>(c)] = kBracket;
  for (const char c : std::string_view("/\\")) marks[static_cast<unsigned char>(c)] = kSlash;
  return marks;
}();

// What no word goes on with, whatever stands behind it.
constexpr auto kEndsWord = [] {
  std::array<bool, 256> ends{};
  for (std::size_t c = 0; c < ends.size(); ++c) {
    ends[c] = kByteKinds[c] == kBlank || kByteKinds[c] == kOther;
  }
  for (const char c : std::string_view("'.:@")) ends[static_cast<unsigned char>(c)] = false;
  return ends;
}();

constexpr std::uint8_t bit(ByteKind kind) { return static_cast<std::uint8_t>(1U << kind); }
ByteKind kind(char c) { return kByteKinds[static_cast<unsigned char>(c)]; }
bool is_word_byte(char c) {
  const ByteKind k = kind(c);
  return k == kLetter || k == kDigit || k == kUnderscore;
}
bool is_rule(char c) { return c == '#' || c == '*' || c == '-' || c == '='; }
bool ends_address(char c) {
  return kind(c) == kBlank || c == '\n' || c == '"' || c == '\'' || c == '<' || c == '>' ||
         c == '(' || c == ')' || c == '[' || c == ']' || c == '{' || c == '}' || c == ',' ||
         c == ';' || c == '\\' || c == '|' || c == '`';
}

std::uint64_t hash_of(Shape shape) { return mix(kHashFactor, static_cast<std::uint64_t>(shape)); }

struct AsciiLook {
  std::uint64_t hash;
  std::uint64_t stem;
  std::size_t upper;

  // The next `size` bytes, the first of the chunk.
  void add(std::uint64_t chunk, std::size_t size) {
    const std::uint64_t used = ~std::uint64_t{0} >> (8 * (kChunkBytes - size));
    upper += static_cast<std::size_t>(std::popcount(~chunk & kLowerBits & used));
    hash = mix(hash, (chunk | kLowerBits) & used);
  }
};

std::uint64_t stem_of(std::uint64_t lowered) {
  return mix(0, lowered & ((std::uint64_t{1} << (8 * kStemBytes)) - 1));
}

void set_look(Word& word, const AsciiLook& look, std::size_t size, char first) {
  word.hash = look.hash;
  word.stem = look.stem;
  if (look.upper == size && size >= kUpperLettersMin) {
    word.shape = Shape::kUpper;
  } else if (first <= 'Z') {
    word.shape = Shape::kCapital;
  }
}

// Letters, digits, underscores and apostrophes alone: or-ing 0x20 lowers the letters and leaves the
// others but the underscore, whose words are identifiers.
// `readable`: bytes that may be read from where the word begins.
AsciiLook hash_ascii(std::string_view word, std::size_t readable) {
  AsciiLook look{.hash = word.size(), .stem = 0, .upper = 0};
  for (std::size_t i = 0; i < word.size(); i += kChunkBytes) {
    const std::size_t size = std::min(kChunkBytes, word.size() - i);
    const std::uint64_t chunk = readable - i >= kChunkBytes ? load_chunk(word.data() + i)
                                                            : load_bytes(word.data() + i, size);
    look.add(chunk, size);
    if (i == 0 && word.size() > kStemBytes) look.stem = stem_of(chunk | kLowerBits);
  }
  return look;
}

// What is collected of a word with characters beyond ASCII.
struct Letters {
  std::array<char32_t, kLettersMax> folded{};
  std::array<char, kLettersMax> like{};  // the ASCII letter it looks like, 0: none
  std::size_t size = 0;
  bool ascii = false;      // some letter is one, or folds to one
  bool all_alike = true;   // every other one looks like one
  std::size_t others = 0;  // letters of another script

  void add(char32_t letter, char32_t original) {
    if (letter < 0x80) {
      ascii = true;
    } else {
      ++others;
      char alike = decoding::lookalike(original);
      if (alike >= 'A' && alike <= 'Z') alike = static_cast<char>(alike - 'A' + 'a');
      all_alike = all_alike && alike != 0;
      if (size < kLettersMax) like[size] = alike;
    }
    if (size < kLettersMax) folded[size++] = letter;
  }

  // A word of two scripts, or one that only looks Latin, is the Latin word it looks like.
  void undo_lookalikes() {
    if (!all_alike || (!ascii && size < kLookalikesMin)) return;
    for (std::size_t i = 0; i < size; ++i) {
      if (like[i] != 0) folded[i] = static_cast<unsigned char>(like[i]);
    }
    others = 0;
  }
};

std::size_t put_utf8(char32_t c, char* out) {
  if (c < 0x80) {
    out[0] = static_cast<char>(c);
    return 1;
  }
  if (c < 0x800) {
    out[0] = static_cast<char>(0xC0U | (c >> 6U));
    out[1] = static_cast<char>(0x80U | (c & 0x3FU));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = static_cast<char>(0xE0U | (c >> 12U));
    out[1] = static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
    out[2] = static_cast<char>(0x80U | (c & 0x3FU));
    return 3;
  }
  out[0] = static_cast<char>(0xF0U | (c >> 18U));
  out[1] = static_cast<char>(0x80U | ((c >> 12U) & 0x3FU));
  out[2] = static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
  out[3] = static_cast<char>(0x80U | (c & 0x3FU));
  return 4;
}

// Tag characters are the ASCII they stand for.
struct Read {
  Folded folded;
  char32_t original;
  std::size_t length;
  bool hidden;
};

Read read_character(std::string_view text) {
  if (static_cast<unsigned char>(text.front()) < 0x80) {
    const auto c = static_cast<unsigned char>(text.front());
    Folded folded{.kind = Fold::kMark};
    if (is_word_byte(text.front())) {
      const bool upper = c >= 'A' && c <= 'Z';
      folded = {.kind = Fold::kLetters,
                .size = 1,
                .letters = {static_cast<char32_t>(upper ? c + ('a' - 'A') : c)}};
    }
    return {.folded = folded, .original = c, .length = 1, .hidden = false};
  }
  const CodePoint c = first_code_point(text);
  if (c.value > kTagsBegin && c.value < kTagsBegin + 0x7F) {
    const auto plain = static_cast<char>(c.value - kTagsBegin);
    Read read = read_character(std::string_view(&plain, 1));
    read.length = c.length;
    read.hidden = true;
    return read;
  }
  const Folded folded = fold(c.value);
  return {.folded = folded,
          .original = c.value,
          .length = c.length,
          .hidden = folded.kind == Fold::kInvisible};
}

}  // namespace

bool WordReader::next(Word& word) {
  if (!next_unclassed(word)) return false;
  word.word_class = class_of(word.hash);
  return true;
}

bool WordReader::next_unclassed(Word& word) {
  read_marks();
  if (at_ >= text_.size()) return false;
  word = Word{};
  word.begin = static_cast<std::uint32_t>(at_);
  if (read_short(word)) {
    finish(word);
    return true;
  }
  const std::size_t end = ascii_end();
  if (end == at_ || (end < text_.size() && kind(text_[end]) == kHigh)) {
    read_folded(word);
  } else {
    read_ascii(word, end);
  }
  if (word.end == 0) word.end = static_cast<std::uint32_t>(at_);
  finish(word);
  return true;
}

void WordReader::finish(Word& word) {
  word.marks = marks_;
  word.opens = opens(word);
  marks_ = 0;
}

// A word of at most eight ASCII letters, as most are, without loops whose ends cannot be foretold.
// False: something else stands there.
bool WordReader::read_short(Word& word) {
  const std::uint64_t chunk = load_padded(text_, at_);
  const std::size_t size = letters_in_front(chunk);
  const std::size_t end = at_ + size;
  if (size == 0) return false;
  if (end < text_.size() && !kEndsWord[static_cast<unsigned char>(text_[end])]) return false;
  AsciiLook look{.hash = size, .stem = 0, .upper = 0};
  look.add(chunk, size);
  if (size > kStemBytes) look.stem = stem_of(chunk | kLowerBits);
  set_look(word, look, size, text_[at_]);
  at_ += size;
  word.end = static_cast<std::uint32_t>(at_);
  return true;
}

// Stands at the first byte of a word, or at the end.
void WordReader::read_marks() {
  while (at_ < text_.size()) {
    const ByteKind k = kind(text_[at_]);
    if (k == kBlank) {
      ++at_;
    } else if (k == kHigh) {
      if (!read_wide_mark()) return;
    } else if (k == kOther) {
      read_ascii_mark();
    } else {
      return;
    }
  }
}

void WordReader::read_ascii_mark() {
  const char c = text_[at_];
  const char after = at_ + 1 < text_.size() ? text_[at_ + 1] : ' ';
  if (c == '\\' && after == '\n') {  // a line that goes on
    at_ += 2;
    return;
  }
  if (c == '\\' && (after == 'n' || after == 'r' || after == 't')) {  // text within a literal
    marks_ |= kNewline;
    at_ += 2;
    return;
  }
  if (is_rule(c)) {
    const bool at_line = (marks_ & (kNewline | kStart)) != 0;
    if (after == c || (at_line && after == ' ')) marks_ |= kRule;
  } else if (c != '.' || !is_word_byte(after)) {
    marks_ |= kByteMarks[static_cast<unsigned char>(c)];
  }
  ++at_;
}

// False: a word begins here.
bool WordReader::read_wide_mark() {
  const Read read = read_character(text_.substr(at_));
  if (read.folded.kind == Fold::kLetters || read.folded.kind == Fold::kWide) return false;
  marks_ |= read.folded.marks;
  if (read.hidden) marks_ |= kHidden;
  at_ += read.length;
  return true;
}

std::size_t WordReader::ascii_end() {
  std::size_t end = at_;
  kinds_ = 0;
  while (end < text_.size()) {
    const ByteKind k = kind(text_[end]);
    if (k == kLetter || k == kDigit || k == kUnderscore) {
      kinds_ |= bit(k);
      ++end;
      continue;
    }
    // Within a word: don't.
    const bool joins = text_[end] == '\'' && end > at_ && end + 1 < text_.size() &&
                       kind(text_[end - 1]) == kLetter && kind(text_[end + 1]) == kLetter;
    if (!joins) break;
    ++end;
  }
  return end;
}

void WordReader::read_ascii(Word& word, std::size_t end) {
  const std::string_view rest = text_.substr(end);
  std::string_view all = text_.substr(at_, end - at_);
  const bool digits = kinds_ == bit(kDigit);
  const auto is_joined = [&](std::size_t i) { return i < rest.size() && is_word_byte(rest[i]); };
  if (digits) {
    at_ = end;
    while (at_ + 1 < text_.size() && (text_[at_] == '.' || text_[at_] == ',') &&
           kind(text_[at_ + 1]) == kDigit) {
      at_ += 2;
      while (at_ < text_.size() && kind(text_[at_]) == kDigit) ++at_;
    }
    word.shape = Shape::kNumber;
    word.hash = hash_of(word.shape);
    return;
  }
  const bool mail = rest.starts_with('@') && is_joined(1);
  const bool url = rest.starts_with("://");
  const bool dotted = rest.starts_with('.') && is_joined(1) && (rest[1] < 'A' || rest[1] > 'Z');
  if (mail || url || dotted) {
    at_ = end;
    while (at_ < text_.size() && !ends_address(text_[at_])) ++at_;
    while (at_ > end && kByteMarks[static_cast<unsigned char>(text_[at_ - 1])] != 0) --at_;
    word.shape = Shape::kAddress;
    word.hash = hash_of(word.shape);
    return;
  }
  at_ = end;
  if ((kinds_ & (bit(kDigit) | bit(kUnderscore))) != 0) {
    word.shape = Shape::kIdentifier;
    word.hash = hash_of(word.shape);
    return;
  }
  all = all.substr(0, kWordBytesMax);
  const AsciiLook look = hash_ascii(all, text_.size() - word.begin);
  set_look(word, look, all.size(), all.front());
}

void WordReader::read_folded(Word& word) {
  if (kind(text_[at_]) == kHigh && read_character(text_.substr(at_)).folded.kind == Fold::kWide) {
    read_pair(word);
    return;
  }
  Letters letters;
  while (at_ < text_.size()) {
    const bool apostrophe = text_[at_] == '\'' && letters.size != 0 && at_ + 1 < text_.size() &&
                            kind(text_[at_ + 1]) == kLetter;
    const Read read = read_character(text_.substr(at_));
    if (read.hidden) marks_ |= kHidden;
    if (read.folded.kind == Fold::kLetters) {
      for (std::size_t i = 0; i < read.folded.size; ++i) {
        letters.add(read.folded.letters[i], read.original);
      }
    } else if (apostrophe || (read.original == U'\u2019' && at_ + read.length < text_.size() &&
                              kind(text_[at_ + read.length]) == kLetter)) {
      letters.add(U'\'', U'\'');
    } else if (read.folded.kind != Fold::kInvisible) {
      break;
    }
    at_ += read.length;
  }
  letters.undo_lookalikes();
  std::array<char, kLettersMax * 4> bytes{};
  std::size_t size = 0;
  std::size_t stem = 0;
  for (std::size_t i = 0; i < letters.size; ++i) {
    size += put_utf8(letters.folded[i], bytes.data() + size);
    if (i + 1 == kStemBytes) stem = size;
  }
  const std::string_view folded(bytes.data(), std::min(size, kWordBytesMax));
  word.hash = hash_bytes(folded);
  if (stem != 0 && folded.size() > stem) {
    word.stem = stem <= kChunkBytes ? mix(0, load_bytes(bytes.data(), stem))
                                    : hash_bytes(folded.substr(0, stem));
  }
  word.shape = letters.others != 0 ? Shape::kForeign : Shape::kLower;
}

void WordReader::read_pair(Word& word) {
  const std::size_t first = first_code_point(text_.substr(at_)).length;
  std::size_t size = first;
  if (at_ + first < text_.size() && kind(text_[at_ + first]) == kHigh) {
    const Read second = read_character(text_.substr(at_ + first));
    if (second.folded.kind == Fold::kWide) {
      size += second.length;
      // The second character begins the next pair, unless it is the last of its run.
      const std::size_t third = at_ + size;
      const bool goes_on = third < text_.size() && kind(text_[third]) == kHigh &&
                           read_character(text_.substr(third)).folded.kind == Fold::kWide;
      word.hash = hash_bytes(text_.substr(at_, size));
      word.shape = Shape::kPair;
      word.end = static_cast<std::uint32_t>(third);
      at_ += goes_on ? first : size;
      return;
    }
  }
  word.hash = hash_bytes(text_.substr(at_, size));
  word.shape = Shape::kPair;
  at_ += size;
}

bool WordReader::opens(const Word& word) const {
  constexpr std::uint16_t kOpening = kStart | kStop | kBang | kQuestion | kColon | kRule | kAngle;
  if ((word.marks & kOpening) != 0) return true;
  // A line that was only wrapped goes on in lower case.
  if ((word.marks & kNewline) != 0 && word.shape != Shape::kLower) return true;
  // An opening quote or bracket, not a closing one.
  if ((word.marks & (kQuote | kBracket)) == 0 || word.begin == 0) return false;
  const char before = text_[word.begin - 1];
  return kind(before) == kOther;
}

}  // namespace tocsin::lexical
