// A call of a tool that the system's profile does not list.

#include <algorithm>
#include <array>
#include <vector>

#include "daemon/text.h"
#include "detectors/detector.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 4> kTags = {"owasp:ASI02", "owasp:LLM06", "atlas:AML.T0053",
                                                   "nist:MS-2.7-001"};
enum Rules : std::size_t { kInConsequential, kInAssistive };
constexpr std::array<DetectorRule, 2> kRules = {{
    {.id = "undeclared_tool.call",
     .title = "A tool that the system's profile does not declare was called",
     .severity = Severity::kMedium,
     .category = Category::kUndeclaredTool,
     .tags = kTags},
    {.id = "undeclared_tool.call",
     .title = "A tool that the assistive system's profile does not declare was called",
     .severity = Severity::kLow,
     .category = Category::kUndeclaredTool,
     .tags = kTags},
}};

// Tools already reported in this session, so that a tool is one finding and not one a call.
class State : public DetectorState {
 public:
  // False when the tool was reported before.  Once full, it forgets nothing and reports nothing
  // new: the session has already produced more undeclared tools than anybody will read.
  bool first_time(std::string_view tool, std::size_t tools_max) {
    const std::uint64_t hash = hash64(tool);
    if (std::ranges::find(reported_, hash) != reported_.end()) return false;
    if (reported_.size() >= tools_max) return false;
    reported_.push_back(hash);
    return true;
  }
  [[nodiscard]] std::size_t bytes() const override {
    return sizeof(*this) + reported_.capacity() * sizeof(std::uint64_t);
  }

 private:
  std::vector<std::uint64_t> reported_;
};

class UndeclaredTool : public Detector {
 public:
  explicit UndeclaredTool(std::size_t tools_max) : tools_max_(tools_max) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& state,
                Reporter& reporter) const override {
    if (event.type != EventType::kToolCall) return;
    if (context.profile == nullptr || context.tool.declared != nullptr) return;
    if (!static_cast<State&>(state).first_time(event.tool.name, tools_max_)) return;
    const std::array<EvidenceView, 1> evidence = {
        {{.field = "tool.name", .text = event.tool.name}}};
    reporter.report(
        context.profile->decision == Decision::kConsequential ? kInConsequential : kInAssistive,
        evidence);
  }

 private:
  std::size_t tools_max_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& options) {
  std::size_t tools_max = 32;  // reported a session
  options.number("tools_max", 1, 1024, &tools_max);
  return std::make_unique<UndeclaredTool>(tools_max);
}

}  // namespace

extern constinit const DetectorSpec undeclared_tool_spec;
constinit const DetectorSpec undeclared_tool_spec{
    .id = "undeclared_tool", .rules = kRules, .make = &make};

}  // namespace tocsin
