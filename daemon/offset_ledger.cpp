#include "daemon/offset_ledger.h"

#include <utility>

#include "daemon/check.h"

namespace tocsin {

OffsetLedger::Batch& OffsetLedger::batch(Ticket ticket) {
  CHECK(ticket >= first_);
  CHECK(ticket - first_ < batches_.size());
  return batches_[ticket - first_];
}

OffsetLedger::Ticket OffsetLedger::open() {
  batches_.emplace_back();
  return first_ + batches_.size() - 1;
}

void OffsetLedger::cover(Ticket ticket, Position position) {
  batch(ticket).positions.push_back(std::move(position));
}

void OffsetLedger::expect(Ticket ticket) {
  ++batch(ticket).waiting;
  ++outstanding_;
}

void OffsetLedger::delivered(Ticket ticket) {
  Batch& done = batch(ticket);
  CHECK(done.waiting > 0);
  CHECK(outstanding_ > 0);
  --done.waiting;
  --outstanding_;
  settle();
}

void OffsetLedger::close(Ticket ticket) {
  batch(ticket).closed = true;
  settle();
}

void OffsetLedger::settle() {
  while (!batches_.empty() && batches_.front().closed && batches_.front().waiting == 0) {
    for (Position& position : batches_.front().positions) {
      settled_.insert_or_assign(position.at, position);
    }
    batches_.pop_front();
    ++first_;
  }
}

std::vector<Position> OffsetLedger::take_settled() {
  std::vector<Position> out;
  out.reserve(settled_.size());
  for (auto& [at, position] : settled_) out.push_back(std::move(position));
  settled_.clear();
  return out;
}

void OffsetLedger::forget(const TopicPartition& at) {
  settled_.erase(at);
  for (Batch& waiting : batches_) {
    std::erase_if(waiting.positions, [&](const Position& position) { return position.at == at; });
  }
}

}  // namespace tocsin
