// Untrusted input, private data and an outward effect in one session: at most two of them are safe
// together without a person who looks (Meta, "Agents Rule of Two", 2025).

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/text.h"
#include "detectors/detector.h"
#include "detectors/flow/token.h"
#include "detectors/flow/tracker.h"
#include "detectors/session/outflow.h"
#include "detectors/session/trace.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 5> kTags = {"owasp:LLM06", "owasp:ASI01", "owasp:ASI02",
                                                   "atlas:AML.T0086", "nist:MP-4.1-009"};
enum Rules : std::size_t { kCarries, kCompleted, kAskedFor };
constexpr std::array<DetectorRule, 3> kRules = {{
    {.id = "rule_of_two.completed",
     .title = "A session read untrusted input and private data, and sends that data where only "
              "content named a destination",
     .severity = Severity::kMedium,
     .category = Category::kExfiltration,
     .tags = kTags},
    {.id = "rule_of_two.completed",
     .title = "A session read untrusted input and private data, and has an effect outside",
     .severity = Severity::kLow,
     .category = Category::kExfiltration,
     .tags = kTags},
    {.id = "rule_of_two.completed",
     .title = "A session read untrusted input and private data, and has the effect outside that "
              "the user asked for",
     .severity = Severity::kInfo,
     .category = Category::kExfiltration,
     .tags = kTags},
}};

enum Part : std::size_t { kUntrustedInput, kPrivateData, kOutwardEffect, kAll };
constexpr std::size_t kParts = 4;
constexpr std::array<std::string_view, kParts> kPartNames = {"untrusted_input", "private_data",
                                                             "outward_effect", "all"};
using Parts = std::bitset<kParts>;

constexpr std::array<DetectorMetric, 1> kMetrics = {{
    {.kind = DetectorMetric::Kind::kLevel,
     .name = "tocsin_sessions_rule_of_two",
     .help = "Live sessions that hold untrusted input, private data, an outward effect, or all.",
     .label = "state",
     .labels_max = kParts},
}};

struct Options {
  std::size_t scan_bytes_max = 4096;  // of an undeclared tool's value, looked at for private data
  std::size_t hidden_bytes_max = 16384;  // of an outward call's argument
};

using Counts = std::array<std::int64_t, kParts>;

class System : public SystemState {
 public:
  // Shared with the sessions that are counted, which may outlive this.
  [[nodiscard]] const std::shared_ptr<Counts>& counts() const { return counts_; }

  [[nodiscard]] std::size_t bytes() const override { return sizeof(*this) + sizeof(Counts); }
  void gauges(const GaugeSink& sink) const override {
    for (std::size_t part = 0; part < kParts; ++part) {
      sink(0, kPartNames[part], static_cast<double>((*counts_)[part]));
    }
  }

 private:
  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

class State : public DetectorState {
 public:
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() override { leave(); }

  // Counts the session in its system: a system that was forgotten counts anew.
  void enter(const std::shared_ptr<Counts>& counts) {
    if (counts_ == counts) return;
    leave();
    counts_ = counts;
    for (std::size_t part = 0; part < kParts; ++part) (*counts_)[part] += parts_[part] ? 1 : 0;
  }

  void add(Part part) {
    if (parts_[part]) return;
    parts_.set(part);
    if (counts_) ++(*counts_)[part];
    if (part != kAll && parts_[kUntrustedInput] && parts_[kPrivateData] && parts_[kOutwardEffect]) {
      add(kAll);
    }
  }
  [[nodiscard]] bool has(Part part) const { return parts_[part]; }

  // Where the parts came in, those of the results only, until it is told.
  std::array<session::Mark, 2> origins;
  bool asked_for = true;  // so far all that went out did

  [[nodiscard]] std::size_t bytes() const override {
    std::size_t total = sizeof(*this);
    for (const session::Mark& origin : origins) total += origin.heap_bytes();
    return total;
  }

 private:
  void leave() {
    if (!counts_) return;
    for (std::size_t part = 0; part < kParts; ++part) (*counts_)[part] -= parts_[part] ? 1 : 0;
  }

  Parts parts_;
  std::shared_ptr<Counts> counts_;
};

class RuleOfTwo : public Detector {
 public:
  explicit RuleOfTwo(const Options& options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }
  [[nodiscard]] std::unique_ptr<SystemState> new_system_state() const override {
    return std::make_unique<System>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    auto& state = static_cast<State&>(raw_state);
    state.enter(static_cast<System&>(*context.system_state).counts());
    if (state.has(kAll)) return;
    if (event.type == EventType::kToolResult) {
      on_result(context, state);
    } else if (event.type == EventType::kToolCall) {
      on_call(event, context, state);
    }
    if (!state.has(kAll)) return;
    report(event, context, state, reporter);
    state.origins = {};
  }

 private:
  void on_result(const EventContext& context, State& state) const {
    const flow::Source* source = context.flow->source;
    if (source == nullptr) return;
    if (source->untrusted && !state.has(kUntrustedInput)) {
      state.origins[kUntrustedInput] = session::Mark(source->mark.origin());
      state.add(kUntrustedInput);
    }
    if (!source->private_data || state.has(kPrivateData)) return;
    // Of a tool nobody declared only what it says tells whether it is private.
    if (context.tool.declared == nullptr && context.flow->personal_end > options_.scan_bytes_max) {
      return;
    }
    state.origins[kPrivateData] = session::Mark(source->mark.origin());
    state.add(kPrivateData);
  }

  static void on_call(const Event& event, const EventContext& context, State& state) {
    if (session::way_out(event, context) != session::Way::kSend) return;
    state.asked_for = state.asked_for && is_asked_for(event, context);
    state.add(kOutwardEffect);
  }

  // An act the user asked for or handed over, to where the user or a text the user pointed to said.
  static bool is_asked_for(const Event& event, const EventContext& context) {
    const flow::Flow& flow = *context.flow;
    const flow::UserWishes& wishes = flow.memory->wishes;
    if (flow.unrequested || (wishes.acts == 0 && wishes.delegated == 0)) return false;
    const bool handed_over = flow.obeying && flow.obeying->delegation == flow::Delegation::kActs;
    if (flow.obeying) {
      if (flow.obeying->points >= flow::kObeysPoints) return false;
      if (flow.obeying->asked > flow::Asked::kMaybe && !handed_over) return false;
    }
    const flow::Carried* destination = session::foreign_destination(event, context);
    if (destination == nullptr || handed_over) return true;
    return session::pointed_to(*destination->source) &&
           !session::named_by_request_alone(*destination);
  }

  void report(const Event& event, const EventContext& context, const State& state,
              Reporter& reporter) const {
    std::vector<EvidenceView> evidence;
    for (const Part part : {kUntrustedInput, kPrivateData}) {
      evidence.push_back(
          {.field = "session", .text = kPartNames[part], .origin = state.origins[part].origin()});
    }
    Rules rule = state.asked_for ? kAskedFor : kCompleted;
    std::string field;
    std::vector<session::PrivateValue> values;
    if (event.type == EventType::kToolCall && !state.asked_for) {
      values = carried_out(event, context);
    }
    if (!values.empty()) {
      rule = kCarries;
      field = session::field_of("tool.arguments", values.front().path);
      evidence.insert(evidence.begin(), {.field = field,
                                         .text = values.front().text,
                                         .decoded = values.front().decoded,
                                         .origin = values.front().source->mark.origin()});
    }
    reporter.report(rule, evidence);
  }

  // The private values that go to a place which only a request named, and the user handed nothing
  // over.
  [[nodiscard]] std::vector<session::PrivateValue> carried_out(const Event& event,
                                                               const EventContext& context) const {
    const flow::Carried* destination = session::foreign_destination(event, context);
    if (destination == nullptr || !session::named_by_request_alone(*destination)) return {};
    const auto& obeying = context.flow->obeying;
    const bool handed_over = obeying && obeying->delegation != flow::Delegation::kNone &&
                             obeying->points < flow::kObeysPoints;
    if (handed_over) return {};
    return session::private_values(event, context, destination, options_.hidden_bytes_max);
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("scan_bytes_max", 0, 65'536, &options.scan_bytes_max);
  reader.number("hidden_bytes_max", 0, 65'536, &options.hidden_bytes_max);
  return std::make_unique<RuleOfTwo>(options);
}

}  // namespace

extern constinit const DetectorSpec rule_of_two_spec;
constinit const DetectorSpec rule_of_two_spec{
    .id = "rule_of_two", .rules = kRules, .metrics = kMetrics, .make = &make};

}  // namespace tocsin
