#include "daemon/source/kafka_client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "daemon/log.h"
#include "daemon/source/oauth_token.h"

namespace tocsin::kafka {
namespace {

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(' ') - begin + 1));
}

// librdkafka prints its properties as a table: "name | C/P | range | ...".
std::map<std::string, Scope, std::less<>> read_catalogue() {
  char* buffer = nullptr;
  std::size_t size = 0;
  std::FILE* stream = open_memstream(&buffer, &size);
  if (stream == nullptr) return {};
  rd_kafka_conf_properties_show(stream);
  std::fclose(stream);  // NOLINT(cert-err33-c): a memory stream
  std::istringstream table(std::string(buffer, size));
  std::free(buffer);  // NOLINT(cppcoreguidelines-no-malloc): open_memstream's

  std::map<std::string, Scope, std::less<>> catalogue;
  for (std::string line; std::getline(table, line);) {
    const std::size_t first = line.find('|');
    if (first == std::string::npos) continue;
    const std::size_t second = line.find('|', first + 1);
    const std::string name = trimmed(std::string_view(line).substr(0, first));
    const std::string scope = trimmed(std::string_view(line).substr(first + 1, second - first - 1));
    if (scope == "*") catalogue.emplace(name, Scope::kBoth);
    if (scope == "C") catalogue.emplace(name, Scope::kConsumer);
    if (scope == "P") catalogue.emplace(name, Scope::kProducer);
  }
  return catalogue;
}

void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* message) {
  static log::Sampler sampler;
  constexpr int kSyslogError = 3;
  constexpr int kSyslogWarning = 4;
  const log::Sampler::Verdict verdict = sampler.admit(facility);  // librdkafka's, a bounded set
  if (!verdict.log) return;
  const log::Fields fields = {{"facility", facility},
                              {"client", rd_kafka_name(handle)},
                              {"detail", message},
                              {"suppressed", verdict.suppressed}};
  // Nothing librdkafka says is a loss by itself: it retries.  What is one, the caller logs.
  if (level <= kSyslogError || level == kSyslogWarning) {
    log::warn("kafka.client", "librdkafka", fields);
  } else {
    log::debug("kafka.client", "librdkafka", fields);
  }
}

// `file` is what make_conf put into sasl.oauthbearer.config.  Called on librdkafka's background
// thread, and again ten seconds after a failure.
void refresh_token(rd_kafka_t* handle, const char* file, void* /*opaque*/) {
  static log::Sampler sampler;
  const auto fail = [&](std::string_view why) {
    const log::Sampler::Verdict verdict = sampler.admit("token");
    if (verdict.log) {
      log::error("kafka.token", "there is no token to show to the brokers; trying again",
                 {{"file", file},
                  {"error", why},
                  {"client", rd_kafka_name(handle)},
                  {"suppressed", verdict.suppressed}});
    }
    rd_kafka_oauthbearer_set_token_failure(handle, fmt::format("{}: {}", file, why).c_str());
  };
  const auto token = read_oauth_token(file);
  if (!token) return fail(token.error());
  const auto expires =
      std::chrono::duration_cast<std::chrono::milliseconds>(token->expires.time_since_epoch());
  if (token->expires <= std::chrono::system_clock::now()) {
    return fail("the token has expired, and nobody has renewed it");
  }
  std::array<char, 512> error{};
  if (rd_kafka_oauthbearer_set_token(handle, token->text.c_str(), expires.count(),
                                     token->principal.c_str(), nullptr, 0, error.data(),
                                     error.size()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // Its message may quote what it does not like.
    fail("librdkafka does not take the token: it has characters that no token has");
  }
}

}  // namespace

const std::map<std::string, Scope, std::less<>>& property_catalogue() {
  static const auto catalogue = read_catalogue();
  return catalogue;
}

std::string_view reserved_because(std::string_view property, std::string_view value) {
  constexpr std::string_view kOffsets =
      "tocsin commits offsets itself, after findings are delivered; remove it";
  if (property == "enable.auto.commit" || property == "enable.auto.offset.store" ||
      property == "auto.commit.interval.ms") {
    return kOffsets;
  }
  if (property == "auto.offset.reset") return "use topics.start_at: earliest or latest";
  const bool acks = property == "acks" || property == "request.required.acks";
  if (acks && value != "all" && value != "-1") {
    return "findings must be acknowledged by all in-sync replicas; remove it";
  }
  if (property == "enable.idempotence" && value != "true") {
    return "findings are produced idempotently; remove it";
  }
  if (property == "partitioner") {
    return "findings and control events of a system must meet in one partition; remove it";
  }
  if (property == "message.timeout.ms" || property == "delivery.timeout.ms") {
    return "tocsin waits for delivery as long as it takes; remove it";
  }
  return {};
}

std::expected<void, std::string> set(rd_kafka_conf_t* conf, const std::string& name,
                                     const std::string& value) {
  std::array<char, 512> error{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) !=
      RD_KAFKA_CONF_OK) {
    return std::unexpected(fmt::format("kafka property `{}`: {}", name, error.data()));
  }
  return {};
}

std::expected<Conf, std::string> make_conf(const Properties& properties, Scope side) {
  Conf conf(rd_kafka_conf_new());
  for (const auto& [name, value] : properties) {
    if (name == kTokenFile) {
      if (auto done = set(conf.get(), "sasl.oauthbearer.config", value); !done) {
        return std::unexpected(done.error());
      }
      rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf.get(), &refresh_token);
      continue;
    }
    const auto known = property_catalogue().find(name);
    const Scope scope = known == property_catalogue().end() ? Scope::kBoth : known->second;
    if (scope != Scope::kBoth && scope != side) continue;
    if (auto done = set(conf.get(), name, value); !done) return std::unexpected(done.error());
  }
  return conf;
}

std::expected<Handle, std::string> make_handle(rd_kafka_type_t type, Conf conf) {
  rd_kafka_conf_enable_sasl_queue(conf.get(), 1);
  std::array<char, 512> error{};
  Handle handle(rd_kafka_new(type, conf.get(), error.data(), error.size()));
  if (handle == nullptr) return std::unexpected(std::string(error.data()));
  static_cast<void>(conf.release());  // the handle owns it now
  // Refused where no mechanism calls back, which is as good.
  if (rd_kafka_error_t* none = rd_kafka_sasl_background_callbacks_enable(handle.get())) {
    rd_kafka_error_destroy(none);
  }
  return handle;
}

std::int32_t partition_of(std::string_view key, std::int32_t partitions) {
  return rd_kafka_msg_partitioner_murmur2(nullptr, key.data(), key.size(), partitions, nullptr,
                                          nullptr);
}

void route_logs(rd_kafka_conf_t* conf) { rd_kafka_conf_set_log_cb(conf, &on_log); }

Properties without_group(Properties properties, std::string_view name) {
  properties["client.id"] = client_id(name);
  properties["enable.auto.commit"] = "false";
  properties["enable.auto.offset.store"] = "false";
  properties.try_emplace("group.id", "tocsin");  // librdkafka wants a name all the same
  return properties;
}

std::string client_id(std::string_view suffix) {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host = {"unknown"};
  return fmt::format("tocsin-{}-{}-{}", host.data(), getpid(), suffix);
}

}  // namespace tocsin::kafka
