#include "daemon/sink/webhook_signature.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

// The vector that the specification's own libraries are tested with.
constexpr std::string_view kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

TEST_CASE("webhook signature: the specification's vector") {
  const auto key = webhook_key(kSecret);
  REQUIRE(key.has_value());
  CHECK(key->size() == 24);
  CHECK(webhook_signature(*key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                          R"({"test": 2432232314})") ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("webhook signature: everything that is signed counts") {
  const std::string key = webhook_key(kSecret).value();
  const std::string one = webhook_signature(key, "a", 1, "body");
  CHECK(one == webhook_signature(key, "a", 1, "body"));
  CHECK(one != webhook_signature(key, "b", 1, "body"));
  CHECK(one != webhook_signature(key, "a", 2, "body"));
  CHECK(one != webhook_signature(key, "a", 1, "Body"));
  CHECK(one != webhook_signature(std::string(24, 'k'), "a", 1, "body"));
}

TEST_CASE("webhook signature: what is a secret") {
  struct Row {
    std::string secret;
    std::string key;  // or what is wrong, after "!"
  };
  const Row rows[] = {
      {std::string(24, 's'), std::string(24, 's')},
      {std::string(512, 's'), std::string(512, 's')},
      {std::string(23, 's'), "!it has 23 bytes"},
      {std::string(513, 's'), "!it has 513 bytes"},
      {std::string(5000, 's'), "!it is too long"},
      {"", "!it has 0 bytes"},
      // 24, 25 and 26 bytes: no padding, two, one.
      {"whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh", std::string(24, 'a')},
      {"whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ==", std::string(25, 'a')},
      {"whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=", std::string(26, 'a')},
      {"whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=", "!it has 23 bytes"},
      {"whsec_", "!it has 0 bytes"},
      {"whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhY", "!what follows `whsec_` is not base64"},
      {"whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFh Yf=", "!what follows `whsec_` is not base64"},
      {"whsec_YWFhYWFhYWFh=WFhYWFhYWFhYWFhYWFh", "!what follows `whsec_` is not base64"},
      {"whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhY===", "!what follows `whsec_` is not base64"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.secret);
    const auto key = webhook_key(row.secret);
    CHECK((key ? *key : "!" + key.error()) == row.key);
  }
}

}  // namespace
}  // namespace tocsin
