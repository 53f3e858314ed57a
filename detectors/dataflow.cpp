// Values that a call took from what the agent read: where it sends to, and what it sends there.

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "detectors/detector.h"
#include "detectors/flow/tracker.h"
#include "detectors/session/outflow.h"
#include "detectors/session/trace.h"

namespace tocsin {
namespace {

using flow::Carried;
using flow::Delegation;
using session::PrivateValue;

constexpr std::array<std::string_view, 5> kOutTags = {"owasp:LLM02", "owasp:ASI01", "owasp:LLM06",
                                                      "atlas:AML.T0086", "nist:MS-2.7-001"};
constexpr std::array<std::string_view, 4> kTaintTags = {"owasp:ASI01", "owasp:LLM06",
                                                        "atlas:AML.T0051.001", "nist:MS-2.7-001"};
enum Rules : std::size_t {
  kPrivateOutSure,
  kPrivateOutLikely,
  kPrivateOut,
  kHiddenOut,
  kDestination,
  kDestinationMeant,
  kTakenOver
};
constexpr std::array<DetectorRule, 7> kRules = {{
    {.id = "dataflow.private-data-out",
     .title = "Private data goes to a destination that only an instruction in content named",
     .severity = Severity::kHigh,
     .category = Category::kExfiltration,
     .tags = kOutTags},
    {.id = "dataflow.private-data-out",
     .title = "Private data goes to a destination that only a request in content named",
     .severity = Severity::kMedium,
     .category = Category::kExfiltration,
     .tags = kOutTags},
    {.id = "dataflow.private-data-out",
     .title = "Private data goes to a destination that was found in content",
     .severity = Severity::kLow,
     .category = Category::kExfiltration,
     .tags = kOutTags},
    {.id = "dataflow.private-data-hidden",
     .title = "An outward call carries private data in a form that hides it",
     .severity = Severity::kLow,
     .category = Category::kExfiltration,
     .tags = kOutTags},
    {.id = "dataflow.untrusted-destination",
     .title = "Something is sent to a destination that only content named, and not the user",
     .severity = Severity::kLow,
     .category = Category::kExfiltration,
     .tags = kTaintTags},
    {.id = "dataflow.untrusted-destination",
     .title =
         "Something is sent to a destination in content that the user pointed to or handed over",
     .severity = Severity::kInfo,
     .category = Category::kExfiltration,
     .tags = kTaintTags},
    {.id = "dataflow.taken-over",
     .title = "An act takes over values from content that others may have written",
     .severity = Severity::kInfo,
     .category = Category::kUnsafeTool,
     .tags = kTaintTags},
}};

struct Options {
  // Of what binds the call to the instruction (detectors/flow/judge.h).
  double points_high = flow::kObeysPoints;
  double points_medium = flow::kMayObeyPoints;
  std::size_t hidden_bytes_max = 16384;  // of an argument, in which hidden values are looked for
  std::size_t evidence_max = 4;          // values shown
};

class State : public DetectorState {
 public:
  [[nodiscard]] std::size_t bytes() const override { return sizeof(*this); }
};

// Pieces of evidence, as views into the call and what was found in it.
class Pieces {
 public:
  explicit Pieces(std::size_t pieces_max) : pieces_max_(pieces_max) {}

  void add(std::string_view path, std::string_view text, std::string_view decoded,
           const flow::Source& source) {
    const bool known = std::ranges::any_of(
        pieces_, [&](const Piece& piece) { return piece.text == text && piece.path == path; });
    if (known || pieces_.size() >= pieces_max_) return;
    pieces_.push_back(
        {.path = path, .text = text, .decoded = decoded, .origin = source.mark.origin()});
  }
  void add(const Carried& value) { add(value.path, value.value, {}, *value.source); }
  void add(const PrivateValue& value) { add(value.path, value.text, value.decoded, *value.source); }
  void report(Rules rule, Reporter& reporter) const {
    std::vector<std::string> fields;
    for (const Piece& piece : pieces_) {
      fields.push_back(session::field_of("tool.arguments", piece.path));
    }
    std::vector<EvidenceView> views;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      const Piece& piece = pieces_[i];
      views.push_back({.field = fields[i],
                       .text = piece.text,
                       .decoded = piece.decoded,
                       .origin = piece.origin});
    }
    reporter.report(rule, views);
  }
  [[nodiscard]] bool empty() const { return pieces_.empty(); }

 private:
  struct Piece {
    std::string_view path;
    std::string_view text;
    std::string_view decoded;
    OriginView origin;
  };
  std::size_t pieces_max_;
  std::vector<Piece> pieces_;
};

class Dataflow : public Detector {
 public:
  explicit Dataflow(const Options& options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& /*state*/,
                Reporter& reporter) const override {
    if (event.type != EventType::kToolCall || !context.flow->sink) return;
    const session::Way way = session::way_out(event, context);
    if (way == session::Way::kNone || !report_outflow(event, context, way, reporter)) {
      report_taken_over(*context.flow, reporter);
    }
  }

 private:
  // False: nothing to be said of where the call goes.
  bool report_outflow(const Event& event, const EventContext& context, session::Way way,
                      Reporter& reporter) const {
    const flow::Flow& flow = *context.flow;
    const Carried* destination = session::foreign_destination(event, context);
    std::vector<PrivateValue> values =
        session::private_values(event, context, destination, options_.hidden_bytes_max);
    Pieces pieces(options_.evidence_max);
    if (destination == nullptr) {
      std::erase_if(values, [](const PrivateValue& value) { return !value.hidden(); });
      for (const PrivateValue& value : values) pieces.add(value);
      if (!values.empty()) pieces.report(kHiddenOut, reporter);
      return !values.empty();
    }
    pieces.add(*destination);
    // What stands beside the destination is its owner's, unless the destination came in by way of
    // a request.
    if (!session::named_by_request_alone(*destination)) {
      std::erase_if(values, [&](const PrivateValue& value) {
        return value.source == destination->source && !value.hidden();
      });
    }
    for (const PrivateValue& value : values) pieces.add(value);
    if (!values.empty()) {
      pieces.report(how_sure(flow, *destination), reporter);
      return true;
    }
    if (way != session::Way::kSend) return false;
    const bool meant = is_meant(flow, *destination);
    pieces.report(meant ? kDestinationMeant : kDestination, reporter);
    return true;
  }

  // The user handed over what the text asks for, or pointed to a text that just holds the
  // destination.  One that overrides the user is never meant.
  [[nodiscard]] bool is_meant(const flow::Flow& flow, const Carried& destination) const {
    if (flow.obeying && flow.obeying->points >= options_.points_high) return false;
    if (flow.obeying && flow.obeying->delegation == Delegation::kActs) return true;
    return session::pointed_to(*destination.source) &&
           !session::named_by_request_alone(destination);
  }

  [[nodiscard]] Rules how_sure(const flow::Flow& flow, const Carried& destination) const {
    if (!session::named_by_request_alone(destination) || !flow.obeying) return kPrivateOut;
    const flow::Obeying& obeying = *flow.obeying;
    // Of a command no part is declared as destination.
    const bool bound = obeying.link.destination || obeying.link.derived ||
                       (obeying.link.identifier && obeying.path == destination.path);
    if (!bound) return kPrivateOut;
    // So many points are left by what was handed over only to a text that overrides the user.
    if (obeying.points >= options_.points_high) return kPrivateOutSure;
    const bool likely =
        obeying.points >= options_.points_medium && obeying.delegation == Delegation::kNone;
    return likely ? kPrivateOutLikely : kPrivateOut;
  }

  void report_taken_over(const flow::Flow& flow, Reporter& reporter) const {
    Pieces pieces(options_.evidence_max);
    for (const Carried& value : flow.carried) {
      if (value.source->untrusted) pieces.add(value);
    }
    if (!pieces.empty()) pieces.report(kTakenOver, reporter);
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  constexpr unsigned kPointsMax = 15;
  reader.number("points_high", 1, kPointsMax, &options.points_high);
  reader.number("points_medium", 1, kPointsMax, &options.points_medium);
  reader.number("hidden_bytes_max", 0, 65'536, &options.hidden_bytes_max);
  reader.number("evidence_max", 1, 16, &options.evidence_max);
  return std::make_unique<Dataflow>(options);
}

}  // namespace

extern constinit const DetectorSpec dataflow_spec;
constinit const DetectorSpec dataflow_spec{.id = "dataflow", .rules = kRules, .make = &make};

}  // namespace tocsin
