// The daemon on an embedded broker with scripted traffic: nothing to set up, the whole path is the
// real one.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/cli/cli.h"
#include "daemon/cli/demo_desk.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/policy_reload.h"
#include "daemon/source/demo_script.h"
#include "daemon/source/embedded_broker.h"
#include "daemon/text.h"
#include "daemon/version.h"

namespace tocsin::cli {
namespace {

constexpr int kPartitions = 3;
constexpr auto kStep = std::chrono::milliseconds(100);
constexpr int kPollMs = 200;

struct Options {
  std::string listen = "127.0.0.1:9464";
  bool json = false;
  std::uint64_t seed = 0;
};

// Plays agents, and those who answer incidents: writes the script's events as they fall due.
void produce_script(const std::stop_token& stop, const std::string& brokers,
                    const std::string& topic, std::uint64_t seed, DemoDesk& desk) {
  auto conf = kafka::make_conf({{"bootstrap.servers", brokers}}, kafka::Scope::kProducer);
  if (!conf) return log::error("demo.producer", conf.error());
  kafka::route_logs(conf->get());
  const auto handle = kafka::make_handle(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!handle) return log::error("demo.producer", handle.error());
  const kafka::Handle& producer = *handle;
  DemoScript script(seed);
  while (!stop.stop_requested()) {
    const auto now =
        std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    std::vector<DemoRecord> records = script.due(now);
    std::ranges::move(desk.due(now), std::back_inserter(records));
    for (const DemoRecord& record : records) {
      rd_kafka_producev(producer.get(), RD_KAFKA_V_TOPIC(topic.c_str()),
                        RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
                        RD_KAFKA_V_VALUE(const_cast<char*>(record.payload.data()),  // NOLINT
                                         record.payload.size()),
                        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    }
    rd_kafka_poll(producer.get(), 0);
    std::this_thread::sleep_for(kStep);
  }
}

// One finding as a person reads it.
std::string readable(std::string_view json, bool coloured) {
  const auto finding = nlohmann::json::parse(json, nullptr, false);
  if (finding.is_discarded()) return printable(json) + "\n";
  const auto text = [&](const char* key) {
    return finding.contains(key) && finding[key].is_string()
               ? printable(finding[key].get<std::string>())
               : std::string();
  };
  const std::string severity = text("severity");
  if (severity == name_of(Severity::kInfo)) return {};  // context: the topic has it
  const std::string time = text("time");
  std::string out =
      fmt::format("{}  {}{:<8}{}  {:<14}  {}\n", time.size() > 19 ? time.substr(11, 8) : time,
                  coloured ? colour_of(severity) : "", severity, coloured ? "\033[0m" : "",
                  text("system"), text("title"));
  std::string where = text("type");
  if (const std::string tool = text("tool"); !tool.empty()) where += " " + tool;
  out += fmt::format("{:20}{}  rule {}  session {}\n", "", where, text("rule"), text("session_id"));
  if (const std::string message = text("message"); !message.empty()) {
    out += fmt::format("{:20}{}\n", "", message);
  }
  if (finding.contains("evidence")) {
    for (const auto& item : finding["evidence"]) {
      out += fmt::format("{:20}{}: {}\n", "", printable(item.value("field", "")),
                         printable(item.value("excerpt", "")));
    }
  }
  return out;
}

// Reads findings and incidents from their topics, as any consumer of tocsin's would.
void print_results(const std::stop_token& stop, const std::string& brokers, const Config& config,
                   bool json, DemoDesk& desk) {
  auto conf = kafka::make_conf({{"bootstrap.servers", brokers}, {"group.id", "tocsin-demo-reader"}},
                               kafka::Scope::kConsumer);
  if (!conf) return log::error("demo.reader", conf.error());
  kafka::route_logs(conf->get());
  const auto handle = kafka::make_handle(RD_KAFKA_CONSUMER, std::move(*conf));
  if (!handle) return log::error("demo.reader", handle.error());
  const kafka::Handle& consumer = *handle;
  rd_kafka_poll_set_consumer(consumer.get());
  const kafka::PartitionList partitions(rd_kafka_topic_partition_list_new(2 * kPartitions));
  for (const std::string& topic : {config.topics.findings, config.topics.incidents}) {
    for (int i = 0; i < kPartitions; ++i) {
      rd_kafka_topic_partition_list_add(partitions.get(), topic.c_str(), i)->offset =
          RD_KAFKA_OFFSET_BEGINNING;
    }
  }
  rd_kafka_assign(consumer.get(), partitions.get());
  const bool coloured = colour(stdout);
  while (!stop.stop_requested()) {
    const kafka::Message message(rd_kafka_consumer_poll(consumer.get(), kPollMs));
    if (message == nullptr || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const std::string_view payload(static_cast<const char*>(message->payload), message->len);
    if (rd_kafka_topic_name(message->rkt) == config.topics.incidents) {
      const std::string news = desk.see(payload);
      if (!json) std::cout << news << std::flush;
    } else if (json) {
      std::cout << payload << '\n' << std::flush;
    } else {
      std::cout << readable(payload, coloured) << std::flush;
    }
  }
  rd_kafka_consumer_close(consumer.get());
}

int demo(const Options& options) {
  Diagnostics diagnostics;
  const auto broker = EmbeddedBroker::start();
  if (!broker) {
    std::cerr << "tocsin demo: " << broker.error() << '\n';
    return kFailed;
  }
  const std::string brokers = (*broker)->bootstrap_servers();
  // The demo is a configuration like any other.
  const std::map<std::string, std::string> overrides = {
      {"TOCSIN_KAFKA_BOOTSTRAP_SERVERS", brokers},
      {"TOCSIN_TOPICS_EVENTS", "agent.events"},
      {"TOCSIN_TOPICS_DEAD_LETTER", "tocsin.dead-letter"},
      {"TOCSIN_HTTP_LISTEN", options.listen},
      {"TOCSIN_LOG_LEVEL", "warn"},
      {"TOCSIN_WORKERS", "1"},
  };
  const auto environment = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = overrides.find(name);
    return found == overrides.end() ? std::nullopt : std::optional(found->second);
  };
  std::vector<std::string> names;
  for (const auto& [name, value] : overrides) names.push_back(name);
  Config config = load_config({}, true, environment, names, diagnostics);
  config.rules.systems = {shipped_rules() / "systems"};
  // Its findings are this process's alone, whose hashes nobody else has to understand.
  std::random_device random;
  config.hmac_secret =
      fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
  PolicySources sources = policy_sources(config);
  sources.proof_is_enough = true;
  const auto policy = Policy::load(sources, diagnostics);
  if (const int status = report(diagnostics); status != kDone) return status;

  log::configure(config.log.format, config.log.level);
  for (const std::string& topic :
       {config.topics.events[0], config.topics.findings, config.topics.dead_letter,
        config.topics.control, config.topics.incidents, config.topics.judgements}) {
    (*broker)->create_topic(topic, kPartitions);
  }
  Daemon::block_signals();
  Daemon daemon(config, policy);
  if (!daemon.start()) {
    daemon.stop();
    return kFailed;
  }
  std::ostream& info = options.json ? std::cerr : std::cout;
  info << fmt::format(
      "tocsin {} watches three scripted AI systems through an embedded Kafka broker ({}).\n\n"
      "  metrics   http://{}:{}/metrics\n"
      "  health    http://{}:{}/readyz\n"
      "  findings  topic {} on that broker, and below as they come, but for those of info\n"
      "  incidents topic {}, and below what becomes of them\n\n"
      "Every minute: a secret in an output, a destructive shell command, and a poisoned web page "
      "that\n"
      "makes an agent mail private data out.  The first within seconds.  What is critical is "
      "acknowledged\n"
      "after six seconds and contained after twelve, as a person and an orchestrator would.  "
      "Ctrl-C "
      "ends it.\n\n",
      version(), brokers, "localhost", daemon.http_port(), "localhost", daemon.http_port(),
      config.topics.findings, config.topics.incidents);
  info.flush();
  {
    DemoDesk desk(colour(stdout));
    const std::jthread reader([&](const std::stop_token& stop) {
      print_results(stop, brokers, config, options.json, desk);
    });
    const std::jthread agents([&](const std::stop_token& stop) {
      const std::uint64_t seed = options.seed != 0 ? options.seed : std::random_device{}();
      produce_script(stop, brokers, config.topics.events[0], seed, desk);
    });
    daemon.wait();
  }
  return daemon.stop() ? kDone : kFailed;
}

}  // namespace

void add_demo(CLI::App& app, int* exit) {
  CLI::App* command = app.add_subcommand(
      "demo", "The daemon on an embedded broker with scripted traffic; nothing to set up");
  auto options = std::make_shared<Options>();
  command->add_option("--listen", options->listen, "Where to serve /metrics")
      ->type_name("ADDRESS")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Findings as JSON lines");
  command->add_option("--seed", options->seed, "Makes the traffic the same every time");
  command->footer(
      "Examples:\n"
      "  tocsin demo\n"
      "  tocsin demo --json | jq -r '[.severity, .system, .title] | @tsv'\n"
      "  curl -s localhost:9464/metrics | grep tocsin_findings_total");
  command->callback([options, exit] { *exit = demo(*options); });
}

}  // namespace tocsin::cli
