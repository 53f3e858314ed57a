// A call that does what a text the agent read says, and not what the user asked for.

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "detectors/detector.h"
#include "detectors/flow/describe.h"
#include "detectors/flow/tracker.h"
#include "detectors/session/trace.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 5> kTags = {"owasp:LLM01", "owasp:ASI01", "owasp:ASI02",
                                                   "atlas:AML.T0051.001", "nist:MS-2.7-001"};
enum Rules : std::size_t { kObeys, kMayObey, kDone };
constexpr std::array<DetectorRule, 3> kRules = {{
    {.id = "hijack.obeys-content",
     .title = "A call does what a text that the agent read told it to, and the user did not ask",
     .severity = Severity::kHigh,
     .category = Category::kPromptInjection,
     .tags = kTags},
    {.id = "hijack.may-obey-content",
     .title = "A call takes what it does from a text that asks for it",
     .severity = Severity::kMedium,
     .category = Category::kPromptInjection,
     .tags = kTags},
    {.id = "hijack.carried-out",
     .title = "What a text told the agent to do, and the user did not ask for, was done",
     .severity = Severity::kCritical,
     .category = Category::kPromptInjection,
     .tags = kTags},
}};

// A call has seldom more than twelve points.
constexpr std::int64_t kPointsMin = 1;
constexpr std::int64_t kPointsMax = 100;

struct Options {
  double points_high = flow::kObeysPoints;
  double points_medium = flow::kMayObeyPoints;
};

// The tracker remembers what is needed (detectors/flow/memory.h).
class State : public DetectorState {
 public:
  [[nodiscard]] std::size_t bytes() const override { return sizeof(*this); }
};

class Hijack : public Detector {
 public:
  explicit Hijack(const Options& options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& /*state*/,
                Reporter& reporter) const override {
    const flow::Flow& flow = *context.flow;
    if (event.type == EventType::kToolCall && flow.obeying) {
      report_call(event, *flow.obeying, reporter);
    }
    if (event.type == EventType::kToolResult && flow.carried_out &&
        *flow.carried_out >= options_.points_high) {
      const std::array<EvidenceView, 1> evidence = {
          {{.field = "tool.call_id", .text = event.tool.call_id}}};
      reporter.report(kDone, evidence);
    }
  }

 private:
  void report_call(const Event& event, const flow::Obeying& obeying, Reporter& reporter) const {
    const bool high = obeying.points >= options_.points_high;
    if (!high && obeying.points < options_.points_medium) return;
    // An act nobody asked for need not have a value that was read.
    const bool bound = !obeying.value.empty();
    const std::string field =
        bound ? session::field_of("tool.arguments", obeying.path) : "tool.name";
    const std::array<EvidenceView, 1> evidence = {{{.field = field,
                                                    .text = bound ? obeying.value : event.tool.name,
                                                    .origin = obeying.origin}}};
    const std::string why = reason(obeying);
    const std::array<MessageView, 1> message = {{{.text = why}}};
    reporter.report(high ? kObeys : kMayObey, evidence, message);
  }

  // Why, for whoever is woken by it: "seq 4 asks for it and names what only it names; the user only
  // asked to be told something; the text speaks of the user".
  static std::string reason(const flow::Obeying& obeying) {
    std::string text;
    const std::string seq = obeying.origin ? std::to_string(obeying.origin->seq) : std::string();
    if (obeying.instruction != nullptr) {
      text = seq.empty() ? "a result of long before" : "the result at seq " + seq;
      text += " asks for it: " + flow::link_text(obeying.link) + "; ";
    } else if (!seq.empty()) {
      text = "a value from seq " + seq + "; ";
    }
    text += flow::asked_text(obeying.asked);
    if (obeying.delegation == flow::Delegation::kActs) text += " and handed over what it says";
    const std::string frames = flow::frames_text(obeying.frames);
    if (!frames.empty()) text += "; the text " + frames;
    return text;
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("points_high", kPointsMin, kPointsMax, &options.points_high);
  reader.number("points_medium", kPointsMin, kPointsMax, &options.points_medium);
  return std::make_unique<Hijack>(options);
}

}  // namespace

extern constinit const DetectorSpec hijack_spec;
constinit const DetectorSpec hijack_spec{.id = "hijack", .rules = kRules, .make = &make};

}  // namespace tocsin
