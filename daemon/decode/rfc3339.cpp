#include "daemon/decode/rfc3339.h"

#include <cstdint>

namespace tocsin {
namespace {

// Takes exactly `digits` digits off the front; -1 when they are not there.
int take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return -1;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> take_fraction_micros(std::string_view& text) {
  if (!take(text, ".")) return 0;
  std::int64_t micros = 0;
  std::int64_t unit = 100'000;
  std::size_t digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++digits) {
    micros += (text.front() - '0') * unit;
    unit /= 10;
    text.remove_prefix(1);
  }
  if (digits == 0) return std::nullopt;
  return micros;
}

std::optional<std::chrono::minutes> take_zone(std::string_view& text) {
  if (take(text, "Zz")) return std::chrono::minutes{0};
  const bool west = !text.empty() && text.front() == '-';
  if (!take(text, "+-")) return std::nullopt;
  const int hours = take_number(text, 2);
  if (!take(text, ":")) return std::nullopt;
  const int minutes = take_number(text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const std::chrono::minutes offset{hours * 60 + minutes};
  return west ? -offset : offset;
}

}  // namespace

std::optional<EventTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const int year_number = take_number(text, 4);
  if (year_number < 0 || !take(text, "-")) return std::nullopt;
  const int month_number = take_number(text, 2);
  if (month_number < 1 || !take(text, "-")) return std::nullopt;
  const int day_number = take_number(text, 2);
  if (day_number < 1 || !take(text, "Tt ")) return std::nullopt;
  const year_month_day date{year{year_number}, month{static_cast<unsigned>(month_number)},
                            day{static_cast<unsigned>(day_number)}};
  if (!date.ok()) return std::nullopt;

  const int hour = take_number(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ":")) return std::nullopt;
  const int minute = take_number(text, 2);
  if (minute < 0 || minute > 59 || !take(text, ":")) return std::nullopt;
  const int second = take_number(text, 2);
  if (second < 0 || second > 60) return std::nullopt;
  const auto micros = take_fraction_micros(text);
  if (!micros) return std::nullopt;
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return EventTime{sys_days{date}} + hours{hour} + minutes{minute} + seconds{second} +
         microseconds{*micros} - *zone;
}

}  // namespace tocsin
