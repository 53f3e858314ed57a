// What words say about who asks whom for what.  English, and the commonest words of German, French,
// Spanish, Italian, Portuguese and Dutch for the acts that matter.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tocsin::flow {

// Kinds of acts, for what a user asks for, what a text demands and what a tool does.
using Acts = std::uint16_t;
inline constexpr Acts kSend = 1U << 0U;     // tell somebody something
inline constexpr Acts kPay = 1U << 1U;      // money moves
inline constexpr Acts kCreate = 1U << 2U;   // something new is made or written
inline constexpr Acts kChange = 1U << 3U;   // something there is changed
inline constexpr Acts kDelete = 1U << 4U;   // something there goes away
inline constexpr Acts kRun = 1U << 5U;      // a program runs
inline constexpr Acts kFetch = 1U << 6U;    // something is opened or looked up
inline constexpr Acts kGrant = 1U << 7U;    // somebody is let in
inline constexpr Acts kBook = 1U << 8U;     // something is ordered or reserved
inline constexpr Acts kInstall = 1U << 9U;  // a program comes from elsewhere
inline constexpr Acts kAllActs = (1U << 10U) - 1;

// What else a word can be a sign of.
using Signs = std::uint64_t;
inline constexpr Signs kModal = 1U << 0U;       // must, should, need
inline constexpr Signs kPolite = 1U << 1U;      // please
inline constexpr Signs kOpener = 1U << 2U;      // then, first, also: stands before an imperative
inline constexpr Signs kYou = 1U << 3U;         // you, your
inline constexpr Signs kAssistant = 1U << 4U;   // assistant, AI, agent
inline constexpr Signs kTask = 1U << 5U;        // task, instruction, goal
inline constexpr Signs kPrior = 1U << 6U;       // previous, original, above
inline constexpr Signs kOverride = 1U << 7U;    // ignore, disregard, forget
inline constexpr Signs kOrder = 1U << 8U;       // before, after, until, instead
inline constexpr Signs kProceed = 1U << 9U;     // continue, solve, answer
inline constexpr Signs kUserWord = 1U << 10U;   // user
inline constexpr Signs kCovert = 1U << 11U;     // silently, secretly
inline constexpr Signs kNegation = 1U << 12U;   // not, never, without
inline constexpr Signs kTell = 1U << 13U;       // tell, mention, reveal
inline constexpr Signs kUrgent = 1U << 14U;     // urgent, immediately
inline constexpr Signs kAuthority = 1U << 15U;  // administrator, security, policy
inline constexpr Signs kStop = 1U << 16U;       // the, of, and: carries no subject
inline constexpr Signs kDo = 1U << 17U;  // do, follow, carry out: acts on what is written elsewhere
inline constexpr Signs kAfterNoun = 1U << 18U;  // of, was: what stands before it was a noun
inline constexpr Signs kAgree = 1U << 19U;      // yes, ok, sure
inline constexpr Signs kSpeaker = 1U << 20U;    // I, me, we
inline constexpr Signs kDetail = 1U << 21U;     // based, using, from: content is material
inline constexpr Signs kContainer = 1U << 22U;  // list, file, email, page: where content stands
inline constexpr Signs kSays = 1U << 23U;  // instructed, described, todo: what is written there
inline constexpr Signs kBeforeVerb = 1U << 24U;  // to, and, then: a verb follows

inline constexpr Signs kInforms = 1U << 25U;       // show, list: whoever asks wants to be told
inline constexpr Signs kAsksQuestion = 1U << 26U;  // what, when, is: begins a question
inline constexpr Signs kJoins = 1U << 27U;         // and, then: another wish follows
inline constexpr Signs kPast = 1U << 28U;          // wrote, has: the verb of a statement
inline constexpr Signs kWish = 1U << 29U;          // want, like
inline constexpr Signs kGreeting = 1U << 30U;      // hello, thanks
inline constexpr Signs kFollow = 1U << 31U;        // follow: acts on a text by itself

inline constexpr Signs kCan = Signs{1} << 32U;       // can, could: a question that may be a request
inline constexpr Signs kParticle = Signs{1} << 33U;  // in, over, out: "hand it over"
inline constexpr Signs kCondition =
    Signs{1} << 34U;  // before, if, to: begins a clause that only says when or what for

struct Meaning {
  Acts acts = 0;
  Signs signs = 0;
};

// Meanings by token hash.  Immutable; thread-safe.
class Lexicon {
 public:
  // The one there is, made when it is first asked for: whoever looks many words up asks once.
  static const Lexicon& get();

  // Nothing for words that are not known.
  [[nodiscard]] Meaning find(std::uint64_t hash) const {
    if ((filter_[word_of(hash)] & bit_of(hash)) == 0) return {};
    for (std::size_t at = hash % kSlots;; at = (at + 1) % kSlots) {
      if (slots_[at].hash == hash) return slots_[at].meaning;
      if (slots_[at].hash == 0) return {};
    }
  }

 private:
  static constexpr std::size_t kSlots = 4096;  // four times the words
  // Most words are not known, and the slots are more than the first cache holds: a bit for each
  // hash that is there, and few others, answers for them.
  static constexpr std::size_t kFilterWords = 512;
  static constexpr unsigned kFilterShift = 32;
  static constexpr unsigned kBitShift = 26;
  static std::size_t word_of(std::uint64_t hash) { return (hash >> kFilterShift) % kFilterWords; }
  static std::uint64_t bit_of(std::uint64_t hash) {
    return std::uint64_t{1} << ((hash >> kBitShift) % 64U);
  }

  struct Slot {
    std::uint64_t hash = 0;
    Meaning meaning;
  };

  Lexicon();
  void add_all(std::string_view words, Meaning meaning);
  void add(std::uint64_t hash, Meaning meaning);

  std::array<std::uint64_t, kFilterWords> filter_{};
  std::vector<Slot> slots_;
};

// Of one word.
inline Meaning meaning_of(std::uint64_t token_hash) { return Lexicon::get().find(token_hash); }

}  // namespace tocsin::flow
