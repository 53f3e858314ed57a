#include "detectors/validate/tokens.h"

#include <string>
#include <string_view>

#include "tests/unit/catch.h"

namespace tocsin::validate {
namespace {

// Prefixes are put together here, so that secret scanners leave this file alone.
const std::string kGh = "gh";

// The body is a token that its owner made, revoked and published with the description of the
// format.
const std::string kBody = "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ";
const std::string kCheck = "0mLq17";

TEST_CASE("GitHub's and npm's tokens end in the CRC of their body") {
  for (const std::string_view prefix : {"p_", "o_", "u_", "s_", "r_"}) {
    CAPTURE(prefix);
    std::string token = kGh;
    token += prefix;
    token += kBody + kCheck;
    CHECK(github_checksum(token));
    token[3] = '-';
    CHECK_FALSE(github_checksum(token));
  }
  CHECK(npm_checksum(std::string("npm") + "_" + kBody + kCheck));
  CHECK_FALSE(npm_checksum(kGh + "p_" + kBody + kCheck));
  CHECK_FALSE(github_checksum(kGh + "x_" + kBody + kCheck));
  CHECK_FALSE(github_checksum(kBody + kCheck));
  CHECK_FALSE(github_checksum(""));
  CHECK_FALSE(github_checksum(kGh + "p_" + kBody + kCheck + "0"));
  CHECK_FALSE(github_checksum(kGh + "p_" + kBody + kCheck.substr(1)));
  CHECK_FALSE(github_checksum(kGh + "p_" + std::string(36, 'x')));
  CHECK_FALSE(github_checksum(kGh + "p_" + std::string(36, 'A')));
  // Six base62 digits hold more than 32 bits.
  CHECK_FALSE(github_checksum(kGh + "p_" + kBody + "zzzzzz"));
}

TEST_CASE("one changed character breaks a GitHub token, wherever it is") {
  const std::string token = kGh + "p_" + kBody + kCheck;
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const char c : std::string_view("0aZ_-")) {
      if (token[i] == c || (i == 2 && std::string_view("pousr").find(c) != std::string::npos)) {
        continue;
      }
      std::string wrong = token;
      wrong[i] = c;
      CAPTURE(wrong);
      CHECK_FALSE(github_checksum(wrong));
    }
  }
}

const std::string kHeader = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
const std::string kClaims =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const std::string kSignature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

TEST_CASE("GitHub's tokens without a verifiable checksum are told by their structure") {
  const std::string pat = std::string("github") + "_pat_";
  CHECK(github_checksum(pat + "11AAAAAAA0bbbbbbbbbbbb_" + std::string(59, 'c')));
  CHECK_FALSE(github_checksum(pat + "11AAAAAAA0bbbbbbbbbbbb" + std::string(60, 'c')));
  CHECK_FALSE(github_checksum(pat + "11AAAAAAA0bbbbbbbbbbbb_" + std::string(58, 'c')));
  CHECK_FALSE(github_checksum(pat + "your_token_here"));
  const std::string jwt_token = kHeader + "." + kClaims + "." + kSignature;
  CHECK(github_checksum(kGh + "s_123456_" + jwt_token));
  CHECK_FALSE(github_checksum(kGh + "p_123456_" + jwt_token));
  CHECK_FALSE(github_checksum(kGh + "s__" + jwt_token));
  CHECK_FALSE(github_checksum(kGh + "s_abc_" + jwt_token));
}

TEST_CASE("Grafana's service account token carries its CRC") {
  // The example in Grafana's own API description.
  const std::string token = std::string("gl") + "sa_yscW25imSKJIuav8zF37RZmnbiDvB05G_fcaaf58a";
  CHECK(grafana_checksum(token));
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string wrong = token;
    wrong[i] = wrong[i] == '0' ? '1' : '0';
    CAPTURE(wrong);
    CHECK_FALSE(grafana_checksum(wrong));
  }
  CHECK_FALSE(grafana_checksum(token + "0"));
  CHECK_FALSE(grafana_checksum(""));
}

TEST_CASE("a JSON Web Token is two JSON objects and a signature") {
  struct Row {
    std::string_view what;
    std::string token;
    bool valid;
  };
  const std::string none = "eyJhbGciOiJub25lIn0";  // {"alg":"none"}
  const Row rows[] = {
      {"RFC 7519's example", kHeader + "." + kClaims + "." + kSignature, true},
      {"unsecured, RFC 7519 6.1", none + "." + kClaims + ".", true},
      {"unsecured but signed", none + "." + kClaims + "." + kSignature, false},
      {"signed without signature", kHeader + "." + kClaims + ".", false},
      {"two parts", kHeader + "." + kClaims, false},
      {"four parts", kHeader + "." + kClaims + "." + kSignature + ".x", false},
      {"payload is no JSON", kHeader + ".abcdefgh." + kSignature, false},
      {"payload is a number", kHeader + ".NDI." + kSignature, false},
      {"header without alg", "eyJ0eXAiOiJKV1QifQ." + kClaims + "." + kSignature, false},
      {"alg is a number", "eyJhbGciOjF9." + kClaims + "." + kSignature, false},
      {"header cut short", kHeader.substr(0, 36) + "." + kClaims + "." + kSignature, false},
      {"padded", "eyJhbGciOiJIUzI1NiJ9==." + kClaims + "." + kSignature, false},
      {"a sentence", "one.two.three", false},
      {"dots", "..", false},
      {"nothing", "", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what, row.token);
    CHECK(jwt(row.token) == row.valid);
  }
  CHECK_FALSE(jwt(kHeader + "." + kClaims + "." + std::string(kJwtBytesMax, 'a')));
  CHECK_FALSE(jwt(std::string(kJwtBytesMax, '.')));
}

TEST_CASE("Bitcoin's addresses") {
  for (const std::string_view valid : {
           "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",  // the first block's
           "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",  // and BIP 173's and BIP 350's vectors
           "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
           "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
           "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
           "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
       }) {
    CAPTURE(valid);
    CHECK(btc_address(valid));
    for (std::size_t i = 4; i < valid.size(); ++i) {
      std::string wrong(valid);
      wrong[i] = wrong[i] == 'q' || wrong[i] == 'Q' ? 'p' : 'q';
      CAPTURE(wrong);
      CHECK_FALSE(btc_address(wrong));
    }
  }
  for (const std::string_view invalid : {
           "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",  // version 0 in Bech32m
           "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",  // 1 in Bech32
           "Bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",                      // mixed case
           "bc1gmk9yu",                                                       // empty
           "xc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
           "1111111111111111111111111",
           "1",
           "",
       }) {
    CAPTURE(invalid);
    CHECK_FALSE(btc_address(invalid));
  }
}

TEST_CASE("keys that carry a checksum of their encoding") {
  // Wallet import format and BIP 32's first test vector; both have been public for ever.
  CHECK(base58check("5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ"));
  CHECK(
      base58check("xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8Y"
                  "tGqsefD265TMg7"
                  "usUDFdp6W1EGMcet8"));
  CHECK_FALSE(base58check("5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTK"));
  CHECK_FALSE(base58check(std::string(117, 'z')));
  CHECK_FALSE(base58check(std::string(100'000, '1')));
  CHECK_FALSE(base58check(""));

  // BIP 173's and BIP 350's vectors, NIP-19's example.
  CHECK(bech32("A12UEL5L"));
  CHECK(bech32("A1LQFN3A"));
  CHECK(bech32("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"));
  CHECK(bech32("nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"));
  CHECK_FALSE(bech32("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3q"));
  CHECK_FALSE(bech32("1nwldj5"));
  CHECK_FALSE(bech32("A12uEL5L"));
  CHECK_FALSE(bech32(std::string(91, 'q')));
}

}  // namespace
}  // namespace tocsin::validate
