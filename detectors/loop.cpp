// The same call, again and again, and nothing new comes back; or nearly the same.

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <vector>

#include "daemon/text.h"
#include "detectors/decoding/chars.h"
#include "detectors/detector.h"
#include "detectors/lexical/word_hash.h"
#include "detectors/session/recent.h"
#include "detectors/session/trace.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 4> kTags = {"owasp:ASI08", "owasp:LLM10", "atlas:AML.T0034",
                                                   "nist:MS-2.7-001"};
enum Rules : std::size_t { kSame, kSameLong, kSimilar, kSimilarLong };
constexpr std::array<DetectorRule, 4> kRules = {{
    {.id = "loop.same-call",
     .title = "A tool was called again and again with the same arguments and no progress",
     .severity = Severity::kLow,
     .category = Category::kResourceAbuse,
     .tags = kTags},
    {.id = "loop.same-call",
     .title = "The same thing was sent out again and again, or a tool called without end",
     .severity = Severity::kMedium,
     .category = Category::kResourceAbuse,
     .tags = kTags},
    {.id = "loop.similar-calls",
     .title = "A tool was called again and again with nearly the same arguments and no progress",
     .severity = Severity::kLow,
     .category = Category::kResourceAbuse,
     .tags = kTags},
    {.id = "loop.similar-calls",
     .title = "A tool was called without end with nearly the same arguments and no progress",
     .severity = Severity::kMedium,
     .category = Category::kResourceAbuse,
     .tags = kTags},
}};

struct Options {
  std::uint32_t repeats_min = 5;    // equal calls, the first included, that make a finding
  std::uint32_t repeats_long = 25;  // ... that ask a person to look
  std::uint32_t sends_min = 5;      // equal outward calls that did not fail, likewise
  std::uint32_t similar_min = 12;   // nearly equal calls in a row, with equal results
  std::uint32_t similar_long = 40;  // ... that ask a person to look
  std::size_t calls_max = 16;       // distinct calls remembered a session
};

// What a call is made of, so small that two can be compared for nearness: of each word's hash the
// least in each of the lanes (MinHash).
class Sketch {
 public:
  static constexpr std::size_t kLanes = 16;
  static constexpr std::size_t kEqualLanesMin = 8;  // of two calls that share 2 words of 3

  static constexpr std::size_t kWordsMax = 256;  // of a call; what is beyond is not compared

  Sketch() { least_.fill(UINT16_MAX); }
  explicit Sketch(const ToolUse& call) : Sketch() {
    std::size_t words = 0;
    for (const Leaf& leaf : call.arguments) {
      if (words >= kWordsMax) return;
      words += add_words(leaf, kWordsMax - words);
    }
  }

  [[nodiscard]] bool near(const Sketch& other) const {
    std::size_t equal = 0;
    for (std::size_t i = 0; i < kLanes; ++i) equal += least_[i] == other.least_[i] ? 1 : 0;
    return equal >= kEqualLanesMin;
  }

 private:
  // How many it had, the name of the argument among them.
  std::size_t add_words(const Leaf& leaf, std::size_t words_max) {
    const std::uint64_t path = hash64(leaf.path);
    add(path);
    std::string_view text = leaf.text;
    std::size_t words = 1;
    for (; words < words_max && !text.empty(); ++words) {
      const std::size_t size = blank_at(text);
      if (size > 0) add(word_hash(text.substr(0, size), path));
      text.remove_prefix(std::min(size + 1, text.size()));
    }
    return words;
  }

  // The first blank; the text's size: there is none.
  static std::size_t blank_at(std::string_view text) {
    constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
    std::size_t at = 0;
    while (at + lexical::kChunkBytes <= text.size()) {
      const std::uint64_t chunk = lexical::load_chunk(text.data() + at);
      // The lowest high bit that is set here is of the first byte below '!'.
      const std::uint64_t small = (chunk - '!' * kOnes) & ~chunk & (0x80 * kOnes);
      if (small == 0) {
        at += lexical::kChunkBytes;
        continue;
      }
      at += static_cast<std::size_t>(std::countr_zero(small)) / 8;
      if (decoding::is_blank(text[at])) return at;
      ++at;
    }
    while (at < text.size() && !decoding::is_blank(text[at])) ++at;
    return at;
  }

  static std::uint64_t word_hash(std::string_view word, std::uint64_t hash) {
    for (; word.size() >= lexical::kChunkBytes; word.remove_prefix(lexical::kChunkBytes)) {
      hash = lexical::mix(hash, lexical::load_padded(word, 0));
    }
    return lexical::mix(hash ^ word.size(), lexical::load_bytes(word.data(), word.size()));
  }

  // A lane is what multiplying by its factor leaves on top: the lanes of a word know nothing of
  // each other, and all of them are a few instructions.
  void add(std::uint64_t hash) {
    constexpr unsigned kLaneShift = 16;
    static constexpr auto kFactors = [] {
      std::array<std::uint32_t, kLanes> factors{};
      std::uint64_t state = lexical::kHashFactor;
      for (std::uint32_t& factor : factors) {
        state = lexical::mix(state, lexical::kHashFactor);
        factor = static_cast<std::uint32_t>(state >> 32U) | 1U;
      }
      return factors;
    }();
    const auto word = static_cast<std::uint32_t>(hash >> 32U);
    for (std::size_t i = 0; i < kLanes; ++i) {
      const auto lane = static_cast<std::uint16_t>((word * kFactors[i]) >> kLaneShift);
      least_[i] = std::min(least_[i], lane);
    }
  }

  std::array<std::uint16_t, kLanes> least_;
};

// The calls of a session that were made last, and how often each was repeated without a new result.
class State : public DetectorState {
 public:
  struct Call {
    std::uint64_t call = 0;     // tool and arguments
    std::uint64_t call_id = 0;  // of the latest, to find its result
    std::uint64_t result = 0;   // of the latest result; 0: none seen
    std::uint32_t repeats = 0;  // without a new result
    std::uint32_t sent = 0;     // outward, and not known to have failed
    std::uint32_t report_at = 0;
    session::Mark first;
  };
  // Calls in a row of which each is near the one before.
  struct Row {
    Sketch last;
    std::uint64_t call = 0;  // tool and arguments of the latest
    std::uint64_t tool = 0;
    std::uint64_t call_id = 0;
    std::uint64_t result = 0;
    std::uint32_t length = 0;
    std::uint32_t report_at = 0;
    session::Mark first;
  };

  Call& touch(std::uint64_t hash, const Options& options) {
    return session::touch(calls_, &Call::call, hash, options.calls_max);
  }

  void forget() {
    calls_.clear();
    row = {};
  }

  // Null when the call is no longer remembered.
  Call* answered(std::uint64_t call_id) {
    const auto found = std::ranges::find(calls_, call_id, &Call::call_id);
    return found == calls_.end() ? nullptr : &*found;
  }

  Row row;

  [[nodiscard]] std::size_t bytes() const override {
    std::size_t total = sizeof(*this) + calls_.capacity() * sizeof(Call) + row.first.heap_bytes();
    for (const Call& call : calls_) total += call.first.heap_bytes();
    return total;
  }

 private:
  std::vector<Call> calls_;
};

class Loop : public Detector {
 public:
  explicit Loop(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    auto& state = static_cast<State&>(raw_state);
    if (event.type == EventType::kToolCall) {
      // Without arguments to compare, two calls are not known to be the same.
      if (!event.tool.has_arguments) return;
      const std::uint64_t hash =
          session::hash_leaves(event.tool.arguments, hash64(event.tool.name));
      on_call(event, context, state.touch(hash, options_), reporter);
      on_row(event, context, hash, state.row, reporter);
    } else if (event.type == EventType::kToolResult) {
      on_result(event, context, state);
    } else if (event.type == EventType::kUserMessage) {
      // A person who says something starts the count anew: "try again" is not a loop.
      state.forget();
    }
  }

 private:
  static void report(Rules rule, std::uint32_t count, const session::Mark& first,
                     const Event& event, Reporter& reporter) {
    const std::string text = std::to_string(count) + " times";
    const OriginView origin = first.origin(event.tool.name);
    const std::array<EvidenceView, 1> evidence = {
        {{.field = "tool.arguments", .text = text, .origin = origin}}};
    reporter.report(rule, evidence);
  }

  void on_call(const Event& event, const EventContext& context, State::Call& call,
               Reporter& reporter) const {
    call.call_id = session::call_key(event.tool.call_id);
    ++call.repeats;
    if (context.tool.effect == Effect::kEgress) ++call.sent;
    if (call.report_at == 0) {
      call.report_at = std::min(options_.repeats_min, options_.sends_min);
      call.first = session::mark_of(event, context);
    }
    const std::uint32_t count = std::max(call.repeats, call.sent);
    if (count < call.report_at) return;
    const bool asks = call.sent >= options_.sends_min || call.repeats >= options_.repeats_long;
    if (!asks && call.repeats < options_.repeats_min) return;
    // A loop that goes on is said again at twice the count, not at every turn; and when it begins
    // to ask for a person.
    call.report_at = count * 2;
    if (!asks) call.report_at = std::min(call.report_at, options_.repeats_long);
    report(asks ? kSameLong : kSame, count, call.first, event, reporter);
  }

  void on_row(const Event& event, const EventContext& context, std::uint64_t hash, State::Row& row,
              Reporter& reporter) const {
    // The same once more is the other rule's.
    if (row.length > 0 && row.call == hash) {
      row.call_id = session::call_key(event.tool.call_id);
      return;
    }
    const Sketch sketch(event.tool);
    const std::uint64_t tool = hash64(event.tool.name);
    if (row.length == 0 || row.tool != tool || !sketch.near(row.last)) {
      row = {.last = {}, .tool = tool, .report_at = options_.similar_min, .first = {}};
      row.first = session::mark_of(event, context);
    }
    row.last = sketch;
    row.call = hash;
    row.call_id = session::call_key(event.tool.call_id);
    // Without a result nobody knows whether there is progress.
    if (++row.length < row.report_at || row.result == 0) return;
    const bool asks = row.length >= options_.similar_long;
    row.report_at = row.length * 2;
    if (!asks) row.report_at = std::min(row.report_at, options_.similar_long);
    report(asks ? kSimilarLong : kSimilar, row.length, row.first, event, reporter);
  }

  static void on_result(const Event& event, const EventContext& context, State& state) {
    const std::uint64_t call_id = session::call_key(event.tool.call_id);
    if (call_id == 0) return;
    const std::uint64_t result =
        session::hash_leaves(event.tool.result, hash64(event.tool.error)) | 1U;
    // Polling is not a loop: a new answer is progress.
    State::Row& row = state.row;
    if (row.call_id == call_id) {
      const bool progress = (row.result != 0 && row.result != result) || is_done(event, context);
      if (progress) row.length = 0;
      row.result = result;
    }
    State::Call* call = state.answered(call_id);
    if (call == nullptr) return;
    if (call->result != 0 && call->result != result) {
      call->repeats = 1;
      if (context.tool.effect != Effect::kEgress) call->report_at = 0;
    }
    call->result = result;
    // What failed did not go out.
    if (!event.tool.error.empty() && call->sent > 0) --call->sent;
  }

  // An act that did not fail is progress, though it says the same each time: fifty records made
  // one by one are fifty records.
  static bool is_done(const Event& event, const EventContext& context) {
    if (!event.tool.error.empty() || context.tool.effect == Effect::kRead) return false;
    if (context.tool.effect != Effect::kExecute) return true;
    return std::ranges::all_of(event.tool.result,
                               [](const Leaf& leaf) { return leaf.text.empty(); });
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("repeats_min", 2, 10'000, &options.repeats_min);
  reader.number("repeats_long", 2, 100'000, &options.repeats_long);
  reader.number("sends_min", 2, 10'000, &options.sends_min);
  reader.number("similar_min", 2, 10'000, &options.similar_min);
  reader.number("similar_long", 2, 100'000, &options.similar_long);
  reader.number("calls_max", 1, 256, &options.calls_max);
  return std::make_unique<Loop>(options);
}

}  // namespace

extern constinit const DetectorSpec loop_spec;
constinit const DetectorSpec loop_spec{.id = "loop", .rules = kRules, .make = &make};

}  // namespace tocsin
