// More calls in a short time than a session makes, or than any should.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "detectors/detector.h"
#include "detectors/session/trace.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 4> kTags = {"owasp:ASI08", "owasp:LLM10", "atlas:AML.T0029",
                                                   "nist:MS-2.7-001"};
enum Rules : std::size_t { kCalls, kUnusual, kSends };
constexpr std::array<DetectorRule, 3> kRules = {{
    {.id = "burst.calls",
     .title = "More tool calls in a short time than any session should make",
     .severity = Severity::kMedium,
     .category = Category::kResourceAbuse,
     .tags = kTags},
    {.id = "burst.calls",
     .title = "Many more tool calls in a short time than the session made before",
     .severity = Severity::kLow,
     .category = Category::kResourceAbuse,
     .tags = kTags},
    {.id = "burst.sends",
     .title = "More outward calls in a short time than any session should make",
     .severity = Severity::kMedium,
     .category = Category::kResourceAbuse,
     .tags = kTags},
}};

struct Options {
  std::int64_t window_ms = 60'000;
  std::uint32_t calls_max = 300;     // in a window
  std::uint32_t sends_max = 60;      // outward ones in a window
  std::uint32_t unusual_min = 60;    // calls in a window that can be unusual
  std::uint32_t unusual_factor = 8;  // times what the windows before had
};

constexpr std::size_t kSlices = 6;  // of a window; it moves by one of them

struct Slice {
  std::uint32_t calls = 0;
  std::uint32_t sends = 0;
};

class State : public DetectorState {
 public:
  std::array<Slice, kSlices> slices{};
  std::int64_t newest = 0;   // number of the newest slice
  std::int64_t oldest = 0;   // ... of the session's first
  std::uint64_t before = 0;  // calls that have left the window
  bool started = false;
  // Said once until the window is calm again.
  bool said_calls = false;
  bool said_sends = false;
  session::Mark first;  // the first call after a window without any

  [[nodiscard]] std::size_t bytes() const override { return sizeof(*this) + first.heap_bytes(); }
};

class Burst : public Detector {
 public:
  explicit Burst(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    if (event.type != EventType::kToolCall) return;
    auto& state = static_cast<State&>(raw_state);
    advance(event.time, state);
    Slice total;
    for (const Slice& slice : state.slices) {
      total.calls += slice.calls;
      total.sends += slice.sends;
    }
    if (total.calls == 0) {
      state.first = session::mark_of(event, context);
      state.said_calls = state.said_sends = false;
    }
    Slice& now = state.slices[index(state.newest)];
    ++now.calls;
    ++total.calls;
    if (context.tool.effect == Effect::kEgress) {
      ++now.sends;
      ++total.sends;
    }
    judge(total, state, reporter);
  }

 private:
  static std::size_t index(std::int64_t slice) {
    constexpr auto kCount = static_cast<std::int64_t>(kSlices);
    return static_cast<std::size_t>(((slice % kCount) + kCount) % kCount);
  }

  // An event that comes late counts as now: time does not go back.
  void advance(EventTime time, State& state) const {
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
    const std::int64_t slice = ms / (options_.window_ms / static_cast<std::int64_t>(kSlices));
    if (!state.started) {
      state.newest = state.oldest = slice;
      state.started = true;
    }
    const std::int64_t steps =
        std::min<std::int64_t>(slice - state.newest, static_cast<std::int64_t>(kSlices));
    for (std::int64_t i = 1; i <= steps; ++i) {
      Slice& left = state.slices[index(state.newest + i)];
      state.before += left.calls;
      left = {};
    }
    state.newest = std::max(state.newest, slice);
  }

  void judge(const Slice& total, State& state, Reporter& reporter) const {
    if (total.sends >= options_.sends_max && !state.said_sends) {
      state.said_sends = true;
      report(kSends, total.sends, state, reporter);
    }
    if (total.calls >= options_.calls_max && !state.said_calls) {
      state.said_calls = true;
      report(kCalls, total.calls, state, reporter);
    } else if (total.calls == options_.unusual_min && unusual(total.calls, state)) {
      report(kUnusual, total.calls, state, reporter);
    }
  }

  // Against the windows before this one; a session that has none has no history to differ from.
  [[nodiscard]] bool unusual(std::uint32_t calls, const State& state) const {
    constexpr auto kCount = static_cast<std::int64_t>(kSlices);
    const std::int64_t slices_before = state.newest - state.oldest + 1 - kCount;
    if (slices_before < kCount) return false;
    const auto windows = static_cast<double>(slices_before) / static_cast<double>(kSlices);
    return calls > options_.unusual_factor * (static_cast<double>(state.before) / windows);
  }

  void report(Rules rule, std::uint32_t count, const State& state, Reporter& reporter) const {
    constexpr std::int64_t kMsASecond = 1000;
    const std::string text = std::to_string(count) + " calls within " +
                             std::to_string(options_.window_ms / kMsASecond) + " s";
    const std::array<EvidenceView, 1> evidence = {
        {{.field = "time", .text = text, .origin = state.first.origin()}}};
    reporter.report(rule, evidence);
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  constexpr std::int64_t kDayMs = 86'400'000;
  Options options;
  reader.number("window_ms", 1000, kDayMs, &options.window_ms);
  reader.number("calls_max", 2, 1'000'000, &options.calls_max);
  reader.number("sends_max", 2, 1'000'000, &options.sends_max);
  reader.number("unusual_min", 2, 1'000'000, &options.unusual_min);
  reader.number("unusual_factor", 2, 1000, &options.unusual_factor);
  return std::make_unique<Burst>(options);
}

}  // namespace

extern constinit const DetectorSpec burst_spec;
constinit const DetectorSpec burst_spec{.id = "burst", .rules = kRules, .make = &make};

}  // namespace tocsin
