#include "daemon/source/embedded_broker.h"

#include <librdkafka/rdkafka_mock.h>

#include <array>

namespace tocsin {
namespace {

constexpr int kBrokerId = 1;  // mock brokers count from 1

}  // namespace

std::expected<std::unique_ptr<EmbeddedBroker>, std::string> EmbeddedBroker::start() {
  kafka::Conf conf(rd_kafka_conf_new());
  kafka::route_logs(conf.get());
  std::array<char, 512> error{};
  std::unique_ptr<EmbeddedBroker> broker(new EmbeddedBroker);
  broker->handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), error.data(), error.size()));
  if (broker->handle_ == nullptr) return std::unexpected(std::string(error.data()));
  static_cast<void>(conf.release());  // the handle owns it now
  broker->cluster_ = rd_kafka_mock_cluster_new(broker->handle_.get(), 1);
  if (broker->cluster_ == nullptr) return std::unexpected("the embedded broker did not start");
  return broker;
}

EmbeddedBroker::~EmbeddedBroker() {
  if (cluster_ != nullptr) rd_kafka_mock_cluster_destroy(cluster_);
}

bool EmbeddedBroker::create_topic(const std::string& topic, int partitions) {
  return rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1) ==
         RD_KAFKA_RESP_ERR_NO_ERROR;
}

std::string EmbeddedBroker::bootstrap_servers() const {
  return rd_kafka_mock_cluster_bootstraps(cluster_);
}

void EmbeddedBroker::go_down() { rd_kafka_mock_broker_set_down(cluster_, kBrokerId); }
void EmbeddedBroker::come_up() { rd_kafka_mock_broker_set_up(cluster_, kBrokerId); }

}  // namespace tocsin
