// What is remembered of sessions: bounded in bytes, expired by event time.
//
// One table a partition.  A session lives on one partition (its id is the record key), so its state
// is a function of that partition's records alone, whichever worker or process holds it.  Not
// thread-safe: owned by a worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/event.h"
#include "daemon/profile/effect.h"
#include "daemon/session/folds.h"
#include "daemon/session/watermark.h"
#include "daemon/text.h"
#include "detectors/detector.h"
#include "detectors/flow/memory.h"

namespace tocsin {

struct Session {
  explicit Session(std::string_view session_key) : key(session_key), memory(hash64(session_key)) {}

  std::string key;  // system, NUL, session id
  std::size_t system_index = 0;
  std::uint64_t arrivals = 0;  // events seen; what stands in for a missing `seq`
  std::vector<std::unique_ptr<DetectorState>> states;  // by detector
  // Effects that a description changed from what the name alone says, by hash of the tool's name.
  std::vector<std::pair<std::uint64_t, Effect>> described;
  FindingFolds folds;
  std::string incident_id;  // empty: nothing was found that asks something of a person
  flow::SessionMemory memory;

  // Kept by the table.
  EventTime last_time{};
  EventTime watermark_at_touch{};
  std::int64_t first_offset = 0;
  std::size_t bytes = 0;
};

struct SessionLimits {
  std::chrono::seconds idle{1800};  // in event time
  // Of all workers together, what detectors know of systems included; see state_budget.h.
  std::size_t bytes_max = std::size_t{56} << 20;
};

class SessionTable {
 public:
  explicit SessionTable(std::chrono::seconds idle) : idle_(idle) {}

  // The session of the event, made or renewed when there is none or when the last one has been idle
  // too long.  A session that falls silent is dropped once the partition's event time has moved on
  // by `idle` since it was last touched: measured by what passed, not by comparing clocks, so late
  // and out-of-order sessions keep their state. Pointers stay valid until the next `touch` or
  // `evict_oldest`.
  Session& touch(const Event& event, std::int64_t offset);

  // To be called after the session's state changed.
  void update_bytes(Session& session);

  // Drops the session that was touched longest ago, never the latest one; false when there is no
  // other.
  bool evict_oldest();

  // Calls `visit` with every session; call `update_bytes` for those whose state it changes.
  template <typename Visit>
  void for_each(const Visit& visit) {
    for (Session& session : sessions_) visit(session);
  }

  [[nodiscard]] std::size_t size() const { return sessions_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // How many sessions were dropped as idle since the last call.
  std::uint64_t take_expired() { return std::exchange(expired_, 0); }
  // Events far from the partition's time, see watermark.h; since the last call.
  std::uint64_t take_ahead() { return watermark_.take_ahead(); }
  std::uint64_t take_behind() { return watermark_.take_behind(); }
  // Where reading must start again to rebuild this state: the first record of the oldest session.
  [[nodiscard]] std::optional<std::int64_t> oldest_offset() const;

 private:
  using List = std::list<Session>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const {
      return std::hash<std::string_view>{}(key);
    }
  };

  void drop(List::iterator session);
  void drop_idle();

  std::chrono::seconds idle_;
  List sessions_;  // touched longest ago first
  std::unordered_map<std::string_view, List::iterator, Hash, std::equal_to<>>
      index_;  // keys: Session::key
  std::multiset<std::int64_t> first_offsets_;
  Watermark watermark_;
  std::size_t bytes_ = 0;
  std::uint64_t expired_ = 0;
  std::string key_;  // scratch
};

}  // namespace tocsin
