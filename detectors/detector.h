// The interface of a heuristic detector.
//
// A detector is one file `detectors/<id>.cpp` that defines `constinit const DetectorSpec
// <id>_spec`, one catalogue entry `detectors/<id>.md` and one test
// `tests/unit/detectors/<id>_test.cpp`; nothing else is edited.  The build collects them
// (CMakeLists.txt) into `detector_specs()`.
//
// A detector is immutable options plus one small state object a session, and where it needs one, a
// bounded state object a system and partition.  It has no clock (now is the event's time), no lock,
// no log and no map of sessions; the session table owns its state and expires it.  Detectors see
// others' findings in `on_findings` alone, and never those made there, so their order does not
// matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/event.h"
#include "daemon/finding.h"
#include "daemon/profile/effect.h"
#include "daemon/profile/system_profile.h"
#include "daemon/yaml/document.h"
#include "detectors/session/acts.h"

namespace tocsin::flow {
struct Flow;
}

namespace tocsin {

// What is known about the tool of a tool_call or tool_result.
struct ToolContext {
  const ToolProfile* declared =
      nullptr;                    // null: the profile does not list it, or there is no profile
  Effect effect = Effect::kRead;  // declared, else inferred
  bool inferred = true;
};

class SystemState;

struct EventContext {
  const SystemProfile* profile = nullptr;  // null: an unknown system
  ToolContext tool;
  SystemState* system_state = nullptr;  // what this detector remembers of the system, when it does
  std::uint64_t seq = 0;                // the event's, or its place in the session by arrival
  // What the event does with what was said in its session before (detectors/flow/tracker.h); null
  // for an event of no session, which no detector sees.
  const flow::Flow* flow = nullptr;
  session::ActsOnce acts;  // of a tool_call; session::acts_of gives them
};

// Evidence as a detector gives it: views into the event or the detector's state, masked by the
// receiver.
struct EvidenceView {
  std::string_view field;
  std::string_view text;
  std::string_view decoded{};  // through which decodings it was seen: "base64+url"
  std::optional<OriginView> origin{};
};

// A piece of a rule's message; what comes from the event is masked like evidence.
struct MessageView {
  std::string_view text;
  bool masked = false;
};

// Where findings go.  `rule` is the position in the reporter's own list of rules.
class Reporter {
 public:
  void report(std::size_t rule, std::span<const EvidenceView> evidence) {
    report(rule, evidence, {});
  }
  virtual void report(std::size_t rule, std::span<const EvidenceView> evidence,
                      std::span<const MessageView> message) = 0;
  // One more of the detector's counter `metric` (its position in DetectorSpec::metrics).
  virtual void count(std::size_t /*metric*/, std::string_view /*label*/) {}

 protected:
  ~Reporter() = default;
};

// What one detector remembers of one session.
class DetectorState {
 public:
  DetectorState() = default;
  DetectorState(const DetectorState&) = delete;
  DetectorState& operator=(const DetectorState&) = delete;
  virtual ~DetectorState() = default;

  // Memory held, itself included.  Bounded by the detector, whatever the session does.
  [[nodiscard]] virtual std::size_t bytes() const = 0;
};

// What one detector remembers of one system, over all its sessions on one partition.
//
// It is rebuilt like sessions by reading again: what is older than `session.idle_seconds` is lost
// when the partition changes hands, and learning starts anew.  It stays when a policy is reloaded.
class SystemState {
 public:
  // Takes the values of the detector's gauges: position in DetectorSpec::metrics, label, value.
  using GaugeSink = std::function<void(std::size_t, std::string_view, double)>;

  SystemState() = default;
  SystemState(const SystemState&) = delete;
  SystemState& operator=(const SystemState&) = delete;
  virtual ~SystemState() = default;

  // Memory held, itself included.  Bounded by the detector, whatever the traffic is.
  [[nodiscard]] virtual std::size_t bytes() const = 0;
  // What the gauges stand at.
  virtual void gauges(const GaugeSink& /*sink*/) const {}
};

// A finding of the event in hand, whoever made it.
struct FoundRule {
  std::string_view id;
  Severity severity;
  Category category;
};

class Detector {
 public:
  Detector() = default;
  Detector(const Detector&) = delete;
  Detector& operator=(const Detector&) = delete;
  virtual ~Detector() = default;

  [[nodiscard]] virtual std::unique_ptr<DetectorState> new_state() const = 0;
  virtual void on_event(const Event& event, const EventContext& context, DetectorState& state,
                        Reporter& reporter) const = 0;

  // Null: it remembers nothing of systems.
  [[nodiscard]] virtual std::unique_ptr<SystemState> new_system_state() const { return nullptr; }
  // Called once an event, after rules, detectors and correlations, with all that they found; for
  // detectors that judge by what was found.
  virtual void on_findings(const Event& /*event*/, const EventContext& /*context*/,
                           std::span<const FoundRule> /*findings*/, DetectorState& /*state*/,
                           Reporter& /*reporter*/) const {}
};

// One thing a detector can report.  The same id may stand twice with different severities.
struct DetectorRule {
  std::string_view id;  // "<detector>.<what>"
  std::string_view title;
  Severity severity;
  Category category;
  std::span<const std::string_view> tags;
};

// A metric of a detector's own, by system and one label whose values come from the traffic.  A
// system's first `labels_max` values have series of their own, all others share the value "other".
struct DetectorMetric {
  // kGauge: of several partitions the largest value is exported; kLevel: a gauge whose values of
  // several partitions add up.
  enum class Kind : std::uint8_t { kCounter, kGauge, kLevel };
  Kind kind;
  std::string_view name;
  std::string_view help;
  std::string_view label;
  std::size_t labels_max;
};

struct DetectorSpec {
  std::string_view id;  // equals the file's name
  std::span<const DetectorRule> rules;
  std::span<const DetectorMetric> metrics{};
  // Reads the options (the map under `detectors.<id>` of the configuration; mistakes go to the
  // reader's diagnostics) and makes the detector.
  std::unique_ptr<const Detector> (*make)(yaml::MapReader& options);
};

// Every detector there is, by id.  Written by the build.
std::span<const DetectorSpec* const> detector_specs();

}  // namespace tocsin
