// Numbers that states and their offices give to people.
#include <algorithm>
#include <array>

#include "detectors/validate/checks.h"
#include "detectors/validate/digits.h"

namespace tocsin::validate {
namespace {

std::optional<Digits> numbers_of(std::string_view text, std::size_t length) {
  auto digits = Digits::numbers(text);
  if (!digits || digits->size() != length || digits->all_equal()) return std::nullopt;
  return digits;
}

// The digits as one number; up to 18 of them.
long long number_of(const Digits& digits, std::size_t count) {
  long long value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value * 10 + digits[i];
  return value;
}

bool is_date(int month, int day) { return month >= 1 && month <= 12 && day >= 1 && day <= 31; }

// Verhoeff, 1969: multiplication in the dihedral group D5, and the permutation by position.
bool verhoeff_holds(const Digits& digits) {
  constexpr std::array<std::array<int, 10>, 10> kProduct = {{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
                                                             {1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
                                                             {2, 3, 4, 0, 1, 7, 8, 9, 5, 6},
                                                             {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
                                                             {4, 0, 1, 2, 3, 9, 5, 6, 7, 8},
                                                             {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
                                                             {6, 5, 9, 8, 7, 1, 0, 4, 3, 2},
                                                             {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
                                                             {8, 7, 6, 5, 9, 3, 2, 1, 0, 4},
                                                             {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}}};
  constexpr std::array<int, 10> kPermutation = {1, 5, 7, 6, 2, 8, 3, 0, 9, 4};
  int check = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int digit = digits[digits.size() - 1 - i];
    for (std::size_t times = 0; times < i % 8; ++times) {
      digit = kPermutation[static_cast<std::size_t>(digit)];
    }
    check = kProduct[static_cast<std::size_t>(check)][static_cast<std::size_t>(digit)];
  }
  return check == 0;
}

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

}  // namespace

// Social Security Administration: no area 000, 666 or 900-999, no group 00, no serial 0000; and
// not the numbers that advertisements made famous.
bool us_ssn(std::string_view text) {
  const auto digits = numbers_of(text, 9);
  if (!digits) return false;
  const int area = digits->number(0, 3);
  const long long whole = number_of(*digits, 9);
  return area != 0 && area != 666 && area < 900 && digits->number(3, 2) != 0 &&
         digits->number(5, 4) != 0 && whole != 78051120 && whole != 219099999 && whole != 123456789;
}

// NHS Data Dictionary: weights 10 to 2, 11 minus the remainder by 11.
bool nhs(std::string_view text) {
  const auto digits = numbers_of(text, 10);
  if (!digits) return false;
  const int check = 11 - weighted<9>(*digits, {10, 9, 8, 7, 6, 5, 4, 3, 2}) % 11;
  return (check == 11 ? 0 : check) == (*digits)[9];
}

// HMRC NIM39110: two letters (not D, F, I, Q, U, V; the second not O either), six digits, A to D;
// prefixes that are not given out.
bool nino_uk(std::string_view text) {
  std::array<char, 9> plain{};
  std::size_t size = 0;
  for (const char c : text) {
    if (c == ' ' || c == '-' || c == '.') continue;
    if (size == plain.size()) return false;
    plain[size++] = upper(c);
  }
  constexpr std::string_view kNever = "DFIQUV";
  constexpr std::array<std::string_view, 7> kPrefixes = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"};
  const auto letter = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return size == plain.size() && letter(plain[0]) && letter(plain[1]) &&
         kNever.find(plain[0]) == std::string_view::npos &&
         kNever.find(plain[1]) == std::string_view::npos && plain[1] != 'O' &&
         std::ranges::find(kPrefixes, std::string_view(plain.data(), 2)) == kPrefixes.end() &&
         std::all_of(plain.begin() + 2, plain.begin() + 8, digit) && plain[8] >= 'A' &&
         plain[8] <= 'D';
}

// UIDAI: twelve digits, Verhoeff, not beginning with 0 or 1.
bool aadhaar(std::string_view text) {
  const auto digits = numbers_of(text, 12);
  return digits && (*digits)[0] >= 2 && verhoeff_holds(*digits);
}

// Receita Federal: two check digits modulo 11.
bool cpf(std::string_view text) {
  const auto digits = numbers_of(text, 11);
  if (!digits) return false;
  const int first = weighted<9>(*digits, {10, 9, 8, 7, 6, 5, 4, 3, 2}) * 10 % 11 % 10;
  const int second = weighted<10>(*digits, {11, 10, 9, 8, 7, 6, 5, 4, 3, 2}) * 10 % 11 % 10;
  return first == (*digits)[9] && second == (*digits)[10];
}

bool cnpj(std::string_view text) {
  const auto digits = numbers_of(text, 14);
  if (!digits) return false;
  const auto check = [](int sum) { return sum % 11 < 2 ? 0 : 11 - sum % 11; };
  return check(weighted<12>(*digits, {5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2})) == (*digits)[12] &&
         check(weighted<13>(*digits, {6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2})) == (*digits)[13];
}

// Ministerio del Interior: the letter at the remainder by 23; X, Y, Z of a NIE stand for 0, 1, 2.
bool dni(std::string_view text) {
  constexpr std::string_view kLetters = "TRWAGMYFPDXBNJZSQVHLCKE";
  const auto digits = Digits::alphanumerics(text);
  if (!digits || digits->size() != 9) return false;
  const int lead = (*digits)[0];
  const int x = 'X' - 'A' + 10;
  if (lead > 9 && (lead < x || lead > x + 2)) return false;
  long long value = lead > 9 ? lead - x : lead;
  for (std::size_t i = 1; i < 8; ++i) {
    if ((*digits)[i] > 9) return false;
    value = value * 10 + (*digits)[i];
  }
  const int letter = (*digits)[8];
  return letter > 9 && kLetters[static_cast<std::size_t>(value % 23)] == 'A' + letter - 10;
}

// Decreto ministeriale 23/12/1976: odd places by a table, even ones by value, modulo 26.
bool codice_fiscale(std::string_view text) {
  constexpr std::array<int, 26> kOdd = {1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                        20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
  const auto digits = Digits::alphanumerics(text);
  if (!digits || digits->size() != 16) return false;
  int sum = 0;
  for (std::size_t i = 0; i < 15; ++i) {
    const int value = (*digits)[i] > 9 ? (*digits)[i] - 10 : (*digits)[i];
    sum += i % 2 == 0 ? kOdd[static_cast<std::size_t>(value)] : value;
  }
  const bool letters = (*digits)[0] > 9 && (*digits)[5] > 9 && (*digits)[8] > 9;
  return letters && (*digits)[15] == 10 + sum % 26;
}

// INSEE: 97 minus the first thirteen digits modulo 97; Corsica's 2A and 2B count as 19 and 18.
bool nir(std::string_view text) {
  const auto digits = Digits::alphanumerics(text);
  if (!digits || digits->size() != 15 || digits->all_equal()) return false;
  long long value = 0;
  for (std::size_t i = 0; i < 13; ++i) {
    int digit = (*digits)[i];
    if (i == 6 && (digit == 10 || digit == 11)) {
      digit = digit == 10 ? 9 : 8;
      value = value / 10 * 10 + 1;  // 2A is 19, 2B is 18
    }
    if (digit > 9) return false;
    value = value * 10 + digit;
  }
  const int sex = (*digits)[0];
  const int month = (*digits)[3] * 10 + (*digits)[4];
  const bool plausible =
      (sex == 1 || sex == 2 || sex == 3 || sex == 4 || sex == 7 || sex == 8) &&
      ((month >= 1 && month <= 12) || (month >= 20 && month <= 42) || month >= 50);
  return plausible && 97 - value % 97 == (*digits)[13] * 10 + (*digits)[14];
}

// Bundeszentralamt fuer Steuern: ISO/IEC 7064 MOD 11,10; one digit of the first ten stands twice or
// three times.
bool steuer_id(std::string_view text) {
  const auto digits = numbers_of(text, 11);
  if (!digits || (*digits)[0] == 0) return false;
  std::array<int, 10> counts{};
  int product = 10;
  for (std::size_t i = 0; i < 10; ++i) {
    ++counts[static_cast<std::size_t>((*digits)[i])];
    int sum = ((*digits)[i] + product) % 10;
    if (sum == 0) sum = 10;
    product = sum * 2 % 11;
  }
  const int most = std::ranges::max(counts);
  return (most == 2 || most == 3) && (11 - product) % 10 == (*digits)[10];
}

// Poland, law of 24/09/2010: weights 1, 3, 7, 9; the month carries the century.
bool pesel(std::string_view text) {
  const auto digits = numbers_of(text, 11);
  if (!digits) return false;
  const int sum = weighted<10>(*digits, {1, 3, 7, 9, 1, 3, 7, 9, 1, 3});
  return is_date(digits->number(2, 2) % 20, digits->number(4, 2)) &&
         (10 - sum % 10) % 10 == (*digits)[10];
}

// Netherlands, "elfproef": weights 9 to 2 and -1.
bool bsn(std::string_view text) {
  const auto digits = numbers_of(text, 9);
  return digits && weighted<9>(*digits, {9, 8, 7, 6, 5, 4, 3, 2, -1}) % 11 == 0;
}

// Service Canada: Luhn; no number begins with 0 or 8.
bool sin_ca(std::string_view text) {
  const auto digits = numbers_of(text, 9);
  return digits && (*digits)[0] != 0 && (*digits)[0] != 8 && luhn(text);
}

// Australian Taxation Office: weights 1, 4, 3, 7, 5, 8, 6, 9, 10 modulo 11.
bool tfn_au(std::string_view text) {
  const auto digits = numbers_of(text, 9);
  return digits && weighted<9>(*digits, {1, 4, 3, 7, 5, 8, 6, 9, 10}) % 11 == 0;
}

// Services Australia: weights 1, 3, 7, 9 over eight digits, modulo 10; an issue number follows.
bool medicare_au(std::string_view text) {
  const auto digits = Digits::numbers(text);
  if (!digits || (digits->size() != 10 && digits->size() != 11) || digits->all_equal())
    return false;
  return (*digits)[0] >= 2 && (*digits)[0] <= 6 &&
         weighted<8>(*digits, {1, 3, 7, 9, 1, 3, 7, 9}) % 10 == (*digits)[8];
}

// GB 11643-1999: ISO/IEC 7064 MOD 11-2, with a date of birth inside.
bool cn_id(std::string_view text) {
  constexpr std::array<int, 17> kWeights = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  constexpr std::string_view kChecks = "10X98765432";
  const auto digits = Digits::alphanumerics(text);
  if (!digits || digits->size() != 18) return false;
  int sum = 0;
  for (std::size_t i = 0; i < 17; ++i) {
    if ((*digits)[i] > 9) return false;
    sum += (*digits)[i] * kWeights[i];
  }
  const int year = digits->number(6, 4);
  const int last = (*digits)[17];
  const char check = last > 9 ? static_cast<char>('A' + last - 10) : static_cast<char>('0' + last);
  return year >= 1900 && year < 2100 && is_date(digits->number(10, 2), digits->number(12, 2)) &&
         kChecks[static_cast<std::size_t>(sum % 11)] == check;
}

}  // namespace tocsin::validate
