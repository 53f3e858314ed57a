// Digits of a number as people write it.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace tocsin::validate {

// At most 40 digits or letters with the separators left out.
class Digits {
 public:
  static constexpr std::size_t kMax = 40;

  // Digits only; nothing when there is anything else, or too many.
  static std::optional<Digits> numbers(std::string_view text) { return read(text, false); }
  // Digits and letters, letters as 10 (A) to 35 (Z) whatever their case.
  static std::optional<Digits> alphanumerics(std::string_view text) { return read(text, true); }

  [[nodiscard]] std::size_t size() const { return size_; }
  int operator[](std::size_t i) const { return digits_[i]; }
  [[nodiscard]] std::span<const int> all() const { return std::span(digits_).first(size_); }
  [[nodiscard]] bool all_equal() const {
    for (std::size_t i = 1; i < size_; ++i) {
      if (digits_[i] != digits_[0]) return false;
    }
    return true;
  }
  // Two or more digits as one number.
  [[nodiscard]] int number(std::size_t from, std::size_t count) const {
    int value = 0;
    for (std::size_t i = from; i < from + count; ++i) value = value * 10 + digits_[i];
    return value;
  }

 private:
  static std::optional<Digits> read(std::string_view text, bool letters) {
    Digits digits;
    for (const char c : text) {
      int value = -1;
      if (c >= '0' && c <= '9') value = c - '0';
      if (letters && c >= 'A' && c <= 'Z') value = c - 'A' + 10;
      if (letters && c >= 'a' && c <= 'z') value = c - 'a' + 10;
      if (value < 0) {
        if (c == ' ' || c == '-' || c == '.' || c == '/') continue;
        return std::nullopt;
      }
      if (digits.size_ == kMax) return std::nullopt;
      digits.digits_[digits.size_++] = value;
    }
    return digits;
  }

  std::array<int, kMax> digits_{};
  std::size_t size_ = 0;
};

// The sum of products of digits and weights.
template <std::size_t kCount>
int weighted(const Digits& digits, const std::array<int, kCount>& weights) {
  int sum = 0;
  for (std::size_t i = 0; i < kCount; ++i) sum += digits[i] * weights[i];
  return sum;
}

}  // namespace tocsin::validate
