#include "detectors/validate/national_ids.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <span>

#include "detectors/validate/checksums.h"
#include "detectors/validate/compact.h"

namespace tocsin::validate {
namespace {

int weighted_sum(const Compact& number, std::span<const int> weights, std::size_t from = 0) {
  int sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * number.digit(from + i);
  return sum;
}

bool is_date(int year, int month, int day) {
  return std::chrono::year_month_day(std::chrono::year(year),
                                     std::chrono::month(static_cast<unsigned>(month)),
                                     std::chrono::day(static_cast<unsigned>(day)))
      .ok();
}

// Brazil's check digit over the `count` characters so far, weights 2, 3, ... from the right,
// starting again after `weight_max`.  Letters count as their ASCII code less 48, as digits do.
int brazil_check(const Compact& number, std::size_t count, int weight_max) {
  int sum = 0;
  int weight = 2;
  for (std::size_t i = count; i-- > 0;) {
    sum += number.digit(i) * weight;
    weight = weight == weight_max ? 2 : weight + 1;
  }
  return sum % 11 < 2 ? 0 : 11 - sum % 11;
}

}  // namespace

bool us_ssn(std::string_view capture) {
  const Compact number(capture, " -.");
  if (!number.is_number(9)) return false;
  const int area = number.value(0, 3);
  if (area == 0 || area == 666 || area >= 900) return false;
  if (number.value(3, 2) == 0 || number.value(5, 4) == 0) return false;
  // Printed on wallet inserts and in a pamphlet, and the one everybody types.
  constexpr std::string_view kFamous[] = {"078051120", "219099999", "123456789"};
  return std::ranges::find(kFamous, number.view()) == std::end(kFamous);
}

bool nhs(std::string_view capture) {
  const Compact number(capture, " -");
  if (!number.is_number(10)) return false;
  constexpr int kWeights[] = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1};
  return weighted_sum(number, kWeights) % 11 == 0;
}

bool nino_uk(std::string_view capture) {
  const Compact number(capture, " -");
  if (number.size() != 9 || !number.digits(2, 6)) return false;
  const char first = number[0];
  const char second = number[1];
  const char suffix = number[8];
  if (!is_letter(first) || !is_letter(second) || suffix < 'A' || suffix > 'D') return false;
  if (std::string_view("DFIQUV").find(first) != std::string_view::npos) return false;
  if (std::string_view("DFIOQUV").find(second) != std::string_view::npos) return false;
  constexpr std::string_view kNeverGiven[] = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"};
  return std::ranges::find(kNeverGiven, number.view().substr(0, 2)) == std::end(kNeverGiven);
}

bool aadhaar(std::string_view capture) {
  const Compact number(capture, " -");
  return number.is_number(12) && number[0] >= '2' && verhoeff_holds(number.view());
}

bool cpf(std::string_view capture) {
  const Compact number(capture, " -.");
  return number.is_number(11) && number.digit(9) == brazil_check(number, 9, 11) &&
         number.digit(10) == brazil_check(number, 10, 11);
}

bool cnpj(std::string_view capture) {
  const Compact number(capture, " -./");
  if (number.size() != 14 || !number.digits(12, 2)) return false;
  if (number.view().find_first_not_of(number[0]) == std::string_view::npos) return false;
  return number.digit(12) == brazil_check(number, 12, 9) &&
         number.digit(13) == brazil_check(number, 13, 9);
}

bool dni(std::string_view capture) {
  const Compact number(capture, " -.");
  if (number.size() != 9 || !number.digits(1, 7)) return false;
  int value = 0;
  if (number[0] >= 'X' && number[0] <= 'Z') {
    value = (number[0] - 'X') * 10'000'000 + number.value(1, 7);
  } else if (number.digits(0, 8)) {
    value = number.value(0, 8);
  } else {
    return false;
  }
  if (number.view().substr(0, 8).find_first_not_of(number[0]) == std::string_view::npos) {
    return false;
  }
  return number[8] ==
         std::string_view("TRWAGMYFPDXBNJZSQVHLCKE")[static_cast<std::size_t>(value) % 23];
}

bool codice_fiscale(std::string_view capture) {
  const Compact code(capture, " -");
  if (code.size() != 16) return false;
  // The value of a digit, or of the letter that stands for one; -1 for anything else.
  const auto digit = [&](std::size_t i) {
    if (is_digit(code[i])) return code.digit(i);
    const std::size_t place = std::string_view("LMNPQRSTUV").find(code[i]);
    return place == std::string_view::npos ? -1 : static_cast<int>(place);
  };
  for (const std::size_t i : {0, 1, 2, 3, 4, 5, 8, 11, 15}) {
    if (!is_letter(code[i])) return false;
  }
  for (const std::size_t i : {6, 7, 9, 10, 12, 13, 14}) {
    if (digit(i) < 0) return false;
  }
  if (std::string_view("ABCDEHLMPRST").find(code[8]) == std::string_view::npos) return false;
  const int day = digit(9) * 10 + digit(10);  // women's days are 40 higher
  if (day % 40 < 1 || day % 40 > 31 || day > 71) return false;
  // Characters in the first, third, ... place count by this table, the others by themselves.
  constexpr int kOdd[26] = {1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                            20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
  int sum = 0;
  for (std::size_t i = 0; i < 15; ++i) {
    const int value = is_digit(code[i]) ? code[i] - '0' : code[i] - 'A';
    sum += i % 2 == 0 ? kOdd[value] : value;
  }
  return code[15] == static_cast<char>('A' + sum % 26);
}

bool nir(std::string_view capture) {
  const Compact number(capture, " -.");
  if (number.size() != 15 || !number.digits(0, 6) || !number.digits(7, 8)) return false;
  const char sex =
      number[0];  // 1, 2; 3, 4 while provisional; 7, 8 for foreigners' provisional ones
  if (std::string_view("123478").find(sex) == std::string_view::npos) return false;
  const int month = number.value(3, 2);  // 20 and above: the record does not say
  if (month == 0 || (month > 12 && month < 20) || (month > 42 && month < 50)) return false;
  // Corsica: 2A counts as 19, 2B as 18.
  std::array<char, 13> digits{};
  std::ranges::copy(number.view().substr(0, 13), digits.begin());
  if (!is_digit(digits[6])) {
    if (digits[5] != '2' || (digits[6] != 'A' && digits[6] != 'B')) return false;
    digits[5] = '1';
    digits[6] = digits[6] == 'A' ? '9' : '8';
  }
  return number.value(13, 2) == 97 - mod_97({digits.data(), digits.size()});
}

bool steuer_id(std::string_view capture) {
  const Compact number(capture, " -./");
  if (!number.is_number(11) || number[0] == '0') return false;
  std::array<int, 10> times{};
  int product = 10;
  for (std::size_t i = 0; i < 10; ++i) {
    ++times[static_cast<std::size_t>(number.digit(i))];
    const int sum = (number.digit(i) + product) % 10;
    product = (sum == 0 ? 10 : sum) * 2 % 11;
  }
  if (std::ranges::count_if(times, [](int n) { return n > 1; }) != 1) return false;
  if (*std::ranges::max_element(times) > 3) return false;
  for (std::size_t i = 2; i < 10; ++i) {  // thrice, but not in a row
    if (number[i] == number[i - 1] && number[i] == number[i - 2]) return false;
  }
  return number.digit(10) == (11 - product) % 10;
}

bool pesel(std::string_view capture) {
  const Compact number(capture, " -");
  if (!number.is_number(11)) return false;
  constexpr int kWeights[] = {1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1};
  if (weighted_sum(number, kWeights) % 10 != 0) return false;
  constexpr int kCenturies[] = {1900, 2000, 2100, 2200, 1800};  // by 20 added to the month
  const int month = number.value(2, 2);
  return is_date(kCenturies[month / 20] + number.value(0, 2), month % 20, number.value(4, 2));
}

bool bsn(std::string_view capture) {
  const Compact number(capture, " -.");
  if (!number.is_number(9)) return false;
  constexpr int kWeights[] = {9, 8, 7, 6, 5, 4, 3, 2, -1};
  return weighted_sum(number, kWeights) % 11 == 0;
}

bool sin_ca(std::string_view capture) {
  const Compact number(capture, " -");
  return number.is_number(9) && number[0] != '0' && number[0] != '8' && luhn_holds(number.view());
}

bool tfn_au(std::string_view capture) {
  const Compact number(capture, " -");
  if (!number.is_number(9)) return false;
  constexpr int kWeights[] = {1, 4, 3, 7, 5, 8, 6, 9, 10};
  return weighted_sum(number, kWeights) % 11 == 0;
}

bool medicare_au(std::string_view capture) {
  const Compact number(capture, " -/");
  if (!number.is_number(10) && !number.is_number(11)) return false;
  if (number[0] < '2' || number[0] > '6' || number[9] == '0') return false;
  if (number.size() == 11 && number[10] == '0') return false;
  constexpr int kWeights[] = {1, 3, 7, 9, 1, 3, 7, 9};
  return weighted_sum(number, kWeights) % 10 == number.digit(8);
}

bool cn_id(std::string_view capture) {
  const Compact number(capture, " -");
  if (number.size() != 18 || !number.digits(0, 17)) return false;
  const int province = number.value(0, 2);
  if (province < 11 ||
      (province > 65 && province != 71 && province != 81 && province != 82 && province != 83)) {
    return false;
  }
  const int year = number.value(6, 4);
  if (year < 1850 || year > 2100 || !is_date(year, number.value(10, 2), number.value(12, 2))) {
    return false;
  }
  constexpr int kWeights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  const auto remainder = static_cast<std::size_t>(weighted_sum(number, kWeights) % 11);
  return number[17] == std::string_view("10X98765432")[remainder];
}

}  // namespace tocsin::validate
