#include "detectors/validate/checksums.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "detectors/validate/compact.h"

namespace tocsin::validate {
namespace {

// The first `prefix_digits` digits lie in [low, high]; bit n of `lengths` stands for n digits.
struct IssuerRange {
  int low;
  int high;
  std::uint8_t prefix_digits;
  std::uint32_t lengths;
};

constexpr std::uint32_t length(int n) { return 1U << n; }
constexpr std::uint32_t lengths(int from, int to) {
  return (1U << (to + 1)) - (1U << static_cast<unsigned>(from));
}

constexpr IssuerRange kIssuers[] = {
    {4, 4, 1, length(13) | length(16) | length(19)},  // Visa
    {51, 55, 2, length(16)},                          // Mastercard
    {2221, 2720, 4, length(16)},                      //   since 2016
    {34, 34, 2, length(15)},                          // American Express
    {37, 37, 2, length(15)},                          //
    {6011, 6011, 4, lengths(16, 19)},                 // Discover
    {644, 649, 3, lengths(16, 19)},                   //
    {65, 65, 2, lengths(16, 19)},                     //   and RuPay
    {300, 305, 3, lengths(14, 19)},                   // Diners Club
    {3095, 3095, 4, lengths(14, 19)},                 //
    {36, 36, 2, lengths(14, 19)},                     //
    {38, 39, 2, lengths(14, 19)},                     //
    {3528, 3589, 4, lengths(16, 19)},                 // JCB
    {62, 62, 2, lengths(16, 19)},                     // UnionPay
    {81, 81, 2, lengths(16, 19)},                     //   and RuPay
    {5018, 5018, 4, lengths(12, 19)},                 // Maestro
    {5020, 5020, 4, lengths(12, 19)},                 //
    {5038, 5038, 4, lengths(12, 19)},                 //
    {5893, 5893, 4, lengths(12, 19)},                 //
    {6304, 6304, 4, lengths(12, 19)},                 //
    {6759, 6759, 4, lengths(12, 19)},                 //
    {6761, 6763, 4, lengths(12, 19)},                 //
    {2200, 2204, 4, lengths(16, 19)},                 // Mir
};

// Country and length, by country.
struct IbanCountry {
  char country[3];
  std::uint8_t length;
};
constexpr IbanCountry kIbanCountries[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
    {"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24},
    {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18},
    {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27},
    {"GT", 28}, {"HN", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26},
    {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20},
    {"LU", 20}, {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20},
    {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23}, {"PK", 24},
    {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24},
    {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25},
    {"SV", 28}, {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20},
    {"YE", 30},
};

std::size_t iban_length(std::string_view country) {
  const auto* const found =
      std::ranges::lower_bound(kIbanCountries, country, {},
                               [](const IbanCountry& c) { return std::string_view(c.country); });
  return found != std::end(kIbanCountries) && found->country == country ? found->length : 0;
}

}  // namespace

bool luhn_holds(std::string_view digits) {
  int sum = 0;
  bool twice = false;
  for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
    const int digit = digits[i] - '0';
    sum += twice ? digit * 2 - (digit > 4 ? 9 : 0) : digit;
  }
  return sum % 10 == 0;
}

bool verhoeff_holds(std::string_view digits) {
  // D5 as 0-4 rotations, 5-9 reflections.
  const auto product = [](int a, int b) {
    if (a < 5) return b < 5 ? (a + b) % 5 : 5 + (a + b) % 5;
    return b < 5 ? 5 + (a - b + 5) % 5 : (a - b + 5) % 5;
  };
  constexpr int kPermutation[10] = {1, 5, 7, 6, 2, 8, 3, 0, 9, 4};
  int check = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int digit = digits[digits.size() - 1 - i] - '0';
    for (std::size_t times = i % 8; times > 0; --times) digit = kPermutation[digit];
    check = product(check, digit);
  }
  return check == 0;
}

int mod_97(std::string_view characters, int remainder) {
  for (const char c : characters) {
    remainder =
        is_digit(c) ? (remainder * 10 + (c - '0')) % 97 : (remainder * 100 + (c - 'A' + 10)) % 97;
  }
  return remainder;
}

bool luhn(std::string_view capture) {
  const Compact number(capture, " -.");
  return number.size() >= 2 && number.is_number(number.size()) && luhn_holds(number.view());
}

bool card(std::string_view capture) {
  const Compact number(capture, " -");
  if (number.size() < 12 || number.size() > 19 || !number.is_number(number.size())) return false;
  const bool issued = std::ranges::any_of(kIssuers, [&](const IssuerRange& range) {
    const int prefix = number.value(0, range.prefix_digits);
    return prefix >= range.low && prefix <= range.high &&
           ((range.lengths >> number.size()) & 1U) != 0;
  });
  return issued && luhn_holds(number.view());
}

bool iban(std::string_view capture) {
  const Compact number(capture, " -");
  if (number.size() < 4 || !number.digits(2, 2)) return false;
  const std::string_view text = number.view();
  if (text.size() != iban_length(text.substr(0, 2))) return false;
  // 00, 01 and 99 would pass the remainder too, and are never given.
  const int check = number.value(2, 2);
  if (check < 2 || check > 98) return false;
  return mod_97(text.substr(0, 4), mod_97(text.substr(4))) == 1;
}

bool aba_routing(std::string_view capture) {
  const Compact number(capture, " -");
  if (!number.is_number(9)) return false;
  const int prefix = number.value(0, 2);
  const bool in_use = prefix <= 12 || (prefix >= 21 && prefix <= 32) ||
                      (prefix >= 61 && prefix <= 72) || prefix == 80;
  constexpr int kWeights[3] = {3, 7, 1};
  int sum = 0;
  for (std::size_t i = 0; i < 9; ++i) sum += kWeights[i % 3] * number.digit(i);
  return in_use && sum % 10 == 0;
}

bool imei(std::string_view capture) {
  const Compact number(capture, " -/");
  return number.is_number(15) && luhn_holds(number.view());
}

bool vin(std::string_view capture) {
  const Compact number(capture, " -");
  if (number.size() != 17) return false;
  // A-H 1-8, J-N 1-5, P 7, R 9, S-Z 2-9; zero for the letters that do not occur.
  constexpr int kLetters[26] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4,
                                5, 0, 7, 0, 9, 2, 3, 4, 5, 6, 7, 8, 9};
  constexpr int kWeights[17] = {8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2};
  int sum = 0;
  for (std::size_t i = 0; i < 17; ++i) {
    const char c = number[i];
    const int value = is_digit(c) ? c - '0' : kLetters[c - 'A'];
    if (value == 0 && c != '0') return false;
    sum += value * kWeights[i];
  }
  const int check = sum % 11;
  const bool filler = number.view().find_first_not_of(number[0]) == std::string_view::npos;
  return !filler && number[8] == (check == 10 ? 'X' : static_cast<char>('0' + check));
}

}  // namespace tocsin::validate
