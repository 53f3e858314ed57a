// What a check digit is for: one wrong digit, two neighbours swapped.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin::validate {

// `valid` with one digit of its first `count` characters replaced, every digit by every other.
inline std::vector<std::string> wrong_digits(std::string_view valid, std::size_t count = 64) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < valid.size() && i < count; ++i) {
    if (valid[i] < '0' || valid[i] > '9') continue;
    for (char c = '0'; c <= '9'; ++c) {
      if (c == valid[i]) continue;
      out.emplace_back(valid)[i] = c;
    }
  }
  return out;
}

// `valid` with two neighbouring digits swapped, except digits whose difference is `blind`.
inline std::vector<std::string> swapped_digits(std::string_view valid, int blind = 0,
                                               std::size_t count = 64) {
  std::vector<std::string> out;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t i = 0; i + 1 < valid.size() && i + 1 < count; ++i) {
    const int difference = valid[i] - valid[i + 1];
    if (!is_digit(valid[i]) || !is_digit(valid[i + 1]) || difference == 0) continue;
    if (difference == blind || difference == -blind) continue;
    std::string& text = out.emplace_back(valid);
    std::swap(text[i], text[i + 1]);
  }
  return out;
}

}  // namespace tocsin::validate
