// Findings and control events into incidents: the core of stage two.
//
// One table a partition of `tocsin.findings`; its key is the system, so all that concerns one
// incident comes to one table.  No I/O, no clock, not thread-safe: now is the latest event time
// that was seen.
//
// What joins.  A session is one incident; its findings at medium and above are its misuse, lesser
// ones are counted as context once it has any.  Sessions of one system belong together when
// findings at high or above share an indicator (finding.h) within `link` of event time, however
// many steps lie between them.  An indicator that `link_sessions_max` sessions have is ordinary
// life and links no more.
//
// Order.  Findings of one session come in order within each source partition; everything else may
// come in any order and the incidents are the same in the end, as long as no bound is reached.
// What a merged incident was called before depends on the order, what it is now does not: the id of
// its earliest session.  Every id that a finding of it carries leads to it.
//
// Crash.  The caller commits the offsets of findings and control events when the changes are
// delivered, in the order they were told (a merged incident's last record comes after the one that
// took it in), but no control offset at or after `oldest_waiting_offset`.  What is told twice after
// that is recognised by its source offset.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/finding.h"
#include "daemon/incident/containment.h"
#include "daemon/incident/control.h"
#include "daemon/incident/finding_summary.h"
#include "daemon/incident/incident.h"
#include "daemon/incident/limits.h"
#include "daemon/profile/system_profile.h"

namespace tocsin::incident {

// The finding that misuse went on after a containment.
inline constexpr std::string_view kDetector = "incident";
inline constexpr std::string_view kContainmentFailed = "incident.containment-failed";

// What an incident was before a change, for metrics.
struct Before {
  bool known = false;  // false: this is the first that is told of it
  State state = State::kOpen;
  bool acknowledged = false;
};

// Called from within the table's functions, in the order in which to write; references live until
// the call returns.  The table must not be called back.
class Listener {
 public:
  // To be written, under its id.  One that is merged is told after the one that took it in.
  virtual void on_incident(const Incident& incident, const Before& before) = 0;
  // It is remembered no longer; `ids`: all that records may have been written under.
  virtual void on_forgotten(const Incident& incident, std::span<const std::string> ids) = 0;
  // Misuse after a containment; its id depends on system and containment alone.
  virtual void on_containment_failed(const Finding& finding) = 0;
  // To be asked for (not in a dry run).
  virtual void on_request(const Incident& /*incident*/, const ContainmentRequest& /*request*/) {}
  // A person judged a rule by what it found; `what`: the id of the finding, or of the incident, of
  // all whose rules the same is said.
  virtual void on_judgement(std::string_view /*rule*/, std::string_view /*what*/,
                            Judgement /*judgement*/, EventTime /*said*/) {}

 protected:
  ~Listener() = default;
};

// What became of something the table was told.
enum class Outcome : std::uint8_t {
  kApplied,
  kDuplicate,
  kIgnored,  // context without an incident, or a finding of our own
  kWaits,    // a control event whose incident may still come
};

struct Counts {
  std::uint64_t findings = 0;           // applied
  std::uint64_t duplicates = 0;         // findings and control events
  std::uint64_t merged = 0;             // incidents that became part of another
  std::uint64_t common_indicators = 0;  // findings whose indicator links no more
  std::uint64_t joins_refused = 0;      // for want of room in the incident
  std::uint64_t marks_lost = 0;         // ids, sources or sightings of a session beyond its bounds
  std::uint64_t evicted_closed = 0;     // for want of room in the table
  std::uint64_t evicted_open = 0;       // ... though open
  std::uint64_t forgotten = 0;          // after the retention
  std::uint64_t unmatched = 0;          // control events whose incident never came
  std::uint64_t restore_conflicts = 0;  // records that contradict others
};

class IncidentTable {
 public:
  // The profile of a system, or null.  Asked at each change.
  using Profiles = std::function<const SystemProfile*(std::string_view system)>;

  IncidentTable(Limits limits, Profiles profiles);
  IncidentTable(const IncidentTable&) = delete;
  IncidentTable& operator=(const IncidentTable&) = delete;
  ~IncidentTable();

  // Another bound than `limits` had; what is beyond it goes with the next change.
  void limit_bytes(std::size_t bytes_max) { limits_.bytes_max = bytes_max; }

  Outcome apply(const FindingSummary& finding, Listener& listener);
  // The one it names, by any id; else that of its session; else all of its system that began before
  // it.  A verdict on a finding judges its rule and leaves the incident alone.  Its time is taken
  // as it is: the caller sees to it that it is not later than its own clock.
  Outcome apply(const Control& control, Listener& listener);
  // Event time has come so far; it never goes back.  Ends what has gone silent, forgets what is
  // old, gives up what waits: to be called every second or so, and before the incidents are read.
  // The caller sees to it that this is no producer's clock that runs ahead: the lesser of event
  // time and its own.  EventTime::min(): as far as the findings have come.
  void advance(EventTime now, Listener& listener);

  // A record of `tocsin.incidents`, each in the order written, before anything is applied; also
  // older ones of the same id.  Says nothing.
  void restore(Incident incident);
  // A record that was deleted.
  void restore_deleted(std::string_view incident_id);

  // Of the control events that wait; nothing: none does.
  [[nodiscard]] std::optional<std::int64_t> oldest_waiting_offset() const;

  // All that are remembered, by id.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [id, entry] : entries_) visit(entry->incident);
  }
  // By any id it ever had; null: not remembered.
  [[nodiscard]] const Incident* find(std::string_view incident_id) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // Since the last call.
  Counts take_counts() { return std::exchange(counts_, {}); }
  [[nodiscard]] EventTime now() const { return now_; }

 private:
  // What goes first for want of room is the least: closed before open, silent longest, oldest here.
  using Age = std::tuple<bool, EventTime, std::uint64_t>;
  using Due = std::pair<EventTime, std::uint64_t>;
  struct Entry {
    Incident incident;
    Before told;  // what was told last
    std::size_t bytes = 0;
    std::uint64_t number = 0;  // in order of arrival
    // Its keys in `by_age_` and `by_due_`; no number: it stands in neither.
    Age age{};
    Due due{};
  };
  struct Waiting {
    Control control;
    EventTime since{};  // its own time, or when it came if that was later
    bool matched = false;
  };
  // An id that is no incident's own any more, to be told once the one that took it in was.
  struct Retired {
    Incident incident;
    Before told;
  };

  // Findings.
  Entry& entry_for(const FindingSummary& finding, const std::string& session_key);
  bool note_source(SessionPart& part, const FindingSummary& finding);
  void note_id(Entry& entry, SessionPart& part, const FindingSummary& finding);
  void link(Entry& entry, const FindingSummary& finding);
  bool note_sighting(SessionPart& part, const Indicator& indicator, EventTime time,
                     const std::string& session_key);
  void find_linked(const Sighting& own, const std::string& session_key,
                   std::vector<std::string>& linked);
  void merge(Entry& into, Entry& from);
  void rename(Entry& entry);
  void retire(const Incident& incident, const Before& told);
  void finish(Entry& entry, Listener& listener);
  void tell(Entry& entry, Listener& listener);
  void tell_retired(Listener& listener);

  // Control events.
  std::vector<Entry*> matches(const Control& control);
  bool take_control(Entry& entry, const Control& control, Listener& listener);
  void wait_for_match(const Control& control, bool matched);
  void try_waiting(Entry& entry, Listener& listener);

  // Time and room.
  void see(EventTime now) { now_ = std::max(now_, now); }
  void sweep_entry(Entry& entry, Listener& listener);
  void sweep_waiting();
  [[nodiscard]] EventTime due(const Incident& incident) const;
  void queue(Entry& entry);
  void unqueue(Entry& entry);
  void forget(Entry& entry, Listener& listener);
  void keep_within_limits(const Entry& spared, Listener& listener);
  void index(Entry& entry);
  void drop(Entry& entry);
  void update_bytes(Entry& entry);

  Limits limits_;
  Profiles profiles_;
  EventTime now_ = EventTime::min();
  EventTime next_wait_ends_ = EventTime::max();
  std::uint64_t arrivals_ = 0;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_;  // by incident id
  std::map<std::string, Entry*, std::less<>> by_id_;                    // every id
  std::map<Age, Entry*> by_age_;
  std::map<Due, Entry*> by_due_;  // by when something happens to it that nobody told
  std::unordered_map<std::string, Entry*> by_session_;  // system, NUL, session
  // Sessions that have an indicator, by system, NUL, kind and hash.
  std::unordered_map<std::string, std::vector<std::string>> by_indicator_;
  std::deque<Waiting> waiting_;  // in order of arrival
  std::vector<Retired> retired_;
  std::size_t bytes_ = 0;
  Counts counts_;
};

}  // namespace tocsin::incident
