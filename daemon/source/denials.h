// What the brokers refuse us, told as an operator needs it: who asked, and what to look at.
//
// A refusal is not an outage: no retry of ours ends it.  It stays until there is proof of the
// contrary, so that a readiness probe says why nothing is read or written.
#pragma once

#include <librdkafka/rdkafka.h>

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/log.h"
#include "daemon/source/kafka_client.h"

namespace tocsin::kafka {

// Credentials, certificates or permissions are at fault: people must put it right.
bool is_denial(rd_kafka_resp_err_t error);

// The same, for the error that a client reports with a text: one whose certificate the broker does
// not take is told so after the handshake, as if the line were bad.
rd_kafka_resp_err_t cause_of(rd_kafka_resp_err_t error, std::string_view text);

// As whom `properties` make us known: "user tocsin", "the token in /run/token", ...
std::string identity_of(const Properties& properties);

// What this librdkafka cannot do of what `properties` ask for; empty: nothing.
std::string scram_caveat(const Properties& properties);

// Thread-safe: the client's owner writes, the probe reads.
class Denials {
 public:
  // Whom the log and the probe name; to be called before the client is made.
  void identify(const Properties& properties) {
    identity_ = identity_of(properties);
    caveat_ = scram_caveat(properties);
  }

  // Remembers and logs, sampled, that `error` keeps us from `area`.  `area` is one of a bounded
  // set: "connection", "group G", "topic T", "transaction".  `verb` is the operation that an ACL
  // must allow ("Read"), `detail` what the client library says.
  void refused(std::string_view area, rd_kafka_resp_err_t error, std::string_view verb,
               std::string_view detail);
  // It works now.
  void allowed(std::string_view area);

  [[nodiscard]] bool any() const;
  [[nodiscard]] bool holds(std::string_view area) const;
  // A line each.
  [[nodiscard]] std::vector<std::string> list() const;

 private:
  std::string identity_;
  std::string caveat_;
  log::Sampler sampler_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> refused_;  // by area
};

}  // namespace tocsin::kafka
