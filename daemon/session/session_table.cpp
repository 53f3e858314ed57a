#include "daemon/session/session_table.h"

#include <algorithm>

#include "daemon/check.h"

namespace tocsin {
namespace {

// A session's share of the list, the index and the set, measured once with malloc_usable_size and
// rounded up.
constexpr std::size_t kBookkeepingBytes = 320;

}  // namespace

Session& SessionTable::touch(const Event& event, std::int64_t offset) {
  key_.assign(event.system).append(1, '\0').append(event.session_id);
  if (watermark_.see(event.time, hash64(key_))) {
    for (Session& session : sessions_) session.watermark_at_touch = watermark_.now();
  }
  drop_idle();
  if (const auto found = index_.find(key_); found != index_.end()) {
    const auto at = found->second;
    if (event.time - at->last_time <= idle_) {
      sessions_.splice(sessions_.end(), sessions_, at);
      at->last_time = std::max(at->last_time, event.time);
      at->watermark_at_touch = watermark_.now();
      ++at->arrivals;
      return *at;
    }
    drop(at);
    ++expired_;
  }
  Session& session = sessions_.emplace_back(key_);
  session.arrivals = 1;
  session.last_time = event.time;
  session.watermark_at_touch = watermark_.now();
  session.first_offset = offset;
  index_.emplace(session.key, std::prev(sessions_.end()));
  first_offsets_.insert(offset);
  update_bytes(session);
  return session;
}

void SessionTable::update_bytes(Session& session) {
  std::size_t bytes = kBookkeepingBytes + sizeof(Session) + session.key.capacity() +
                      session.incident_id.capacity() + session.folds.bytes() +
                      session.memory.bytes() +
                      session.states.capacity() * sizeof(session.states[0]) +
                      session.described.capacity() * sizeof(session.described[0]);
  for (const auto& state : session.states) {
    if (state != nullptr) bytes += state->bytes();
  }
  bytes_ = bytes_ - session.bytes + bytes;
  session.bytes = bytes;
}

bool SessionTable::evict_oldest() {
  if (sessions_.size() < 2) return false;
  drop(sessions_.begin());
  return true;
}

std::optional<std::int64_t> SessionTable::oldest_offset() const {
  if (first_offsets_.empty()) return std::nullopt;
  return *first_offsets_.begin();
}

void SessionTable::drop_idle() {
  // Touched longest ago first, and the watermark seldom goes back, for all at once: so the ones to
  // drop stand in front.
  while (!sessions_.empty() && watermark_.now() - sessions_.front().watermark_at_touch > idle_) {
    drop(sessions_.begin());
    ++expired_;
  }
}

void SessionTable::drop(List::iterator session) {
  CHECK(index_.erase(std::string_view(session->key)) == 1);
  first_offsets_.erase(first_offsets_.find(session->first_offset));
  bytes_ -= session->bytes;
  sessions_.erase(session);
}

}  // namespace tocsin
