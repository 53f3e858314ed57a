#include "detectors/flow/wishes.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "detectors/flow/openers.h"
#include "detectors/flow/word_hash.h"

namespace tocsin::flow {
namespace {

constexpr std::size_t kYesWordsMax = 12;  // of a message that can be a mere yes

class Wisher {
 public:
  Wisher(const Reading& reading, UserWishes& wishes) : r_(reading), wishes_(wishes) {}

  void run() {
    wishes_.agrees = false;
    bool agree = false;
    for (const Clause& clause : r_.clauses) {
      read(clause);
      agree |= agrees(clause);
    }
    wishes_.agrees = agree && r_.tokens.size() <= kYesWordsMax;
    // "It's genuine, enter it", "I approved all of them": the user vouches for what is written.
    if (agree && (wishes_.unnamed || wishes_.acts != 0)) wishes_.delegated |= kAllActs;
  }

 private:
  // "Yes", "that is fine"; not "is it real?", nor "that is not fine".
  [[nodiscard]] bool agrees(const Clause& clause) const {
    constexpr std::uint32_t kDenialReach = 3;
    static constexpr std::uint64_t kAgreed = word_hash("agreed");
    if (ends_with_question(clause)) return false;
    std::uint32_t denied_until = 0;
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if (has(i, kNegation) && !ends_with_comma(i)) denied_until = i + kDenialReach + 1;
      // "We agreed on that" tells what was, and vouches for nothing that is written.
      const bool reported = r_.tokens[i].hash == kAgreed && i > clause.first;
      if (has(i, kAgree) && !reported && i >= denied_until) return true;
    }
    return false;
  }

  enum class Form : std::uint8_t { kStatement, kQuestion, kInform, kRequest };

  [[nodiscard]] const Meaning& meaning(std::uint32_t i) const { return r_.meanings[i]; }
  [[nodiscard]] bool has(std::uint32_t i, Signs signs) const {
    return (meaning(i).signs & signs) != 0;
  }
  [[nodiscard]] std::string_view text(std::uint32_t i) const {
    return r_.text.substr(r_.tokens[i].begin, r_.tokens[i].end - r_.tokens[i].begin);
  }
  // "send me", "give us", "write me": it is the user who is to be told something.
  [[nodiscard]] bool to_user(std::uint32_t i, const Clause& clause) const {
    if (i + 1 >= clause.last || (meaning(i).acts & (kSend | kGrant)) == 0) return false;
    static constexpr std::uint64_t kMe[] = {word_hash("me"),   word_hash("us"),  word_hash("mir"),
                                            word_hash("uns"),  word_hash("moi"), word_hash("nous"),
                                            word_hash("mich"), word_hash("mi")};
    return std::ranges::find(kMe, r_.tokens[i + 1].hash) != std::end(kMe);
  }
  // What can follow a verb directly: "the", "my", "it".
  [[nodiscard]] bool is_object(std::uint32_t i) const {
    static constexpr std::uint64_t kObjects[] = {
        word_hash("the"),  word_hash("a"),     word_hash("an"),    word_hash("my"),
        word_hash("our"),  word_hash("it"),    word_hash("this"),  word_hash("that"),
        word_hash("them"), word_hash("these"), word_hash("those"), word_hash("all"),
        word_hash("him"),  word_hash("her"),   word_hash("each"),  word_hash("every")};
    return std::ranges::find(kObjects, r_.tokens[i].hash) != std::end(kObjects);
  }
  [[nodiscard]] bool is_act(std::uint32_t i) const {
    const Meaning& word = meaning(i);
    return (word.acts & ~kFetch) != 0 && ((word.signs & kInforms) == 0 || tells_other(i)) &&
           !r_.tokens[i].inflected && !is_phrase(i);
  }
  // "tell Bob", "tell them", "tell the landlord that": somebody else than the user is told.
  [[nodiscard]] bool tells_other(std::uint32_t i) const {
    static constexpr std::uint64_t kTellWord = word_hash("tell");
    static constexpr std::uint64_t kPersons[] = {word_hash("him"), word_hash("her"),
                                                 word_hash("them"), word_hash("everybody"),
                                                 word_hash("everyone")};
    static constexpr std::uint64_t kWhat[] = {word_hash("that"), word_hash("about"),
                                              word_hash("to")};
    if (r_.tokens[i].hash != kTellWord || i + 1 >= r_.tokens.size()) return false;
    const Token& next = r_.tokens[i + 1];
    if (next.capital || next.kind == TokenKind::kEmail) return true;
    if (std::ranges::find(kPersons, next.hash) != std::end(kPersons)) return true;
    return is_object(i + 1) && i + 3 < r_.tokens.size() &&
           std::ranges::find(kWhat, r_.tokens[i + 3].hash) != std::end(kWhat);
  }
  // "make sure to ...", "take a look": the verb does nothing by itself.
  [[nodiscard]] bool is_phrase(std::uint32_t i) const {
    static constexpr std::uint64_t kMake = word_hash("make");
    static constexpr std::uint64_t kTake = word_hash("take");
    static constexpr std::uint64_t kSure = word_hash("sure");
    static constexpr std::uint64_t kRest[] = {word_hash("a"), word_hash("care"), word_hash("note"),
                                              word_hash("into"), word_hash("place")};
    if (i + 1 >= r_.tokens.size()) return false;
    const std::uint64_t next = r_.tokens[i + 1].hash;
    if (r_.tokens[i].hash == kMake) return next == kSure;
    return r_.tokens[i].hash == kTake && std::ranges::find(kRest, next) != std::end(kRest);
  }

  void read(const Clause& clause) {
    std::uint32_t at = clause.first;
    // "Note the answer for later": an opener elsewhere.
    static constexpr std::uint64_t kNote = word_hash("note");
    if (r_.tokens[at].hash == kNote && at + 1 < clause.last && is_object(at + 1)) {
      wishes_.unnamed = true;
    }
    while (at < clause.last &&
           (has(at, kOpener | kPolite | kAgree | kGreeting) || helps(at) ||
            is_reminder(r_, at, clause) || is_to_verb(r_, at, clause)) &&
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

  // "In which hotel ...", "on what date ...".
  [[nodiscard]] bool asks_for_which(std::uint32_t i, const Clause& clause) const {
    static constexpr std::uint64_t kWhich[] = {word_hash("which"), word_hash("what"),
                                               word_hash("whose"), word_hash("whom"),
                                               word_hash("how")};
    return has(i, kStop | kParticle | kDetail) && !has(i, kJoins) && i + 1 < clause.last &&
           std::ranges::find(kWhich, r_.tokens[i + 1].hash) != std::end(kWhich);
  }
  // "What she asks for there, do it for her", "whatever it says, note it": no question.
  [[nodiscard]] bool takes_up(std::uint32_t at, const Clause& clause) const {
    if (!has(at, kAsksQuestion) || ends_with_question(clause)) return false;
    for (std::uint32_t i = at + 1; i + 1 < clause.last; ++i) {
      if (ends_with_comma(i - 1) && (is_act(i) || has(i, kDo)) && is_object(i + 1)) return true;
    }
    return false;
  }
  // "Help me create ...": the verb comes behind.
  [[nodiscard]] bool helps(std::uint32_t i) const {
    static constexpr std::uint64_t kHelp = word_hash("help");
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
      const bool passive =
          has(i - 1, kModal) && r_.tokens[i].hash == word_hash("be") && text(i + 1).ends_with("ed");
      const bool unknown = ends_with_comma(i - 1) && (meaning(i).signs == 0 || has(i, kDo)) &&
                           !r_.tokens[i].capital && is_object(i + 1);
      if (passive || unknown) wishes_.unnamed = true;
      if (!ends_with_comma(i - 1) || !is_act(i)) continue;
      wishes_.acts |= meaning(i).acts;
    }
  }

  Form form_of(std::uint32_t at, const Clause& clause) const {
    if (r_.tokens[at].kind != TokenKind::kWord) return Form::kStatement;
    const bool emphatic = r_.tokens[at].hash == word_hash("do") && !ends_with_question(clause);
    if (emphatic) return Form::kRequest;
    if (asks_for_which(at, clause)) return Form::kQuestion;
    if (takes_up(at, clause)) return Form::kRequest;
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
      static constexpr std::uint64_t kWhat = word_hash("what");
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
    bool any_act = false;
    if (is_act(at) && !to_user(at, clause)) {
      wishes_.acts |= meaning(at).acts;
      any_act = true;
    }
    any_act |= take_acts(at, clause, kBeforeVerb | kModal | kPolite | kOpener | kYou | kSpeaker);
    if (!any_act) wishes_.unnamed = true;
  }

  // "... and arrange everything", "... and hand what is open to them": a verb nobody knows.
  void take_joined(std::uint32_t at, const Clause& clause) {
    for (std::uint32_t i = at + 2; i + 1 < clause.last; ++i) {
      const Meaning& word = meaning(i);
      const bool unknown = ((word.signs == 0 && word.acts == 0) || has(i, kDo)) &&
                           !r_.tokens[i].capital && r_.tokens[i].kind == TokenKind::kWord &&
                           !r_.tokens[i].inflected;
      static constexpr std::uint64_t kWhat = word_hash("what");
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
    Acts named = 0;
    bool act_behind = false;  // "if they recommend any, order them as they say"
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if (i > at && has(i, kSays) && !ends_with_comma(i - 1) && !has(i - 1, kJoins | kPolite)) {
        says = true;
      }
      if (has(i, kDetail | kContainer) || r_.tokens[i].kind >= TokenKind::kEmail) content = true;
      if (is_act(i) &&
          (i == at || has(i - 1, kBeforeVerb | kPolite | kOpener) || ends_with_comma(i - 1))) {
        named |= meaning(i).acts;
        act_behind |= i > at && ends_with_comma(i - 1);
      }
    }
    if (form != Form::kQuestion && content) wishes_.material = true;
    if (lists_itself(clause)) return;
    const bool request = form == Form::kRequest;
    const bool handed = (request && (says || has(at, kFollow))) ||
                        (says && any(clause.first, clause.last, kPolite)) ||
                        (form == Form::kInform && says && acts_after_join(at, clause)) ||
                        (form == Form::kStatement && says && (agrees(clause) || act_behind));
    // An act that is named limits what was handed over: "change my rent accordingly".
    if (handed) wishes_.delegated |= named != 0 && !opens_wide(clause) ? named : kAllActs;
    // "The notes say who is missing.  Add them."
    if (request && says_before_ && points_back(clause)) {
      wishes_.delegated |= named != 0 ? named : kAllActs;
    }
    says_before_ = says_before_ || says;
  }

  bool points_back(const Clause& clause) const {
    static constexpr std::uint64_t kBack[] = {word_hash("it"), word_hash("them"), word_hash("that"),
                                              word_hash("so"), word_hash("those")};
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
    static constexpr std::uint64_t kFollowing = word_hash("following");
    for (std::uint32_t i = clause.first; i < clause.last; ++i) {
      if (r_.tokens[i].hash == kFollowing) return true;
    }
    return false;
  }

  // "whatever", "everything they want": no act is named, or more than that is meant.
  bool opens_wide(const Clause& clause) const {
    static constexpr std::uint64_t kWide[] = {word_hash("whatever"), word_hash("everything"),
                                              word_hash("anything"), word_hash("instruction"),
                                              word_hash("todo"),     word_hash("task"),
                                              word_hash("step")};
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
