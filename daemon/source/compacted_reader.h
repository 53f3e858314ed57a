// Reads one partition of a compacted topic from its beginning to its present end.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "daemon/source/denials.h"
#include "daemon/source/kafka_client.h"

namespace tocsin {

// Not thread-safe.
class CompactedReader {
 public:
  // In the order written; committed records only.  No payload: the key was deleted.
  using Visit = std::function<void(std::string_view key, const std::string_view* payload)>;

  static std::expected<std::unique_ptr<CompactedReader>, std::string> create(
      const kafka::Properties& kafka, std::string_view name);
  CompactedReader(const CompactedReader&) = delete;
  CompactedReader& operator=(const CompactedReader&) = delete;
  ~CompactedReader() = default;

  // Up to the end that the partition has when this is called, transactions that are not decided
  // included: it waits for those.  The error says why it could not, within `limit`, or soon after
  // it was told to stop.
  std::expected<void, std::string> read(const std::string& topic, std::int32_t partition,
                                        std::chrono::milliseconds limit,
                                        const std::stop_token& stop, const Visit& visit);

  // What the brokers do not let it read.
  [[nodiscard]] const kafka::Denials& denials() const { return denials_; }

 private:
  CompactedReader() = default;
  // The text of an error; a refusal is remembered.
  std::string fail(std::string_view what, const std::string& topic, rd_kafka_resp_err_t error);

  kafka::Denials denials_;
  kafka::Handle handle_;  // reads what is committed
  kafka::Handle all_;     // knows the end of all
};

}  // namespace tocsin
