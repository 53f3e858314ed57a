// A number as people write it, without its separators.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace tocsin::validate {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_letter(char c) { return is_upper(c) || is_lower(c); }
inline char to_lower(char c) { return is_upper(c) ? static_cast<char>(c + ('a' - 'A')) : c; }
inline char to_upper(char c) { return is_lower(c) ? static_cast<char>(c - ('a' - 'A')) : c; }

// Keeps ASCII letters (upper-cased) and digits, skips the bytes in `separators`, wherever and
// however many they are.  Any other byte, more than kMax characters or a capture of more than
// kCaptureMax bytes leaves it empty, which no validator accepts.
class Compact {
 public:
  static constexpr std::size_t kMax = 64;
  static constexpr std::size_t kCaptureMax = 256;

  Compact(std::string_view capture, std::string_view separators) {
    if (capture.size() > kCaptureMax) return;
    for (const char c : capture) {
      if (separators.find(c) != std::string_view::npos) continue;
      if ((!is_digit(c) && !is_letter(c)) || size_ == kMax) {
        size_ = 0;
        return;
      }
      characters_[size_++] = to_upper(c);
    }
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view view() const { return {characters_.data(), size_}; }
  [[nodiscard]] char operator[](std::size_t i) const { return characters_[i]; }
  [[nodiscard]] int digit(std::size_t i) const { return characters_[i] - '0'; }
  // The value of `count` characters from `from`, all of which are digits; `count` <= 9.
  [[nodiscard]] int value(std::size_t from, std::size_t count) const {
    int sum = 0;
    for (std::size_t i = from; i < from + count; ++i) sum = sum * 10 + digit(i);
    return sum;
  }
  [[nodiscard]] bool digits(std::size_t from, std::size_t count) const {
    return from + count <= size_ && std::ranges::all_of(view().substr(from, count), is_digit);
  }
  // So many digits, and not one digit repeated: every checksum here holds for 000000000, and some
  // for other fillers.
  [[nodiscard]] bool is_number(std::size_t count) const {
    return size_ == count && digits(0, count) &&
           view().find_first_not_of(characters_[0]) != std::string_view::npos;
  }

 private:
  std::array<char, kMax> characters_{};
  std::size_t size_ = 0;
};

}  // namespace tocsin::validate
