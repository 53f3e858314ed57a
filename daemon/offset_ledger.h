// Which offsets may be committed: those before which everything has been delivered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "daemon/source/kafka_source.h"

namespace tocsin {

// Batches are opened in order, wait for the deliveries they caused, and settle in order: a batch
// whose deliveries are done holds its offsets back while an earlier one still waits.  Not
// thread-safe.
class OffsetLedger {
 public:
  using Ticket = std::uint64_t;

  Ticket open();
  // After the batch: everything of the partition before `position.next` is part of this batch or of
  // earlier ones.
  void cover(Ticket ticket, Position position);
  // One more delivery that the batch waits for; may be called until its last delivery is confirmed.
  void expect(Ticket ticket);
  void delivered(Ticket ticket);
  // No more `cover` or `expect`: without outstanding deliveries the batch is settled.
  void close(Ticket ticket);

  // The newest settled position of each partition that has moved since the last call.
  std::vector<Position> take_settled();
  // The partition is somebody else's now: its positions are not ours to commit.
  void forget(const TopicPartition& at);

  [[nodiscard]] std::size_t outstanding() const { return outstanding_; }

 private:
  struct Batch {
    std::vector<Position> positions;
    std::size_t waiting = 0;
    bool closed = false;
  };
  Batch& batch(Ticket ticket);
  void settle();

  std::deque<Batch> batches_;  // the front one has ticket `first_`
  Ticket first_ = 0;
  std::map<TopicPartition, Position> settled_;
  std::size_t outstanding_ = 0;
};

}  // namespace tocsin
