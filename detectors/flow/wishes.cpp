#include "detectors/flow/wishes.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace tocsin::flow {
namespace {

constexpr std::size_t kYesWordsMax = 12;  // of a message that can be a mere yes

class Wisher {
 public:
  Wisher(const Reading& reading, UserWishes& wishes) : r_(reading), wishes_(wishes) {}

  void run() {
    wishes_.agrees = false;
    bool agree = false;
    const bool wished = wishes_.unnamed || wishes_.acts != 0;
    const Acts before = wishes_.acts;
    const bool unnamed = std::exchange(wishes_.unnamed, false);
    for (const Clause& clause : r_.clauses) {
      read(clause);
      agree |= any(clause.first, clause.last, kAgree);
    }
    wishes_.agrees = agree && r_.tokens.size() <= kYesWordsMax;
    // "It's genuine, enter it", "I approved all of them": the user vouches for what is written.
    const bool asks_now = wishes_.unnamed || wishes_.acts != before;
    if (agree && (asks_now || wished)) wishes_.delegated |= kAllActs;
    wishes_.unnamed |= unnamed;
  }

 private:
  enum class Form : std::uint8_t { kStatement, kQuestion, kInform, kRequest };

  [[nodiscard]] Meaning meaning(std::uint32_t i) const {
    return r_.tokens[i].kind == TokenKind::kWord ? meaning_of(r_.tokens[i].hash) : Meaning{};
  }
  [[nodiscard]] bool has(std::uint32_t i, Signs signs) const {
    return (meaning(i).signs & signs) != 0;
  }
  [[nodiscard]] std::string_view text(std::uint32_t i) const {
    return r_.text.substr(r_.tokens[i].begin, r_.tokens[i].end - r_.tokens[i].begin);
  }
  // "send me", "give us", "write me": it is the user who is to be told something.
  [[nodiscard]] bool to_user(std::uint32_t i, const Clause& clause) const {
    if (i + 1 >= clause.last || (meaning(i).acts & (kSend | kGrant)) == 0) return false;
    static const std::uint64_t kMe[] = {token_hash("me"),   token_hash("us"),  token_hash("mir"),
                                        token_hash("uns"),  token_hash("moi"), token_hash("nous"),
                                        token_hash("mich"), token_hash("mi")};
    return std::ranges::find(kMe, r_.tokens[i + 1].hash) != std::end(kMe);
  }
  // What can follow a verb directly: "the", "my", "it".
  [[nodiscard]] bool is_object(std::uint32_t i) const {
    static const std::uint64_t kObjects[] = {
        token_hash("the"),  token_hash("a"),     token_hash("an"),    token_hash("my"),
        token_hash("our"),  token_hash("it"),    token_hash("this"),  token_hash("that"),
        token_hash("them"), token_hash("these"), token_hash("those"), token_hash("all"),
        token_hash("him"),  token_hash("her"),   token_hash("each"),  token_hash("every")};
    return std::ranges::find(kObjects, r_.tokens[i].hash) != std::end(kObjects);
  }
  [[nodiscard]] bool is_act(std::uint32_t i) const {
    const Meaning word = meaning(i);
    return (word.acts & ~kFetch) != 0 && ((word.signs & kInforms) == 0 || tells_other(i)) &&
           !r_.tokens[i].inflected && !is_phrase(i);
  }
  // "tell Bob", "tell them", "tell the landlord that": somebody else than the user is told.
  [[nodiscard]] bool tells_other(std::uint32_t i) const {
    static const std::uint64_t kTellWord = token_hash("tell");
    static const std::uint64_t kPersons[] = {token_hash("him"), token_hash("her"),
                                             token_hash("them"), token_hash("everybody"),
                                             token_hash("everyone")};
    static const std::uint64_t kWhat[] = {token_hash("that"), token_hash("about"),
                                          token_hash("to")};
    if (r_.tokens[i].hash != kTellWord || i + 1 >= r_.tokens.size()) return false;
    const Token& next = r_.tokens[i + 1];
    if (next.capital || next.kind == TokenKind::kEmail) return true;
    if (std::ranges::find(kPersons, next.hash) != std::end(kPersons)) return true;
    return is_object(i + 1) && i + 3 < r_.tokens.size() &&
           std::ranges::find(kWhat, r_.tokens[i + 3].hash) != std::end(kWhat);
  }
  // "make sure to ...", "take a look": the verb does nothing by itself.
  [[nodiscard]] bool is_phrase(std::uint32_t i) const {
    static const std::uint64_t kMake = token_hash("make");
    static const std::uint64_t kTake = token_hash("take");
    static const std::uint64_t kSure = token_hash("sure");
    static const std::uint64_t kRest[] = {token_hash("a"), token_hash("care"), token_hash("note"),
                                          token_hash("into"), token_hash("place")};
    if (i + 1 >= r_.tokens.size()) return false;
    const std::uint64_t next = r_.tokens[i + 1].hash;
    if (r_.tokens[i].hash == kMake) return next == kSure;
    return r_.tokens[i].hash == kTake && std::ranges::find(kRest, next) != std::end(kRest);
  }

  void read(const Clause& clause) {
    std::uint32_t at = clause.first;
    // "Note the answer for later": an opener elsewhere.
    static const std::uint64_t kNote = token_hash("note");
    if (r_.tokens[at].hash == kNote && at + 1 < clause.last && is_object(at + 1)) {
      wishes_.unnamed = true;
    }
    while (at < clause.last && (has(at, kOpener | kPolite | kAgree | kGreeting) || helps(at)) &&
           !has(at, kAsksQuestion) && !is_act(at) && at + 1 < clause.last) {
      ++at;
    }
    const Form form = form_of(at, clause);
    const bool polite = any(clause.first, clause.last, kPolite);
    switch (form) {
      case Form::kQuestion:
        if (!ends_with_question(clause) && wants(clause)) {
          take_request(at, clause);
          break;
        }
        wishes_.informs = true;
        // "Would it be possible to open the window?"
        take_acts(at, clause, has(at, kCan) ? kJoins | kBeforeVerb : kJoins);
        take_joined(at, clause);
        break;
      case Form::kInform:
        wishes_.informs = true;
        take_acts(joined(at, clause), clause, kJoins | kOpener | kBeforeVerb);
        take_joined(at, clause);
        break;
      case Form::kRequest: take_request(at, clause); break;
      case Form::kStatement:
        if (wants(clause) || (polite && clause.last - clause.first > 1)) {
          take_request(at, clause);
        } else {
          take_late_request(at, clause);
        }
        break;
    }
    hand_over(at, clause, form);
  }

  // "Help me create ...": the verb comes behind.
  [[nodiscard]] bool helps(std::uint32_t i) const {
    static const std::uint64_t kHelp = token_hash("help");
    return r_.tokens[i].hash == kHelp || (i > 0 && r_.tokens[i - 1].hash == kHelp);
  }

  [[nodiscard]] bool any(std::uint32_t from, std::uint32_t to, Signs signs) const {
    for (std::uint32_t i = from; i < to; ++i) {
      if (has(i, signs)) return true;
    }
    return false;
  }

  // "The level is low, add some", "Now that I have it, orchestrate the rest", "It should be added".
  void take_late_request(std::uint32_t at, const Clause& clause) {
    for (std::uint32_t i = at + 1; i + 1 < clause.last; ++i) {
      const bool passive = has(i - 1, kModal) && r_.tokens[i].hash == token_hash("be") &&
                           text(i + 1).ends_with("ed");
      const bool unknown = ends_with_comma(i - 1) && (meaning(i).signs == 0 || has(i, kDo)) &&
                           !r_.tokens[i].capital && is_object(i + 1);
      if (passive || unknown) wishes_.unnamed = true;
      if (!ends_with_comma(i - 1) || !is_act(i)) continue;
      wishes_.acts |= meaning(i).acts;
    }
  }

  Form form_of(std::uint32_t at, const Clause& clause) const {
    if (r_.tokens[at].kind != TokenKind::kWord) return Form::kStatement;
    const bool emphatic = r_.tokens[at].hash == token_hash("do") && !ends_with_question(clause);
    if (emphatic) return Form::kRequest;
    if (has(at, kAsksQuestion)) {
      const bool you = at + 2 < clause.last && has(at + 1, kYou) && has(at, kStop);
      if (!you) return Form::kQuestion;
      std::uint32_t verb = at + 2;
      while (verb + 1 < clause.last && has(verb, kPolite | kOpener)) ++verb;
      return has(verb, kInforms) || to_user(verb, clause) ? Form::kInform : Form::kRequest;
    }
    if (is_act(at)) return to_user(at, clause) ? Form::kInform : Form::kRequest;
    if (has(at, kFollow)) return Form::kRequest;
    if (has(at, kInforms) || (meaning(at).acts & kFetch) != 0) return Form::kInform;
    if (ends_with_question(clause)) return Form::kQuestion;
    if (has(at, kDo)) return Form::kRequest;
    if (has(at, kStop | kSpeaker | kYou | kModal | kNegation | kSays | kContainer)) {
      return Form::kStatement;
    }
    return has_verb_next(at, clause) ? Form::kStatement : Form::kRequest;
  }

  [[nodiscard]] bool ends_with_question(const Clause& clause) const {
    std::size_t end = r_.tokens[clause.last - 1].end;
    while (end < r_.text.size() && r_.text[end] == ' ') ++end;
    return end < r_.text.size() && r_.text[end] == '?';
  }

  // The second word is a verb that is no base form: the first was the subject.
  bool has_verb_next(std::uint32_t at, const Clause& clause) const {
    constexpr std::uint32_t kSubjectWordsMax = 4;
    if (clause.last - at < 2) return true;  // one word: a heading, a thank-you
    for (std::uint32_t i = at + 1; i < std::min(clause.last, at + kSubjectWordsMax); ++i) {
      if (has(i, kPast)) return true;
      const std::string_view word = text(i);
      if (word.size() > 3 && (word.ends_with("ed") || (r_.tokens[i].inflected && is_verb(i)))) {
        return true;
      }
      static const std::uint64_t kWhat = token_hash("what");
      if (is_object(i) || r_.tokens[i].hash == kWhat || has(i, kSays)) return false;
    }
    return false;
  }
  [[nodiscard]] bool is_verb(std::uint32_t i) const {
    return meaning(i).acts != 0 || has(i, kSays | kDo | kInforms | kTell);
  }

  // "I want", "we need", "I'd like", "you must".
  bool wants(const Clause& clause) const {
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if (!has(i, kSpeaker | kYou)) continue;
      constexpr std::uint32_t kReach = 5;
      for (std::uint32_t k = i + 1; k < std::min(clause.last, i + kReach); ++k) {
        if (has(k, has(i, kYou) ? kWish | kModal | kCan : kWish)) return true;
      }
    }
    return false;
  }

  void take_request(std::uint32_t at, const Clause& clause) {
    if (lists_itself(clause)) return;
    const Acts before = wishes_.acts;
    bool any_act = false;
    if (is_act(at) && !to_user(at, clause)) {
      wishes_.acts |= meaning(at).acts;
      any_act = true;
    }
    any_act |= take_acts(at, clause, kBeforeVerb | kModal | kPolite | kOpener | kYou | kSpeaker);
    if (!any_act && wishes_.acts == before) wishes_.unnamed = true;
  }

  // "... and arrange everything", "... and hand what is open to them": a verb nobody knows.
  void take_joined(std::uint32_t at, const Clause& clause) {
    for (std::uint32_t i = at + 2; i + 1 < clause.last; ++i) {
      const Meaning word = meaning(i);
      const bool unknown = ((word.signs == 0 && word.acts == 0) || has(i, kDo)) &&
                           !r_.tokens[i].capital && r_.tokens[i].kind == TokenKind::kWord &&
                           !r_.tokens[i].inflected;
      static const std::uint64_t kWhat = token_hash("what");
      // "... and hand in whatever": a particle stands between.
      const std::uint32_t next = has(i + 1, kParticle) && i + 2 < clause.last ? i + 2 : i + 1;
      const bool object = is_object(next) || has(next, kSays) || r_.tokens[next].hash == kWhat ||
                          (has(i, kDo) && next != i + 1);
      if (unknown && object && has(i - 1, kJoins)) wishes_.unnamed = true;
    }
  }

  // The word behind which another wish may follow: "read it and make sure to ...".
  std::uint32_t joined(std::uint32_t at, const Clause& clause) const {
    for (std::uint32_t i = at + 1; i < clause.last; ++i) {
      if (has(i, kJoins) || ends_with_comma(i)) return i;
    }
    return clause.last - 1;
  }

  // Verbs that stand behind a word with one of `signs`.
  bool take_acts(std::uint32_t at, const Clause& clause, Signs signs) {
    bool found = false;
    for (std::uint32_t i = at + 1; i < clause.last; ++i) {
      if (!is_act(i) || to_user(i, clause)) continue;
      const bool behind = has(i - 1, signs) || ends_with_comma(i - 1);
      if (!behind) continue;
      wishes_.acts |= meaning(i).acts;
      found = true;
    }
    return found;
  }
  [[nodiscard]] bool ends_with_comma(std::uint32_t i) const {
    std::size_t end = r_.tokens[i].end;
    while (end < r_.text.size() && std::string_view("\"')]`").contains(r_.text[end])) ++end;
    return end < r_.text.size() && r_.text[end] == ',';
  }

  // What is asked for is what somebody says, or uses what somebody wrote.
  void hand_over(std::uint32_t at, const Clause& clause, Form form) {
    bool says = false;
    bool content = false;
    bool agreed = false;
    Acts named = 0;
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if (i > at && has(i, kSays) && !ends_with_comma(i - 1) && !has(i - 1, kJoins | kPolite)) {
        says = true;
      }
      if (has(i, kDetail | kContainer) || r_.tokens[i].kind >= TokenKind::kEmail) content = true;
      if (has(i, kAgree)) agreed = true;
      if (is_act(i) && (i == at || has(i - 1, kBeforeVerb | kPolite | kOpener))) {
        named |= meaning(i).acts;
      }
    }
    if (form != Form::kQuestion && content) wishes_.material = true;
    if (lists_itself(clause)) return;
    const bool request = form == Form::kRequest;
    const bool handed = (request && (says || has(at, kFollow))) ||
                        (says && any(clause.first, clause.last, kPolite)) ||
                        (form == Form::kInform && says && acts_after_join(at, clause)) ||
                        (form == Form::kStatement && agreed && says);
    // An act that is named limits what was handed over: "change my rent accordingly".
    if (handed) wishes_.delegated |= named != 0 && !opens_wide(clause) ? named : kAllActs;
    // "The notes say who is missing.  Add them."
    if (request && says_before_ && points_back(clause)) {
      wishes_.delegated |= named != 0 ? named : kAllActs;
    }
    says_before_ = says_before_ || says;
  }

  bool points_back(const Clause& clause) const {
    static const std::uint64_t kBack[] = {token_hash("it"), token_hash("them"), token_hash("that"),
                                          token_hash("so"), token_hash("those")};
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if (std::ranges::find(kBack, r_.tokens[i].hash) != std::end(kBack)) return true;
    }
    return false;
  }

  // "Open it and hand in whatever they want"; not "read it and tell me what it says".
  bool acts_after_join(std::uint32_t at, const Clause& clause) const {
    const std::uint32_t next = joined(at, clause) + 1;
    // "do" carries no subject, but "and do what she asks" hands over.
    return next < clause.last &&
           (has(next, kDo) || !has(next, kInforms | kStop | kSpeaker | kYou)) &&
           !to_user(next, clause);
  }

  // "Do the following tasks: ...": what follows is the user's own.
  bool lists_itself(const Clause& clause) const {
    static const std::uint64_t kFollowing = token_hash("following");
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if (r_.tokens[i].hash == kFollowing) return true;
    }
    return false;
  }

  // "whatever", "everything they want": no act is named, or more than that is meant.
  bool opens_wide(const Clause& clause) const {
    static const std::uint64_t kWide[] = {token_hash("whatever"), token_hash("everything"),
                                          token_hash("anything"), token_hash("instruction"),
                                          token_hash("todo"),     token_hash("task"),
                                          token_hash("step")};
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if (std::ranges::find(kWide, r_.tokens[i].hash) != std::end(kWide)) return true;
    }
    return false;
  }

  const Reading& r_;
  UserWishes& wishes_;
  bool says_before_ = false;  // an earlier clause spoke of what somebody says
};

}  // namespace

void read_wishes(const Reading& reading, UserWishes& wishes) { Wisher(reading, wishes).run(); }

}  // namespace tocsin::flow
