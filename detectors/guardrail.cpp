// Somebody else's control let a call pass that tocsin finds unsafe, or fell silent.

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "daemon/text.h"
#include "detectors/detector.h"
#include "detectors/session/recent.h"
#include "detectors/session/trace.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 4> kAllowedTags = {"owasp:ASI02", "owasp:LLM06",
                                                          "nist:MS-2.6-007", "nist:MS-2.7-009"};
constexpr std::array<std::string_view, 2> kSilentTags = {"nist:MS-2.7-009", "cwe:CWE-778"};
enum Rules : std::size_t { kAllowedUnsafe, kSilent };
constexpr std::array<DetectorRule, 2> kRules = {{
    {.id = "guardrail.allowed-unsafe",
     .title = "A guardrail allowed a tool call that has a finding at severity high or above",
     .severity = Severity::kMedium,
     .category = Category::kGuardrailFailure,
     .tags = kAllowedTags},
    {.id = "guardrail.silent",
     .title = "A guardrail that used to judge this system's calls has stopped to",
     .severity = Severity::kMedium,
     .category = Category::kGuardrailFailure,
     .tags = kSilentTags},
}};

enum Metrics : std::size_t { kDisagreements };
constexpr std::array<DetectorMetric, 1> kMetrics = {{
    {.kind = DetectorMetric::Kind::kCounter,
     .name = "tocsin_guardrail_disagreements_total",
     .help = "Tool calls that the guardrail allowed and that have a finding at high or above.",
     .label = "guardrail",
     .labels_max = 32},
}};

struct Options {
  std::size_t calls_max = 32;           // calls, and verdicts ahead of their calls, remembered
  std::uint32_t silent_calls_min = 50;  // tool calls without a word that may be silence
  std::uint32_t spoken_min = 20;        // verdicts that make a guardrail one that used to speak
};

constexpr std::size_t kNameBytesMax = 64;  // of a guardrail's name kept

// What a session's latest calls were found to be, and what was said of calls that did not come yet.
class State : public DetectorState {
 public:
  struct Unsafe {
    std::uint64_t call_id = 0;
    session::Mark call;
  };
  // An allowance; any other verdict takes it back.
  struct Allowed {
    std::uint64_t call_id = 0;
    std::uint64_t guardrail = 0;
    std::string name;
    session::Mark mark;
  };

  // `unsafe`: empty, when the call is not.
  void add(std::uint64_t call_id, session::Mark unsafe, std::size_t calls_max) {
    if (knows(call_id)) {
      forget(call_id);
    } else if (calls_.size() >= calls_max) {
      forget(calls_.front());
    }
    session::make_room(calls_);
    calls_.push_back(call_id);
    if (!unsafe.empty()) unsafe_.push_back({.call_id = call_id, .call = std::move(unsafe)});
  }
  [[nodiscard]] bool knows(std::uint64_t call_id) const {
    return std::ranges::find(calls_, call_id) != calls_.end();
  }
  // Null: it is not, or not remembered.
  [[nodiscard]] const session::Mark* unsafe(std::uint64_t call_id) const {
    const auto found = std::ranges::find(unsafe_, call_id, &Unsafe::call_id);
    return found == unsafe_.end() ? nullptr : &found->call;
  }

  void allow(Allowed allowed, std::size_t calls_max) {
    take_back(allowed.call_id, allowed.guardrail);
    if (allowed_.size() >= calls_max) allowed_.erase(allowed_.begin());
    allowed_.push_back(std::move(allowed));
  }
  void take_back(std::uint64_t call_id, std::uint64_t guardrail) {
    std::erase_if(allowed_, [&](const Allowed& allowed) {
      return allowed.call_id == call_id && allowed.guardrail == guardrail;
    });
  }
  // Those that waited for the call; they do not any longer.
  std::vector<Allowed> take_allowed(std::uint64_t call_id) {
    std::vector<Allowed> taken;
    std::erase_if(allowed_, [&](Allowed& allowed) {
      if (allowed.call_id != call_id) return false;
      taken.push_back(std::move(allowed));
      return true;
    });
    return taken;
  }

  [[nodiscard]] std::size_t bytes() const override {
    std::size_t total = sizeof(*this) + calls_.capacity() * sizeof(calls_[0]) +
                        unsafe_.capacity() * sizeof(Unsafe) + allowed_.capacity() * sizeof(Allowed);
    for (const Unsafe& unsafe : unsafe_) total += unsafe.call.heap_bytes();
    for (const Allowed& allowed : allowed_) {
      total += allowed.mark.heap_bytes() + session::heap_bytes(allowed.name);
    }
    return total;
  }

 private:
  void forget(std::uint64_t call_id) {
    std::erase(calls_, call_id);
    std::erase_if(unsafe_, [&](const Unsafe& unsafe) { return unsafe.call_id == call_id; });
  }

  std::vector<std::uint64_t> calls_;  // ids, latest last
  std::vector<Unsafe> unsafe_;        // those of them that are
  std::vector<Allowed> allowed_;      // latest last
};

// How often each guardrail of a system speaks, counted in the system's tool calls.
class System : public SystemState {
 public:
  static constexpr std::size_t kGuardrailsMax = 16;
  // A guardrail that speaks at random is quiet for ten times its mean gap once in 20,000 gaps
  // (e^-10); one that speaks in bursts has shown longer gaps before.
  static constexpr double kMeanGaps = 10;
  static constexpr std::uint64_t kLargestGaps = 3;
  static constexpr double kGapWeight = 0.05;  // of the latest gap in the mean

  struct Guardrail {
    std::uint64_t hash = 0;
    std::string name;
    std::uint64_t spoken = 0;
    std::uint64_t calls_since = 0;  // it spoke last
    std::uint64_t largest_gap = 0;
    double mean_gap = 1;
    bool said = false;  // that it is silent

    [[nodiscard]] bool silent(const Options& options) const {
      if (spoken < options.spoken_min || calls_since < options.silent_calls_min) return false;
      return static_cast<double>(calls_since) >= kMeanGaps * mean_gap &&
             calls_since >= kLargestGaps * largest_gap;
    }
  };

  void spoke(std::string_view name, std::uint32_t spoken_min) {
    Guardrail* guardrail = find_or_add(name, spoken_min);
    if (guardrail == nullptr) return;
    ++guardrail->spoken;
    const auto gap = static_cast<double>(guardrail->calls_since);
    guardrail->mean_gap += kGapWeight * (gap - guardrail->mean_gap);
    guardrail->largest_gap = std::max(guardrail->largest_gap, guardrail->calls_since);
    guardrail->calls_since = 0;
    guardrail->said = false;
  }

  // One more tool call.  The guardrail that this makes a silent one, each once; null: none.
  const Guardrail* called(const Options& options) {
    for (Guardrail& guardrail : guardrails_) ++guardrail.calls_since;
    const auto found = std::ranges::find_if(guardrails_, [&](const Guardrail& guardrail) {
      return !guardrail.said && guardrail.silent(options);
    });
    if (found == guardrails_.end()) return nullptr;
    found->said = true;
    return &*found;
  }

  [[nodiscard]] std::size_t bytes() const override {
    std::size_t total = sizeof(*this) + guardrails_.capacity() * sizeof(Guardrail);
    for (const Guardrail& guardrail : guardrails_) total += session::heap_bytes(guardrail.name);
    return total;
  }

 private:
  Guardrail* find_or_add(std::string_view name, std::uint32_t spoken_min) {
    const std::uint64_t hash = hash64(name);
    const auto found = std::ranges::find(guardrails_, hash, &Guardrail::hash);
    if (found != guardrails_.end()) return &*found;
    if (guardrails_.size() >= kGuardrailsMax) {
      // Made-up names push out each other, never one that is established.
      const auto rarest = std::ranges::min_element(guardrails_, {}, &Guardrail::spoken);
      if (rarest->spoken >= spoken_min) return nullptr;
      guardrails_.erase(rarest);
    }
    Guardrail& made = guardrails_.emplace_back();
    made.hash = hash;
    made.name = session::kept(name, kNameBytesMax);
    return &made;
  }

  std::vector<Guardrail> guardrails_;
};

class GuardrailDetector : public Detector {
 public:
  explicit GuardrailDetector(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }
  [[nodiscard]] std::unique_ptr<SystemState> new_system_state() const override {
    return std::make_unique<System>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& state,
                Reporter& reporter) const override {
    auto& system = static_cast<System&>(*context.system_state);
    if (event.type == EventType::kGuardrail) {
      system.spoke(event.guardrail.name, options_.spoken_min);
      on_verdict(event, context, static_cast<State&>(state), reporter);
    } else if (event.type == EventType::kToolCall) {
      const System::Guardrail* silent = system.called(options_);
      if (silent != nullptr) report_silence(*silent, reporter);
    }
  }

  void on_findings(const Event& event, const EventContext& context,
                   std::span<const FoundRule> findings, DetectorState& raw_state,
                   Reporter& reporter) const override {
    if (event.type != EventType::kToolCall || event.tool.call_id.empty()) return;
    auto& state = static_cast<State&>(raw_state);
    const std::uint64_t call_id = hash64(event.tool.call_id);
    const bool unsafe = std::ranges::any_of(
        findings, [](const FoundRule& found) { return found.severity >= Severity::kHigh; });
    for (const State::Allowed& allowed : state.take_allowed(call_id)) {
      if (unsafe) report_allowed(allowed.name, allowed.mark, reporter);
    }
    state.add(call_id, unsafe ? session::mark_with_tool(event, context) : session::Mark(),
              options_.calls_max);
  }

 private:
  void on_verdict(const Event& event, const EventContext& context, State& state,
                  Reporter& reporter) const {
    // Without a target it may have judged anything.
    if (event.guardrail.target_call_id.empty()) return;
    const std::uint64_t call_id = hash64(event.guardrail.target_call_id);
    const std::uint64_t guardrail = hash64(event.guardrail.name);
    if (event.guardrail.verdict != Verdict::kAllow) {
      state.take_back(call_id, guardrail);
      return;
    }
    if (state.knows(call_id)) {
      const session::Mark* unsafe = state.unsafe(call_id);
      if (unsafe != nullptr) report_allowed(event.guardrail.name, *unsafe, reporter);
      return;
    }
    state.allow({.call_id = call_id,
                 .guardrail = guardrail,
                 .name = session::kept(event.guardrail.name, kNameBytesMax),
                 .mark = session::mark_with_tool(event, context)},
                options_.calls_max);
  }

  // `other`: the call, seen from the verdict, or the verdict, seen from the call.
  static void report_allowed(std::string_view name, const session::Mark& other,
                             Reporter& reporter) {
    const std::array<EvidenceView, 1> evidence = {
        {{.field = "guardrail.name", .text = name, .origin = other.origin()}}};
    reporter.report(kAllowedUnsafe, evidence);
    reporter.count(kDisagreements, name);
  }

  static void report_silence(const System::Guardrail& guardrail, Reporter& reporter) {
    const std::string calls = std::to_string(guardrail.calls_since) + " calls without a word";
    const std::array<EvidenceView, 2> evidence = {
        {{.field = "guardrail.name", .text = guardrail.name},
         {.field = "guardrail.verdict", .text = calls}}};
    reporter.report(kSilent, evidence);
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("calls_max", 1, 256, &options.calls_max);
  reader.number("silent_calls_min", 1, 1'000'000, &options.silent_calls_min);
  reader.number("spoken_min", 2, 1'000'000, &options.spoken_min);
  return std::make_unique<GuardrailDetector>(options);
}

}  // namespace

extern constinit const DetectorSpec guardrail_spec;
constinit const DetectorSpec guardrail_spec{
    .id = "guardrail", .rules = kRules, .metrics = kMetrics, .make = &make};

}  // namespace tocsin
