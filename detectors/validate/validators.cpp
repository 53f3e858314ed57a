#include "detectors/validate/validators.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <utility>

#include "daemon/diagnostics.h"
#include "detectors/validate/checksums.h"
#include "detectors/validate/national_ids.h"
#include "detectors/validate/text.h"
#include "detectors/validate/tokens.h"

namespace tocsin::validate {
namespace {

struct Entry {
  std::string_view name;
  bool (*test)(std::string_view);  // null: takes an argument
};
// Alphabetical.
constexpr Entry kEntries[] = {
    {"aadhaar", aadhaar},
    {"aba_routing", aba_routing},
    {"address", nullptr},
    {"base58check", base58check},
    {"base64", base64},
    {"bech32", bech32},
    {"bsn", bsn},
    {"btc_address", btc_address},
    {"card", card},
    {"charset", nullptr},
    {"cn_id", cn_id},
    {"cnpj", cnpj},
    {"codice_fiscale", codice_fiscale},
    {"cpf", cpf},
    {"dni", dni},
    {"entropy", nullptr},
    {"github_checksum", github_checksum},
    {"grafana_checksum", grafana_checksum},
    {"iban", iban},
    {"imei", imei},
    {"jwt", jwt},
    {"luhn", luhn},
    {"medicare_au", medicare_au},
    {"nhs", nhs},
    {"nino_uk", nino_uk},
    {"nir", nir},
    {"not_placeholder", not_placeholder},
    {"npm_checksum", npm_checksum},
    {"pesel", pesel},
    {"sin_ca", sin_ca},
    {"steuer_id", steuer_id},
    {"tfn_au", tfn_au},
    {"us_ssn", us_ssn},
    {"vin", vin},
};

constexpr auto kNames = [] {
  std::array<std::string_view, std::size(kEntries)> out;
  std::ranges::transform(kEntries, out.begin(), &Entry::name);
  return out;
}();

constexpr std::string_view kSetNames[] = {"lower", "upper", "digit", "symbol"};  // bits 0 to 3

std::expected<std::uint8_t, std::string> parse_sets(const std::vector<std::string>& words) {
  unsigned sets = 0;
  for (const std::string& word : words) {
    const auto* const found = std::ranges::find(kSetNames, word);
    if (found == std::end(kSetNames)) {
      return std::unexpected(
          fmt::format("`{}` is no character set; write {}", word, one_of(kSetNames)));
    }
    sets |= 1U << (found - std::begin(kSetNames));
  }
  if (sets == 0) return std::unexpected("the list of character sets is empty");
  return static_cast<std::uint8_t>(sets);
}

}  // namespace

bool Validator::operator()(std::string_view capture) const {
  if (test_ != nullptr) return test_(capture);
  if (addresses_) return addresses_->contains_host(capture);
  if (sets_ != 0) return (character_sets(capture) & sets_) == sets_;
  return entropy(capture) >= bits_;
}

std::expected<Validator, std::string> make(std::string_view name, const Argument& argument) {
  const auto* const entry = std::ranges::find(kEntries, name, &Entry::name);
  if (entry == std::end(kEntries)) {
    const std::string_view near = nearest(name, kNames);
    return std::unexpected(
        near.empty() ? fmt::format("there is no validator `{}`; there are {}", name, one_of(kNames))
                     : fmt::format("there is no validator `{}`; did you mean `{}`?", name, near));
  }
  Validator out;
  out.name_ = entry->name;
  out.test_ = entry->test;
  if (entry->test != nullptr) {
    if (std::holds_alternative<std::monostate>(argument)) return out;
    return std::unexpected(fmt::format("`{}` takes no argument; write it by itself", name));
  }
  const auto* const words = std::get_if<std::vector<std::string>>(&argument);
  if (name == "entropy") {
    const auto* const bits = std::get_if<double>(&argument);
    const bool valid = bits != nullptr && *bits > 0 && *bits <= 8;  // and so no NaN
    if (!valid) {
      return std::unexpected(
          "`entropy` takes bits a character, above 0 and at most 8: {entropy: 3.5}");
    }
    out.bits_ = *bits;
  } else if (name == "charset") {
    if (words == nullptr) {
      return std::unexpected("`charset` takes a list: {charset: [lower, upper, digit]}");
    }
    const std::expected<std::uint8_t, std::string> sets = parse_sets(*words);
    if (!sets) return std::unexpected(sets.error());
    out.sets_ = *sets;
  } else {
    if (words == nullptr) {
      return std::unexpected("`address` takes a list: {address: [private, 203.0.113.0/24]}");
    }
    std::expected<AddressSet, std::string> set = AddressSet::parse(*words);
    if (!set) return std::unexpected(set.error());
    out.addresses_ = std::make_shared<const AddressSet>(std::move(*set));
  }
  return out;
}

std::span<const std::string_view> names() { return kNames; }

}  // namespace tocsin::validate
