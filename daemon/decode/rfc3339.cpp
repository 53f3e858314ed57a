#include "daemon/decode/rfc3339.h"

#include <cstdint>

namespace tocsin {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes exactly `Digits` digits off the front; -1 when they are not there.
template <std::size_t Digits>
int take_number(std::string_view& text) {
  if (text.size() < Digits) return -1;
  int value = 0;
  bool digits = true;
  for (std::size_t i = 0; i < Digits; ++i) {
    digits &= is_digit(text[i]);
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(Digits);
  return digits ? value : -1;
}

template <typename... Chars>
bool take(std::string_view& text, Chars... any_of) {
  if (text.empty() || ((text.front() != any_of) && ...)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> take_fraction_micros(std::string_view& text) {
  if (!take(text, '.')) return 0;
  std::int64_t micros = 0;
  std::int64_t unit = 100'000;
  std::size_t digits = 0;
  for (; !text.empty() && is_digit(text.front()); ++digits) {
    micros += (text.front() - '0') * unit;
    unit /= 10;
    text.remove_prefix(1);
  }
  if (digits == 0) return std::nullopt;
  return micros;
}

std::optional<std::chrono::minutes> take_zone(std::string_view& text) {
  if (take(text, 'Z', 'z')) return std::chrono::minutes{0};
  const bool west = !text.empty() && text.front() == '-';
  if (!take(text, '+', '-')) return std::nullopt;
  const int hours = take_number<2>(text);
  if (!take(text, ':')) return std::nullopt;
  const int minutes = take_number<2>(text);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const std::chrono::minutes offset{hours * 60 + minutes};
  return west ? -offset : offset;
}

}  // namespace

std::optional<EventTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const int year_number = take_number<4>(text);
  if (year_number < 0 || !take(text, '-')) return std::nullopt;
  const int month_number = take_number<2>(text);
  if (month_number < 1 || !take(text, '-')) return std::nullopt;
  const int day_number = take_number<2>(text);
  if (day_number < 1 || !take(text, 'T', 't', ' ')) return std::nullopt;
  const year_month_day date{year{year_number}, month{static_cast<unsigned>(month_number)},
                            day{static_cast<unsigned>(day_number)}};
  if (!date.ok()) return std::nullopt;

  const int hour = take_number<2>(text);
  if (hour < 0 || hour > 23 || !take(text, ':')) return std::nullopt;
  const int minute = take_number<2>(text);
  if (minute < 0 || minute > 59 || !take(text, ':')) return std::nullopt;
  const int second = take_number<2>(text);
  if (second < 0 || second > 60) return std::nullopt;
  const auto micros = take_fraction_micros(text);
  if (!micros) return std::nullopt;
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return EventTime{sys_days{date}} + hours{hour} + minutes{minute} + seconds{second} +
         microseconds{*micros} - *zone;
}

}  // namespace tocsin
