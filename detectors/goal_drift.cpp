// An act that has nothing to do with what the user asked for or the agent planned.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detectors/decoding/chars.h"
#include "detectors/detector.h"
#include "detectors/flow/tracker.h"
#include "detectors/lexical/word_hash.h"
#include "detectors/session/acts.h"
#include "detectors/session/trace.h"
#include "detectors/session/words.h"
#include "detectors/validate/ascii_set.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 4> kTags = {"owasp:ASI01", "owasp:LLM06", "atlas:AML.T0053",
                                                   "nist:MS-2.7-001"};
enum Rules : std::size_t { kUnaskedSure, kUnasked };
constexpr std::array<DetectorRule, 2> kRules = {{
    {.id = "goal_drift.unasked-act",
     .title =
         "Something went where the user did not say, by an act that neither the user's words nor "
         "the agent's plan speak of",
     .severity = Severity::kMedium,
     .category = Category::kUnsafeTool,
     .tags = kTags},
    {.id = "goal_drift.unasked-act",
     .title = "An act that neither the user's words nor the agent's plan speak of, on something "
              "the user did not name",
     .severity = Severity::kLow,
     .category = Category::kUnsafeTool,
     .tags = kTags},
}};

struct Options {
  std::size_t tools_max = 8;  // reported a session
};

// Words in little memory: a Bloom filter.  Full of words it says yes to everything, and the
// detector nothing.
class WordSet {
 public:
  void add(std::uint64_t hash) {
    const auto [a, b, c] = places(hash);
    bits_[a / kWordBits] |= mask(a);
    bits_[b / kWordBits] |= mask(b);
    bits_[c / kWordBits] |= mask(c);
  }
  [[nodiscard]] bool has(std::uint64_t hash) const {
    return std::ranges::all_of(
        places(hash), [&](std::size_t bit) { return (bits_[bit / kWordBits] & mask(bit)) != 0; });
  }

 private:
  static constexpr std::size_t kBits = 2048;
  static constexpr std::size_t kWordBits = 64;

  static std::uint64_t mask(std::size_t bit) { return std::uint64_t{1} << (bit % kWordBits); }
  static std::array<std::size_t, 3> places(std::uint64_t hash) {
    constexpr unsigned kPlaceBits = std::bit_width(kBits - 1);
    constexpr unsigned kTop = 64 - kPlaceBits;
    const std::uint64_t spread = hash * lexical::kHashFactor;  // the low bits know few letters
    return {spread >> kTop, (spread >> (kTop - kPlaceBits)) % kBits,
            (spread >> (kTop - 2 * kPlaceBits)) % kBits};
  }

  std::array<std::uint64_t, kBits / kWordBits> bits_{};
};

struct Meaning {
  std::string_view word;
  std::string_view as;
};

// Verbs and nouns that stand for one another in requests and in names of tools.
constexpr auto kMeanings = std::to_array<Meaning>({
    {"mail", "send"},          {"email", "send"},
    {"message", "send"},       {"forward", "send"},
    {"reply", "send"},         {"notify", "send"},
    {"tell", "send"},          {"inform", "send"},
    {"write", "make"},         {"dm", "send"},
    {"contact", "send"},       {"respond", "send"},
    {"pay", "money"},          {"transfer", "money"},
    {"transaction", "money"},  {"bill", "money"},
    {"payment", "money"},      {"refund", "money"},
    {"rent", "money"},         {"fund", "money"},
    {"purchase", "buy"},       {"order", "buy"},
    {"subscribe", "buy"},      {"create", "make"},
    {"add", "make"},           {"new", "make"},
    {"book", "make"},          {"schedule", "make"},
    {"plan", "make"},          {"arrange", "make"},
    {"set", "change"},         {"save", "make"},
    {"store", "make"},         {"insert", "make"},
    {"append", "make"},        {"generate", "make"},
    {"post", "publish"},       {"upload", "publish"},
    {"share", "publish"},      {"update", "change"},
    {"modify", "change"},      {"edit", "change"},
    {"adjust", "change"},      {"rename", "change"},
    {"move", "change"},        {"replace", "change"},
    {"fix", "change"},         {"correct", "change"},
    {"reschedule", "change"},  {"delete", "remove"},
    {"cancel", "remove"},      {"clear", "remove"},
    {"drop", "remove"},        {"rid", "remove"},
    {"clean", "remove"},       {"run", "execute"},
    {"command", "execute"},    {"invite", "participant"},
    {"attend", "participant"}, {"meet", "event"},
    {"appointment", "event"},  {"calendar", "event"},
    {"document", "file"},      {"doc", "file"},
    {"note", "file"},          {"folder", "file"},
});

constexpr std::size_t kWordBytesMin = 2;
constexpr std::size_t kWordBytesMax = 32;

constexpr std::size_t kStemBytesMin = 3;

// "sending", "sends" -> send; "participants" -> participant.  Crude, and the same on both sides.
constexpr std::string_view stem(std::string_view word) {
  const char last = word.empty() ? '\0' : word.back();
  const bool may_end = last == 'g' || last == 'd' || last == 's';
  for (const std::string_view ending : {"ing", "ed", "es", "s"}) {
    if (may_end && word.ends_with(ending) && word.size() >= ending.size() + kStemBytesMin) {
      word.remove_suffix(ending.size());
      break;
    }
  }
  if (word.ends_with('e') && word.size() > kStemBytesMin + 1) word.remove_suffix(1);
  return word;
}

// The same of a word of at most eight bytes, the first lowest and zeros behind the last; without
// branches, since how words end cannot be foretold.
constexpr std::size_t stem_size(std::uint64_t word, std::size_t size) {
  // The last three bytes of the word, the last one highest.
  const std::uint64_t behind = 8 * (lexical::kChunkBytes - size);
  const auto last = static_cast<std::uint32_t>((word << behind) >> 40U);
  constexpr std::uint32_t kIng = 'i' | ('n' << 8U) | ('g' << 16U);
  constexpr std::uint32_t kEd = ('e' << 8U) | ('d' << 16U);
  constexpr std::uint32_t kEs = ('e' << 8U) | ('s' << 16U);
  constexpr std::uint32_t kTwo = 0xFFFF00;
  constexpr std::uint32_t kOne = 0xFF0000;
  const std::uint32_t two = last & kTwo;
  const bool three_go = last == kIng && size >= kStemBytesMin + 3;
  const bool two_go = (two == kEd || two == kEs) && size >= kStemBytesMin + 2;
  const bool one_goes = (last & kOne) == ('s' << 16U) && size >= kStemBytesMin + 1;
  size -= three_go ? 3 : two_go ? 2 : one_goes ? 1 : 0;
  const bool ends_in_e = ((word >> (8 * (size - 1))) & 0xFFU) == 'e';
  return size - (ends_in_e && size > kStemBytesMin + 1 ? 1 : 0);
}

constexpr bool stems_agree(std::string_view word) {
  return word.size() > lexical::kChunkBytes ||
         stem_size(lexical::load_bytes(word.data(), word.size()), word.size()) == stem(word).size();
}
static_assert(std::ranges::all_of(kMeanings, [](const Meaning& known) {
  return stems_agree(known.word) && stems_agree(known.as);
}));
static_assert(std::ranges::all_of(
    std::to_array<std::string_view>(
        {"sending", "sends", "goes", "ring",  "bring",  "asked", "red",   "need",     "pages",
         "yes",     "as",    "is",   "those", "these",  "uses",  "sees",  "ed",       "ing",
         "sings",   "the",   "made", "moved", "moving", "e",     "notes", "creating", "schedule"}),
    stems_agree));

// By hash of the stem: what it stands for.  Open addressing; a free slot has hash 0.
class MeaningTable {
 public:
  consteval MeaningTable() {
    for (const Meaning& known : kMeanings) {
      const std::uint64_t hash = lexical::hash_bytes(stem(known.word));
      std::size_t at = hash % kSlots;
      for (; slots_[at].hash != 0; at = (at + 1) % kSlots) {
        if (slots_[at].hash == hash) throw "a word that is there twice";
      }
      slots_[at] = {.hash = hash, .as = lexical::hash_bytes(stem(known.as))};
    }
  }
  [[nodiscard]] std::uint64_t find(std::uint64_t hash) const {
    for (std::size_t at = hash % kSlots; slots_[at].hash != 0; at = (at + 1) % kSlots) {
      if (slots_[at].hash == hash) return slots_[at].as;
    }
    return hash;
  }

 private:
  static constexpr std::size_t kSlots = 512;
  static_assert(kMeanings.size() < kSlots / 4);

  struct Slot {
    std::uint64_t hash = 0;
    std::uint64_t as = 0;
  };
  std::array<Slot, kSlots> slots_{};
};

constexpr MeaningTable kMeaningTable;

// Of a lower-cased word.
std::uint64_t meaning(std::string_view word) {
  return kMeaningTable.find(lexical::hash_bytes(stem(word)));
}

// What stands between words.  Other scripts' letters are part of words as they are.
constexpr auto kBetweenWords =
    validate::AsciiSet::of([](char c) { return !decoding::is_any(c, decoding::kAlpha); });

// Of a word in whatever case.
std::uint64_t meaning_of_written(std::string_view written) {
  std::array<char, kWordBytesMax> word;
  const std::size_t size = std::min(written.size(), word.size());
  std::ranges::transform(written.substr(0, size), word.begin(), [](char c) {
    return decoding::is_any(c, decoding::kUpper) ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  return meaning({word.data(), size});
}

// Calls `use` with the meaning of each word of running text.
template <typename Use>
void for_each_meaning(std::string_view text, const Use& use) {
  validate::each_run(text, kBetweenWords, [&](std::size_t begin, std::size_t size) {
    constexpr std::size_t kChunk = lexical::kChunkBytes;
    if (size < kWordBytesMin) return;
    // Most words are of at most eight ASCII letters.
    if (size <= kChunk && text.size() - begin >= kChunk) {
      const std::uint64_t used = ~std::uint64_t{0} >> (8 * (kChunk - size));
      const std::uint64_t chunk = lexical::load_chunk(text.data() + begin) & used;
      if ((chunk & lexical::kHighBits) == 0) {
        const std::uint64_t word = chunk | (lexical::kLowerBits & used);
        const std::size_t kept = stem_size(word, size);
        const std::uint64_t stem_used = ~std::uint64_t{0} >> (8 * (kChunk - kept));
        use(kMeaningTable.find(lexical::mix(kept, word & stem_used)));
        return;
      }
    }
    use(meaning_of_written(text.substr(begin, size)));
  });
}

class State : public DetectorState {
 public:
  WordSet words;  // of the user and of the agent's plan
  session::NamedValues named;
  std::vector<std::uint32_t> reported;  // tools
  session::Mark request;                // the user's latest

  [[nodiscard]] std::size_t bytes() const override {
    return sizeof(*this) + named.heap_bytes() + reported.capacity() * sizeof(std::uint32_t) +
           request.heap_bytes();
  }
};

class GoalDrift : public Detector {
 public:
  explicit GoalDrift(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    auto& state = static_cast<State&>(raw_state);
    if (event.type == EventType::kUserMessage) {
      constexpr std::size_t kNamedMax = 32;
      state.named.add(event.text, kNamedMax);
      state.request = session::mark_of(event, context);
      learn(event.text, state);
    } else if (event.type == EventType::kModelOutput) {
      learn(event.text, state);
    } else if (event.type == EventType::kToolCall) {
      on_call(event, context, state, reporter);
    }
  }

 private:
  static void learn(std::string_view text, State& state) {
    constexpr std::size_t kTextBytesMax = 4096;  // what is longer is material, not a request
    for_each_meaning(text.substr(0, kTextBytesMax),
                     [&](std::uint64_t word) { state.words.add(word); });
  }

  void on_call(const Event& event, const EventContext& context, State& state,
               Reporter& reporter) const {
    if (context.tool.effect == Effect::kRead || state.request.empty()) return;
    if (is_asked(event, context, state)) return;
    const Found found = unnamed(event, context, state);
    if (found.leaf == nullptr) return;
    const std::uint32_t tool = session::value_hash(event.tool.name);
    if (state.reported.size() >= options_.tools_max) return;
    if (std::ranges::find(state.reported, tool) != state.reported.end()) return;
    state.reported.push_back(tool);
    const std::array<EvidenceView, 1> evidence = {
        {{.field = "tool.arguments", .text = found.leaf->text, .origin = state.request.origin()}}};
    const bool sure =
        found.destination && context.tool.declared != nullptr && of_another_kind(context);
    reporter.report(sure ? kUnaskedSure : kUnasked, evidence);
  }

  // The user asked for acts of another kind, or for none: not for one that cannot be told, nor left
  // it to a document what is to be done.
  static bool of_another_kind(const EventContext& context) {
    return context.flow != nullptr && context.flow->asked >= flow::Asked::kOther &&
           context.flow->memory->wishes.delegated == 0;
  }

  // Some word of the tool's name was said; for a shell, some word of the command.
  static bool is_asked(const Event& event, const EventContext& context, const State& state) {
    bool asked = false;
    const auto look = [&](std::uint64_t word) { asked = asked || state.words.has(word); };
    if (context.tool.effect == Effect::kExecute) {
      // Commands share few words with requests; one that goes nowhere is not looked at.
      if (!session::acts_of(event, context).has(session::ActKind::kSends)) return true;
      for (const Leaf& leaf : event.tool.arguments) for_each_meaning(leaf.text, look);
      return asked;
    }
    for (const std::string_view word : session::NameWords(event.tool.name)) look(meaning(word));
    return asked;
  }

  // What a call is about, and whether that is where something goes.
  struct Found {
    const Leaf* leaf = nullptr;
    bool destination = false;
  };

  // A destination, else an object, that the user did not name; nothing when the user named one.
  static Found unnamed(const Event& event, const EventContext& context, const State& state) {
    constexpr std::size_t kObjectBytesMax = 128;  // a longer text is content
    const bool shell = context.tool.effect == Effect::kExecute;
    const Leaf* object = nullptr;
    for (const Leaf& leaf : event.tool.arguments) {
      if (leaf.kind != LeafKind::kString || leaf.text.empty()) continue;
      const bool named = state.named.has_any(leaf.text);
      if (shell || session::is_destination(leaf, context.tool)) {
        if (!named) return {.leaf = &leaf, .destination = true};
      } else if (named) {
        return {};
      } else if (object == nullptr && leaf.text.size() <= kObjectBytesMax) {
        object = &leaf;
      }
    }
    // Of a tool that nobody declared it is not known whether it acts.
    return {.leaf = context.tool.declared != nullptr ? object : nullptr};
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("tools_max", 1, 64, &options.tools_max);
  return std::make_unique<GoalDrift>(options);
}

}  // namespace

extern constinit const DetectorSpec goal_drift_spec;
constinit const DetectorSpec goal_drift_spec{.id = "goal_drift", .rules = kRules, .make = &make};

}  // namespace tocsin
