#include "detectors/flow/passage.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "detectors/flow/openers.h"
#include "detectors/flow/word_hash.h"

namespace tocsin::flow {
namespace {

constexpr std::size_t kLabelWordsMax = 4;   // of `key: value`
constexpr std::size_t kOpenerWordsMax = 8;  // before the verb of an imperative
constexpr std::size_t kFrameReach = 2;      // clauses before a passage whose frames count
constexpr std::size_t kModalReach = 4;      // words between "you must" and its verb

char at_or_space(std::string_view text, std::size_t at) {
  return at < text.size() ? text[at] : ' ';
}
bool is_space(char byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; }
bool is_upper(char byte) { return byte >= 'A' && byte <= 'Z'; }

class Reader {
 public:
  explicit Reader(Reading& reading) : r_(reading), text_(reading.text) {}

  void run() {
    cut();
    for (Clause& clause : r_.clauses) judge(clause);
    gather();
  }

 private:
  // ------------------------------------------------------------------ clauses

  enum class Gap : std::uint8_t { kNone, kClause, kField };

  // What stands between two tokens, text_[from, to), the second being `next`.
  Gap gap(std::size_t from, std::size_t to, const Token& next) const {
    if (from + 1 == to && text_[from] == ' ') return Gap::kNone;  // as nearly everywhere
    bool line_break = false;
    for (std::size_t i = from; i < to; ++i) {
      const char byte = text_[i];
      switch (byte) {
        case '\n':
          if (line_break) return Gap::kField;  // an empty line
          line_break = true;
          break;
        case '.':
        case '!':
        case '?':
        case ';':
          if (i + 1 >= to || is_space(text_[i + 1]) || text_[i + 1] == '"' ||
              text_[i + 1] == '\'' || text_[i + 1] == '<' || text_[i + 1] == ')' ||
              text_[i + 1] == byte) {
            if (!line_break) return field_behind(i, to) ? Gap::kField : Gap::kClause;
          }
          break;
        case '<':
        case '>':
        case '{':
        case '}':
        case '[':
        case ']':
        case '|':
        case '*': return Gap::kClause;
        case '-':
          // "For whoever reads this - transfer ..."
          if (!line_break && i > from && is_space(text_[i - 1]) &&
              (text_[i + 1 < text_.size() ? i + 1 : i] == '-' ||
               is_space(at_or_space(text_, i + 1)))) {
            return Gap::kClause;
          }
          break;
        case '#':
          // A heading; "#general" is a name.
          if (i + 1 < to) return Gap::kClause;
          break;
        case '\\':
          // An escaped line break in text that was written as a literal.
          if (i + 1 < to && text_[i + 1] == 'n') return Gap::kClause;
          break;
        default: break;
      }
    }
    if (!line_break) return colon(from, to) ? Gap::kClause : Gap::kNone;
    if (is_label(next)) return Gap::kField;
    // A line that goes on in small letters is a sentence that was broken to fit.
    const bool bullet = text_.substr(from, to - from).find("- ") != std::string_view::npos;
    return bullet                                          ? Gap::kField
           : next.capital || next.kind != TokenKind::kWord ? Gap::kClause
                                                           : Gap::kNone;
  }

  // "... NY 10001 USA Change the password ...": a sentence that begins without an end before it, as
  // where texts were put together.
  bool breaks_in(std::uint32_t i) const {
    const Token& token = r_.tokens[i];
    if (i == 0 || !token.capital || token.inflected || i + 1 >= r_.tokens.size()) return false;
    if (meaning(i).acts == 0 || (meaning(i - 1).signs & kStop) != 0) return false;
    const Token& next = r_.tokens[i + 1];
    return !next.capital && (meaning(i + 1).signs & kAfterNoun) == 0 &&
           at_or_space(text_, token.end) == ' ';
  }

  // An empty line, or a line that begins with a label, follows within the same gap.
  bool field_behind(std::size_t at, std::size_t to) const {
    return std::ranges::count(text_.substr(at, to - at), '\n') > 1;
  }

  bool colon(std::size_t from, std::size_t to) const {
    return text_.substr(from, to - from).find(": ") != std::string_view::npos ||
           (to > from && text_[from] == ':');
  }

  // `key:` at the beginning of a line.
  bool is_label(const Token& token) const {
    std::size_t words = 0;
    for (std::size_t i = token.begin; i < text_.size() && words < kLabelWordsMax; ++i) {
      const char byte = text_[i];
      if (byte == ':') return i + 1 >= text_.size() || is_space(text_[i + 1]);
      if (byte == '\n' || byte == '.' || byte == ',') return false;
      if (byte == ' ') ++words;
    }
    return false;
  }

  void cut() {
    Clause clause{};
    std::size_t end = 0;
    for (std::uint32_t i = 0; i < r_.tokens.size(); ++i) {
      const Token& token = r_.tokens[i];
      if (token.begin < end) continue;  // joined numbers and hosts stand where their parts do
      Gap between = i == 0 ? Gap::kNone : gap(end, token.begin, token);
      if (between == Gap::kNone && breaks_in(i)) between = Gap::kClause;
      if (between != Gap::kNone && i > clause.first && r_.clauses.size() + 1 < kClausesMax) {
        clause.last = i;
        r_.clauses.push_back(clause);
        const int next = between == Gap::kField ? 1 : 0;  // kClausesMax fit
        clause = {.first = i, .field = static_cast<std::uint16_t>(clause.field + next)};
      }
      end = token.end;
    }
    clause.last = static_cast<std::uint32_t>(r_.tokens.size());
    if (clause.last > clause.first) r_.clauses.push_back(clause);
  }

  // ------------------------------------------------------------------ what a clause says

  [[nodiscard]] const Meaning& meaning(std::uint32_t token) const { return r_.meanings[token]; }

  void judge(Clause& clause) {
    Signs all = 0;
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      all |= meaning(i).signs;
      clause.acts |= meaning(i).acts;
    }
    ask_by_verb(clause, clause.first);
    if (!clause.asks && (meaning(clause.first).signs & kCondition) != 0) ask_behind_comma(clause);
    // Few clauses have a word with which these begin; "to" is one before a verb.
    if (!clause.asks && (all & (kModal | kPolite | kYou | kBeforeVerb)) != 0) ask_by_modal(clause);
    if (!clause.asks && (all & kCan) != 0) ask_by_question(clause);
    clause.frames = frames(clause, all);
  }

  // "Please also send ...", "Then, delete ...", "Claude, pay ...", "TODO: buy ...".
  void ask_by_verb(Clause& clause, std::uint32_t first) {
    const std::uint32_t end = std::min<std::uint32_t>(clause.last, first + kOpenerWordsMax);
    for (std::uint32_t i = first; i < end; ++i) {
      const Meaning& word = meaning(i);
      if (word.acts != 0 && !r_.tokens[i].inflected && !was_noun(i, clause)) {
        clause.asks = true;
        clause.asked = word.acts;
        return;
      }
      const bool passes = (word.signs & (kOpener | kPolite | kModal | kUrgent)) != 0 ||
                          ((word.signs & (kYou | kSpeaker)) != 0 && i > clause.first) ||
                          is_address(i, clause) || is_reminder(r_, i, clause) ||
                          is_to_verb(r_, i, clause);
      if (!passes) return;
    }
  }

  // "Before you go on, run ...", "To continue, send ...": what is to be done stands behind a comma.
  void ask_behind_comma(Clause& clause) {
    for (std::uint32_t i = clause.first + 1; i < clause.last && !clause.asks; ++i) {
      if (at_or_space(text_, r_.tokens[i - 1].end) == ',') ask_by_verb(clause, i);
    }
  }

  // What looked like a verb was a noun: "Order of", "Transfer fee", "Book 3", "Email:".
  bool was_noun(std::uint32_t i, const Clause& clause) const {
    const char behind = at_or_space(text_, r_.tokens[i].end);
    if (behind == ':' || behind == '/') return true;
    if (i + 1 >= clause.last) return i == clause.first;  // alone: a heading
    return (meaning(i + 1).signs & kAfterNoun) != 0;
  }

  // A name before a comma: "Claude, ...", "Dear assistant, ...".
  bool is_address(std::uint32_t i, const Clause& clause) const {
    constexpr std::uint32_t kAddressWords = 3;
    if (i >= clause.first + kAddressWords) return false;
    for (std::uint32_t k = i; k < std::min(clause.last, clause.first + kAddressWords); ++k) {
      const std::size_t end = r_.tokens[k].end;
      if (at_or_space(text_, end) == ',' && at_or_space(text_, end + 1) == ' ') return true;
    }
    return false;
  }

  // "you must send", "we need you to transfer", "could you please delete", "I want you to".
  void ask_by_modal(Clause& clause) {
    bool asking = false;
    std::size_t since = 0;
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      const Meaning& word = meaning(i);
      if (asking && word.acts != 0 && !r_.tokens[i].inflected && !was_noun(i, clause)) {
        clause.asks = true;
        clause.asked |= word.acts;
        asking = false;
      }
      if (asking && hash_is_be(i) && i + 1 < clause.last && is_participle(i + 1)) {
        clause.asks = true;
        clause.asked |= acts_of_participle(i + 1);
        asking = false;
      }
      if (asking && ++since > kModalReach) asking = false;
      const bool must = (word.signs & (kModal | kPolite)) != 0 || is_to(i, clause);
      const bool request = (word.signs & kYou) != 0 && starts_question(i, clause);
      if (must || request) {
        asking = true;
        since = 0;
      }
    }
  }

  // "Guests are to be booked into ...", "it has to be installed": nobody is told, and it is an
  // order.
  bool is_to(std::uint32_t i, const Clause& clause) const {
    static constexpr std::uint64_t kTo = word_hash("to");
    return r_.tokens[i].hash == kTo && i + 1 < clause.last && hash_is_be(i + 1);
  }
  bool hash_is_be(std::uint32_t i) const {
    static constexpr std::uint64_t kBe = word_hash("be");
    return r_.tokens[i].hash == kBe;
  }
  std::string_view word(std::uint32_t i) const {
    return text_.substr(r_.tokens[i].begin, r_.tokens[i].end - r_.tokens[i].begin);
  }
  bool is_participle(std::uint32_t i) const {
    return word(i).ends_with("ed") || word(i) == "sent" || word(i) == "paid";
  }
  // "booked": of "book"; "deleted": of "delete".
  Acts acts_of_participle(std::uint32_t i) const {
    std::string_view stem = word(i);
    if (stem == "sent") return kSend;
    if (stem == "paid") return kPay;
    stem.remove_suffix(1);
    const Acts acts = meaning_of(token_hash(stem)).acts;
    return acts != 0 ? acts : meaning_of(token_hash(stem.substr(0, stem.size() - 1))).acts;
  }

  // "Can the cellar door have the code 4471?", "Could somebody make her an editor?"
  void ask_by_question(Clause& clause) {
    static constexpr std::uint64_t kCan[] = {word_hash("can"),   word_hash("could"),
                                             word_hash("would"), word_hash("will"),
                                             word_hash("may"),   word_hash("might")};
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      const bool opens = i == clause.first || at_or_space(text_, r_.tokens[i - 1].end) == ',';
      if (!opens || std::ranges::find(kCan, r_.tokens[i].hash) == std::end(kCan)) continue;
      clause.asks = at_or_space(text_, r_.tokens[clause.last - 1].end) == '?';
      for (std::uint32_t k = i + 1; k < clause.last && clause.asks; ++k) {
        if (!r_.tokens[k].inflected) clause.asked |= meaning(k).acts;
      }
      return;
    }
  }

  // "can you", "could you", "want you": the word before "you" makes it a request.
  bool starts_question(std::uint32_t i, const Clause& clause) const {
    if (i == clause.first) return false;
    static constexpr std::uint64_t kBefore[] = {
        word_hash("can"),  word_hash("could"), word_hash("would"), word_hash("will"),
        word_hash("want"), word_hash("ask"),   word_hash("need")};
    return std::ranges::find(kBefore, r_.tokens[i - 1].hash) != std::end(kBefore);
  }

  // ------------------------------------------------------------------ frames

  Frames frames(const Clause& clause, Signs all) const {
    Frames found = 0;
    const auto has = [all](Signs sign) { return (all & sign) != 0; };
    if (has(kAssistant) && speaks_to_assistant(clause)) found |= kToAssistant;
    if (has(kTask) && (has(kYou) || has(kUserWord) || has(kPrior))) found |= kAboutTask;
    if (has(kOverride) && (has(kPrior) || has(kTask)) && overrides(clause)) found |= kOverrides;
    if (has(kOrder) && has(kYou) && (has(kProceed) || has(kTask))) found |= kOrdersWork;
    if (has(kUserWord) && the_user(clause)) found |= kOfTheUser;
    if (has(kCovert) || (has(kNegation) && has(kTell) && hides(clause))) found |= kCovertly;
    if (role_mark(clause)) found |= kRoleMark;
    if (has(kModal)) found |= kModalFrame;
    if (has(kUrgent)) found |= kUrgentFrame;
    if (has(kAuthority)) found |= kAuthorityFrame;
    if (shouted(clause)) found |= kShouted;
    return found;
  }

  // The word alone is a topic; with "you", before a comma or colon, or after "dear", "to", "hey" it
  // is who is spoken to.
  bool speaks_to_assistant(const Clause& clause) const {
    static constexpr std::uint64_t kTo[] = {
        word_hash("dear"),  word_hash("hey"),       word_hash("hello"),  word_hash("hi"),
        word_hash("to"),    word_hash("attention"), word_hash("for"),    word_hash("an"),
        word_hash("liebe"), word_hash("cher"),      word_hash("querido")};
    bool you = false;
    for (std::uint32_t i = clause.first; i < clause.last; ++i)
      you |= (meaning(i).signs & kYou) != 0;
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if ((meaning(i).signs & kAssistant) == 0) continue;
      if (you) return true;
      const char behind = at_or_space(text_, r_.tokens[i].end);
      // "Assistant:" begins a turn; "Build assistants: ..." speaks to them.
      if (behind == ':' && i > clause.first) return true;
      if (behind == ',' && i < clause.first + 3) return true;
      for (std::uint32_t k = i; k > clause.first && i - k < 3; --k) {
        if (std::ranges::find(kTo, r_.tokens[k - 1].hash) != std::end(kTo)) return true;
      }
    }
    return false;
  }

  // An overriding word with what it overrides behind it, within a few words.
  bool overrides(const Clause& clause) const {
    constexpr std::uint32_t kReach = 6;
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if ((meaning(i).signs & kOverride) == 0 || r_.tokens[i].inflected) continue;
      for (std::uint32_t k = i + 1; k < std::min(clause.last, i + kReach); ++k) {
        if ((meaning(k).signs & (kPrior | kTask)) != 0) return true;
      }
    }
    return false;
  }

  bool the_user(const Clause& clause) const {
    static constexpr std::uint64_t kThe[] = {word_hash("the"), word_hash("this"), word_hash("your"),
                                             word_hash("our"), word_hash("el"),   word_hash("der"),
                                             word_hash("den"), word_hash("dem")};
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if ((meaning(i).signs & kUserWord) == 0) continue;
      if (i > clause.first && std::ranges::find(kThe, r_.tokens[i - 1].hash) != std::end(kThe)) {
        return true;
      }
    }
    return false;
  }

  // "do not tell", "without informing": the negation stands shortly before.
  bool hides(const Clause& clause) const {
    constexpr std::uint32_t kReach = 4;
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if ((meaning(i).signs & kNegation) == 0) continue;
      for (std::uint32_t k = i + 1; k < std::min(clause.last, i + kReach); ++k) {
        if ((meaning(k).signs & kTell) != 0) return true;
      }
    }
    return false;
  }

  // A delimiter of roles or messages around the clause: <system>, [INST], <|...|>, ### System:
  bool role_mark(const Clause& clause) const {
    static constexpr std::uint64_t kRoles[] = {
        word_hash("system"),    word_hash("inst"),        word_hash("user"),   word_hash("human"),
        word_hash("assistant"), word_hash("instruction"), word_hash("prompt"), word_hash("admin"),
        word_hash("developer"), word_hash("override"),    word_hash("command")};
    static const std::uint64_t kMarks[] = {token_hash("im_start"), token_hash("im_end")};
    const Token& first = r_.tokens[clause.first];
    const char before = first.begin > 0 ? text_[first.begin - 1] : ' ';
    const char behind = at_or_space(text_, first.end);
    const bool marked = before == '[' || before == '|' || before == '#' || before == '<' ||
                        behind == ']' || behind == ':';
    if (!marked) return false;
    const bool known = std::ranges::find(kRoles, first.hash) != std::end(kRoles) ||
                       std::ranges::find(kMarks, first.hash) != std::end(kMarks);
    if (known && (before == '[' || before == '|' || before == '#' || behind == ']')) return true;
    if (known && behind == ':' && is_upper(text_[first.begin])) return true;
    // A tag of our own making around a passage: <INFORMATION>, <important_note>.
    if (before != '<') return false;
    if (known && behind == '>') return true;
    return behind == '>' && first.end - first.begin > 3 &&
           std::ranges::all_of(text_.substr(first.begin, first.end - first.begin),
                               [](char byte) { return is_upper(byte) || byte == '_'; });
  }

  bool shouted(const Clause& clause) const {
    constexpr std::size_t kLettersMin = 5;
    const std::size_t end = r_.tokens[clause.last - 1].end;
    if (text_.substr(end, 3) == "!!!") return true;
    if ((meaning(clause.first).signs & (kUrgent | kTask)) == 0) return false;
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      const std::string_view capitals = word(i);
      if (r_.tokens[i].kind == TokenKind::kWord && capitals.size() >= kLettersMin &&
          std::ranges::all_of(capitals, is_upper)) {
        return true;
      }
    }
    return false;
  }

  // ------------------------------------------------------------------ passages

  void gather() {
    std::size_t i = 0;
    while (i < r_.clauses.size() && r_.passages.size() < kPassagesMax) {
      if (!r_.clauses[i].asks && !framed(i)) {
        ++i;
        continue;
      }
      i = take(i);
    }
  }

  // Two strong frames near by make a clause an instruction whatever its grammar.
  bool framed(std::size_t i) const {
    Frames near = 0;
    const std::size_t begin = i < kFrameReach ? 0 : i - kFrameReach;
    for (std::size_t k = begin; k <= std::min(i + kFrameReach, r_.clauses.size() - 1); ++k) {
      near |= r_.clauses[k].frames;
    }
    return strong_frames(near) >= 2;
  }

  // A passage from clause i on; where the next one may begin.
  std::size_t take(std::size_t i) {
    const Clause& first = r_.clauses[i];
    Passage passage{.first = first.first, .last = first.first};
    for (std::size_t k = i < kFrameReach ? 0 : i - kFrameReach; k < i; ++k) {
      passage.frames = static_cast<Frames>(passage.frames | (r_.clauses[k].frames & kStrongFrames));
    }
    std::uint16_t field = first.field;
    std::size_t k = i;
    for (; k < r_.clauses.size() && k < i + kPassageClausesMax; ++k) {
      const Clause& clause = r_.clauses[k];
      // A new field is a new voice, unless what was said so far is framed: a framed block goes on
      // over empty lines.
      if (clause.field != field && strong_frames(passage.frames) < 2) break;
      if (clause.last - passage.first > kPassageTokensMax && k > i) break;
      field = clause.field;
      passage.last = std::min<std::uint32_t>(clause.last, passage.first + kPassageTokensMax);
      passage.frames |= clause.frames;
      passage.acts |= clause.asks ? clause.asked : clause.acts;
    }
    r_.passages.push_back(passage);
    // A clause without an end is kept in pieces, each of which asks.
    const std::uint32_t end = r_.clauses[std::max(k, i + 1) - 1].last;
    while (passage.last < end && r_.passages.size() < kPassagesMax) {
      passage.first = passage.last;
      passage.last = std::min<std::uint32_t>(end, passage.first + kPassageTokensMax);
      r_.passages.push_back(passage);
    }
    return std::max(k, i + 1);
  }

  Reading& r_;
  std::string_view text_;
};

}  // namespace

std::string_view Reading::text_of(const Passage& passage) const {
  if (passage.last <= passage.first) return {};
  const std::uint32_t begin = tokens[passage.first].begin;
  return text.substr(begin, tokens[passage.last - 1].end - begin);
}

void read_text(std::string_view text, Reading& reading) {
  reading.text = text;
  reading.tokens.clear();
  reading.clauses.clear();
  reading.passages.clear();
  tokenize(text, reading.tokens);
  reading.meanings.resize(reading.tokens.size());
  const Lexicon& lexicon = Lexicon::get();
  std::ranges::transform(reading.tokens, reading.meanings.begin(), [&](const Token& token) {
    return token.kind == TokenKind::kWord ? lexicon.find(token.hash) : Meaning{};
  });
  Reader(reading).run();
}

}  // namespace tocsin::flow
