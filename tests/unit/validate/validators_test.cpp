#include "detectors/validate/validators.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin::validate {
namespace {

using Words = std::vector<std::string>;

std::string complaint(std::string_view name, const Argument& argument = {}) {
  const auto made = make(name, argument);
  return made ? "" : made.error();
}

Argument some_argument(std::string_view name) {
  if (name == "entropy") return 3.5;
  if (name == "charset") return Words{"lower", "digit"};
  if (name == "address") return Words{"private"};
  return {};
}

TEST_CASE("every validator is made by its name") {
  CHECK(std::ranges::is_sorted(names()));
  for (const std::string_view name : {"luhn",
                                      "card",
                                      "iban",
                                      "entropy",
                                      "github_checksum",
                                      "npm_checksum",
                                      "jwt",
                                      "us_ssn",
                                      "not_placeholder",
                                      "charset",
                                      "address",
                                      "base64",
                                      "nhs",
                                      "aadhaar",
                                      "cpf",
                                      "cnpj",
                                      "dni",
                                      "codice_fiscale",
                                      "nir",
                                      "steuer_id",
                                      "pesel",
                                      "bsn",
                                      "sin_ca",
                                      "tfn_au",
                                      "medicare_au",
                                      "cn_id",
                                      "nino_uk",
                                      "aba_routing",
                                      "btc_address",
                                      "vin",
                                      "imei"}) {
    CAPTURE(name);
    CHECK(std::ranges::find(names(), name) != names().end());
  }
  for (const std::string_view name : names()) {
    CAPTURE(name);
    const auto validator = make(name, some_argument(name));
    REQUIRE(validator);
    CHECK(validator->name() == name);
    // None holds for these, whatever it tests; none minds them either.
    CHECK_FALSE((*validator)(""));
    CHECK_FALSE((*validator)(std::string(100'000, ' ')));
    CHECK_FALSE((*validator)(std::string(12, '\0')));
    // Any byte, in any length.
    std::string bytes;
    for (int i = 0; i < 256; ++i) {
      bytes += static_cast<char>(i);
      (void)(*validator)(bytes);
      (void)(*validator)(std::string(bytes.rbegin(), bytes.rend()));
    }
  }
}

TEST_CASE("validators with an argument test what it says") {
  const Validator random = make("entropy", 3.5).value();
  CHECK(random("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"));
  CHECK_FALSE(random("aaaabbbbaaaabbbb"));
  const Validator mixed = make("charset", Words{"lower", "upper", "digit"}).value();
  CHECK(mixed("aB3"));
  CHECK_FALSE(mixed("ab3"));
  CHECK_FALSE(mixed("aBc"));
  const Validator inside = make("address", Words{"private", "203.0.113.0/24"}).value();
  CHECK(inside("10.1.2.3"));
  CHECK(inside("0x0a010203"));
  CHECK(inside("203.0.113.77"));
  CHECK_FALSE(inside("8.8.8.8"));
  CHECK_FALSE(inside("example.com"));
}

TEST_CASE("a wrong name or argument is told what is allowed") {
  CHECK(complaint("luhm") == "there is no validator `luhm`; did you mean `luhn`?");
  CHECK(complaint("").starts_with("there is no validator ``; there are aadhaar, "));
  CHECK(complaint("passport_of_mars").starts_with("there is no validator"));
  CHECK(complaint("luhn", 3.0) == "`luhn` takes no argument; write it by itself");
  const std::string_view entropy =
      "`entropy` takes bits a character, above 0 and at most 8: {entropy: 3.5}";
  CHECK(complaint("entropy") == entropy);
  CHECK(complaint("entropy", 0.0) == entropy);
  CHECK(complaint("entropy", 8.5) == entropy);
  CHECK(complaint("entropy", std::numeric_limits<double>::quiet_NaN()) == entropy);
  CHECK(complaint("entropy", Words{"3.5"}) == entropy);
  CHECK(complaint("charset") == "`charset` takes a list: {charset: [lower, upper, digit]}");
  CHECK(complaint("charset", Words{}) == "the list of character sets is empty");
  CHECK(complaint("charset", Words{"digits"}) ==
        "`digits` is no character set; write lower, upper, digit or symbol");
  CHECK(complaint("address", 1.0) ==
        "`address` takes a list: {address: [private, 203.0.113.0/24]}");
  CHECK(complaint("address", Words{"10.0.0.0/33"}) ==
        "the prefix length in `10.0.0.0/33` must be 0 to 32");
}

}  // namespace
}  // namespace tocsin::validate
