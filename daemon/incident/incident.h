// An incident: the findings that belong together, what they touched, and how long each step of the
// answer took.
//
// Everything in it is a sum, an extreme or a set of what it was told, so that it does not matter in
// which order findings of different sessions and control events came.  Sets are bounded; only
// beyond a bound (each is counted in a `more`) does the order decide what is kept.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "daemon/finding.h"
#include "daemon/incident/finding_summary.h"

namespace tocsin::incident {

// How an incident stands.  What was acknowledged may still be open.
enum class State : std::uint8_t {
  kOpen,
  kContained,  // a containment was done, and nothing at high or above came after it
  kEnded,      // nobody contained it; its sessions went silent
  kClosed,     // a person said that it was none, or that the risk is accepted
  kMerged,     // it was found to be part of another one
};
inline constexpr std::size_t kStateCount = 5;
std::span<const std::string_view> state_names();
std::string_view name_of(State state);

// Bounds of one incident.  Together they keep its JSON below Kafka's default of 1 MB.
inline constexpr std::size_t kSessionsMax = 96;
inline constexpr std::size_t kSessionIdsMax = 2;         // incident ids of one session
inline constexpr std::size_t kSessionSourcesMax = 3;     // partitions one session is read from
inline constexpr std::size_t kSessionIndicatorsMax = 8;  // that link
inline constexpr std::size_t kIdsAtOffsetMax = 16;
inline constexpr std::size_t kRulesMax = 48;
inline constexpr std::size_t kChainMax = 24;
inline constexpr std::size_t kTouchedMax = 32;  // tenants, tools, destinations: of each
inline constexpr std::size_t kContainmentsMax = 16;
inline constexpr std::size_t kVerdictsMax = 16;
inline constexpr std::size_t kEscalationMax = 64;

// A set of names: the first kTouchedMax to come, sorted, and how often another one was named.
struct Touched {
  std::vector<std::string> names;
  std::uint64_t more = 0;

  void add(const std::string& name);
  void add(const Touched& others);
  bool operator==(const Touched&) const = default;
};

// The findings of one rule.
struct RuleFold {
  std::string rule;
  Category category = Category::kUnsafeTool;
  Severity severity = Severity::kMedium;  // the highest
  std::uint64_t count = 0;
  EventTime first_time{};
  EventTime last_time{};
  Position first_source;
  Position last_source;

  bool operator==(const RuleFold&) const = default;
};

// One finding of the causal chain.
struct Step {
  std::string finding_id;
  std::string event_id;
  std::string session_id;
  std::uint64_t seq = 0;
  EventType type = EventType::kToolCall;
  std::string tool;
  std::string rule;
  std::string title;
  Severity severity = Severity::kMedium;
  EventTime time{};
  std::string origin_event_id;  // what it came from: an earlier event; may be empty
  std::string origin_tool;
  std::vector<Indicator> targets;
  Position source;

  bool operator==(const Step&) const = default;
};

// When a session used an indicator.
struct Sighting {
  Indicator indicator;
  EventTime first{};
  EventTime last{};

  bool operator==(const Sighting&) const = default;
};

// How far a session's findings were taken from one partition; they come in order there.
struct SourceMark {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::vector<std::string> finding_ids;  // taken at that offset: 16 hex digits of their SHA-256

  bool operator==(const SourceMark&) const = default;
};

// An id that the incident has by one of its sessions, and the time of the first finding with it.
struct KnownId {
  EventTime opened{};
  std::string incident_id;
  auto operator<=>(const KnownId&) const = default;
};

struct SessionPart {
  std::string session_id;
  std::vector<KnownId> ids;  // sorted, at least one
  std::vector<SourceMark> sources;
  std::vector<Sighting> sightings;

  bool operator==(const SessionPart&) const = default;
};

// What somebody did about it.
struct ContainmentDone {
  EventTime time{};
  ContainmentAction action = ContainmentAction::kKillSession;
  bool done = false;  // false: it failed
  std::string by;
  bool broken_said = false;  // that misuse went on after it was told in a finding

  bool operator==(const ContainmentDone&) const = default;
};

struct Acknowledged {
  EventTime time{};
  std::string by;
  auto operator<=>(const Acknowledged&) const = default;
};

struct VerdictGiven {
  EventTime time{};
  std::string by;
  Judgement judgement = Judgement::kTruePositive;
  auto operator<=>(const VerdictGiven&) const = default;
};

enum class RequestState : std::uint8_t {
  kRequested,
  kAcknowledged,  // a containment event said that it was done
  kFailed,        // ... that it was tried in vain
  kTimedOut,      // nobody said anything
  kDryRun,        // it was not asked for, and would have been
};
inline constexpr std::size_t kRequestStateCount = 5;
std::span<const std::string_view> request_state_names();
std::string_view name_of(RequestState state);

// A containment that tocsin asks for; at most one an incident and action.
struct ContainmentRequest {
  ContainmentAction action = ContainmentAction::kKillSession;
  RequestState state = RequestState::kRequested;
  EventTime time{};     // of the request
  EventTime changed{};  // of the state

  bool operator==(const ContainmentRequest&) const = default;
};

struct Incident {
  std::string incident_id;  // the least of its sessions' ids, by time and then by id
  std::string system;
  State state = State::kOpen;
  std::string merged_into;  // of kMerged; such a one holds little else
  Severity severity = Severity::kMedium;
  // The highest severity by category, of those that occurred.
  std::array<std::optional<Severity>, kCategoryCount> categories{};

  // The clocks, in event time.  Misuse: a finding at medium and above.
  EventTime first_misuse{};
  EventTime detected{};  // when the first misuse was
  std::optional<Acknowledged> acknowledged;
  std::optional<EventTime> contained;  // by the first containment that held
  EventTime last_misuse{};
  std::optional<EventTime> last_unsafe;  // the last at high and above
  std::optional<EventTime> ended;        // of kEnded: when its sessions counted as over
  std::uint64_t reopened = 0;            // containments after which something at high followed

  std::uint64_t findings = 0;   // at medium and above
  std::uint64_t context = 0;    // below, in its sessions
  std::vector<RuleFold> rules;  // by name
  std::uint64_t more_rules = 0;
  // In order of time: the first and the last, and of each severity, rule, tool, session and set of
  // targets the first, of which the most severe are kept.
  std::vector<Step> chain;
  std::vector<SessionPart> sessions;  // by id
  Touched tenants;
  Touched tools;
  Touched destinations;  // keyed hashes of destinations and accounts

  std::string owner;
  std::string contact;
  std::vector<std::string> escalation;
  std::vector<ContainmentDone> containments;  // in order of time, the latest
  std::vector<VerdictGiven> verdicts;         // in order of time, the latest
  std::vector<ContainmentRequest> requests;

  [[nodiscard]] SessionPart* session(std::string_view session_id);
  bool operator==(const Incident&) const = default;
};

// When silence counts as the end.
struct Watch {
  EventTime now{};  // the latest event time anybody has seen
  std::chrono::seconds idle{1800};
};

// Takes a finding at medium or above into the facts; sessions are the table's affair.
void absorb(Incident& incident, const FindingSummary& finding);
// Takes in everything of another incident of the same system.
void absorb(Incident& incident, Incident&& other);
// True when it is new.  Beyond the bound the earliest is forgotten.
bool absorb(Incident& incident, ContainmentDone containment);
bool absorb(Incident& incident, const VerdictGiven& verdict);
bool absorb(Incident& incident, const Acknowledged& acknowledged);  // the earliest counts

// What follows from the facts: state, contained, ended, reopened.
void settle(Incident& incident, const Watch& watch);

// Whether something at high or above came after a containment that was done.
bool is_broken(const Incident& incident, const ContainmentDone& containment);

// The incident's least id.
const KnownId& least_id(const Incident& incident);

// Memory held, roughly.
std::size_t bytes_of(const Incident& incident);

}  // namespace tocsin::incident
