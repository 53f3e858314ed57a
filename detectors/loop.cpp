// The same call, again and again, and nothing new comes back.

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "daemon/text.h"
#include "detectors/detector.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 4> kTags = {"owasp:ASI08", "owasp:LLM10", "atlas:AML.T0034",
                                                   "nist:MS-2.7-001"};
enum Rules : std::size_t { kActing, kReading };
constexpr std::array<DetectorRule, 2> kRules = {{
    {.id = "loop.same-call",
     .title = "An acting tool was called again and again with the same arguments and no progress",
     .severity = Severity::kMedium,
     .category = Category::kResourceAbuse,
     .tags = kTags},
    {.id = "loop.same-call",
     .title = "A reading tool was called again and again with the same arguments and no progress",
     .severity = Severity::kLow,
     .category = Category::kResourceAbuse,
     .tags = kTags},
}};

struct Options {
  std::uint32_t repeats_min = 5;  // equal calls, the first included, that make a finding
  std::size_t calls_max = 16;     // distinct calls remembered a session
};

std::uint64_t hash_leaves(const std::vector<Leaf>& leaves, std::uint64_t seed) {
  std::uint64_t hash = seed;
  for (const Leaf& leaf : leaves) {
    hash = hash64(leaf.path, hash);
    // The kind counts: "1" is not 1.
    hash = hash64(leaf.text, hash + static_cast<std::uint64_t>(leaf.kind) + 1);
  }
  return hash;
}

// The calls of a session that were made last, and how often each was repeated without a new result.
class State : public DetectorState {
 public:
  struct Call {
    std::uint64_t call = 0;     // tool and arguments
    std::uint64_t call_id = 0;  // of the latest, to find its result
    std::uint64_t result = 0;   // of the latest result; 0: none seen
    std::uint64_t touched = 0;  // the larger, the later
    std::uint32_t repeats = 0;
    std::uint32_t report_at = 0;
    Origin first;
  };

  Call& touch(std::uint64_t hash, const Options& options) {
    auto found = std::ranges::find(calls_, hash, &Call::call);
    if (found == calls_.end()) {
      if (calls_.size() < options.calls_max) {
        found = calls_.insert(calls_.end(), Call{});
      } else {
        found = std::ranges::min_element(calls_, {}, &Call::touched);
        set_first(*found, {});
        *found = {};
      }
      found->call = hash;
    }
    found->touched = ++touches_;
    return *found;
  }

  void set_first(Call& call, Origin first) {
    text_bytes_ -= text_bytes(call.first);
    call.first = std::move(first);
    text_bytes_ += text_bytes(call.first);
  }

  void forget() {
    calls_.clear();
    text_bytes_ = 0;
  }

  // The one touched longest ago; null when the call is no longer remembered.
  Call* answered(std::uint64_t call_id) {
    Call* oldest = nullptr;
    for (Call& call : calls_) {
      if (call.call_id != call_id) continue;
      if (oldest == nullptr || call.touched < oldest->touched) oldest = &call;
    }
    return oldest;
  }

  [[nodiscard]] std::size_t bytes() const override {
    return sizeof(*this) + calls_.capacity() * sizeof(Call) + text_bytes_;
  }

 private:
  // What the strings hold outside of themselves.
  static std::size_t text_bytes(const Origin& origin) {
    const auto outside = [](const std::string& text) {
      return text.capacity() > std::string().capacity() ? text.capacity() + 1 : 0;
    };
    return outside(origin.event_id) + outside(origin.tool);
  }

  std::vector<Call> calls_;
  std::uint64_t touches_ = 0;
  std::size_t text_bytes_ = 0;  // of all calls, kept while it changes: it is asked at every event
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
      on_call(event, context, state, reporter);
    } else if (event.type == EventType::kToolResult) {
      on_result(event, state);
    } else if (event.type == EventType::kUserMessage) {
      // A person who says something starts the count anew: "try again" is not a loop.
      state.forget();
    }
  }

 private:
  static constexpr std::size_t kOriginBytesMax = 128;  // of an id or name kept

  void on_call(const Event& event, const EventContext& context, State& state,
               Reporter& reporter) const {
    // Without arguments to compare, two calls are not known to be the same.
    if (!event.tool.has_arguments) return;
    const std::uint64_t hash = hash_leaves(event.tool.arguments, hash64(event.tool.name));
    State::Call& call = state.touch(hash, options_);
    call.call_id = hash64(event.tool.call_id);
    ++call.repeats;
    if (call.report_at == 0) {
      call.report_at = options_.repeats_min;
      state.set_first(call, {.event_id = std::string(event.event_id.substr(0, kOriginBytesMax)),
                             .seq = context.seq,
                             .tool = std::string(event.tool.name.substr(0, kOriginBytesMax))});
    }
    if (call.repeats < call.report_at) return;
    call.report_at *= 2;  // a loop that goes on is said again at twice the count, not at every turn
    const std::string count = std::to_string(call.repeats) + " times";
    const std::array<EvidenceView, 1> evidence = {
        {{.field = "tool.arguments", .text = count, .origin = &call.first}}};
    reporter.report(context.tool.effect == Effect::kRead ? kReading : kActing, evidence);
  }

  static void on_result(const Event& event, State& state) {
    State::Call* call = state.answered(hash64(event.tool.call_id));
    if (call == nullptr) return;
    const std::uint64_t result = hash_leaves(event.tool.result, hash64(event.tool.error)) | 1U;
    // Polling is not a loop: a new answer is progress.
    if (call->result != 0 && call->result != result) {
      call->repeats = 1;
      call->report_at = 0;
    }
    call->result = result;
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("repeats_min", 2, 10'000, &options.repeats_min);
  reader.number("calls_max", 1, 256, &options.calls_max);
  return std::make_unique<Loop>(options);
}

}  // namespace

extern constinit const DetectorSpec loop_spec;
constinit const DetectorSpec loop_spec{.id = "loop", .rules = kRules, .make = &make};

}  // namespace tocsin
