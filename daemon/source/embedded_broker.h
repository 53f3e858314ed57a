// librdkafka's mock cluster: a Kafka broker inside this process, reached through the ordinary
// client.  For the demo and the integration tests; it keeps 5 MiB a partition and forgets
// everything at exit.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "daemon/source/kafka_client.h"

struct rd_kafka_mock_cluster_s;

namespace tocsin {

class EmbeddedBroker {
 public:
  static std::expected<std::unique_ptr<EmbeddedBroker>, std::string> start();
  EmbeddedBroker(const EmbeddedBroker&) = delete;
  EmbeddedBroker& operator=(const EmbeddedBroker&) = delete;
  ~EmbeddedBroker();

  // False when it exists.
  bool create_topic(const std::string& topic, int partitions);
  [[nodiscard]] std::string bootstrap_servers() const;

  // The broker as if it had crashed, and back again with its data.
  void go_down();
  void come_up();

  // For what only tests want, such as errors on purpose (librdkafka/rdkafka_mock.h).
  [[nodiscard]] rd_kafka_mock_cluster_s* mock() const { return cluster_; }

 private:
  EmbeddedBroker() = default;

  kafka::Handle handle_;
  rd_kafka_mock_cluster_s* cluster_ = nullptr;
};

}  // namespace tocsin
