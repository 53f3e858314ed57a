// Numbers of cards, accounts, devices and vehicles.
#include <algorithm>
#include <array>
#include <utility>

#include "detectors/validate/checks.h"
#include "detectors/validate/digits.h"

namespace tocsin::validate {
namespace {

// ISO/IEC 7812-1, annex B.
bool luhn_holds(const Digits& digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int digit = digits[digits.size() - 1 - i];
    if (i % 2 == 1) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return digits.size() > 1 && sum % 10 == 0;
}

// Issuers' identification numbers (first six digits) and the lengths they use, as they publish
// them.
struct Issuer {
  int first;
  int last;
  std::array<std::size_t, 4> lengths;
};
constexpr std::array<Issuer, 16> kIssuers = {{
    {400000, 499999, {13, 16, 19, 0}},   // Visa
    {510000, 559999, {16, 0, 0, 0}},     // Mastercard
    {222100, 272099, {16, 0, 0, 0}},     // Mastercard
    {340000, 349999, {15, 0, 0, 0}},     // American Express
    {370000, 379999, {15, 0, 0, 0}},     // American Express
    {601100, 601199, {16, 19, 0, 0}},    // Discover
    {644000, 659999, {16, 19, 0, 0}},    // Discover
    {300000, 305999, {14, 16, 0, 0}},    // Diners Club
    {309500, 309599, {14, 16, 0, 0}},    // Diners Club
    {360000, 369999, {14, 16, 0, 0}},    // Diners Club
    {380000, 399999, {14, 16, 0, 0}},    // Diners Club
    {352800, 358999, {16, 17, 18, 19}},  // JCB
    {620000, 629999, {16, 17, 18, 19}},  // UnionPay
    {500000, 509999, {12, 13, 16, 19}},  // Maestro
    {560000, 589999, {12, 13, 16, 19}},  // Maestro
    {600000, 699999, {12, 13, 16, 19}},  // Maestro and others
}};
// JCB once issued these with 15 digits.
constexpr std::array<int, 2> kOldJcb = {1800, 2131};

// Lengths by country: the IBAN registry (ISO 13616).
constexpr std::array<std::pair<std::string_view, std::size_t>, 82> kIbanLengths = {{
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
    {"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24},
    {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18},
    {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27},
    {"GT", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27},
    {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20},
    {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20}, {"MR", 27},
    {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23}, {"PK", 24}, {"PL", 28},
    {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24}, {"SC", 31},
    {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
    {"TN", 24}, {"TR", 26},
}};
constexpr std::array<std::pair<std::string_view, std::size_t>, 5> kIbanLengthsRest = {
    {{"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}, {"YE", 30}}};

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::size_t iban_length(char first, char second) {
  const std::array<char, 2> letters = {upper(first), upper(second)};
  const std::string_view country(letters.data(), letters.size());
  const auto in = [&](const auto& table) -> std::size_t {
    for (const auto& [code, length] : table) {
      if (code == country) return length;
    }
    return 0;
  };
  const std::size_t length = in(kIbanLengths);
  return length != 0 ? length : in(kIbanLengthsRest);
}

}  // namespace

bool luhn(std::string_view text) {
  const auto digits = Digits::numbers(text);
  return digits && !digits->all_equal() && luhn_holds(*digits);
}

bool card(std::string_view text) {
  const auto digits = Digits::numbers(text);
  if (!digits || digits->size() < 12 || digits->size() > 19 || digits->all_equal()) return false;
  const bool old_jcb =
      digits->size() == 15 && std::ranges::find(kOldJcb, digits->number(0, 4)) != kOldJcb.end();
  const int prefix = digits->number(0, 6);
  const bool known = std::ranges::any_of(kIssuers, [&](const Issuer& issuer) {
    return prefix >= issuer.first && prefix <= issuer.last &&
           std::ranges::find(issuer.lengths, digits->size()) != issuer.lengths.end();
  });
  return (known || old_jcb) && luhn_holds(*digits);
}

// ISO 13616: the first four characters moved to the end, letters as 10 to 35, modulo 97 is 1
// (ISO/IEC 7064, MOD 97-10).
bool iban(std::string_view text) {
  const auto digits = Digits::alphanumerics(text);
  if (!digits || digits->size() < 15) return false;
  std::array<char, 2> country{};
  std::size_t letters = 0;
  for (const char c : text) {
    if (letters < 2 && c != ' ' && c != '-' && c != '.' && c != '/') country[letters++] = c;
  }
  if (iban_length(country[0], country[1]) != digits->size()) return false;
  int remainder = 0;
  for (std::size_t i = 0; i < digits->size(); ++i) {
    const int value = (*digits)[(i + 4) % digits->size()];
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder == 1;
}

// American Bankers Association: weights 3, 7, 1; the first two digits name a Federal Reserve
// district.
bool aba_routing(std::string_view text) {
  const auto digits = Digits::numbers(text);
  if (!digits || digits->size() != 9 || digits->all_equal()) return false;
  const int district = digits->number(0, 2);
  const bool known = district <= 12 || (district >= 21 && district <= 32) ||
                     (district >= 61 && district <= 72) || district == 80;
  return known && weighted<9>(*digits, {3, 7, 1, 3, 7, 1, 3, 7, 1}) % 10 == 0;
}

// 3GPP TS 23.003: 14 digits and a Luhn digit.
bool imei(std::string_view text) {
  const auto digits = Digits::numbers(text);
  return digits && digits->size() == 15 && !digits->all_equal() && luhn_holds(*digits);
}

// ISO 3779 and 49 CFR 565: transliterated letters, weights, modulo 11 at the ninth place.
bool vin(std::string_view text) {
  constexpr std::string_view kValues = "0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ";
  constexpr std::array<int, 17> kWeights = {8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2};
  if (text.size() != kWeights.size()) return false;
  int sum = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = upper(text[i]);
    const std::size_t at = kValues.find(c);
    if (c == '.' || at == std::string_view::npos) return false;
    sum += static_cast<int>(at % 10) * kWeights[i];
  }
  const char wanted = sum % 11 == 10 ? 'X' : static_cast<char>('0' + sum % 11);
  return upper(text[8]) == wanted;
}

}  // namespace tocsin::validate
