// The configuration of the daemon: one YAML file, every key overridable from the environment.
//
// `session.idle_seconds` is TOCSIN_SESSION_IDLE_SECONDS; a list takes commas; a librdkafka property
// `a.b.c` under `kafka:` is TOCSIN_KAFKA_A_B_C.  deploy/tocsin.yaml has every key with its default,
// and a test holds it to that.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/decode/native.h"
#include "daemon/diagnostics.h"
#include "daemon/incident/limits.h"
#include "daemon/incident/precision.h"
#include "daemon/log.h"
#include "daemon/session/session_table.h"
#include "daemon/sink/sinks_config.h"
#include "daemon/yaml/document.h"
#include "detectors/rules/import/source.h"

namespace tocsin {

enum class StartAt : std::uint8_t { kEarliest, kLatest };

struct Config {
  // librdkafka's own properties; `X_file: PATH` was replaced by `X: <the file's text, without
  // newlines at its end>`.
  std::map<std::string, std::string> kafka;
  struct {
    std::vector<std::string> events;
    std::string findings = "tocsin.findings";
    std::string control = "tocsin.control";      // as many partitions as findings
    std::string incidents = "tocsin.incidents";  // ... and compacted; empty: no incidents here
    std::string judgements =
        "tocsin.judgements";                   // ... as incidents; empty: rules have no precision
    std::string requests = "tocsin.requests";  // for containment, see `incidents.requests`
    std::string dead_letter;                   // empty: rejected records are counted and dropped
    std::string ocsf;                          // findings once more, as OCSF; empty: not
    StartAt start_at = StartAt::kEarliest;     // for a group without committed offsets
  } topics;
  std::size_t workers = 0;  // 0: one a core
  struct {
    std::size_t records_max = 500;
    std::chrono::milliseconds wait{100};
  } batch;
  DecodeLimits decode;
  SessionLimits sessions;
  // Records read again at most to rebuild the sessions of one partition.
  std::int64_t rewind_records_max = 1'000'000;
  struct {
    std::string address = "0.0.0.0";
    std::uint16_t port = 9464;
    bool page = true;  // the status page and /api/v1, beside metrics and health
  } http;
  struct {
    log::Format format = log::Format::kText;
    log::Level level = log::Level::kInfo;
  } log;
  struct {
    std::vector<std::filesystem::path> packs;    // without the key: those that come with tocsin
    std::vector<std::filesystem::path> systems;  // nobody else can know yours
    std::vector<ImportSource> imports;           // rules written for other tools
    std::filesystem::path cache_dir;             // of compiled rules; empty: none
    bool watch = true;                           // reload when a file has changed
    bool demote = true;  // rules that cost or say too much (rule_watch.h), or are wrong too often
    incident::PrecisionLimits precision;  // of rules that people judged
  } rules;
  std::string hmac_secret;     // empty: a random key a process
  incident::Limits incidents;  // `idle` is the sessions'
  std::vector<WebhookConfig> webhooks;
  AlertmanagerConfig alertmanager;
  // Between two self-test events; 0: none.
  std::chrono::seconds selftest_interval{30};
  // The map under `detectors`, or null; each detector reads its own.
  const yaml::Node* detectors = nullptr;

  yaml::Document document;  // keeps `detectors` alive
};

// How the environment is looked up; tests pass their own.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();
// Names of the process's variables that start with "TOCSIN_".
std::vector<std::string> environment_names();

// Reads a file, or only defaults and the environment when `path` is empty.  `kafka_needed`: the
// source must be configured (run), or may be absent (replay).  Mistakes go to `diagnostics`; the
// result is then not to be used.
Config load_config(const std::filesystem::path& path, bool kafka_needed,
                   const Environment& environment, const std::vector<std::string>& names,
                   Diagnostics& diagnostics);

// Where the rules that come with tocsin are: beside the installed program (../share/tocsin/rules),
// or the source tree of a build.  Empty when neither exists.
std::filesystem::path shipped_rules();

}  // namespace tocsin
