// A worker against a broker: findings and offsets, refusals, takeover, dead letters, where it
// starts.
#include "daemon/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/integration/support.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using testing::call_json;
using testing::Cluster;
using testing::Committed;
using testing::eventually;
using testing::expected_ids;
using testing::ids_of;
using testing::metric;
using testing::output_json;
using testing::RunningWorker;

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("worker: events become findings and committed offsets") {
  Cluster cluster;
  const Config config = cluster.config();
  metrics::Registry registry;
  cluster.produce({
      output_json("fine", "old", "08:00:00"),
      output_json("fine", "old", "08:00:01"),
      output_json("fine", "live", "08:40:00"),  // the session before it is idle, and forgotten
      output_json("a forbidden word", "live", "08:40:01.250"),
      output_json("fine", "live", "08:40:02"),
  });
  RunningWorker worker(config, registry);
  REQUIRE(eventually([&] {
    const auto at = cluster.committed();
    return at && at->offset == 5;
  }));
  // Where a newcomer starts to know the sessions that are live: at the first record of `live`.
  CHECK(cluster.committed()->metadata == "tocsin rewind=2");

  const auto messages = cluster.read(Cluster::kFindings);
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].key == "bot");
  const auto finding = nlohmann::json::parse(messages[0].payload);
  CAPTURE(finding.dump());
  CHECK(finding.at("finding_id").get<std::string>().size() == 32);
  CHECK(finding.at("time") == "2026-01-05T08:40:01.250Z");
  CHECK(finding.at("detected_at").get<std::string>() > "2026-01-05T08:40:01.250Z");
  CHECK(finding.at("system") == "bot");
  CHECK(finding.at("session_id") == "live");
  CHECK(finding.at("event_id") == "events/0/3");
  CHECK(finding.at("seq") == 2);
  CHECK(finding.at("type") == "model_output");
  CHECK(finding.at("rule") == "test.word");
  CHECK(finding.at("severity") == "high");
  CHECK(finding.at("category") == "output_policy");
  CHECK(finding.at("title") == "The word");
  CHECK(finding.at("tags") == nlohmann::json::array({"owasp:LLM05"}));
  CHECK(finding.at("owner") == "bot-owner");
  CHECK(finding.at("exception").is_null());
  CHECK(finding.at("detector").is_string());
  CHECK(finding.at("source") ==
        nlohmann::json{{"topic", "events"}, {"partition", 0}, {"offset", 3}});
  REQUIRE(finding.at("evidence").size() == 1);
  CHECK(finding.at("evidence")[0].at("field") == "text");
  CHECK(finding.at("evidence")[0].at("excerpt").is_string());
  CHECK(finding.at("evidence")[0].at("hash").get<std::string>().starts_with("hmac-sha256:"));

  CHECK(metric(registry, "tocsin_events_total", {{"system", "bot"}, {"type", "model_output"}}) ==
        5);
  CHECK(metric(registry, "tocsin_findings_total", {{"rule", "test.word"}}) == 1);
  CHECK(metric(registry, "tocsin_events_dropped_total").value_or(0) == 0);

  const auto lag = [&] {
    return metric(registry, "tocsin_kafka_lag", {{"topic", "events"}, {"partition", "0"}});
  };
  CHECK(eventually([&] { return lag() == 0; }));
  CHECK(metric(registry, "tocsin_kafka_assigned_partitions") == 1);
  CHECK(worker.stop());
  CHECK_FALSE(lag().has_value());  // a partition that is not ours has no lag of ours
  CHECK(metric(registry, "tocsin_kafka_assigned_partitions") == 0);
  // The topic's reject series stay, at zero: a rate over them must not see them come and go.
  CHECK(metric(registry, "tocsin_events_rejected_total", {{"topic", "events"}}) == 0);
}

TEST_CASE("worker: findings go to a topic of their own once more, as OCSF") {
  Cluster cluster;
  cluster.broker().create_topic("ocsf", 4);
  Config config = cluster.config();
  config.topics.ocsf = "ocsf";
  metrics::Registry registry;
  cluster.produce({output_json("fine", "s"), output_json("a forbidden word", "s")});
  const RunningWorker worker(config, registry);
  REQUIRE(eventually([&] { return cluster.committed().value_or(Committed{}).offset == 2; }));
  const auto events = cluster.read("ocsf");
  REQUIRE(events.size() == 1);
  CHECK(events[0].key == "bot");
  const auto event = nlohmann::json::parse(events[0].payload);
  CHECK(event.at("class_uid") == 2004);
  CHECK(std::set<std::string>{event.at("finding_info").at("uid").get<std::string>()} ==
        ids_of(cluster.read(Cluster::kFindings)));
}

TEST_CASE("worker: offsets wait for the findings' acknowledgement") {
  Cluster cluster;
  Config config = cluster.config();
  config.batch.records_max = 5;
  metrics::Registry registry;
  std::vector<std::string> records;
  for (int i = 0; i < 40; ++i) {
    records.push_back(output_json(i % 2 == 0 ? "forbidden" : "fine", fmt::format("s{}", i)));
  }
  cluster.produce(records);
  cluster.refuse_produce();
  RunningWorker worker(config, registry);

  // All at once, and then the first alone, once a second: at least two turns of the commit timer.
  REQUIRE(eventually(
      [&] { return metric(registry, "tocsin_sink_retries_total").value_or(0) >= 20 + 3; }));
  CHECK(metric(registry, "tocsin_events_total") == 40);  // reading went on
  CHECK(metric(registry, "tocsin_sink_outstanding") == 20);
  CHECK_FALSE(cluster.committed().has_value());
  CHECK(cluster.read(Cluster::kFindings).empty());

  cluster.accept_produce();
  REQUIRE(eventually([&] { return cluster.committed().value_or(Committed{}).offset == 40; }));
  const auto findings = cluster.read(Cluster::kFindings);
  CHECK(findings.size() == 20);
  // In the order of their events: one system is one partition.
  std::vector<std::int64_t> offsets;
  for (const testing::Message& each : findings) {
    const auto finding = nlohmann::json::parse(each.payload);
    offsets.push_back(finding.at("source").at("offset").get<std::int64_t>());
  }
  CHECK(std::ranges::is_sorted(offsets));
  CHECK(ids_of(findings) == expected_ids({{0, records}}));
  CHECK(worker.stop());
}

TEST_CASE("worker: what stopped before its findings were acknowledged is read again") {
  Cluster cluster;
  const Config config = cluster.config();
  const std::vector<std::string> records = {output_json("forbidden", "s"), output_json("fine", "s"),
                                            output_json("fine", "s")};
  cluster.produce(records);
  cluster.refuse_produce();
  {
    metrics::Registry registry;
    RunningWorker worker(config, registry);
    REQUIRE(
        eventually([&] { return metric(registry, "tocsin_sink_retries_total").value_or(0) >= 1; }));
    const auto began = Clock::now();
    CHECK_FALSE(worker.stop());  // and says that something is left
    CHECK(Clock::now() - began < Worker::kDrainLimit + 3s);
  }
  CHECK(cluster.committed().value_or(Committed{.offset = -1}).offset == -1);
  cluster.accept_produce();
  metrics::Registry registry;
  RunningWorker worker(config, registry);
  REQUIRE(eventually([&] { return cluster.committed().value_or(Committed{}).offset == 3; }));
  CHECK(ids_of(cluster.read(Cluster::kFindings)) == expected_ids({{0, records}}));
  CHECK(worker.stop());
}

TEST_CASE("worker: reading pauses when too many findings wait, and goes on afterwards") {
  Cluster cluster(2);
  Config config = cluster.config();
  config.batch.records_max = 1000;
  // More than may wait, and what one poll can add to them.
  constexpr int kRecords = static_cast<int>(Worker::kOutstandingMax) + 5000;
  std::vector<std::string> records;
  for (int i = 0; i < kRecords; ++i) {
    // A session each, since repeats within one are folded.  Many systems, so that the findings
    // spread over their topic's partitions, which are small.
    records.push_back(
        output_json("forbidden", fmt::format("s{}", i), "08:00:00", fmt::format("bot{}", i % 64)));
  }
  cluster.produce(std::span(records).first(kRecords / 2), 0);
  cluster.produce(std::span(records).subspan(kRecords / 2), 1);
  cluster.refuse_produce();
  metrics::Registry registry;
  RunningWorker worker(config, registry);
  const auto outstanding = [&] { return metric(registry, "tocsin_sink_outstanding").value_or(0); };
  const auto read = [&] { return metric(registry, "tocsin_events_total").value_or(0); };
  // Ten thousand events: a moment, or under a sanitizer on a busy machine minutes.
  constexpr std::chrono::minutes kMany{4};
  REQUIRE(eventually([&] { return outstanding() > Worker::kOutstandingMax; }, kMany));
  // Paused: further refusals come and go, and not a record is read.
  const double read_before = read();
  const double retries_before = metric(registry, "tocsin_sink_retries_total").value_or(0);
  REQUIRE(eventually([&] {
    return metric(registry, "tocsin_sink_retries_total").value_or(0) >= retries_before + 3;
  }));
  CHECK(read() == read_before);
  CHECK(read() <= static_cast<double>(Worker::kOutstandingMax + config.batch.records_max));
  CHECK(metric(registry, "tocsin_kafka_lag").value_or(0) == kRecords - read());
  CHECK_FALSE(cluster.committed(0).has_value());
  CHECK_FALSE(cluster.committed(1).has_value());

  cluster.accept_produce();
  REQUIRE(eventually(
      [&] {
        return cluster.committed(0).value_or(Committed{}).offset == kRecords / 2 &&
               cluster.committed(1).value_or(Committed{}).offset == kRecords - kRecords / 2;
      },
      kMany));
  CHECK(read() == kRecords);
  CHECK(metric(registry, "tocsin_findings_total", {{"rule", "test.word"}}) == kRecords);
  CHECK(eventually([&] { return outstanding() == 0; }));
  CHECK(worker.stop());
}

TEST_CASE("worker: large dead letters that wait are bounded in bytes") {
  constexpr int kPartitions = 8;
  constexpr int kRecords = 64;
  constexpr std::size_t kBytes = 500'000;
  Cluster cluster(kPartitions);
  const Config config = cluster.config();
  for (int i = 0; i < kRecords; ++i) {
    cluster.produce({std::string(kBytes, 'x')}, i % kPartitions);
  }
  cluster.refuse_produce();
  metrics::Registry registry;
  RunningWorker worker(config, registry);
  const auto waiting = [&] {
    return metric(registry, "tocsin_sink_outstanding_bytes").value_or(0);
  };
  const auto read = [&] { return metric(registry, "tocsin_events_rejected_total").value_or(0); };
  REQUIRE(eventually([&] { return waiting() > Worker::kOutstandingBytesMax; }));
  const double retries = metric(registry, "tocsin_sink_retries_total").value_or(0);
  REQUIRE(eventually(
      [&] { return metric(registry, "tocsin_sink_retries_total").value_or(0) >= retries + 3; }));
  // What a poll may bring came on top, and then nothing more.
  CHECK(waiting() <= static_cast<double>(Worker::kOutstandingBytesMax + KafkaSource::kPollBytesMax +
                                         4 * kBytes));
  CHECK(read() < kRecords);

  cluster.accept_produce();
  CHECK(eventually([&] { return read() == kRecords; }));
  CHECK(eventually([&] { return waiting() == 0; }));
  CHECK(worker.stop());
}

TEST_CASE("worker: a newcomer rebuilds sessions silently and misses nothing") {
  Cluster cluster;
  const std::string first = "first";
  const std::string second = "second";
  std::vector<std::string> records = {
      output_json("forbidden, long ago", "ended", "08:00:00"),
      output_json("fine", "ended", "08:00:01"),
      // Five equal calls make a loop; the position below falls between the third and the fourth.
      call_json("looping", "08:40:00"),
      output_json("forbidden", "chat", "08:40:01"),
      call_json("looping", "08:40:02"),
      call_json("looping", "08:40:03"),
  };
  cluster.produce(records);
  metrics::Registry registry_a;
  const Config config_a = cluster.config(first);
  RunningWorker a(config_a, registry_a);
  REQUIRE(
      eventually([&] { return cluster.committed(0, first).value_or(Committed{}).offset == 6; }));
  // What A left behind, had it died now.
  const Committed position = *cluster.committed(0, first);
  CHECK(position.metadata == "tocsin rewind=2");

  const std::vector<std::string> more = {
      call_json("looping", "08:40:04"),
      output_json("forbidden again", "chat", "08:40:05"),
      call_json("looping", "08:40:06"),  // the fifth
      output_json("fine", "chat", "08:40:07"),
  };
  cluster.produce(more);
  records.insert(records.end(), more.begin(), more.end());
  const auto expected = expected_ids({{0, records}});
  REQUIRE(expected.size() == 4);  // the word three times, the loop
  REQUIRE(eventually([&] { return ids_of(cluster.read(Cluster::kFindings)) == expected; }));
  const std::size_t said_by_a = cluster.read(Cluster::kFindings).size();
  CHECK(said_by_a == 4);
  CHECK(a.stop());

  // The group of B stands where A would have left it, since the broker lets nobody else commit for
  // A's.
  cluster.commit(second, 0, position);
  metrics::Registry registry_b;
  const Config config_b = cluster.config(second);
  RunningWorker b(config_b, registry_b);
  REQUIRE(
      eventually([&] { return cluster.committed(0, second).value_or(Committed{}).offset == 10; }));
  CHECK(b.stop());
  const auto all = cluster.read(Cluster::kFindings);
  // B says again what A said after the position, the loop included; of what came before, nothing.
  CHECK(ids_of(all) == expected);
  CHECK(all.size() == said_by_a + 2);
  CHECK(metric(registry_b, "tocsin_findings_total") == 2);
  CHECK(metric(registry_b, "tocsin_findings_total", {{"rule", "loop.same-call"}}) == 1);
  CHECK(metric(registry_b, "tocsin_events_replayed_total") == 4);  // from the rewind offset on
  CHECK(metric(registry_b, "tocsin_events_total") == 4);
}

TEST_CASE("worker: a group of two shares the partitions, and the one that stays takes over") {
  constexpr std::int32_t kPartitions = 4;
  Cluster cluster(kPartitions);
  const Config config = cluster.config();
  metrics::Registry registry;
  std::map<std::int32_t, std::vector<std::string>> records;
  const auto produce = [&](int from, int to) {
    for (std::int32_t p = 0; p < kPartitions; ++p) {
      std::vector<std::string> part;
      for (int i = from; i < to; ++i) {
        // A loop a partition that straddles the change of owner, and words around it.
        part.push_back(call_json(fmt::format("loop{}", p)));
        part.push_back(output_json(i % 2 == 0 ? "forbidden" : "fine", fmt::format("chat{}", p)));
      }
      cluster.produce(part, p);
      records[p].insert(records[p].end(), part.begin(), part.end());
    }
  };
  const auto all_committed = [&] {
    for (const auto& [p, part] : records) {
      const auto at = cluster.committed(p);
      if (!at || at->offset != static_cast<std::int64_t>(part.size())) return false;
    }
    return true;
  };
  const auto assigned = [&] {
    return metric(registry, "tocsin_kafka_assigned_partitions").value_or(-1);
  };

  metrics::Registry other_registry;
  RunningWorker stays(config, registry, 0);
  RunningWorker leaves(config, other_registry, 1);
  REQUIRE(eventually([&] {
    return assigned() == 2 && metric(other_registry, "tocsin_kafka_assigned_partitions") == 2;
  }));
  produce(0, 3);
  REQUIRE(eventually(all_committed));
  CHECK(metric(registry, "tocsin_events_total") == 12);
  CHECK(metric(other_registry, "tocsin_events_total") == 12);

  CHECK(leaves.stop());
  CHECK(metric(other_registry, "tocsin_kafka_assigned_partitions") == 0);
  REQUIRE(eventually([&] { return assigned() == 4; }));
  produce(3, 6);
  REQUIRE(eventually(all_committed));
  const auto findings = cluster.read(Cluster::kFindings);
  CHECK(ids_of(findings) == expected_ids(records));
  CHECK(findings.size() == ids_of(findings).size());  // an orderly change of owner repeats nothing
  CHECK(metric(registry, "tocsin_findings_total", {{"rule", "loop.same-call"}}) == 4);
  CHECK(metric(registry, "tocsin_events_replayed_total") == 12);
  CHECK(metric(registry, "tocsin_kafka_rebalances_total").value_or(0) >= 2);
  CHECK(stays.stop());
  CHECK(assigned() == 0);
}

TEST_CASE("worker: what is no event becomes a dead letter and stops nothing") {
  Cluster cluster;
  Config config = cluster.config();
  config.decode.event_bytes_max = 2000;
  metrics::Registry registry;
  const std::string malformed = "{\"time\": \x01\xff \x1b[31m";
  const std::string large = output_json(std::string(5000, 'x'), "s");
  cluster.produce({
      output_json("forbidden", "s"),
      malformed,
      large,
      R"({"time":"2026-01-05T08:00:00Z","system":"bot","type":"model_output","text":"forbidden"})",
      output_json("forbidden", "s"),
  });
  cluster.refuse_produce();
  RunningWorker worker(config, registry);
  REQUIRE(eventually(
      [&] { return metric(registry, "tocsin_sink_retries_total").value_or(0) >= 3 * 5; }));
  CHECK_FALSE(cluster.committed().has_value());  // dead letters hold offsets back like findings do
  cluster.accept_produce();
  REQUIRE(eventually([&] { return cluster.committed().value_or(Committed{}).offset == 5; }));
  CHECK(cluster.read(Cluster::kFindings).size() == 2);

  std::map<std::string, testing::Message> letters;
  for (const auto& letter : cluster.read(Cluster::kDeadLetters)) {
    letters[letter.headers.at("tocsin-dlq-offset")] = letter;
  }
  REQUIRE(letters.size() == 3);
  CHECK(letters.at("1").payload == malformed);
  CHECK(letters.at("1").headers ==
        std::map<std::string, std::string>{{"tocsin-dlq-reason", "invalid_utf8"},
                                           {"tocsin-dlq-topic", "events"},
                                           {"tocsin-dlq-partition", "0"},
                                           {"tocsin-dlq-offset", "1"}});
  CHECK(letters.at("2").payload == large.substr(0, 2000));
  CHECK(letters.at("2").headers.at("tocsin-dlq-reason") == "too_large");
  CHECK(letters.at("2").headers.at("tocsin-dlq-truncated") == "true");
  CHECK(letters.at("3").headers.at("tocsin-dlq-reason") == "missing_session_id");
  CHECK(metric(registry, "tocsin_events_rejected_total", {{"topic", "events"}}) == 3);
  CHECK(metric(registry, "tocsin_events_rejected_total", {{"reason", "too_large"}}) == 1);
  CHECK(worker.stop());
}

TEST_CASE("worker: where it starts") {
  Cluster cluster;
  cluster.produce({output_json("forbidden, before", "s"), output_json("fine", "s")});
  cluster.commit("beyond", 0, {.offset = 1000, .metadata = "tocsin rewind=990"});
  struct Start {
    const char* group;
    StartAt start_at;
    double events;
    double resets;
  };
  const std::vector<Start> starts = {
      {.group = "none, earliest", .start_at = StartAt::kEarliest, .events = 3, .resets = 0},
      {.group = "none, latest", .start_at = StartAt::kLatest, .events = 1, .resets = 0},
      // The topic was made anew under the group: everything in it is unread, wherever a newcomer
      // would start.
      {.group = "beyond", .start_at = StartAt::kLatest, .events = 3, .resets = 1},
  };
  // At the same time: joining a group takes three seconds.
  struct Running {
    Config config;
    metrics::Registry registry;
    std::unique_ptr<RunningWorker> worker;
  };
  std::vector<std::unique_ptr<Running>> running;
  for (const Start& start : starts) {
    auto& one = *running.emplace_back(std::make_unique<Running>());
    one.config = cluster.config(start.group);
    one.config.topics.start_at = start.start_at;
    one.config.topics.findings = Cluster::kDeadLetters;  // not looked at here
    one.worker = std::make_unique<RunningWorker>(one.config, one.registry);
  }
  for (const auto& one : running) {
    REQUIRE(
        eventually([&] { return metric(one->registry, "tocsin_kafka_assigned_partitions") == 1; }));
  }
  cluster.produce({output_json("forbidden, after", "s")});
  for (std::size_t i = 0; i < starts.size(); ++i) {
    CAPTURE(starts[i].group);
    metrics::Registry& registry = running[i]->registry;
    CHECK(eventually(
        [&] { return cluster.committed(0, starts[i].group).value_or(Committed{}).offset == 3; }));
    CHECK(metric(registry, "tocsin_events_total") == starts[i].events);
    CHECK(metric(registry, "tocsin_kafka_offset_resets_total") == starts[i].resets);
    CHECK(metric(registry, "tocsin_events_replayed_total").value_or(0) == 0);
    CHECK(running[i]->worker->stop());
  }
}

}  // namespace tocsin
