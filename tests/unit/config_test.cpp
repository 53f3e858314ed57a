#include "daemon/config.h"

#include <fmt/format.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/source/kafka_client.h"
#include "tests/unit/catch.h"
#include "tests/unit/temp_dir.h"

namespace tocsin {
namespace {

using Variables = std::map<std::string, std::string>;

constexpr std::string_view kLeast =
    "kafka: {bootstrap.servers: 'localhost:9092'}\ntopics: {events: [agent.events]}\n";

// A configuration, loaded from this text and these variables, and what was said about it.
struct Loaded {
  explicit Loaded(const std::string& text, const Variables& variables = {},
                  bool kafka_needed = true)
      : Loaded(Written(), text, variables, kafka_needed) {}

  // "line:col message" of each complaint; the file's name is "tocsin.yaml" or it is put in front.
  [[nodiscard]] std::vector<std::string> briefly() const {
    std::vector<std::string> out;
    for (const Diagnostic& d : diagnostics.all()) {
      const std::string file =
          std::filesystem::path(d.file).filename() == "tocsin.yaml" ? "" : d.file + ": ";
      out.push_back(fmt::format("{}{}:{} {}", file, d.line, d.column, d.message));
    }
    return out;
  }
  // Everything that would reach a terminal or a log.
  [[nodiscard]] std::string all_output() const {
    std::ostringstream out;
    print(out, diagnostics, false);
    return out.str() + to_json(diagnostics);
  }

  testing::TempDir dir;
  Diagnostics diagnostics;
  Config config;

 private:
  struct Written {};
  Loaded(Written, const std::string& text, const Variables& variables, bool kafka_needed) {
    std::vector<std::string> names;
    for (const auto& [name, value] : variables) names.push_back(name);
    const Environment environment = [&](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      if (found == variables.end()) return std::nullopt;
      return found->second;
    };
    const auto path = text.empty() ? std::filesystem::path() : dir.write("tocsin.yaml", text);
    config = load_config(path, kafka_needed, environment, names, diagnostics);
  }
};

using Strings = std::vector<std::string>;

TEST_CASE("defaults") {
  const Loaded loaded{std::string(kLeast)};
  REQUIRE(loaded.briefly() == Strings{});
  const Config& config = loaded.config;
  CHECK(config.kafka == std::map<std::string, std::string>{{"bootstrap.servers", "localhost:9092"},
                                                           {"group.id", "tocsin"}});
  CHECK(config.topics.events == Strings{"agent.events"});
  CHECK(config.topics.findings == "tocsin.findings");
  CHECK(config.topics.dead_letter.empty());
  CHECK(config.topics.start_at == StartAt::kEarliest);
  CHECK(config.workers == 0);
  CHECK(config.batch.records_max == 500);
  CHECK(config.batch.wait.count() == 100);
  CHECK(config.decode.event_bytes_max == 1 << 20);
  CHECK(config.decode.depth_max == 64);
  CHECK(config.decode.leaves_max == 100'000);
  CHECK(config.decode.tools_max == 1'000);
  CHECK(config.sessions.idle.count() == 1800);
  CHECK(config.sessions.bytes_max == std::size_t{56} << 20);
  CHECK(config.rewind_records_max == 1'000'000);
  CHECK(config.http.address == "0.0.0.0");
  CHECK(config.http.port == 9464);
  CHECK(config.log.format == log::Format::kText);
  CHECK(config.log.level == log::Level::kInfo);
  CHECK(config.hmac_secret.empty());
  CHECK(config.detectors == nullptr);
}

TEST_CASE("every key can be set in the file") {
  const testing::TempDir dir;
  const auto key = dir.write("key", "0123456789abcdef\n");
  const Loaded loaded(fmt::format(R"(
kafka:
  bootstrap.servers: b:9092
  group.id: g
topics: {{events: [a, b], findings: f, control: c, incidents: i, judgements: j, requests: r, dead_letter: d,
         start_at: latest}}
incidents: {{link_seconds: 1, retention_seconds: 3601, remembered_max: 2, requests: dry_run,
            request_timeout_seconds: 3}}
selftest: {{interval_seconds: 4}}
workers: 7
batch: {{records_max: 8, wait_ms: 9}}
limits: {{event_bytes_max: 2048, depth_max: 10, leaves_max: 101, tools_max: 12,
         state_bytes_max: 1048576}}
session: {{idle_seconds: 60, rewind_records_max: 13}}
http: {{listen: '127.0.0.1:80', page: false}}
log: {{format: json, level: debug}}
rules: {{packs: [p], systems: [s, t]}}
redaction: {{hmac_key_file: {}}}
detectors: {{loop: {{repeats_min: 3}}}}
)",
                                  key.string()));
  REQUIRE(loaded.briefly() == Strings{});
  const Config& config = loaded.config;
  CHECK(config.kafka.at("group.id") == "g");
  CHECK(config.topics.events == Strings{"a", "b"});
  CHECK(config.topics.findings == "f");
  CHECK(config.topics.control == "c");
  CHECK(config.topics.incidents == "i");
  CHECK(config.topics.judgements == "j");
  CHECK(config.topics.requests == "r");
  CHECK(config.incidents.link.count() == 1);
  CHECK(config.incidents.retention.count() == 3601);
  CHECK(config.incidents.incidents_max == 2);
  CHECK(config.incidents.requests == incident::RequestMode::kDryRun);
  CHECK(config.incidents.request_timeout.count() == 3);
  CHECK(config.incidents.idle.count() == 60);
  CHECK(config.selftest_interval.count() == 4);
  CHECK(config.topics.dead_letter == "d");
  CHECK(config.topics.start_at == StartAt::kLatest);
  CHECK(config.workers == 7);
  CHECK(config.batch.records_max == 8);
  CHECK(config.batch.wait.count() == 9);
  CHECK(config.decode.event_bytes_max == 2048);
  CHECK(config.decode.depth_max == 10);
  CHECK(config.decode.leaves_max == 101);
  CHECK(config.decode.tools_max == 12);
  CHECK(config.sessions.bytes_max == 1 << 20);
  CHECK(config.sessions.idle.count() == 60);
  CHECK(config.rewind_records_max == 13);
  CHECK(config.http.address == "127.0.0.1");
  CHECK(config.http.port == 80);
  CHECK(config.log.format == log::Format::kJson);
  CHECK(config.log.level == log::Level::kDebug);
  // Relative to the file they stand in.
  const auto& here = loaded.dir.path();
  CHECK(config.rules.packs == std::vector<std::filesystem::path>{here / "p"});
  CHECK(config.rules.systems == std::vector<std::filesystem::path>{here / "s", here / "t"});
  CHECK(config.hmac_secret == "0123456789abcdef");
  REQUIRE(config.detectors != nullptr);
  CHECK(config.detectors->find("loop")->find("repeats_min")->scalar == "3");
}

TEST_CASE("every key can be set from the environment") {
  const testing::TempDir dir;
  const auto key = dir.write("key", "0123456789abcdef");
  const Loaded loaded(std::string(kLeast) + "workers: 2\n",
                      {{"TOCSIN_TOPICS_EVENTS", "x, y"},
                       {"TOCSIN_TOPICS_FINDINGS", "f"},
                       {"TOCSIN_TOPICS_DEAD_LETTER", "d"},
                       {"TOCSIN_TOPICS_START_AT", "latest"},
                       {"TOCSIN_WORKERS", "7"},
                       {"TOCSIN_BATCH_RECORDS_MAX", "8"},
                       {"TOCSIN_BATCH_WAIT_MS", "9"},
                       {"TOCSIN_LIMITS_EVENT_BYTES_MAX", "2048"},
                       {"TOCSIN_LIMITS_DEPTH_MAX", "10"},
                       {"TOCSIN_LIMITS_LEAVES_MAX", "101"},
                       {"TOCSIN_LIMITS_TOOLS_MAX", "12"},
                       {"TOCSIN_LIMITS_STATE_BYTES_MAX", "1048576"},
                       {"TOCSIN_SESSION_IDLE_SECONDS", "60"},
                       {"TOCSIN_SESSION_REWIND_RECORDS_MAX", "13"},
                       {"TOCSIN_HTTP_LISTEN", "[::]:80"},
                       {"TOCSIN_LOG_FORMAT", "json"},
                       {"TOCSIN_LOG_LEVEL", "error"},
                       {"TOCSIN_RULES_PACKS", "p,q"},
                       {"TOCSIN_RULES_SYSTEMS", "s"},
                       {"TOCSIN_REDACTION_HMAC_KEY_FILE", key.string()}});
  REQUIRE(loaded.briefly() == Strings{});
  const Config& config = loaded.config;
  CHECK(config.topics.events == Strings{"x", "y"});
  CHECK(config.topics.findings == "f");
  CHECK(config.topics.dead_letter == "d");
  CHECK(config.topics.start_at == StartAt::kLatest);
  CHECK(config.workers == 7);
  CHECK(config.batch.records_max == 8);
  CHECK(config.batch.wait.count() == 9);
  CHECK(config.decode.event_bytes_max == 2048);
  CHECK(config.decode.depth_max == 10);
  CHECK(config.decode.leaves_max == 101);
  CHECK(config.decode.tools_max == 12);
  CHECK(config.sessions.bytes_max == 1 << 20);
  CHECK(config.sessions.idle.count() == 60);
  CHECK(config.rewind_records_max == 13);
  CHECK(config.http.address == "[::]");
  CHECK(config.http.port == 80);
  CHECK(config.log.format == log::Format::kJson);
  CHECK(config.log.level == log::Level::kError);
  CHECK(config.rules.packs == std::vector<std::filesystem::path>{"p", "q"});
  CHECK(config.rules.systems == std::vector<std::filesystem::path>{"s"});
  CHECK(config.hmac_secret == "0123456789abcdef");
}

TEST_CASE("librdkafka's properties from the environment") {
  const testing::TempDir dir;
  const auto secret = dir.write("secret", "hunter2\n");
  const Loaded loaded("", {{"TOCSIN_KAFKA_BOOTSTRAP_SERVERS", "b1:9092,b2:9092"},
                           {"TOCSIN_KAFKA_SECURITY_PROTOCOL", "sasl_ssl"},
                           {"TOCSIN_KAFKA_SASL_PASSWORD_FILE", secret.string()},
                           {"TOCSIN_KAFKA_GROUP_ID", "g"},
                           {"TOCSIN_TOPICS_EVENTS", "a,b"}});
  REQUIRE(loaded.briefly() == Strings{});
  CHECK(loaded.config.kafka ==
        std::map<std::string, std::string>{{"bootstrap.servers", "b1:9092,b2:9092"},
                                           {"group.id", "g"},
                                           {"sasl.password", "hunter2"},
                                           {"security.protocol", "sasl_ssl"}});
  CHECK(loaded.config.topics.events == Strings{"a", "b"});
}

TEST_CASE("the environment wins over the file") {
  const Loaded loaded(std::string(kLeast), {{"TOCSIN_KAFKA_BOOTSTRAP_SERVERS", "other:1"}});
  REQUIRE(loaded.briefly() == Strings{});
  CHECK(loaded.config.kafka.at("bootstrap.servers") == "other:1");
}

TEST_CASE("what run needs and replay does not") {
  CHECK(Loaded("", {}, false).briefly() == Strings{});
  CHECK(Loaded("", {}, true).briefly() ==
        Strings{"environment: 0:0 `kafka.bootstrap.servers` is missing",
                "environment: 0:0 `topics.events` is missing"});
  const Loaded no_topics("kafka: {bootstrap.servers: b}\ntopics:\n  findings: f\n");
  CHECK(no_topics.briefly() == Strings{"3:3 `topics.events` is missing"});
  for (const std::string_view empty : {"[]", "~", ""}) {
    CAPTURE(empty);
    const Loaded loaded(
        fmt::format("kafka: {{bootstrap.servers: b}}\ntopics:\n  events: {}\n", empty));
    REQUIRE(loaded.diagnostics.errors() == 1);
    CHECK(loaded.diagnostics.all()[0].message == "`topics.events` is empty");
    CHECK(loaded.diagnostics.all()[0].line == 3);
  }
  const Loaded overridden(std::string(kLeast), {{"TOCSIN_TOPICS_EVENTS", " "}});
  REQUIRE(overridden.diagnostics.errors() == 1);
  CHECK(overridden.diagnostics.all()[0].message == "`topics.events` is empty");
}

TEST_CASE("every wrong value is reported where it stands") {
  struct Row {
    std::string_view text;
    std::string_view complaint;
  };
  const Row rows[] = {
      {"wrokers: 2", "1:1 unknown key `wrokers`"},
      {"topics: {event: a}", "1:10 unknown key `topics.event`"},
      {"topics: [a]", "1:9 topics: expected a map, found a list"},
      {"topics: {findings: [a]}", "1:20 expected a string for `topics.findings`, found a list"},
      {"topics: {start_at: newest}", "1:20 `newest` is not a value for `topics.start_at`"},
      {"topics: {events: ['^agent.*']}", "1:18 `^agent.*`: patterns are not accepted"},
      {"topics: {events: {a: b}}", "1:18 `topics.events`: expected a list, found a map"},
      {"workers: 0", "1:10 `0` is not a value for `workers`"},
      {"workers: 257", "1:10 `257` is not a value for `workers`"},
      {"workers: many", "1:10 `many` is not a value for `workers`"},
      {"workers: [1]", "1:10 expected a whole number for `workers`, found a list"},
      {"batch: {records_max: 0}", "1:22 `0` is not a value for `batch.records_max`"},
      {"batch: {wait_ms: 1s}", "1:18 `1s` is not a value for `batch.wait_ms`"},
      {"limits: {event_bytes_max: 1MB}", "1:27 `1MB` is not a value for `limits.event_bytes_max`"},
      {"limits: {depth_max: 3}", "1:21 `3` is not a value for `limits.depth_max`"},
      {"limits: {leaves_max: 99}", "1:22 `99` is not a value for `limits.leaves_max`"},
      {"limits: {tools_max: 0}", "1:21 `0` is not a value for `limits.tools_max`"},
      {"limits: {state_bytes_max: 1}", "1:27 `1` is not a value for `limits.state_bytes_max`"},
      {"limits: {path_max: 1}", "1:10 unknown key `limits.path_max`"},
      {"session: {idle_seconds: 9}", "1:25 `9` is not a value for `session.idle_seconds`"},
      {"session: {rewind_records_max: -1}",
       "1:31 `-1` is not a value for `session.rewind_records_max`"},
      {"http: {listen: 9464}", "1:16 `9464` is not an address to listen on"},
      {"http: {port: 9464}", "1:8 unknown key `http.port`"},
      {"log: {format: xml}", "1:15 `xml` is not a value for `log.format`"},
      {"log: {level: warning}", "1:14 `warning` is not a value for `log.level`"},
      {"log: debug", "1:6 log: expected a map, found a single value"},
      {"rules: {packs: {a: b}}", "1:16 `rules.packs`: expected a list, found a map"},
      {"redaction: {hmac_key: x}", "1:13 unknown key `redaction.hmac_key`"},
      {"redaction: {hmac_key_file: /none/key}", "1:28 the secret file `/none/key` cannot be read"},
      {"detectors: [loop]", "1:12 detectors: expected a map, found a list"},
      {"kafka: [a]", "1:8 kafka: expected a map, found a list"},
      {"kafka: {bootstrap.servers: [a]}", "1:28 expected a value, found a list"},
      {"kafka: {group.id: }", "1:19 expected a value, found nothing"},
      {"kafka: {group.ids: x}", "1:9 librdkafka has no property `group.ids`"},
      {"kafka: {session.timeout.ms: soon}",
       "1:9 librdkafka refuses the value of `session.timeout.ms`"},
      {"- a list", "1:1 the file: expected a map, found a list"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Loaded loaded(std::string(row.text), {}, false);
    CHECK(loaded.diagnostics.has_errors());
    CHECK(loaded.briefly() == Strings{std::string(row.complaint)});
    REQUIRE_FALSE(loaded.diagnostics.all().empty());
    CHECK(loaded.diagnostics.all()[0].file == (loaded.dir.path() / "tocsin.yaml").string());
  }
}

TEST_CASE("all mistakes of a file are reported together") {
  const Loaded loaded(
      "kafka:\n  group.ids: a\nworkers: none\nbatch: {records_max: x}\nlog: {level: loud}\n"
      "http: {listen: here}\nbogus: 1\n");
  CHECK(loaded.briefly() ==
        Strings{"2:3 librdkafka has no property `group.ids`",
                "0:0 `kafka.bootstrap.servers` is missing", "1:1 `topics.events` is missing",
                "3:10 `none` is not a value for `workers`",
                "4:22 `x` is not a value for `batch.records_max`",
                "6:16 `here` is not an address to listen on",
                "5:14 `loud` is not a value for `log.level`", "7:1 unknown key `bogus`"});
}

TEST_CASE("a wrong value in the environment names the variable's key") {
  const Loaded loaded("", {{"TOCSIN_WORKERS", "many"}, {"TOCSIN_KAFKA_GROUP_IDS", "x"}}, false);
  CHECK(loaded.briefly() ==
        Strings{"environment (TOCSIN_KAFKA_GROUP_IDS): 0:0 librdkafka has no property `group.ids`",
                "environment (TOCSIN_ for `workers`): 0:0 `many` is not a value for `workers`"});
  CHECK(loaded.diagnostics.all()[0].hint == "did you mean `group.id`?");
}

TEST_CASE("listen") {
  struct Row {
    std::string_view listen;
    std::string_view address;  // with port 0 refused
    int port;
  };
  const Row rows[] = {
      {"0.0.0.0:9464", "0.0.0.0", 9464},
      {"127.0.0.1:0", "127.0.0.1", 0},
      {"[::]:9464", "[::]", 9464},
      {"[::1]:65535", "[::1]", 65535},
      {"localhost:1", "localhost", 1},
      {"9464", "refused", -1},
      {"", "refused", -1},
      {"1.2.3.4:", "refused", -1},
      {"1.2.3.4:65536", "refused", -1},
      {"1.2.3.4:-1", "refused", -1},
      {"1.2.3.4:+1", "refused", -1},
      {"1.2.3.4:80x", "refused", -1},
      {"1.2.3.4: 80", "refused", -1},
      {"1.2.3.4:99999999999999999999", "refused", -1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.listen);
    const Loaded loaded(fmt::format("http: {{listen: '{}'}}\n", row.listen), {}, false);
    if (row.port < 0) {
      CHECK(loaded.briefly() ==
            Strings{fmt::format("1:16 `{}` is not an address to listen on", row.listen)});
      continue;
    }
    CHECK(loaded.briefly() == Strings{});
    CHECK(loaded.config.http.address == row.address);
    CHECK(loaded.config.http.port == row.port);
  }
}

TEST_CASE("properties that tocsin keeps to itself") {
  struct Row {
    std::string_view property;
    std::string_view value;
    bool reserved;
  };
  const Row rows[] = {
      {"enable.auto.commit", "false", true},
      {"enable.auto.offset.store", "true", true},
      {"auto.commit.interval.ms", "1", true},
      {"auto.offset.reset", "latest", true},
      {"acks", "1", true},
      {"partitioner", "consistent_random", true},
      {"acks", "all", false},
      {"acks", "-1", false},
      {"request.required.acks", "0", true},
      {"enable.idempotence", "false", true},
      {"enable.idempotence", "true", false},
      {"message.timeout.ms", "1000", true},
      {"delivery.timeout.ms", "1000", true},
      {"fetch.min.bytes", "1000", false},
      {"client.id", "me", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.property, row.value);
    const Loaded loaded(fmt::format("kafka:\n  {}: '{}'\n", row.property, row.value), {}, false);
    if (!row.reserved) {
      CHECK(loaded.briefly() == Strings{});
      CHECK(loaded.config.kafka.at(std::string(row.property)) == row.value);
      continue;
    }
    CHECK(loaded.briefly() ==
          Strings{fmt::format("2:3 `{}: {}` cannot be set", row.property, row.value)});
    CHECK_FALSE(loaded.diagnostics.all()[0].hint.empty());
    CHECK_FALSE(loaded.config.kafka.contains(std::string(row.property)));
  }
}

TEST_CASE("an unknown property of librdkafka comes with the nearest known one") {
  struct Row {
    std::string_view property;
    std::string_view hint;
  };
  const Row rows[] = {
      {"bootstrap.server", "did you mean `bootstrap.servers`?"},
      {"sasl.pasword", "did you mean `sasl.password`?"},
      {"security_protocol", "did you mean `security.protocol`?"},
      {"flux.capacitor.gigawatts", "see librdkafka's CONFIGURATION.md"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.property);
    const Loaded loaded(fmt::format("kafka: {{{}: x}}\n", row.property), {}, false);
    REQUIRE(loaded.diagnostics.errors() == 1);
    CHECK(loaded.diagnostics.all()[0].hint == row.hint);
  }
}

TEST_CASE("a secret comes from its file, without newlines at its end") {
  struct Row {
    std::string_view content;
    std::string_view secret;
  };
  const Row rows[] = {
      {"hunter2", "hunter2"}, {"hunter2\n", "hunter2"},       {"hunter2\r\n", "hunter2"},
      {" a b \n\n", " a b "}, {"two\nlines\n", "two\nlines"},
  };
  const testing::TempDir dir;
  for (const Row& row : rows) {
    CAPTURE(row.content);
    const auto file = dir.write("secret", row.content);
    const Loaded loaded(fmt::format("kafka: {{sasl.password_file: {}}}\n", file.string()), {},
                        false);
    REQUIRE(loaded.briefly() == Strings{});
    CHECK(loaded.config.kafka.at("sasl.password") == row.secret);
    CHECK_FALSE(loaded.config.kafka.contains("sasl.password_file"));
  }
}

TEST_CASE("a secret's file is looked for beside the file that names it") {
  const Loaded loaded("kafka: {sasl.password_file: tocsin.yaml}\n", {}, false);  // itself, for once
  REQUIRE(loaded.briefly() == Strings{});
  CHECK(loaded.config.kafka.at("sasl.password") == "kafka: {sasl.password_file: tocsin.yaml}");
}

TEST_CASE("a secret's file that cannot be read") {
  const testing::TempDir dir;
  for (const auto& path : {dir.path() / "none", dir.path()}) {
    CAPTURE(path);
    const Loaded file(fmt::format("kafka:\n  sasl.password_file: {}\n", path.string()), {}, false);
    CHECK(file.briefly() ==
          Strings{fmt::format("2:3 the secret file `{}` cannot be read", path.string())});
    const Loaded variable("", {{"TOCSIN_KAFKA_SASL_PASSWORD_FILE", path.string()}}, false);
    REQUIRE(variable.diagnostics.errors() == 1);
    CHECK(variable.diagnostics.all()[0].file == "environment (TOCSIN_KAFKA_SASL_PASSWORD_FILE)");
  }
}

TEST_CASE("a secret's file that a variable overrides is not read") {
  const std::string file = "kafka:\n  sasl.password_file: /nowhere/password\n";
  const testing::TempDir dir;
  const std::string other = dir.write("other", "hunter2").string();
  for (const auto& [name, value] :
       {std::pair<std::string, std::string>("TOCSIN_KAFKA_SASL_PASSWORD", "hunter2"),
        {"TOCSIN_KAFKA_SASL_PASSWORD_FILE", other}}) {
    CAPTURE(name);
    const Loaded loaded(file, {{name, value}}, false);
    CHECK(loaded.briefly() == Strings{});
    CHECK(loaded.config.kafka.at("sasl.password") == "hunter2");
  }
  CHECK(Loaded(file, {{"TOCSIN_KAFKA_SASL_USERNAME", "u"}}, false).diagnostics.errors() == 1);
}

TEST_CASE("a token's file is kept by its place, and looked at") {
  const testing::TempDir dir;
  const auto good =
      dir.write("good", "a.eyJzdWIiOiJhIiwiZXhwIjo0MDAwMDAwMDAwfQ.c\n");  // until 2096
  const auto late = dir.write("late", "a.eyJzdWIiOiJhIiwiZXhwIjoxMDAwMDAwMDAwfQ.c\n");
  const auto bad = dir.write("bad", "hunter2");
  const std::string none = (dir.path() / "none").string();
  const auto config = [](const std::string& file, std::string_view more = "") {
    return fmt::format(
        "kafka: {{sasl.mechanism: OAUTHBEARER, sasl.oauthbearer.token_file: {}{}}}\n", file, more);
  };
  struct Row {
    std::string text;
    std::string said;  // a part of the one complaint
    bool error;
  };
  const Row rows[] = {
      {config(good.string()), "", false},
      {config(late.string()), "has expired", false},
      {config(bad.string()), "holds no token: it is no JSON Web Token", true},
      {config(none), "holds no token: No such file", true},
      {config(good.string(), ", sasl.oauthbearer.config: x"), "exclude each other", true},
      {fmt::format("kafka: {{sasl.oauthbearer.token_file: {}}}\n", good.string()),
       "of no use without `sasl.mechanism: OAUTHBEARER`", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Loaded loaded(row.text, {}, false);
    CAPTURE(loaded.briefly());
    CHECK(loaded.diagnostics.has_errors() == row.error);
    REQUIRE(loaded.briefly().size() == (row.said.empty() ? 0 : 1));
    if (!row.said.empty()) CHECK(loaded.briefly()[0].find(row.said) != std::string::npos);
    CHECK(loaded.all_output().find("hunter2") == std::string::npos);
  }
  const Loaded variable("",
                        {{"TOCSIN_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE", good.string()},
                         {"TOCSIN_KAFKA_SASL_MECHANISM", "OAUTHBEARER"}},
                        false);
  CHECK(variable.briefly() == Strings{});
  CHECK(variable.config.kafka.at(kafka::kTokenFile) == good.string());
}

TEST_CASE("the key for hashes must not be short") {
  const testing::TempDir dir;
  const auto file = dir.write("key", "0123456789abcde\n");
  const Loaded loaded(fmt::format("redaction: {{hmac_key_file: {}}}\n", file.string()), {}, false);
  CHECK(loaded.briefly() ==
        Strings{fmt::format("1:28 the key in `{}` has 15 bytes", file.string())});
}

TEST_CASE("no complaint shows a secret") {
  const testing::TempDir dir;
  const auto file = dir.write("secret", "hunter2");
  struct Row {
    std::string_view what;
    std::string text;
    Variables variables;
  };
  const Row rows[] = {
      {"a file under a reserved name",
       fmt::format("kafka: {{enable.idempotence_file: {}}}", file.string()),
       {}},
      {"a file under a name that takes a number",
       fmt::format("kafka: {{session.timeout.ms_file: {}}}", file.string()),
       {}},
      {"a file under an unknown name",
       fmt::format("kafka: {{sasl.pasword_file: {}}}", file.string()),
       {}},
      {"a short key", fmt::format("redaction: {{hmac_key_file: {}}}", file.string()), {}},
      {"a misspelt property", "kafka:\n  sasl.pasword: hunter2\n", {}},
      {"a misspelt property in a flow map", "kafka: {sasl.pasword: hunter2}", {}},
      {"a misspelt variable", "", {{"TOCSIN_KAFKA_SASL_PASWORD", "hunter2"}}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const Loaded loaded(row.text, row.variables, false);
    CHECK(loaded.diagnostics.has_errors());
    CAPTURE(loaded.all_output());
    CHECK(loaded.all_output().find("hunter2") == std::string::npos);
  }
}

TEST_CASE("variables that nobody asked for") {
  const Loaded loaded("",
                      {{"TOCSIN_WORKERS", "2"},
                       {"TOCSIN_WROKERS", "2"},
                       {"TOCSIN_HOME", "/x"},
                       // What Kubernetes sets beside Services called tocsin and tocsin-kafka.
                       {"TOCSIN_PORT", "tcp://10.0.0.1:9464"},
                       {"TOCSIN_PORT_9464_TCP", "tcp://10.0.0.1:9464"},
                       {"TOCSIN_PORT_9464_TCP_ADDR", "10.0.0.1"},
                       {"TOCSIN_SERVICE_HOST", "10.0.0.1"},
                       {"TOCSIN_SERVICE_PORT", "9464"},
                       {"TOCSIN_SERVICE_PORT_METRICS", "9464"},
                       {"TOCSIN_KAFKA_SERVICE_HOST", "10.0.0.2"},
                       {"TOCSIN_KAFKA_SERVICE_PORT_CLIENT", "9092"},
                       {"TOCSIN_KAFKA_PORT", "tcp://10.0.0.2:9092"},
                       {"TOCSIN_KAFKA_PORT_9092_TCP_PROTO", "tcp"}},
                      false);
  CHECK_FALSE(loaded.diagnostics.has_errors());
  CHECK(loaded.briefly() ==
        Strings{"environment: 0:0 `TOCSIN_HOME` overrides no key and is ignored",
                "environment: 0:0 `TOCSIN_WROKERS` overrides no key and is ignored"});
  CHECK(loaded.diagnostics.all()[1].hint == "did you mean `TOCSIN_WORKERS`?");
  CHECK(loaded.config.workers == 2);
}

TEST_CASE("no librdkafka property looks like a variable of Kubernetes") {
  for (const auto& [property, scope] : kafka::property_catalogue()) {
    CAPTURE(property);
    CHECK(property.find("service.host") == std::string::npos);
    CHECK(property.find("service.port") == std::string::npos);
    CHECK_FALSE(property.ends_with(".port"));
  }
}

TEST_CASE("librdkafka's catalogue is understood") {
  const auto& catalogue = kafka::property_catalogue();
  CHECK(catalogue.size() > 100);
  CHECK(catalogue.at("bootstrap.servers") == kafka::Scope::kBoth);
  CHECK(catalogue.at("group.id") == kafka::Scope::kConsumer);
  CHECK(catalogue.at("linger.ms") == kafka::Scope::kProducer);
  CHECK_FALSE(catalogue.contains("Property"));
}

TEST_CASE("detectors keep standing when the document moves") {
  Loaded loaded(std::string(kLeast) + "detectors:\n  loop: {enabled: false}\n");
  REQUIRE(loaded.briefly() == Strings{});
  const Config moved = std::move(loaded.config);
  REQUIRE(moved.detectors != nullptr);
  CHECK(moved.detectors->find("loop")->find("enabled")->scalar == "false");
}

TEST_CASE("imports name a file or a folder, and what of it is wanted") {
  const Loaded loaded(
      "rules:\n  imports:\n    - {gitleaks: a.toml, only: [x]}\n"
      "    - {atr: b, severity_max: low, except: [y, z]}\n",
      {}, false);
  CHECK(loaded.briefly() == Strings{});
  const std::vector<ImportSource>& imports = loaded.config.rules.imports;
  REQUIRE(imports.size() == 2);
  CHECK(imports[0].format == ImportFormat::kGitleaks);
  CHECK(imports[0].path.filename() == "a.toml");
  CHECK(imports[0].only == Strings{"x"});
  CHECK(imports[0].severity_max == Severity::kCritical);
  CHECK(imports[1].format == ImportFormat::kAtr);
  CHECK(imports[1].severity_max == Severity::kLow);
  CHECK(imports[1].except == Strings{"y", "z"});
  for (const char* wrong : {"x", "{gitleaks: a.toml}", "[{}]", "[{gitleaks: a, atr: b}]",
                            "[a.toml]", "[{sigma: a}]", "[{atr: a, severity_max: urgent}]"}) {
    CAPTURE(wrong);
    CHECK(
        Loaded(fmt::format("rules: {{imports: {}}}\n", wrong), {}, false).diagnostics.has_errors());
  }
}

// deploy/tocsin.yaml shows every key, commented out where the default will do.
std::string sample() {
  std::ifstream stream(std::string(TOCSIN_SOURCE_DIR) + "/deploy/tocsin.yaml");
  return {std::istreambuf_iterator<char>(stream), {}};
}

// The sample with `#key: value` and `# key: value` made live; prose stays a comment.
std::string uncommented(const std::string& text) {
  std::istringstream stream(text);
  std::string out;
  for (std::string line; std::getline(stream, line);) {
    const std::size_t hash = line.find_first_not_of(' ');
    if (hash != std::string::npos && line[hash] == '#') {
      std::size_t key = hash + 1;
      if (key < line.size() && line[key] == ' ') ++key;
      std::size_t end = key;
      while (end < line.size() && (std::isalnum(static_cast<unsigned char>(line[end])) != 0 ||
                                   line[end] == '_' || line[end] == '.')) {
        ++end;
      }
      const bool is_key = end > key && end < line.size() && line[end] == ':' &&
                          (end + 1 == line.size() || line[end + 1] == ' ');
      if (is_key) line = line.substr(0, hash) + line.substr(key);
    }
    out += line + '\n';
  }
  return out;
}

TEST_CASE("the sample configuration loads as it is") {
  const std::string text = sample();
  const Loaded loaded(text, {}, false);
  CHECK(loaded.briefly() == Strings{});
}

TEST_CASE("the sample configuration has every key, with its default") {
  const std::string text = sample();
  constexpr std::string_view kKeys[] = {
      "kafka.bootstrap.servers",
      "kafka.group.id",
      "topics.events",
      "topics.findings",
      "topics.control",
      "topics.incidents",
      "topics.judgements",
      "topics.requests",
      "topics.dead_letter",
      "topics.ocsf",
      "topics.start_at",
      "workers",
      "batch.records_max",
      "batch.wait_ms",
      "limits.event_bytes_max",
      "limits.depth_max",
      "limits.leaves_max",
      "limits.tools_max",
      "limits.state_bytes_max",
      "session.idle_seconds",
      "session.rewind_records_max",
      "incidents.link_seconds",
      "incidents.retention_seconds",
      "incidents.remembered_max",
      "incidents.requests",
      "incidents.request_timeout_seconds",
      "webhooks",
      "alertmanager.urls",
      "alertmanager.severity_min",
      "alertmanager.resend_seconds",
      "alertmanager.timeout_seconds",
      "alertmanager.ca_file",
      "alertmanager.token_file",
      "alertmanager.proxy",
      "alertmanager.external_url",
      "alertmanager.runbook_url",
      "alertmanager.insecure",
      "selftest.interval_seconds",
      "http.listen",
      "http.page",
      "log.format",
      "log.level",
      "rules.packs",
      "rules.systems",
      "rules.imports",
      "rules.cache_dir",
      "rules.demote",
      "rules.precision_floor_percent",
      "rules.judgements_min",
      "rules.watch",
      "redaction.hmac_key_file",
      "detectors",
  };
  Diagnostics diagnostics;
  const auto document = yaml::parse("deploy/tocsin.yaml", uncommented(text), diagnostics);
  std::ostringstream said;
  print(said, diagnostics, false);
  INFO(said.str());
  REQUIRE(document.has_value());
  for (const std::string_view key : kKeys) {
    CAPTURE(key);
    const std::size_t dot = key.find('.');
    const yaml::Node* node = document->root->find(key.substr(0, dot));
    REQUIRE(node != nullptr);
    if (dot != std::string_view::npos) CHECK(node->find(key.substr(dot + 1)) != nullptr);
  }
  // Nothing in it is unknown or wrong; a secret's file need not be there.
  const Loaded loaded(uncommented(text), {}, true);
  for (const Diagnostic& d : loaded.diagnostics.all()) {
    CAPTURE(d.message);
    CHECK(d.message.find("cannot be read") != std::string::npos);
  }
  const Config& config = loaded.config;
  const Config defaults = Loaded("", {}, false).config;
  CHECK(config.topics.findings == defaults.topics.findings);
  CHECK(config.topics.control == defaults.topics.control);
  CHECK(config.topics.incidents == defaults.topics.incidents);
  CHECK(config.topics.judgements == defaults.topics.judgements);
  CHECK(config.topics.requests == defaults.topics.requests);
  CHECK(config.incidents.link == defaults.incidents.link);
  CHECK(config.incidents.retention == defaults.incidents.retention);
  CHECK(config.incidents.incidents_max == defaults.incidents.incidents_max);
  CHECK(config.incidents.requests == defaults.incidents.requests);
  CHECK(config.incidents.request_timeout == defaults.incidents.request_timeout);
  CHECK(config.selftest_interval == defaults.selftest_interval);
  CHECK(config.topics.ocsf == defaults.topics.ocsf);
  REQUIRE(config.webhooks.size() == 1);
  const WebhookConfig& webhook = config.webhooks.front();
  CHECK(webhook.severity_min == WebhookConfig{}.severity_min);
  CHECK(webhook.format == WebhookConfig{}.format);
  CHECK(webhook.http.timeout == WebhookConfig{}.http.timeout);
  CHECK(webhook.give_up == WebhookConfig{}.give_up);
  CHECK(webhook.http.ca_file.empty());
  CHECK(webhook.http.proxy.empty());
  CHECK(config.alertmanager.urls.empty());
  CHECK(config.alertmanager.severity_min == defaults.alertmanager.severity_min);
  CHECK(config.alertmanager.resend == defaults.alertmanager.resend);
  CHECK(config.alertmanager.http.timeout == defaults.alertmanager.http.timeout);
  CHECK(config.alertmanager.http.ca_file.empty());
  CHECK(config.alertmanager.http.proxy.empty());
  CHECK(config.alertmanager.token.empty());
  CHECK(config.alertmanager.links.external_url.empty());
  CHECK(config.alertmanager.links.runbook_url.empty());
  CHECK(config.topics.start_at == defaults.topics.start_at);
  CHECK(config.workers == defaults.workers);
  CHECK(config.batch.records_max == defaults.batch.records_max);
  CHECK(config.batch.wait == defaults.batch.wait);
  CHECK(config.decode.event_bytes_max == defaults.decode.event_bytes_max);
  CHECK(config.decode.depth_max == defaults.decode.depth_max);
  CHECK(config.decode.leaves_max == defaults.decode.leaves_max);
  CHECK(config.decode.tools_max == defaults.decode.tools_max);
  CHECK(config.sessions.bytes_max == defaults.sessions.bytes_max);
  CHECK(config.sessions.idle == defaults.sessions.idle);
  CHECK(config.rewind_records_max == defaults.rewind_records_max);
  CHECK(config.rules.watch == defaults.rules.watch);
  CHECK(config.rules.demote == defaults.rules.demote);
  CHECK(config.rules.precision.floor == defaults.rules.precision.floor);
  CHECK(config.rules.precision.judgements_min == defaults.rules.precision.judgements_min);
  CHECK(config.http.address == defaults.http.address);
  CHECK(config.http.port == defaults.http.port);
  CHECK(config.log.format == defaults.log.format);
  CHECK(config.log.level == defaults.log.level);
}

}  // namespace
}  // namespace tocsin
