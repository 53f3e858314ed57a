// Calls that do what a text says, and the user handed that over; and calls that go beyond it.

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "detectors/detector.h"
#include "detectors/flow/tracker.h"
#include "detectors/session/outflow.h"
#include "detectors/session/trace.h"

namespace tocsin {
namespace {

using flow::Asked;
using flow::Delegation;
using flow::Obeying;

constexpr std::array<std::string_view, 3> kTags = {"owasp:ASI01", "owasp:LLM06", "nist:MS-2.7-001"};
enum Rules : std::size_t { kFollowed, kOtherText, kOtherAct };
constexpr std::array<DetectorRule, 3> kRules = {{
    {.id = "delegation.followed",
     .title = "A call does what a text says, and the user handed that over",
     .severity = Severity::kInfo,
     .category = Category::kUnsafeTool,
     .tags = kTags},
    {.id = "delegation.other-text",
     .title = "The user handed acts over to one text, and a call does what another one says",
     .severity = Severity::kLow,
     .category = Category::kPromptInjection,
     .tags = kTags},
    {.id = "delegation.exceeded",
     .title =
         "The user handed some kind of act over to a text, and a call does another that it says",
     .severity = Severity::kLow,
     .category = Category::kUnsafeTool,
     .tags = kTags},
}};

struct Options {
  std::size_t followed_max = 32;  // calls told a session
};

class State : public DetectorState {
 public:
  std::size_t followed = 0;

  [[nodiscard]] std::size_t bytes() const override { return sizeof(*this); }
};

class DelegationWatch : public Detector {
 public:
  explicit DelegationWatch(const Options& options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    if (event.type != EventType::kToolCall) return;
    const flow::Flow& flow = *context.flow;
    if (!flow.obeying || flow.obeying->instruction == nullptr) return;
    if (!is_bound(flow.obeying->link)) return;
    auto& state = static_cast<State&>(raw_state);
    const Obeying& obeying = *flow.obeying;
    if (is_followed(obeying)) {
      if (state.followed >= options_.followed_max) return;
      ++state.followed;
      report(kFollowed, obeying, reporter);
    } else if (flow.memory->wishes.delegated != 0 && obeying.asked != Asked::kThis) {
      report_excess(*flow.memory, obeying, reporter);
    }
  }

 private:
  // More than a few words in common.
  static bool is_bound(const flow::Link& link) {
    return link.identifier || link.derived || link.whole_value;
  }

  // With more points it is an attack rather than what was handed over: of a text that the user said
  // to follow, and of one that was only named as material.
  static bool is_followed(const Obeying& obeying) {
    switch (obeying.delegation) {
      case Delegation::kActs: return obeying.points < flow::kObeysPoints;
      case Delegation::kMaterial: return obeying.points < flow::kMayObeyPoints;
      case Delegation::kNone: break;
    }
    return false;
  }

  // The user pointed to where it stands.
  static bool is_named(const flow::SessionMemory& memory, const flow::Instruction& instruction) {
    const flow::Source* source = memory.source(instruction.source);
    return instruction.named || (source != nullptr && session::pointed_to(*source));
  }

  // Said only where the text that was handed over is known.
  static void report_excess(const flow::SessionMemory& memory, const Obeying& obeying,
                            Reporter& reporter) {
    if (is_named(memory, *obeying.instruction)) {
      if (obeying.delegation != Delegation::kActs) report(kOtherAct, obeying, reporter);
      return;
    }
    const bool another = std::ranges::any_of(
        memory.sources, [](const flow::Source& source) { return session::pointed_to(source); });
    if (another) report(kOtherText, obeying, reporter);
  }

  static void report(Rules rule, const Obeying& obeying, Reporter& reporter) {
    const std::string field = session::field_of("tool.arguments", obeying.path);
    const std::array<EvidenceView, 1> evidence = {
        {{.field = field, .text = obeying.value, .origin = obeying.origin}}};
    reporter.report(rule, evidence);
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("followed_max", 0, 4096, &options.followed_max);
  return std::make_unique<DelegationWatch>(options);
}

}  // namespace

extern constinit const DetectorSpec delegation_spec;
constinit const DetectorSpec delegation_spec{.id = "delegation", .rules = kRules, .make = &make};

}  // namespace tocsin
