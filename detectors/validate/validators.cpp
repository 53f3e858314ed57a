#include "detectors/validate/validators.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "daemon/diagnostics.h"
#include "detectors/validate/checks.h"

namespace tocsin::validate {
namespace {

constexpr std::array<std::pair<std::string_view, Validator::Check>, 28> kChecks = {{
    {"luhn", &luhn},
    {"card", &card},
    {"iban", &iban},
    {"aba_routing", &aba_routing},
    {"imei", &imei},
    {"vin", &vin},
    {"us_ssn", &us_ssn},
    {"nhs", &nhs},
    {"nino_uk", &nino_uk},
    {"aadhaar", &aadhaar},
    {"cpf", &cpf},
    {"cnpj", &cnpj},
    {"dni", &dni},
    {"codice_fiscale", &codice_fiscale},
    {"nir", &nir},
    {"steuer_id", &steuer_id},
    {"pesel", &pesel},
    {"bsn", &bsn},
    {"sin_ca", &sin_ca},
    {"tfn_au", &tfn_au},
    {"medicare_au", &medicare_au},
    {"cn_id", &cn_id},
    {"github_checksum", &github_checksum},
    {"npm_checksum", &npm_checksum},
    {"jwt", &jwt},
    {"base64", &base64},
    {"btc_address", &btc_address},
    {"not_placeholder", &not_placeholder},
}};
constexpr std::array<std::string_view, 4> kClassNames = {"lower", "upper", "digit", "symbol"};

constexpr auto kNames = [] {
  std::array<std::string_view, kChecks.size() + 3> names{};
  for (std::size_t i = 0; i < kChecks.size(); ++i) names[i] = kChecks[i].first;
  names[kChecks.size()] = "entropy";
  names[kChecks.size() + 1] = "charset";
  names[kChecks.size() + 2] = "address";
  return names;
}();

unsigned class_of(char c) {
  if (c >= 'a' && c <= 'z') return 1;
  if (c >= 'A' && c <= 'Z') return 2;
  return c >= '0' && c <= '9' ? 4 : 8;
}

}  // namespace

std::span<const std::string_view> names() { return kNames; }

double entropy(std::string_view text) {
  if (text.empty()) return 0;
  std::array<unsigned, 256> counts{};
  for (const char c : text) ++counts[static_cast<unsigned char>(c)];
  double bits = 0;
  for (const unsigned count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(text.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

bool Validator::operator()(std::string_view capture) const {
  switch (kind_) {
    case Kind::kCheck: return check_(capture);
    case Kind::kEntropy: return entropy(capture) >= bits_;
    case Kind::kCharset: {
      unsigned seen = 0;
      for (const char c : capture) seen |= class_of(c);
      return (seen & classes_) == classes_;
    }
    case Kind::kAddress: {
      const auto address = address_in(capture);
      return address && (classes_of(*address) & addresses_) != 0;
    }
  }
  return false;
}

std::expected<Validator, std::string> make(std::string_view name, const Argument& argument) {
  Validator made;
  const auto* check =
      std::ranges::find(kChecks, name, &std::pair<std::string_view, Validator::Check>::first);
  if (check != kChecks.end()) {
    if (!argument.words.empty())
      return std::unexpected(fmt::format("`{}` takes no argument", name));
    made.check_ = check->second;
    return made;
  }
  if (name == "entropy") {
    made.kind_ = Validator::Kind::kEntropy;
    const std::string text = argument.words.size() == 1 ? argument.words[0] : "";
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), made.bits_);
    if (error != std::errc{} || end != text.data() + text.size() || made.bits_ <= 0 ||
        made.bits_ > 8) {
      return std::unexpected(
          "`entropy` takes bits a character, above 0 and up to 8: {entropy: 3.5}");
    }
    return made;
  }
  if (name == "charset") {
    made.kind_ = Validator::Kind::kCharset;
    for (const std::string& word : argument.words) {
      const auto* found = std::ranges::find(kClassNames, word);
      if (found == kClassNames.end()) {
        return std::unexpected(fmt::format("`{}` is none of {}", word, one_of(kClassNames)));
      }
      made.classes_ |= 1U << static_cast<unsigned>(found - kClassNames.begin());
    }
    if (made.classes_ == 0)
      return std::unexpected("`charset` takes a list: {charset: [upper, digit]}");
    return made;
  }
  if (name == "address") {
    made.kind_ = Validator::Kind::kAddress;
    for (const std::string& word : argument.words) {
      const auto bit = address_class_named(word);
      if (!bit) {
        return std::unexpected(
            fmt::format("`{}` is none of {}", word, one_of(address_class_names())));
      }
      made.addresses_ |= *bit;
    }
    if (made.addresses_ == 0) {
      return std::unexpected("`address` takes a list: {address: [private, loopback]}");
    }
    return made;
  }
  return std::unexpected(fmt::format("`{}` is not a validator", name));
}

}  // namespace tocsin::validate
