// Follows a compacted topic as a whole: every partition from its beginning, and whatever is written
// to it later.  For what every process must know, whichever partitions it has.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/source/kafka_client.h"

namespace tocsin {

// Not thread-safe.
class CompactedFollower {
 public:
  // In the order written within a partition; committed records only.  No payload: the key was
  // deleted.  A key may be told again as it is.
  using Visit = std::function<void(std::int32_t partition, std::string_view key,
                                   const std::string_view* payload)>;

  static std::expected<std::unique_ptr<CompactedFollower>, std::string> create(
      const kafka::Properties& kafka, std::string topic, std::string_view name);
  CompactedFollower(const CompactedFollower&) = delete;
  CompactedFollower& operator=(const CompactedFollower&) = delete;
  ~CompactedFollower() = default;

  // Waits up to `wait` for something new.  The error says why nothing can be read now; the next
  // call tries again.
  std::expected<void, std::string> poll(std::chrono::milliseconds wait, const Visit& visit);

 private:
  using Clock = std::chrono::steady_clock;

  explicit CompactedFollower(std::string topic) : topic_(std::move(topic)) {}
  std::expected<void, std::string> look_for_partitions(std::chrono::milliseconds wait);

  std::string topic_;
  kafka::Handle handle_;
  std::size_t partitions_ = 0;
  Clock::time_point ask_at_;  // for the partitions, which may become more
};

}  // namespace tocsin
