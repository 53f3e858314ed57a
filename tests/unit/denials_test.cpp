#include "daemon/source/denials.h"

#include <string>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin::kafka {

TEST_CASE("who we are to the brokers") {
  struct Row {
    Properties properties;
    std::string identity;
  };
  const Row rows[] = {
      {{}, "anonymous"},
      {{{"sasl.username", "a"}}, "anonymous"},  // not used without SASL
      {{{"security.protocol", "SASL_SSL"}, {"sasl.username", "a"}}, "user a"},
      {{{"security.protocol", "sasl_plaintext"}, {kTokenFile, "/run/t"}}, "the token in /run/t"},
      {{{"security.protocol", "ssl"}, {"ssl.certificate.location", "/c"}}, "the certificate in /c"},
      {{{"security.protocol", "ssl"}}, "anonymous"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.identity);
    CHECK(identity_of(row.properties) == row.identity);
  }
}

TEST_CASE("what is refused is told until it is allowed, with what to look at") {
  Denials denials;
  denials.identify({{"security.protocol", "SASL_SSL"}, {"sasl.username", "a"}});
  CHECK_FALSE(denials.any());
  denials.refused("topic t", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "Write", "produce");
  denials.refused("topic t", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "Write", "produce");
  denials.refused("connection", RD_KAFKA_RESP_ERR__SSL, "Read", "handshake");
  REQUIRE(denials.list().size() == 2);
  CHECK(denials.list()[0].find("ssl.ca.location") != std::string::npos);
  CHECK(denials.list()[1].find("user a; look at the ACLs: Write on topic t") != std::string::npos);
  denials.allowed("topic other");
  denials.allowed("connection");
  CHECK(denials.list().size() == 1);
  denials.allowed("topic t");
  CHECK_FALSE(denials.any());
}

TEST_CASE("what a broker says of us is shown, not obeyed") {
  Denials denials;
  denials.refused("topic \x1b[2J\n\xff", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "Read", "");
  REQUIRE(denials.list().size() == 1);
  const std::string line = denials.list()[0];
  CHECK(line.find_first_of("\x1b\n\xff") == std::string::npos);
  CHECK(line.find("\\u{1b}") != std::string::npos);
}

TEST_CASE("a refusal is told from a line that is down") {
  CHECK(is_denial(RD_KAFKA_RESP_ERR__AUTHENTICATION));
  CHECK(is_denial(RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
  CHECK_FALSE(is_denial(RD_KAFKA_RESP_ERR__TRANSPORT));
  CHECK_FALSE(is_denial(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN));
  CHECK(cause_of(RD_KAFKA_RESP_ERR__TRANSPORT,
                 "sslv3 alert bad certificate: SSL alert number 42") == RD_KAFKA_RESP_ERR__SSL);
  CHECK(cause_of(RD_KAFKA_RESP_ERR__TRANSPORT, "Connection refused") ==
        RD_KAFKA_RESP_ERR__TRANSPORT);
}

}  // namespace tocsin::kafka
