#include "detectors/flow/token.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "detectors/flow/word_hash.h"
#include "detectors/validate/ascii_set.h"

namespace tocsin::flow {
namespace {

using word::Hash;
using word::is_plural;
using word::lower;
using word::PlainWord;
using word::read_plain;

constexpr std::size_t kAccountDigitsMin = 7;
constexpr std::size_t kGroupBytesMax = 8;    // of one group of a long number
constexpr std::size_t kGroupsMax = 10;       // of a long number
constexpr std::size_t kLongNumbersMax = 64;  // written in groups, of a text
constexpr std::size_t kIbanBytesMin = 15;    // ISO 13616: Norway has the shortest
constexpr std::size_t kCodeBytesMin = 5;     // "4pm", "2nd", "v2" name nothing

enum Class : std::uint8_t { kOther, kLetter, kDigit, kConnector };

constexpr std::array<Class, 256> kClasses = [] {
  std::array<Class, 256> classes{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool letter =
        (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 0x80 || byte == '_';
    if (letter) classes[byte] = kLetter;
    if (byte >= '0' && byte <= '9') classes[byte] = kDigit;
  }
  for (const char byte : std::string_view(".-/:@%+=&?#~',")) {
    classes[static_cast<unsigned char>(byte)] = kConnector;
  }
  return classes;
}();

// Where no token begins, whatever stands behind it: not a slash, plus or tilde, nor the backslash
// of a line break that was written out.
constexpr std::array<bool, 256> kPasses = [] {
  std::array<bool, 256> passes{};
  for (std::size_t byte = 0; byte < passes.size(); ++byte) {
    passes[byte] = kClasses[byte] == kOther || kClasses[byte] == kConnector;
  }
  for (const char byte : std::string_view("/+~\\")) {
    passes[static_cast<unsigned char>(byte)] = false;
  }
  return passes;
}();

Class class_of(char byte) { return kClasses[static_cast<unsigned char>(byte)]; }
bool is_part(char byte) { return class_of(byte) == kLetter || class_of(byte) == kDigit; }
bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

// Bytes of the character at `at` when it is beyond ASCII and no letter: 0, it is one or part of
// one.  Spaces, quotes, dashes, invisible characters, symbols and pictures, by their blocks.
std::size_t mark_bytes(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  switch (byte(0)) {
    case 0xC2: return byte(1) != 0xAA && byte(1) != 0xB5 && byte(1) != 0xBA ? 2 : 0;
    case 0xC3: return byte(1) == 0x97 || byte(1) == 0xB7 ? 2 : 0;  // multiplied, divided by
    case 0xE2: return byte(1) <= 0xAF ? 3 : 0;                     // U+2000 to U+2BFF
    case 0xE3: return byte(1) == 0x80 ? 3 : 0;                     // U+3000 to U+303F
    case 0xEF:
      if (byte(1) == 0xBB && byte(2) == 0xBF) return 3;  // U+FEFF
      if (byte(1) == 0xB8) return 3;                     // variation selectors
      if (byte(1) == 0xBF && byte(2) >= 0xA0) return 3;  // wide signs, U+FFFD
      return byte(1) == 0xBC && (byte(2) <= 0x8F || (byte(2) >= 0x9A && byte(2) <= 0xA0)) ? 3 : 0;
    case 0xF0: return byte(1) == 0x9F ? 4 : 0;  // pictures
    case 0xF3: return 4;                        // tags
    default: return 0;
  }
}

// The second byte of "Ü", behind 0xC3, becomes that of "ü"; the letters of the other languages that
// the lexicon knows are all there.
char lower_behind(char before, char byte) {
  const auto value = static_cast<unsigned char>(byte);
  const bool capital = static_cast<unsigned char>(before) == 0xC3 && value >= 0x80 && value <= 0x9E;
  return capital ? static_cast<char>(value | 0x20U) : lower(byte);
}

// What a run of characters consists of.
struct Shape {
  std::size_t digits = 0;
  std::size_t letters = 0;
  std::size_t dots = 0;
  std::size_t slashes = 0;
  std::size_t dashes = 0;
  bool at = false;
  bool scheme = false;
  bool underscore = false;
};

class Cutter {
 public:
  Cutter(std::string_view text, std::vector<Token>& out)
      : text_(text), out_(out), start_(out.size()), room_(start_ + kTokensMax) {}

  void run() {
    // No byte begins more than two tokens: of a text that is short enough nobody has to count.
    const bool may_fill = text_.size() > kTokensMax / 3;
    std::size_t at = 0;
    while (!may_fill || out_.size() + kLongNumbersMax < room_) {
      while (at < text_.size() && kPasses[static_cast<unsigned char>(text_[at])]) ++at;
      if (at >= text_.size()) return;
      if (const std::size_t word_end = short_word(at); word_end != at) {
        at = word_end;
        continue;
      }
      if (!begins(at)) {
        at += std::max<std::size_t>(escaped_break(at) ? 2 : 1, mark_bytes(text_, at));
        continue;
      }
      if (const std::size_t word_end = plain_word(at); word_end != at) {
        at = word_end;
        continue;
      }
      const std::size_t end = run_from(at);
      emit(at, end);
      at = end;
    }
  }

 private:
  // Most of a text is words of at most eight ASCII letters with a blank, a bracket or nothing
  // behind them: one load, and no loop whose end cannot be foretold.  The end of the word that was
  // appended; `at`: something else stands there.
  std::size_t short_word(std::size_t at) {
    const std::uint64_t chunk = lexical::load_padded(text_, at);
    const std::size_t size = lexical::letters_in_front(chunk);
    const std::size_t end = at + size;
    if (size == 0 || (end < text_.size() && class_of(text_[end]) != kOther)) return at;
    const bool plural = is_plural(text_.substr(at, size));
    out_.push_back({.hash = word::hash_short(chunk, size - (plural ? 1 : 0)),
                    .begin = static_cast<std::uint32_t>(at),
                    .end = static_cast<std::uint32_t>(end),
                    .kind = TokenKind::kWord,
                    .capital = static_cast<unsigned char>(chunk) <= 'Z',
                    .inflected = plural});
    return end;
  }

  // Any other word of ASCII letters; the same.
  std::size_t plain_word(std::size_t at) {
    const PlainWord word = read_plain(text_, at);
    if (word.end == at) return at;
    const std::size_t contracted = contraction_end(at, word.end);
    if (contracted == 0 && !ends_word(word.end)) return at;
    const std::size_t end = contracted != 0 ? contracted : word.end;
    out_.push_back({.hash = contracted != 0 ? contraction_hash(at, word.end) : word.hash,
                    .begin = static_cast<std::uint32_t>(at),
                    .end = static_cast<std::uint32_t>(end),
                    .kind = TokenKind::kWord,
                    .capital = text_[at] >= 'A' && text_[at] <= 'Z',
                    .inflected = contracted == 0 && word.plural});
    return end;
  }

  // "don't", "can’t" are the words that are also written "dont", "cant": where the word that
  // begins at `begin`, its letters up to `end`, is over; 0: it is no such word.
  [[nodiscard]] std::size_t contraction_end(std::size_t begin, std::size_t end) const {
    if (end >= text_.size() || (text_[end] != '\'' && is_ascii(text_[end]))) return 0;
    if (end - begin < 2 || lower(text_[end - 1]) != 'n') return 0;
    constexpr std::string_view kApostrophe = "\u2019";
    const std::size_t bytes = text_[end] == '\''                           ? 1
                              : text_.substr(end).starts_with(kApostrophe) ? kApostrophe.size()
                                                                           : 0;
    const std::size_t last = end + bytes;
    if (bytes == 0 || last >= text_.size() || lower(text_[last]) != 't') return 0;
    return part_at(last + 1) ? 0 : last + 1;
  }

  [[nodiscard]] std::uint64_t contraction_hash(std::size_t begin, std::size_t end) const {
    Hash hash;
    for (const char letter : text_.substr(begin, end - begin)) hash.add(lower(letter));
    hash.add('t');
    return hash.value();
  }

  // Whether a run of letters is over at `at`: nothing that connects stands there.
  [[nodiscard]] bool ends_word(std::size_t at) const {
    if (at >= text_.size()) return true;
    switch (class_of(text_[at])) {
      case kOther: return true;
      case kConnector:
        // Before a part it may be of a name, an address or a URL; "://" is not followed by one.
        return text_[at] != ':' && !part_at(at + 1);
      case kLetter: return mark_bytes(text_, at) > 0;
      case kDigit: break;
    }
    return false;
  }

  // A path begins with its slash, a telephone number with its plus.
  [[nodiscard]] bool begins(std::size_t at) const {
    const char byte = text_[at];
    if (part_at(at)) return true;
    if (at + 1 >= text_.size()) return false;
    if (byte == '+') return class_of(text_[at + 1]) == kDigit;
    if (byte == '/') return part_at(at + 1) || text_[at + 1] == '.';
    return byte == '~' && text_[at + 1] == '/';
  }

  // A line break in text that was written as a literal: the n is no letter of the next word.  In
  // "C:\docs\new" it is one.
  [[nodiscard]] bool escaped_break(std::size_t at) const {
    if (text_[at] != '\\' || at + 1 >= text_.size()) return false;
    if (std::string_view("nrt").find(text_[at + 1]) == std::string_view::npos) return false;
    const bool escape_before = at >= 2 && text_[at - 2] == '\\';
    const bool word_before =
        at > 0 && !escape_before && (is_part(text_[at - 1]) || text_[at - 1] == ':');
    const bool small_behind = at + 2 < text_.size() && text_[at + 2] >= 'a' && text_[at + 2] <= 'z';
    return !word_before || !small_behind;
  }

  [[nodiscard]] bool part_at(std::size_t at) const {
    return at < text_.size() && is_part(text_[at]) &&
           (is_ascii(text_[at]) || mark_bytes(text_, at) == 0);
  }

  // Whether the connector at `at` holds together what stands on both sides of it.
  bool connects(std::size_t at) {
    const char byte = text_[at];
    const bool url = shape_.scheme || shape_.slashes > 0;
    const bool digits = at > 0 && class_of(text_[at - 1]) == kDigit && at + 1 < text_.size() &&
                        class_of(text_[at + 1]) == kDigit;
    switch (byte) {
      case ',':
        return digits && part_at(at + 3) && class_of(text_[at + 3]) == kDigit &&
               (!part_at(at + 4) || class_of(text_[at + 4]) != kDigit) && shape_.letters == 0;
      case ':': return digits || (url && part_at(at + 1));
      case '\'': return false;
      case '.':
      case '-':
      case '@': return part_at(at + 1);
      case '/': return part_at(at + 1) || (url && at + 1 < text_.size() && text_[at + 1] == '.');
      case '+': return part_at(at + 1) && (url || shape_.letters > 0);
      default:  // % = & ? # ~
        return url &&
               (part_at(at + 1) || (at + 1 < text_.size() &&
                                    class_of(text_[at + 1]) == kConnector && part_at(at + 2)));
    }
  }

  // The end of the run that begins at `at`; leaves its shape in shape_.
  std::size_t run_from(std::size_t at) {
    shape_ = {};
    while (at < text_.size()) {
      const char byte = text_[at];
      switch (class_of(byte)) {
        case kLetter:
          if (!is_ascii(byte) && mark_bytes(text_, at) > 0) return at;
          shape_.underscore |= byte == '_';
          ++shape_.letters;
          break;
        case kDigit: ++shape_.digits; break;
        case kConnector:
          if (text_.substr(at).starts_with("://") && part_at(at + 3)) {
            shape_ = {.scheme = true};
            at += 3;
            continue;
          }
          if (shape_.letters + shape_.digits > 0 && !connects(at)) return at;
          shape_.dots += byte == '.' ? 1 : 0;
          shape_.slashes += byte == '/' ? 1 : 0;
          shape_.dashes += byte == '-' ? 1 : 0;
          shape_.at |= byte == '@';
          break;
        case kOther: return at;
      }
      ++at;
    }
    return at;
  }

  void emit(std::size_t begin, std::size_t end) {
    const std::string_view run = text_.substr(begin, end - begin);
    const Token token{.begin = static_cast<std::uint32_t>(begin),
                      .end = static_cast<std::uint32_t>(end),
                      .kind = TokenKind::kWord,
                      .capital = run.front() >= 'A' && run.front() <= 'Z'};
    if (shape_.letters == 0 && shape_.digits == 0) return;
    if (shape_.scheme || has_www(run)) return emit_url(token, run);
    if (shape_.at && shape_.dots > 0) return emit_as(token, run, TokenKind::kEmail);
    if (shape_.slashes > 0 && shape_.letters > 0) return emit_slashed(token, run);
    if (shape_.letters == 0) return emit_number(token, run);
    if (shape_.dots > 0 && run.size() > 2 * shape_.dots + 1 && !initials(run)) {
      return emit_as(token, run, TokenKind::kName);
    }
    if (shape_.digits > 0 || shape_.underscore) return emit_code(token, run);
    emit_word(token, run);
  }

  static bool has_www(std::string_view run) {
    constexpr std::string_view kWww = "www.";
    return run.size() > kWww.size() &&
           std::ranges::equal(run.substr(0, kWww.size()), kWww, {}, lower);
  }

  // "e.g", "U.S": letters each behind a dot.
  static bool initials(std::string_view run) {
    std::size_t longest = 0;
    std::size_t length = 0;
    for (const char byte : run) {
      length = byte == '.' ? 0 : length + 1;
      longest = std::max(longest, length);
    }
    return longest <= 1;
  }

  void emit_as(Token token, std::string_view run, TokenKind kind) {
    token.kind = kind;
    token.hash = hash_all(run);
    out_.push_back(token);
  }

  static std::uint64_t hash_all(std::string_view run) {
    Hash hash;
    char last = 0;
    for (const char byte : run) {
      hash.add(lower_behind(last, byte));
      last = byte;
    }
    return hash.value();
  }

  void emit_url(Token token, std::string_view run) {
    if (const auto scheme = run.find("://"); scheme != std::string_view::npos) {
      run.remove_prefix(scheme + 3);
    }
    if (has_www(run)) run.remove_prefix(4);
    while (run.ends_with('/')) run.remove_suffix(1);
    std::string_view host = run.substr(0, run.find_first_of("/?#"));
    // "bank.example:x@other.example" is at other.example.
    host.remove_prefix(host.rfind('@') + 1);  // npos + 1 is 0
    host = host.substr(0, host.find(':'));
    emit_as(token, run, TokenKind::kUrl);
    if (host.size() < run.size() && out_.size() < room_) emit_as(token, host, TokenKind::kName);
  }

  void emit_slashed(Token token, std::string_view run) {
    const std::string_view first = run.substr(0, run.find('/'));
    // "example.com/a" is a URL as people write them; "notes.txt/a" is one, too, and no harm done.
    if (first.size() > 3 && first.find('.', 1) != std::string_view::npos) {
      return emit_url(token, run);
    }
    const bool path = first.empty() || run.front() == '~' || run.front() == '.' ||
                      shape_.slashes > 1 || shape_.dots > 0;
    if (path) return emit_as(token, run, TokenKind::kPath);
    // "and/or", "T-shirt/M": two words.
    emit(token.begin, token.begin + first.size(), first);
    const std::size_t second = token.begin + first.size() + 1;
    emit(second, token.end, text_.substr(second, token.end - second));
  }

  // A part of a run: its shape is looked at anew.
  void emit(std::size_t begin, std::size_t end, std::string_view run) {
    if (run.empty() || out_.size() >= room_) return;
    shape_ = {};
    for (const char byte : run) {
      shape_.letters += class_of(byte) == kLetter ? 1 : 0;
      shape_.digits += class_of(byte) == kDigit ? 1 : 0;
    }
    emit(begin, end);
  }

  void emit_number(Token token, std::string_view run) {
    const bool date = shape_.dashes == 2 && run.size() == 10 && run[4] == '-';
    Hash hash;
    if (shape_.digits >= kAccountDigitsMin && !date && shape_.dots == 0 && shape_.slashes == 0) {
      token.kind =
          run.find(',') == std::string_view::npos ? TokenKind::kAccount : TokenKind::kNumber;
      for (const char byte : run) {
        if (class_of(byte) == kDigit) hash.add(byte);
      }
    } else {
      token.kind = TokenKind::kNumber;
      // 1200.00 and 1,200.0 are 1200.
      if (shape_.dots == 1) {
        const std::size_t dot = run.find('.');
        if (run.find_first_not_of('0', dot + 1) == std::string_view::npos) run = run.substr(0, dot);
      }
      for (const char byte : run) {
        if (byte != ',' && byte != '+') hash.add(byte);
      }
    }
    token.hash = hash.value();
    out_.push_back(token);
    join_groups();
  }

  void emit_code(Token token, std::string_view run) {
    const bool iban = run.size() >= kIbanBytesMin && shape_.dashes == 0 && looks_like_iban(run);
    const bool named = run.size() >= kCodeBytesMin && (shape_.digits > 0 || run.front() != '_');
    token.kind = iban ? TokenKind::kAccount : named ? TokenKind::kCode : TokenKind::kNumber;
    token.hash = hash_all(run);
    out_.push_back(token);
    join_groups();
  }

  static bool looks_like_iban(std::string_view run) {
    return class_of(run[0]) == kLetter && class_of(run[1]) == kLetter && run[0] != '_' &&
           class_of(run[2]) == kDigit && class_of(run[3]) == kDigit;
  }

  void emit_word(Token token, std::string_view run) {
    token.inflected = is_plural(run);
    Hash hash;
    char last = 0;
    for (const char byte : run.substr(0, run.size() - (token.inflected ? 1 : 0))) {
      if (byte == '-') continue;  // e-mail, email
      hash.add(lower_behind(last, byte));
      last = byte;
    }
    token.hash = hash.value();
    out_.push_back(token);
  }

  // "DE80 0000 4371 1217", "4539 6468 4764 8021", "+49 170 1234567": the last tokens, single spaces
  // between them, as the number they are together.  A group that goes on makes a longer number in
  // the place of the shorter.
  void join_groups() {
    std::size_t first = out_.size() - 1;
    std::size_t groups = 1;
    while (first > start_ && groups < kGroupsMax && is_group(first) && is_group(first - 1) &&
           follows(first)) {
      --first;
      ++groups;
      if (text_[out_[first].begin] == '+' || starts_iban(out_[first])) break;
    }
    if (groups < 2) return;
    const std::string_view whole =
        text_.substr(out_[first].begin, out_.back().end - out_[first].begin);
    Hash hash;
    std::size_t bytes = 0;
    for (const char byte : whole) {
      if (!is_part(byte)) continue;
      hash.add(lower(byte));
      ++bytes;
    }
    const bool iban = starts_iban(out_[first]);
    if (bytes < (iban ? kIbanBytesMin : kAccountDigitsMin + 1)) return;
    const Token number{.hash = hash.value(),
                       .begin = out_[first].begin,
                       .end = out_.back().end,
                       .kind = TokenKind::kAccount};
    if (!joined_.empty() && joined_.back().begin == number.begin) {
      joined_.back() = number;
    } else if (joined_.size() < kLongNumbersMax) {
      joined_.push_back(number);
    }
  }

  // One space stands between the token and the one before it.
  [[nodiscard]] bool follows(std::size_t index) const {
    return out_[index - 1].end + 1 == out_[index].begin && text_[out_[index - 1].end] == ' ';
  }

  [[nodiscard]] bool is_group(std::size_t index) const {
    const Token& token = out_[index];
    if (token.end - token.begin > kGroupBytesMax) return false;
    const std::string_view run = text_.substr(token.begin, token.end - token.begin);
    const bool written_so = std::ranges::all_of(run, [](char byte) {
      return class_of(byte) == kDigit || (byte >= 'A' && byte <= 'Z') || byte == '+';
    });
    if (!written_so) return false;
    if (std::ranges::any_of(run, [](char byte) { return class_of(byte) == kDigit; })) return true;
    // The bank's letters: "GB82 WEST 1234".
    return run.size() == 4 && index > start_ && follows(index) && starts_iban(out_[index - 1]);
  }
  [[nodiscard]] bool starts_iban(const Token& token) const {
    return token.end - token.begin == 4 &&
           looks_like_iban(text_.substr(token.begin, token.end - token.begin));
  }

 public:
  // Numbers found in groups, behind the tokens they are made of.
  void append_joined() {
    if (joined_.empty()) return;
    const std::size_t room = room_ - std::min(room_, out_.size());
    const auto count = static_cast<std::ptrdiff_t>(std::min(joined_.size(), room));
    const auto middle = static_cast<std::ptrdiff_t>(out_.size());
    out_.insert(out_.end(), joined_.begin(), joined_.begin() + count);
    std::inplace_merge(out_.begin() + static_cast<std::ptrdiff_t>(start_), out_.begin() + middle,
                       out_.end(), [](const Token& a, const Token& b) { return a.end < b.end; });
  }

 private:
  std::string_view text_;
  std::vector<Token>& out_;
  std::size_t start_;  // of this text's tokens
  std::size_t room_;
  Shape shape_;
  std::vector<Token> joined_;
};

}  // namespace

std::uint64_t token_hash(std::string_view word) {
  if (const PlainWord plain = read_plain(word, 0); !word.empty() && plain.end == word.size()) {
    return plain.hash;
  }
  std::vector<Token> tokens;
  tokenize(word, tokens);
  return tokens.empty() ? 0 : tokens.front().hash;
}

namespace {

// Calls `visit(at)` with each byte that may be of an identifier: a digit, a sign that only they
// have, or a dot that ends no sentence.
template <typename Visit>
void each_sign(std::string_view text, const validate::AsciiSet& blanks, const Visit& visit) {
  constexpr validate::AsciiSet kSigns("0123456789_@/");
  constexpr validate::AsciiSet kDot(".");
  for (std::size_t at = 0; at < text.size(); at += validate::AsciiSet::kBlock) {
    // Of the block's last byte it is not known what follows.
    const std::uint64_t ends = blanks.in(text, at) >> 1U;
    std::uint64_t signs = kSigns.in(text, at) | (kDot.in(text, at) & ~ends);
    for (; signs != 0; signs &= signs - 1) {
      visit(at + static_cast<std::size_t>(std::countr_zero(signs)));
    }
  }
}

}  // namespace

void tokenize_identifiers(std::string_view text, std::vector<Token>& out) {
  constexpr std::string_view kBlanks = " \n\r\t";
  constexpr validate::AsciiSet kBlankSet(kBlanks);
  // Between two groups of a number a third may stand that has no digits.
  constexpr std::size_t kBetweenMax = kGroupBytesMax + 2;
  std::size_t begin = 0;  // of what is cut next: from blank to blank
  std::size_t end = 0;
  const auto cut = [&] {
    const auto first = static_cast<std::ptrdiff_t>(out.size());
    tokenize(text.substr(begin, end - begin), out);
    const auto new_ones = std::ranges::subrange(out.begin() + first, out.end());
    const auto words = std::ranges::remove_if(
        new_ones, [](const Token& token) { return !is_identifier(token.kind); });
    out.erase(words.begin(), words.end());
    for (auto token = out.begin() + first; token != out.end(); ++token) {
      token->begin += static_cast<std::uint32_t>(begin);
      token->end += static_cast<std::uint32_t>(begin);
    }
  };
  each_sign(text, kBlankSet, [&](std::size_t at) {
    if (at < end) return;
    // npos + 1 is 0
    const std::size_t from = end + text.substr(end, at - end).find_last_of(kBlanks) + 1;
    if (from > end + kBetweenMax) {
      cut();
      begin = from;
    }
    end = std::min(text.find_first_of(kBlanks, at), text.size());
  });
  cut();
}

void tokenize(std::string_view text, std::vector<Token>& out) {
  Cutter cutter(text, out);
  cutter.run();
  cutter.append_joined();
}

}  // namespace tocsin::flow
