// A session that takes more steps, or moves more text, than any task should.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "detectors/detector.h"
#include "detectors/session/trace.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 4> kTags = {"owasp:ASI08", "owasp:LLM10", "atlas:AML.T0034",
                                                   "nist:MS-2.7-001"};
enum Rules : std::size_t { kCalls, kCallsLong, kTokens, kTokensLong };
constexpr std::array<DetectorRule, 4> kRules = {{
    {.id = "runaway.calls",
     .title = "A session makes many tool calls",
     .severity = Severity::kLow,
     .category = Category::kResourceAbuse,
     .tags = kTags},
    {.id = "runaway.calls",
     .title = "A session makes more tool calls than any task should need",
     .severity = Severity::kMedium,
     .category = Category::kResourceAbuse,
     .tags = kTags},
    {.id = "runaway.tokens",
     .title = "A session moves much text through the model, estimated from its bytes",
     .severity = Severity::kLow,
     .category = Category::kResourceAbuse,
     .tags = kTags},
    {.id = "runaway.tokens",
     .title = "A session moves more text through the model than any task should need, estimated "
              "from its bytes",
     .severity = Severity::kMedium,
     .category = Category::kResourceAbuse,
     .tags = kTags},
}};

struct Options {
  std::uint64_t calls_max = 250;          // of a session, said as context
  std::uint64_t calls_long = 1000;        // ... that ask a person to look
  std::uint64_t tokens_max = 1'000'000;   // estimated
  std::uint64_t tokens_long = 5'000'000;  // ... that ask a person to look
  std::uint64_t bytes_a_token = 4;        // English prose; code and other scripts have fewer
};

// One quantity that only grows, and when it is said next.
struct Meter {
  std::uint64_t value = 0;
  std::uint64_t report_at = 0;  // 0: at the first bound

  // True at the first bound, at the second, and at each doubling of that.
  bool add(std::uint64_t more, std::uint64_t first, std::uint64_t second) {
    value += more;
    if (report_at == 0) report_at = first;
    if (value < report_at) return false;
    report_at = value < second ? second : value * 2;
    return true;
  }
};

class State : public DetectorState {
 public:
  Meter calls;
  Meter bytes_seen;
  session::Mark first;

  [[nodiscard]] std::size_t bytes() const override { return sizeof(*this) + first.heap_bytes(); }
};

std::uint64_t bytes_of(const std::vector<Leaf>& leaves) {
  std::uint64_t bytes = 0;
  for (const Leaf& leaf : leaves) bytes += leaf.text.size();
  return bytes;
}

class Runaway : public Detector {
 public:
  explicit Runaway(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    auto& state = static_cast<State&>(raw_state);
    if (state.first.empty()) state.first = session::mark_of(event, context);
    if (event.type == EventType::kToolCall &&
        state.calls.add(1, options_.calls_max, options_.calls_long)) {
      report(state.calls.value >= options_.calls_long ? kCallsLong : kCalls,
             std::to_string(state.calls.value) + " calls", state, reporter);
    }
    const std::uint64_t bytes = event.text.size() + event.tool.error.size() +
                                bytes_of(event.tool.arguments) + bytes_of(event.tool.result);
    const std::uint64_t first = options_.tokens_max * options_.bytes_a_token;
    const std::uint64_t second = options_.tokens_long * options_.bytes_a_token;
    if (!state.bytes_seen.add(bytes, first, second)) return;
    const std::uint64_t tokens = state.bytes_seen.value / options_.bytes_a_token;
    report(state.bytes_seen.value >= second ? kTokensLong : kTokens,
           "about " + std::to_string(tokens) + " tokens", state, reporter);
  }

 private:
  static void report(Rules rule, const std::string& text, const State& state, Reporter& reporter) {
    const std::array<EvidenceView, 1> evidence = {
        {{.field = "session_id", .text = text, .origin = state.first.origin()}}};
    reporter.report(rule, evidence);
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  constexpr std::int64_t kCallsMax = 1'000'000'000;
  constexpr std::int64_t kTokensMax = 1'000'000'000'000;
  constexpr std::int64_t kBytesMax = 64;
  Options options;
  reader.number("calls_max", 1, kCallsMax, &options.calls_max);
  reader.number("calls_long", 1, kCallsMax, &options.calls_long);
  reader.number("tokens_max", 1, kTokensMax, &options.tokens_max);
  reader.number("tokens_long", 1, kTokensMax, &options.tokens_long);
  reader.number("bytes_a_token", 1, kBytesMax, &options.bytes_a_token);
  return std::make_unique<Runaway>(options);
}

}  // namespace

extern constinit const DetectorSpec runaway_spec;
constinit const DetectorSpec runaway_spec{.id = "runaway", .rules = kRules, .make = &make};

}  // namespace tocsin
