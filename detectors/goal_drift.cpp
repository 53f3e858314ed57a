// An act that has nothing to do with what the user asked for or the agent planned.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/text.h"
#include "detectors/decoding/chars.h"
#include "detectors/detector.h"
#include "detectors/flow/tracker.h"
#include "detectors/session/acts.h"
#include "detectors/session/trace.h"
#include "detectors/session/words.h"

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
    for (const std::size_t bit : places(hash)) bits_[bit / kWordBits] |= mask(bit);
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
    constexpr unsigned kShift = 16;
    return {hash % kBits, (hash >> kShift) % kBits, (hash >> (2 * kShift)) % kBits};
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

// "sending", "sends" -> send; "participants" -> participant.  Crude, and the same on both sides.
std::string_view stem(std::string_view word) {
  constexpr std::size_t kStemBytesMin = 3;
  for (const std::string_view ending : {"ing", "ed", "es", "s"}) {
    if (word.ends_with(ending) && word.size() >= ending.size() + kStemBytesMin) {
      word.remove_suffix(ending.size());
      break;
    }
  }
  if (word.ends_with('e') && word.size() > kStemBytesMin + 1) word.remove_suffix(1);
  return word;
}

// By hash of the stem: what it stands for; sorted.
using MeaningTable = std::array<std::pair<std::uint64_t, std::uint64_t>, kMeanings.size()>;

MeaningTable make_meanings() {
  MeaningTable table;
  std::ranges::transform(kMeanings, table.begin(), [](const Meaning& known) {
    return std::pair(hash64(stem(known.word)), hash64(stem(known.as)));
  });
  std::ranges::sort(table);
  return table;
}

std::uint64_t meaning(std::string_view word) {
  static const MeaningTable table = make_meanings();
  const std::uint64_t hash = hash64(stem(word));
  const auto found = std::ranges::lower_bound(table, hash, {}, &MeaningTable::value_type::first);
  return found != table.end() && found->first == hash ? found->second : hash;
}

// Calls `use` with each word of running text, lower-cased.
template <typename Use>
void for_each_word(std::string_view text, const Use& use) {
  std::array<char, kWordBytesMax> word;
  std::size_t size = 0;
  const auto end_word = [&] {
    if (size >= kWordBytesMin) use(std::string_view(word.data(), size));
    size = 0;
  };
  for (const char c : text) {
    // Other scripts' letters are part of words as they are.
    if (!decoding::is_any(c, decoding::kAlpha) && decoding::is_ascii(c)) {
      end_word();
    } else if (size < word.size()) {
      word[size++] = decoding::is_any(c, decoding::kUpper) ? static_cast<char>(c + ('a' - 'A')) : c;
    }
  }
  end_word();
}

class State : public DetectorState {
 public:
  WordSet words;  // of the user and of the agent's plan
  session::NamedValues named;
  std::vector<std::uint32_t> reported;  // tools
  session::Mark request;                // the user's latest

  [[nodiscard]] std::size_t bytes() const override {
    return sizeof(*this) + named.heap_bytes() + reported.capacity() * sizeof(std::uint32_t) +
           session::heap_bytes(request.event_id);
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
    for_each_word(text.substr(0, kTextBytesMax),
                  [&](std::string_view word) { state.words.add(meaning(word)); });
  }

  void on_call(const Event& event, const EventContext& context, State& state,
               Reporter& reporter) const {
    if (context.tool.effect == Effect::kRead || state.request.event_id.empty()) return;
    if (is_asked(event, context, state)) return;
    const Found found = unnamed(event, context, state);
    if (found.leaf == nullptr) return;
    const std::uint32_t tool = session::value_hash(event.tool.name);
    if (state.reported.size() >= options_.tools_max) return;
    if (std::ranges::find(state.reported, tool) != state.reported.end()) return;
    state.reported.push_back(tool);
    const Origin origin = state.request.origin({});
    const std::array<EvidenceView, 1> evidence = {
        {{.field = "tool.arguments", .text = found.leaf->text, .origin = &origin}}};
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
    const auto look = [&](std::string_view word) {
      asked = asked || state.words.has(meaning(word));
    };
    if (context.tool.effect == Effect::kExecute) {
      // Commands share few words with requests; one that goes nowhere is not looked at.
      if (!session::acts_of(event, context).has(session::ActKind::kSends)) return true;
      for (const Leaf& leaf : event.tool.arguments) for_each_word(leaf.text, look);
      return asked;
    }
    for (const std::string_view word : session::NameWords(event.tool.name)) look(word);
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
