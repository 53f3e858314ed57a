#include "tests/integration/support.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "daemon/log.h"
#include "tests/unit/catch.h"
#include "tests/unit/temp_dir.h"

namespace tocsin::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCallMs = 10'000;
constexpr int kOutPartitions = 4;     // of the findings' and the dead letters' topics
constexpr std::int16_t kProduce = 0;  // ApiKey

constexpr const char* kPack = R"(
rules:
  - {id: test.word, title: The word, severity: high, category: output_policy, on: [model_output],
     where: {field: text, regex: forbidden}, match: [forbidden], tags: [owasp:LLM05]}
)";
constexpr const char* kProfile = R"(
system: bot
owner: {name: bot-owner, contact: "#bot", escalation: [bot-oncall]}
risk: high
decision: consequential
tools:
  send_email: {effect: egress, returns: trusted, destination: [to]}
)";

void require(rd_kafka_resp_err_t error, std::string_view what) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  throw std::runtime_error(fmt::format("{}: {}", what, rd_kafka_err2str(error)));
}

kafka::Handle client(rd_kafka_type_t type, kafka::Properties properties) {
  properties["enable.auto.commit"] = "false";  // a close would wait for it
  auto conf = kafka::make_conf(
      properties, type == RD_KAFKA_CONSUMER ? kafka::Scope::kConsumer : kafka::Scope::kProducer);
  if (!conf) throw std::runtime_error(conf.error());
  kafka::route_logs(conf->get());
  std::array<char, 512> error{};
  kafka::Handle handle(rd_kafka_new(type, conf->get(), error.data(), error.size()));
  if (handle == nullptr) throw std::runtime_error(error.data());
  static_cast<void>(conf->release());
  return handle;
}

Message to_message(const rd_kafka_message_t& from) {
  Message message{.key = {static_cast<const char*>(from.key), from.key_len},
                  .payload = {static_cast<const char*>(from.payload), from.len},
                  .headers = {},
                  .partition = from.partition};
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&from, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return message;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    message.headers.emplace(name, std::string(static_cast<const char*>(value), size));
  }
  return message;
}

std::string event_json(std::string_view type, std::string_view fields, std::string_view session,
                       std::string_view time, std::string_view system) {
  return fmt::format(
      R"({{"time":"2026-01-05T{}Z","system":"{}","session_id":"{}","type":"{}",{}}})", time, system,
      session, type, fields);
}

class Collector final : public PipelineOutput {
 public:
  void on_finding(const Finding& finding) override { ids.insert(finding.finding_id); }
  void on_rejected(const Record&, Reject) override {}
  std::set<std::string> ids;
};

// TEST_LOG=1 shows what the code under test logs.
const bool quiet = [] {
  log::configure(log::Format::kText,
                 std::getenv("TEST_LOG") != nullptr ? log::Level::kDebug : log::Level::kError);
  return true;
}();

}  // namespace

bool eventually(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (!done()) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

Cluster::Cluster(int event_partitions) {
  auto broker = EmbeddedBroker::start();
  if (!broker) throw std::runtime_error(broker.error());
  broker_ = std::move(*broker);
  broker_->create_topic(kEvents, event_partitions);
  broker_->create_topic(kFindings, kOutPartitions);
  broker_->create_topic(kDeadLetters, kOutPartitions);
  broker_->create_topic(kControl, kOutPartitions);
  broker_->create_topic(kIncidents, kOutPartitions);
  broker_->create_topic(kJudgements, kOutPartitions);
  const std::string brokers = broker_->bootstrap_servers();
  producer_ = client(RD_KAFKA_PRODUCER,
                     {{"bootstrap.servers", brokers}, {"message.max.bytes", "10000000"}});
  reader_ = client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", brokers}, {"group.id", "reader"}});
  rd_kafka_poll_set_consumer(reader_.get());
}

Cluster::~Cluster() {
  // A client takes a second to go: all at once.
  std::vector<std::jthread> ends;
  const auto end = [&](kafka::Handle& handle) {
    ends.emplace_back([ending = std::move(handle)] {});
  };
  end(producer_);
  end(reader_);
  for (auto& [group, handle] : group_clients_) end(handle);
}

Config Cluster::config(const std::string& group) const {
  Config config;
  config.kafka = {{"bootstrap.servers", broker_->bootstrap_servers()},
                  {"group.id", group},
                  {"session.timeout.ms", "6000"},
                  {"heartbeat.interval.ms", "500"},
                  {"reconnect.backoff.ms", "50"},
                  {"reconnect.backoff.max.ms", "200"}};
  config.topics.events = {kEvents};
  config.topics.findings = kFindings;
  config.topics.control = kControl;
  config.topics.incidents = kIncidents;
  config.topics.judgements = kJudgements;
  config.selftest_interval = std::chrono::seconds(0);  // tests count events
  config.topics.dead_letter = kDeadLetters;
  config.workers = 1;
  config.batch.wait = std::chrono::milliseconds(20);
  config.http.address = "127.0.0.1";
  config.http.port = 0;
  // The tests bring policies that stand in no file of this configuration.
  config.rules.watch = false;
  return config;
}

void Cluster::produce(std::span<const std::string> payloads, std::int32_t partition) {
  for (const std::string& payload : payloads) {
    require(rd_kafka_producev(producer_.get(), RD_KAFKA_V_TOPIC(kEvents),
                              RD_KAFKA_V_PARTITION(partition),
                              RD_KAFKA_V_VALUE(const_cast<char*>(payload.data()),  // NOLINT
                                               payload.size()),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
            "produce");
  }
  require(rd_kafka_flush(producer_.get(), kCallMs), "flush");
}

std::vector<Message> Cluster::read(const std::string& topic) {
  const kafka::PartitionList partitions(rd_kafka_topic_partition_list_new(kOutPartitions));
  std::int64_t left = 0;
  for (int i = 0; i < kOutPartitions; ++i) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    require(rd_kafka_query_watermark_offsets(reader_.get(), topic.c_str(), i, &low, &high, kCallMs),
            "watermarks");
    left += high - low;
    rd_kafka_topic_partition_list_add(partitions.get(), topic.c_str(), i)->offset = low;
  }
  std::vector<Message> messages;
  if (left == 0) return messages;
  require(rd_kafka_assign(reader_.get(), partitions.get()), "assign");
  const auto deadline = Clock::now() + std::chrono::milliseconds(kCallMs);
  while (left > 0 && Clock::now() < deadline) {
    const kafka::Message message(rd_kafka_consumer_poll(reader_.get(), 100));
    if (message == nullptr || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    messages.push_back(to_message(*message));
    --left;
  }
  require(rd_kafka_assign(reader_.get(), nullptr), "unassign");
  if (left > 0) throw std::runtime_error("the topic could not be read to its end");
  return messages;
}

kafka::Handle& Cluster::group_client(const std::string& group) {
  kafka::Handle& handle = group_clients_[group];
  if (handle == nullptr) {
    handle = client(RD_KAFKA_CONSUMER,
                    {{"bootstrap.servers", broker_->bootstrap_servers()}, {"group.id", group}});
    rd_kafka_poll_set_consumer(handle.get());
  }
  return handle;
}

std::optional<Committed> Cluster::committed(std::int32_t partition, const std::string& group) {
  const kafka::PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), kEvents, partition);
  require(rd_kafka_committed(group_client(group).get(), list.get(), kCallMs), "committed");
  const rd_kafka_topic_partition_t& element = list->elems[0];
  require(element.err, "committed");
  if (element.offset < 0) return std::nullopt;
  std::string metadata(static_cast<const char*>(element.metadata), element.metadata_size);
  while (metadata.ends_with('\0')) metadata.pop_back();
  return Committed{.offset = element.offset, .metadata = std::move(metadata)};
}

void Cluster::commit(const std::string& group, std::int32_t partition, const Committed& position) {
  const kafka::PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_t* element =
      rd_kafka_topic_partition_list_add(list.get(), kEvents, partition);
  element->offset = position.offset;
  element->metadata = strdup(position.metadata.c_str());  // freed with the list
  element->metadata_size = position.metadata.size();
  require(rd_kafka_commit(group_client(group).get(), list.get(), 0), "commit");
}

void Cluster::refuse_produce(std::size_t count) {
  const std::vector<rd_kafka_resp_err_t> errors(count,
                                                RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  rd_kafka_mock_push_request_errors_array(broker_->mock(), kProduce, errors.size(), errors.data());
}

void Cluster::accept_produce() { rd_kafka_mock_clear_request_errors(broker_->mock(), kProduce); }

std::string output_json(std::string_view text, std::string_view session, std::string_view time,
                        std::string_view system) {
  return event_json("model_output", fmt::format(R"("text":"{}")", text), session, time, system);
}

std::string call_json(std::string_view session, std::string_view time) {
  return event_json(
      "tool_call",
      R"("tool":{"name":"send_email","call_id":"c1","arguments":{"to":"a@example.com"}})", session,
      time, "bot");
}

std::shared_ptr<const Policy> test_policy() {
  static const std::shared_ptr<const Policy> policy = [] {
    const TempDir folder;
    PolicySources sources;
    sources.packs = {folder.write("pack.yaml", kPack)};
    sources.systems = {folder.write("bot.yaml", kProfile)};
    Diagnostics diagnostics;
    auto loaded = Policy::load(sources, diagnostics);
    if (loaded == nullptr) {
      print(std::cerr, diagnostics, false);
      throw std::runtime_error("the test's policy does not load");
    }
    return loaded;
  }();
  return policy;
}

std::set<std::string> expected_ids(
    const std::map<std::int32_t, std::vector<std::string>>& partitions) {
  metrics::Registry registry;
  Pipeline pipeline({.policy = test_policy(),
                     .metrics = std::make_shared<const PolicyMetrics>(registry, *test_policy())},
                    {}, std::make_shared<const Redactor>(Redactor::random_key()), registry);
  Collector collector;
  for (const auto& [partition, payloads] : partitions) {
    std::int64_t offset = 0;
    for (const std::string& payload : payloads) {
      const Record record{
          .payload = payload,
          .source = {.topic = Cluster::kEvents, .partition = partition, .offset = offset++}};
      pipeline.run({&record, 1}, collector);
    }
  }
  return collector.ids;
}

std::set<std::string> ids_of(const std::vector<Message>& findings) {
  std::set<std::string> ids;
  for (const Message& message : findings) {
    ids.insert(nlohmann::json::parse(message.payload).at("finding_id").get<std::string>());
  }
  return ids;
}

std::optional<double> metric(metrics::Registry& registry, std::string_view family,
                             const metrics::Labels& labels) {
  std::optional<double> sum;
  for (const auto& exported : registry.collect()) {
    if (exported.name != family) continue;
    for (const auto& sample : exported.metric) {
      const bool wanted = std::ranges::all_of(labels, [&](const auto& label) {
        return std::ranges::any_of(sample.label, [&](const auto& has) {
          return has.name == label.first && has.value == label.second;
        });
      });
      if (wanted) sum = sum.value_or(0) + sample.counter.value + sample.gauge.value;
    }
  }
  return sum;
}

RunningWorker::RunningWorker(const Config& config, metrics::Registry& registry,
                             std::size_t number) {
  auto worker =
      Worker::create(number, config,
                     {.policy = test_policy(),
                      .metrics = std::make_shared<const PolicyMetrics>(registry, *test_policy())},
                     std::make_shared<const Redactor>(Redactor::random_key()), registry,
                     std::make_shared<StateBudget>(config.sessions.bytes_max, number + 1));
  if (!worker) throw std::runtime_error(worker.error());
  worker_ = std::move(*worker);
  thread_ = std::jthread([this](const std::stop_token& stop) { clean_ = worker_->run(stop); });
}

bool RunningWorker::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  worker_.reset();
  return clean_;
}

HttpConnection::HttpConnection(std::uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);  // NOLINT: the API
  if (socket_ < 0 || connect(socket_, generic, sizeof address) != 0) {
    throw std::runtime_error(fmt::format("connect to port {}: {}", port, std::strerror(errno)));
  }
}

HttpConnection::~HttpConnection() { close(socket_); }

bool HttpConnection::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

HttpAnswer HttpConnection::receive(std::chrono::milliseconds limit) const {
  const auto deadline = Clock::now() + limit;
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return {};
    const ssize_t got = recv(socket_, buffer.data(), buffer.size(), 0);
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  HttpAnswer answer;
  const std::size_t end = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || end == std::string::npos) return answer;
  std::from_chars(text.data() + 9, text.data() + 12, answer.status);
  answer.headers = text.substr(0, end + 2);
  answer.body = text.substr(end + 4);
  return answer;
}

HttpAnswer http(std::uint16_t port, std::string_view method, std::string_view path) {
  const HttpConnection connection(port);
  connection.send(
      fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", method, path));
  return connection.receive();
}

}  // namespace tocsin::testing
