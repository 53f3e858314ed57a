#include "daemon/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <set>
#include <system_error>
#include <utility>

#include "daemon/config_files.h"
#include "daemon/source/denials.h"
#include "daemon/source/kafka_client.h"
#include "daemon/source/oauth_token.h"
#include "daemon/text.h"

namespace tocsin {
namespace {

using yaml::MapReader;
using yaml::Node;

constexpr std::string_view kPrefix = "TOCSIN_";
constexpr std::string_view kFileSuffix = "_file";

std::string upper_with_underscores(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    out += !letter_or_digit ? '_' : c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

// What Kubernetes sets in every pod beside a Service called tocsin, tocsin-kafka and so on:
// TOCSIN_SERVICE_HOST, TOCSIN_KAFKA_SERVICE_PORT_CLIENT, TOCSIN_PORT,
// TOCSIN_KAFKA_PORT_9092_TCP_ADDR.  No key of ours looks like that.
bool set_by_kubernetes(std::string_view name) {
  constexpr auto kNone = std::string_view::npos;
  if (name.find("_SERVICE_HOST") != kNone || name.find("_SERVICE_PORT") != kNone) return true;
  if (name.ends_with("_PORT")) return true;
  constexpr std::string_view kPort = "_PORT_";
  const std::size_t port = name.find(kPort);
  if (port == kNone || port + kPort.size() >= name.size()) return false;
  const char next = name[port + kPort.size()];
  return next >= '0' && next <= '9';
}

// The token is read again and again, so its place is kept and not what is there now.
void read_token_file(const Node& where, const std::string& written, Config& config,
                     Diagnostics& diagnostics) {
  const std::filesystem::path path = resolve_path(where, written);
  config.kafka[kafka::kTokenFile] = path.string();
  const auto token = kafka::read_oauth_token(path);
  if (!token) {
    yaml::error_at(
        where, fmt::format("`{}` holds no token: {}", path.string(), token.error()),
        "a JSON Web Token, as in a projected service account's file; readable by tocsin's user",
        diagnostics);
  } else if (token->expires <= std::chrono::system_clock::now()) {
    yaml::warning_at(where, fmt::format("the token in `{}` has expired", path.string()),
                     "brokers refuse it until somebody renews it", diagnostics);
  }
}

// What of the token's file contradicts the rest, and what this librdkafka cannot do.
void check_mechanism(const Config& config, const std::string& file, Diagnostics& diagnostics) {
  const auto value_of = [&](const char* name) {
    const auto found = config.kafka.find(name);
    return found == config.kafka.end() ? std::string() : found->second;
  };
  const auto complain = [&](std::string message, std::string hint,
                            Gravity gravity = Gravity::kError) {
    diagnostics.add({.gravity = gravity,
                     .file = file.empty() ? "environment" : file,
                     .excerpt = "",
                     .message = std::move(message),
                     .hint = std::move(hint)});
  };
  if (std::string caveat = kafka::scram_caveat(config.kafka); !caveat.empty()) {
    complain("`sasl.mechanism: SCRAM-...` does not work with every broker", std::move(caveat),
             Gravity::kWarning);
  }
  if (value_of(kafka::kTokenFile).empty()) return;
  if (value_of("sasl.mechanism") != "OAUTHBEARER" && value_of("sasl.mechanisms") != "OAUTHBEARER") {
    complain(
        fmt::format("`{}` is of no use without `sasl.mechanism: OAUTHBEARER`", kafka::kTokenFile),
        "and with `security.protocol: SASL_SSL`");
  }
  for (const char* other : {"sasl.oauthbearer.config", "sasl.oauthbearer.method",
                            "enable.sasl.oauthbearer.unsecure.jwt"}) {
    if (value_of(other).empty()) continue;
    complain(fmt::format("`{}` and `{}` exclude each other", kafka::kTokenFile, other),
             "a token comes from one place; remove one of them");
  }
}

// Accepts one property, from the file or the environment.
void read_property(const Node& where, std::string_view written, std::string value, Config& config,
                   Diagnostics& diagnostics) {
  // Shows the key alone: the rest of the line may be a password, if under a misspelt name.
  const auto complain = [&](std::string message, std::string hint) {
    diagnostics.add(
        {.file = where.source->name,
         .line = where.line,
         .column = where.column,
         .excerpt = where.line > 0 ? std::string(where.column - 1, ' ') + where.scalar + ": …" : "",
         .message = std::move(message),
         .hint = std::move(hint)});
  };
  std::string name(written);
  if (name == kafka::kTokenFile) return read_token_file(where, value, config, diagnostics);
  bool from_file = false;
  const auto& catalogue = kafka::property_catalogue();
  if (name.ends_with(kFileSuffix) && !catalogue.contains(name)) {
    name.resize(name.size() - kFileSuffix.size());
    auto secret = read_secret(where, value, diagnostics);
    if (!secret) return;
    value = std::move(*secret);
    from_file = true;
  }
  if (!catalogue.contains(name)) {
    std::vector<std::string_view> known;
    for (const auto& [property, scope] : catalogue) known.push_back(property);
    const std::string_view near = nearest(name, known);
    complain(fmt::format("librdkafka has no property `{}`", name),
             near.empty() ? "see librdkafka's CONFIGURATION.md"
                          : fmt::format("did you mean `{}`?", near));
    return;
  }
  if (const std::string_view reason = kafka::reserved_because(name, value); !reason.empty()) {
    complain(from_file ? fmt::format("`{}` cannot be set", written)
                       : fmt::format("`{}: {}` cannot be set", name, value),
             std::string(reason));
    return;
  }
  // librdkafka is the judge of values.
  if (const auto conf = kafka::make_conf({{name, value}}, catalogue.find(name)->second); !conf) {
    // Its message quotes the value, which may be a secret.
    const bool secret = name.find("password") != std::string::npos ||
                        name.find("secret") != std::string::npos ||
                        name.find("key") != std::string::npos || from_file;
    complain(fmt::format("librdkafka refuses the value of `{}`", name),
             secret ? "check its form" : conf.error());
    return;
  }
  config.kafka[name] = std::move(value);
}

// Of `sasl.password_file` it is `sasl.password` that is set.
std::string_view property_set_by(std::string_view written) {
  if (written.ends_with(kFileSuffix) && !kafka::property_catalogue().contains(written)) {
    written.remove_suffix(kFileSuffix.size());
  }
  return written;
}

// TOCSIN_KAFKA_SASL_PASSWORD_FILE is sasl.password_file.
struct KafkaVariable {
  std::string name;
  std::string property;
  std::string value;
};

std::vector<KafkaVariable> kafka_variables(const Environment& environment,
                                           const std::vector<std::string>& names) {
  std::vector<KafkaVariable> variables;
  const std::string prefix = std::string(kPrefix) + "KAFKA_";
  for (const std::string& name : names) {
    if (!name.starts_with(prefix) || set_by_kubernetes(name)) continue;
    auto value = environment(name);
    if (!value) continue;
    std::string property = ascii_lower(std::string_view(name).substr(prefix.size()));
    const bool file = property.ends_with(kFileSuffix);
    if (file) property.resize(property.size() - kFileSuffix.size());
    std::ranges::replace(property, '_', '.');
    if (file) property += kFileSuffix;
    variables.push_back(
        {.name = name, .property = std::move(property), .value = std::move(*value)});
  }
  return variables;
}

void read_kafka(MapReader& root, const Environment& environment,
                const std::vector<std::string>& names, Config& config) {
  Diagnostics& diagnostics = root.context().diagnostics;
  const std::vector<KafkaVariable> variables = kafka_variables(environment, names);
  const MapReader reader = root.map("kafka");
  if (reader.self() != nullptr) {
    for (const auto& [key, value] : reader.self()->entries) {
      // What a variable overrides need not be right: its secret may be readable elsewhere only.
      const bool overridden = std::ranges::any_of(variables, [&](const KafkaVariable& variable) {
        return property_set_by(variable.property) == property_set_by(key.scalar);
      });
      if (overridden) continue;
      if (const auto text = yaml::scalar_of(value, "a value", diagnostics)) {
        read_property(key, key.scalar, std::string(*text), config, diagnostics);
      }
    }
  }
  for (const KafkaVariable& variable : variables) {
    const yaml::Source source{.name = "environment (" + variable.name + ")", .text = ""};
    Node where;
    where.source = &source;
    where.overriding = true;
    read_property(where, variable.property, variable.value, config, diagnostics);
  }
}

void read_listen(MapReader& http, Config& config) {
  std::string listen = fmt::format("{}:{}", config.http.address, config.http.port);
  http.string("listen", &listen);
  const Node* node = http.node("listen");
  const std::size_t colon = listen.rfind(':');
  unsigned port = 65536;
  if (colon != std::string::npos) {
    const char* const end = listen.data() + listen.size();
    const auto [stop, error] = std::from_chars(listen.data() + colon + 1, end, port);
    if (error != std::errc{} || stop != end) port = 65536;
  }
  if (port > 65535) {
    if (node != nullptr) {
      yaml::error_at(*node, fmt::format("`{}` is not an address to listen on", listen),
                     "address:port, for example 0.0.0.0:9464 or [::]:9464",
                     http.context().diagnostics);
    }
    return;
  }
  config.http.address = listen.substr(0, colon);
  config.http.port = static_cast<std::uint16_t>(port);
}

void read_workers(MapReader& root, Config& config) {
  const Node* node = root.node("workers");
  if (node == nullptr || node->scalar == "auto") return;
  root.number("workers", 1, 256, &config.workers);
}

void read_paths(MapReader& reader, std::string_view key, std::vector<std::filesystem::path>* out) {
  std::vector<std::string> paths;
  reader.strings(key, &paths);
  const Node* node = reader.node(key);
  if (node == nullptr) return;
  out->clear();
  for (const std::string& path : paths) out->push_back(resolve_path(*node, path));
}

// One import: which format is said by the key that holds the path.
void read_import(const Node& node, yaml::ReadContext& context, std::vector<ImportSource>* out) {
  yaml::ReadContext from_file(context.diagnostics);  // nothing of a list can be overridden
  MapReader reader(&node, "rules.imports", from_file);
  if (reader.self() == nullptr) return;
  ImportSource source;
  std::size_t named = 0;
  for (std::size_t i = 0; i < kImportFormatNames.size(); ++i) {
    std::string path;
    reader.string(kImportFormatNames[i], &path);
    if (path.empty()) continue;
    ++named;
    source.format = static_cast<ImportFormat>(i);
    source.path = resolve_path(*reader.node(kImportFormatNames[i]), path);
  }
  auto severity = static_cast<std::size_t>(source.severity_max);
  reader.choice("severity_max", severity_names(), &severity);
  source.severity_max = static_cast<Severity>(severity);
  reader.strings("only", &source.only);
  reader.strings("except", &source.except);
  reader.finish();
  if (named != 1) {
    yaml::error_at(node, "an import names one file or folder",
                   "{gitleaks: gitleaks.toml} or {atr: node_modules/agent-threat-rules}",
                   context.diagnostics);
    return;
  }
  out->push_back(std::move(source));
}

void read_imports(MapReader& rules, std::vector<ImportSource>* out) {
  const Node* list = rules.node("imports");
  if (list == nullptr || list->kind == Node::Kind::kNull) return;
  if (list->kind != Node::Kind::kSequence) {
    yaml::error_at(*list, "`rules.imports` must be a list", "[{gitleaks: gitleaks.toml}]",
                   rules.context().diagnostics);
    return;
  }
  for (const Node& item : list->items) read_import(item, rules.context(), out);
}

template <typename Duration>
void read_duration(MapReader& reader, std::string_view key, std::int64_t min, std::int64_t max,
                   Duration* out) {
  std::int64_t count = out->count();
  reader.integer(key, min, max, &count);
  *out = Duration(count);
}

void read_incidents(MapReader reader, Config& config) {
  incident::Limits& limits = config.incidents;
  limits.idle = config.sessions.idle;
  constexpr std::int64_t kDay = 86'400;
  read_duration(reader, "link_seconds", 0, 30 * kDay, &limits.link);
  read_duration(reader, "retention_seconds", 3600, 365 * kDay, &limits.retention);
  reader.number("remembered_max", 1, 1'000'000, &limits.incidents_max);
  static constexpr std::array<std::string_view, 3> kModes = {"off", "dry_run", "on"};
  auto mode = static_cast<std::size_t>(limits.requests);
  reader.choice("requests", kModes, &mode);
  limits.requests = static_cast<incident::RequestMode>(mode);
  read_duration(reader, "request_timeout_seconds", 1, kDay, &limits.request_timeout);
  reader.finish();
}

// Where a user's programs keep what they can make again (XDG Base Directory Specification); empty
// when there is no such place.
std::filesystem::path user_cache(const Environment& environment) {
  if (const auto cache = environment("XDG_CACHE_HOME"); cache && !cache->empty()) {
    return std::filesystem::path(*cache) / "tocsin";
  }
  const auto home = environment("HOME");
  if (!home || home->empty()) return {};
  return std::filesystem::path(*home) / ".cache" / "tocsin";
}

void read_rules(MapReader rules, const std::filesystem::path& file, const Environment& environment,
                Config& config) {
  const std::filesystem::path shipped = shipped_rules();
  if (!shipped.empty()) config.rules.packs = {shipped / "packs"};
  read_paths(rules, "packs", &config.rules.packs);
  read_paths(rules, "systems", &config.rules.systems);
  read_imports(rules, &config.rules.imports);
  if (shipped.empty() && rules.node("packs") == nullptr && config.rules.packs.empty() &&
      config.rules.imports.empty()) {
    rules.context().diagnostics.add(
        {.gravity = Gravity::kWarning,
         .file = file.empty() ? "configuration" : file.string(),
         .excerpt = "",
         .message = "the rules that come with tocsin are not beside the program: only "
                    "detectors look at events",
         .hint = "install them in ../share/tocsin/rules, or name packs under "
                 "`rules.packs`"});
  }
  std::string cache = user_cache(environment).string();
  rules.string("cache_dir", &cache);
  config.rules.cache_dir = cache;
  rules.boolean("watch", &config.rules.watch);
  rules.boolean("demote", &config.rules.demote);
  int floor_percent = static_cast<int>(config.rules.precision.floor * 100);
  rules.number("precision_floor_percent", 0, 100, &floor_percent);
  config.rules.precision.floor = floor_percent / 100.0;
  rules.number("judgements_min", 1, incident::Judgements::kWindow,
               &config.rules.precision.judgements_min);
  rules.finish();
}

void warn_of_unknown(const std::vector<std::string>& names, const std::set<std::string>& known,
                     Diagnostics& diagnostics) {
  for (const std::string& name : names) {
    if (known.contains(name) || set_by_kubernetes(name) || name.starts_with("TOCSIN_KAFKA_")) {
      continue;
    }
    const std::vector<std::string_view> words(known.begin(), known.end());
    const std::string_view near = nearest(name, words);
    diagnostics.add({.gravity = Gravity::kWarning,
                     .file = "environment",
                     .excerpt = "",
                     .message = fmt::format("`{}` overrides no key and is ignored", name),
                     .hint = near.empty() ? "" : fmt::format("did you mean `{}`?", near)});
  }
}

void read_topics(MapReader topics, bool kafka_needed, Config& config) {
  topics.strings("events", &config.topics.events);
  if (const Node* node = topics.node("events"); kafka_needed && config.topics.events.empty()) {
    constexpr std::string_view kWhy = "the topics to read, for example [agent.events]";
    if (node == nullptr) {
      topics.require("events", kWhy);
    } else if (node->kind != Node::Kind::kMap && node->items.empty()) {
      yaml::error_at(*node, "`topics.events` is empty", std::string(kWhy),
                     topics.context().diagnostics);
    }
  }
  for (std::string& topic : config.topics.events) {
    if (!topic.starts_with('^')) continue;
    yaml::error_at(*topics.node("events"), fmt::format("`{}`: patterns are not accepted", topic),
                   "name each topic", topics.context().diagnostics);
  }
  topics.string("findings", &config.topics.findings);
  topics.string("control", &config.topics.control);
  topics.string("incidents", &config.topics.incidents);
  topics.string("judgements", &config.topics.judgements);
  topics.string("requests", &config.topics.requests);
  topics.string("dead_letter", &config.topics.dead_letter);
  topics.string("ocsf", &config.topics.ocsf);
  static constexpr std::array<std::string_view, 2> kStartAt = {"earliest", "latest"};
  auto start = static_cast<std::size_t>(config.topics.start_at);
  topics.choice("start_at", kStartAt, &start);
  config.topics.start_at = static_cast<StartAt>(start);
  topics.finish();
}

void read_limits(MapReader limits, Config& config) {
  constexpr std::int64_t kGiB = std::int64_t{1} << 30;
  limits.number("event_bytes_max", 1024, 64 << 20, &config.decode.event_bytes_max);
  limits.number("depth_max", 4, 512, &config.decode.depth_max);
  limits.number("leaves_max", 100, 10'000'000, &config.decode.leaves_max);
  limits.number("tools_max", 1, 100'000, &config.decode.tools_max);
  limits.number("state_bytes_max", 1 << 20, 256 * kGiB, &config.sessions.bytes_max);
  limits.finish();
}

void read_log(MapReader reader, Config& config) {
  static constexpr std::array<std::string_view, 2> kFormats = {"text", "json"};
  static constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warn", "error"};
  auto format = static_cast<std::size_t>(config.log.format);
  auto level = static_cast<std::size_t>(config.log.level);
  reader.choice("format", kFormats, &format);
  reader.choice("level", kLevels, &level);
  config.log.format = static_cast<log::Format>(format);
  config.log.level = static_cast<log::Level>(level);
  reader.finish();
}

void read_redaction(MapReader reader, Config& config) {
  std::string path;
  reader.string("hmac_key_file", &path);
  if (!path.empty()) {
    const Node* node = reader.node("hmac_key_file");
    if (auto secret = read_secret(*node, path, reader.context().diagnostics)) {
      if (secret->size() < 16) {
        yaml::error_at(*node, fmt::format("the key in `{}` has {} bytes", path, secret->size()),
                       "use at least 16 random bytes: openssl rand -hex 32",
                       reader.context().diagnostics);
      }
      config.hmac_secret = std::move(*secret);
    }
  }
  reader.finish();
}

// What a sink tells of must be there.
void check_sinks(MapReader& root, const Config& config) {
  if (!config.topics.incidents.empty()) return;
  Diagnostics& diagnostics = root.context().diagnostics;
  constexpr std::string_view kHint = "name the topic under `topics.incidents`";
  for (const WebhookConfig& webhook : config.webhooks) {
    if (!webhook.incidents && !webhook.requests) continue;
    yaml::error_at(*root.node("webhooks"),
                   fmt::format("the webhook `{}` sends incidents or requests, and there are none",
                               webhook.name),
                   std::string(kHint), diagnostics);
  }
  if (!config.alertmanager.urls.empty()) {
    root.context().diagnostics.add(
        {.file = config.document.source ? config.document.source->name : "environment",
         .excerpt = "",
         .message = "`alertmanager.urls` is told of incidents, and there are none",
         .hint = std::string(kHint)});
  }
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): at start only
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

std::vector<std::string> environment_names() {
  std::vector<std::string> names;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    if (line.starts_with(kPrefix)) names.emplace_back(line.substr(0, line.find('=')));
  }
  std::ranges::sort(names);
  return names;
}

Config load_config(const std::filesystem::path& path, bool kafka_needed,
                   const Environment& environment, const std::vector<std::string>& names,
                   Diagnostics& diagnostics) {
  Config config;
  if (!path.empty()) {
    auto document = yaml::load(path, diagnostics);
    if (!document) return config;
    config.document = std::move(*document);
  }
  std::set<std::string> known;
  const auto from_environment = [&](std::string_view key) -> std::optional<std::string> {
    return environment(*known.insert(std::string(kPrefix) + upper_with_underscores(key)).first);
  };
  yaml::ReadContext context(diagnostics);
  context.override_value = from_environment;
  context.override_name_prefix = kPrefix;
  MapReader root(config.document.root.get(), "", context);

  read_kafka(root, environment, names, config);
  check_mechanism(config, path.string(), diagnostics);
  if (kafka_needed && !config.kafka.contains("bootstrap.servers")) {
    diagnostics.add({.file = path.empty() ? "environment" : path.string(),
                     .excerpt = "",
                     .message = "`kafka.bootstrap.servers` is missing",
                     .hint = "host:port of the brokers, under `kafka:` or in "
                             "TOCSIN_KAFKA_BOOTSTRAP_SERVERS"});
  }
  config.kafka.try_emplace("group.id", "tocsin");
  read_topics(root.map("topics"), kafka_needed, config);
  read_workers(root, config);
  MapReader batch = root.map("batch");
  batch.number("records_max", 1, 100'000, &config.batch.records_max);
  read_duration(batch, "wait_ms", 1, 10'000, &config.batch.wait);
  batch.finish();
  read_limits(root.map("limits"), config);
  MapReader session = root.map("session");
  read_duration(session, "idle_seconds", 10, 604'800, &config.sessions.idle);
  session.number("rewind_records_max", 0, 1'000'000'000, &config.rewind_records_max);
  session.finish();
  read_incidents(root.map("incidents"), config);
  MapReader selftest = root.map("selftest");
  read_duration(selftest, "interval_seconds", 0, 3600, &config.selftest_interval);
  selftest.finish();
  MapReader http = root.map("http");
  read_listen(http, config);
  http.boolean("page", &config.http.page);
  http.finish();
  read_log(root.map("log"), config);
  read_rules(root.map("rules"), path, environment, config);
  read_redaction(root.map("redaction"), config);
  config.webhooks = read_webhooks(root);
  config.alertmanager = read_alertmanager(root.map("alertmanager"));
  check_sinks(root, config);
  config.detectors = root.map("detectors").self();
  root.finish();
  warn_of_unknown(names, known, diagnostics);
  return config;
}

std::filesystem::path shipped_rules() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const auto folder = program.parent_path();
  for (const char* place : {"../share/tocsin/rules", "../../rules"}) {
    const auto candidate = (folder / place).lexically_normal();
    if (std::filesystem::is_directory(candidate / "packs", error)) return candidate;
  }
  return {};
}

}  // namespace tocsin
