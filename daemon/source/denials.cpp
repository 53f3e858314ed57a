#include "daemon/source/denials.h"

#include <fmt/format.h>

#include "daemon/text.h"

namespace tocsin::kafka {
namespace {

std::string remedy(std::string_view area, rd_kafka_resp_err_t error, std::string_view verb,
                   std::string_view caveat) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__SSL:
      return "look at ssl.ca.location (who signed the broker's certificate), "
             "ssl.certificate.location and ssl.key.location (ours), and the broker's host name";
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
      return caveat.empty() ? "look at sasl.mechanism and at the user and password, or the token"
                            : fmt::format("look at the user and password; {}", caveat);
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return "look at the ACLs: Write on the topic it writes to, and IdempotentWrite on the "
             "cluster "
             "where brokers are older than 2.8";
    default: return fmt::format("look at the ACLs: {} on {}", verb, area);
  }
}

std::string value_of(const Properties& properties, const char* name) {
  const auto found = properties.find(name);
  return found == properties.end() ? std::string() : found->second;
}

}  // namespace

bool is_denial(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED: return true;
    default: return false;
  }
}

rd_kafka_resp_err_t cause_of(rd_kafka_resp_err_t error, std::string_view text) {
  const bool alert = text.find("SSL alert number") != std::string_view::npos;
  return alert ? RD_KAFKA_RESP_ERR__SSL : error;
}

std::string scram_caveat(const Properties& properties) {
  constexpr int kFixed = 0x020601ff;  // 2.6.1, https://github.com/confluentinc/librdkafka/pull/4895
  std::string mechanism = value_of(properties, "sasl.mechanism");
  if (mechanism.empty()) mechanism = value_of(properties, "sasl.mechanisms");
  if (!mechanism.starts_with("SCRAM-") || rd_kafka_version() >= kFixed) return {};
  return fmt::format(
      "librdkafka {} gets SCRAM's nonce wrong, which brokers of Kafka 4 refuse: use "
      "librdkafka 2.6.1, or PLAIN over TLS, OAUTHBEARER or a certificate",
      rd_kafka_version_str());
}

std::string identity_of(const Properties& properties) {
  const std::string protocol = ascii_lower(value_of(properties, "security.protocol"));
  if (protocol.starts_with("sasl_")) {
    if (const auto file = value_of(properties, kTokenFile); !file.empty()) {
      return "the token in " + file;
    }
    for (const char* name : {"sasl.username", "sasl.kerberos.principal"}) {
      if (const auto user = value_of(properties, name); !user.empty()) return "user " + user;
    }
  }
  if (const auto file = value_of(properties, "ssl.certificate.location");
      protocol == "ssl" && !file.empty()) {
    return "the certificate in " + file;
  }
  return "anonymous";
}

void Denials::refused(std::string_view area, rd_kafka_resp_err_t error, std::string_view verb,
                      std::string_view detail) {
  const std::string look = remedy(area, error, verb, caveat_);
  {
    const std::scoped_lock lock(mutex_);
    refused_.insert_or_assign(
        std::string(area),
        printable(fmt::format("{}: {}, as {}; {}", area, rd_kafka_err2str(error), identity_, look),
                  1024));
  }
  const log::Sampler::Verdict verdict =
      sampler_.admit(fmt::format("{} {}", area, rd_kafka_err2name(error)));
  if (!verdict.log) return;
  log::error("kafka.denied", "the brokers refuse us",
             {{"what", area},
              {"as", identity_},
              {"error", rd_kafka_err2str(error)},
              {"remedy", look},
              {"detail", detail},
              {"suppressed", verdict.suppressed}});
}

void Denials::allowed(std::string_view area) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = refused_.find(area);
    if (found == refused_.end()) return;
    refused_.erase(found);
  }
  // Of two brokers one may let us and the other not, again and again.
  if (!sampler_.admit(area).log) return;
  log::info("kafka.allowed", "the brokers let us again", {{"what", area}, {"as", identity_}});
}

bool Denials::any() const {
  const std::scoped_lock lock(mutex_);
  return !refused_.empty();
}

bool Denials::holds(std::string_view area) const {
  const std::scoped_lock lock(mutex_);
  return refused_.contains(area);
}

std::vector<std::string> Denials::list() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> lines;
  lines.reserve(refused_.size());
  for (const auto& [area, text] : refused_) lines.push_back(text);
  return lines;
}

}  // namespace tocsin::kafka
