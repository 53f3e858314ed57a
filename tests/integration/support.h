// What the integration tests share: an embedded broker seen from outside, workers on threads, an
// HTTP client.
//
// Nothing waits a fixed time: `eventually` polls until a deadline.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/config.h"
#include "daemon/metrics/registry.h"
#include "daemon/pipeline.h"
#include "daemon/policy.h"
#include "daemon/source/embedded_broker.h"
#include "daemon/worker.h"

namespace tocsin::testing {

inline constexpr std::chrono::seconds kPatience{20};

// Polls until `done` holds; false when time ran out.
bool eventually(const std::function<bool()>& done, std::chrono::milliseconds limit = kPatience);

struct Message {
  std::string key;
  std::string payload;
  std::map<std::string, std::string> headers;
  std::int32_t partition = 0;
};

struct Committed {
  std::int64_t offset = 0;
  std::string metadata;
  bool operator==(const Committed&) const = default;
};

// An embedded broker with three topics, and what a client sees of it from outside.
class Cluster {
 public:
  static constexpr const char* kEvents = "events";
  static constexpr const char* kFindings = "findings";
  static constexpr const char* kDeadLetters = "dead-letters";
  static constexpr const char* kControl = "control";
  static constexpr const char* kIncidents = "incidents";
  static constexpr const char* kJudgements = "judgements";

  explicit Cluster(int event_partitions = 1);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;
  ~Cluster();

  [[nodiscard]] EmbeddedBroker& broker() { return *broker_; }
  [[nodiscard]] Config config(const std::string& group = "tocsin") const;

  // Appends records to a partition of the event topic and waits until the broker has them.
  void produce(std::span<const std::string> payloads, std::int32_t partition = 0);
  void produce(std::initializer_list<std::string> payloads, std::int32_t partition = 0) {
    produce(std::span(payloads.begin(), payloads.size()), partition);
  }

  // Everything a topic holds now.
  [[nodiscard]] std::vector<Message> read(const std::string& topic);

  // What a group has committed, and committing by hand in its name: only before it has members.
  [[nodiscard]] std::optional<Committed> committed(std::int32_t partition = 0,
                                                   const std::string& group = "tocsin");
  void commit(const std::string& group, std::int32_t partition, const Committed& position);

  // The next `count` Produce requests are refused.
  void refuse_produce(std::size_t count = 10'000);
  void accept_produce();

 private:
  kafka::Handle& group_client(const std::string& group);

  std::unique_ptr<EmbeddedBroker> broker_;
  kafka::Handle producer_;
  kafka::Handle reader_;
  std::map<std::string, kafka::Handle> group_clients_;
};

// One native event as JSON; `time` is the time of day of a fixed date.
std::string output_json(std::string_view text, std::string_view session,
                        std::string_view time = "08:00:00", std::string_view system = "bot");
// A tool call that is equal to every other with the same arguments.
std::string call_json(std::string_view session, std::string_view time = "08:00:00");

// One pack with the rule `test.word`, high, which finds "forbidden" in an output; the detectors as
// they come; the profile of the system `bot`.
std::shared_ptr<const Policy> test_policy();

// The finding ids that a pipeline gives for the records of each partition.
std::set<std::string> expected_ids(
    const std::map<std::int32_t, std::vector<std::string>>& partitions);
// Those in a topic's messages.
std::set<std::string> ids_of(const std::vector<Message>& findings);

// The sum of a family's samples that carry all of these labels; nothing when there is none.
std::optional<double> metric(metrics::Registry& registry, std::string_view family,
                             const metrics::Labels& labels = {});

// A worker on its thread.  `config` and `registry` must outlive it.
class RunningWorker {
 public:
  RunningWorker(const Config& config, metrics::Registry& registry, std::size_t number = 0);
  RunningWorker(const RunningWorker&) = delete;
  RunningWorker& operator=(const RunningWorker&) = delete;
  ~RunningWorker() { stop(); }

  // What `Worker::run` returned.
  bool stop();

 private:
  std::unique_ptr<Worker> worker_;
  bool clean_ = false;
  std::jthread thread_;
};

struct HttpAnswer {
  int status = 0;  // 0: no answer
  std::string headers;
  std::string body;
};

// A connection to 127.0.0.1 that does what it is told.
class HttpConnection {
 public:
  explicit HttpConnection(std::uint16_t port);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  ~HttpConnection();

  // False: the server has hung up.
  bool send(std::string_view bytes) const;
  // Reads until the server hangs up, or `limit` is over.
  [[nodiscard]] HttpAnswer receive(std::chrono::milliseconds limit = kPatience) const;

 private:
  int socket_ = -1;
};

HttpAnswer http(std::uint16_t port, std::string_view method, std::string_view path);

}  // namespace tocsin::testing
