#include "detectors/validate/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "detectors/validate/compact.h"

namespace tocsin::validate {
namespace {

// A text and its lower case, which is searched.
struct Text {
  explicit Text(std::string_view text) : written(text) {
    std::ranges::transform(text, buffer.begin(), to_lower);
    lower = {buffer.data(), text.size()};
  }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;

  std::array<char, kTextBytesMax> buffer;
  std::string_view written;
  std::string_view lower;
};

// How much has to stand between a word and its neighbours.
enum class Edge : std::uint8_t {
  kSeparator,  // an end of the text, or a character that is neither letter nor digit
  kHump,       // ... or a digit, or the hump of camelCase
};

bool is_edge(std::string_view text, std::size_t i, Edge edge) {
  if (i == 0 || i == text.size()) return true;
  const char before = text[i - 1];
  const char after = text[i];
  if (edge == Edge::kHump) {
    return !is_letter(before) || !is_letter(after) || (is_lower(before) && is_upper(after));
  }
  return !(is_letter(before) || is_digit(before)) || !(is_letter(after) || is_digit(after));
}

bool holds_word(const Text& text, std::span<const std::string_view> words, Edge edge) {
  return std::ranges::any_of(words, [&](std::string_view word) {
    for (std::size_t at = text.lower.find(word); at != std::string_view::npos;
         at = text.lower.find(word, at + 1)) {
      if (is_edge(text.written, at, edge) && is_edge(text.written, at + word.size(), edge)) {
        return true;
      }
    }
    return false;
  });
}

bool is_reference(std::string_view text) {
  if (text.front() == '<' && text.back() == '>') return true;
  if (text.front() == '%' && text.back() == '%') return true;
  if (text.front() == '$' && text.size() > 1 && (is_upper(text[1]) || text[1] == '_')) return true;
  constexpr std::string_view kMarks[] = {"${", "$(", "{{", "process.env", "os.environ", "getenv("};
  return std::ranges::any_of(
      kMarks, [&](std::string_view mark) { return text.find(mark) != std::string_view::npos; });
}

bool is_masked(std::string_view lower) {
  constexpr std::string_view kMasks[] = {"***", "...", "\u2026", "\u2022\u2022", "xxxx"};
  return std::ranges::any_of(
      kMasks, [&](std::string_view mask) { return lower.find(mask) != std::string_view::npos; });
}

bool is_filler(std::string_view text) {
  for (std::size_t period = 1; period <= 4; ++period) {
    const std::size_t enough = period == 1 ? 5 : 6;
    std::size_t repeated = 0;
    for (std::size_t i = period; i < text.size(); ++i) {
      repeated = text[i] == text[i - period] ? repeated + 1 : 0;
      if (repeated == enough) return true;
    }
  }
  if (text.size() < 12) return false;
  std::array<bool, 256> seen{};
  for (const char c : text) seen[static_cast<unsigned char>(c)] = true;
  return std::ranges::count(seen, true) <= 3;
}

bool is_sequence(std::string_view text) {  // lower case
  for (const int step : {1, -1}) {
    std::size_t run = 1;
    for (std::size_t i = 1; i < text.size(); ++i) {
      const char last = text[i - 1];
      const char c = text[i];
      const bool same_kind = (is_digit(last) && is_digit(c)) || (is_letter(last) && is_letter(c));
      // 1234567890 goes on after the nine.
      const bool follows = c - last == step || (step == 1 && last == '9' && c == '0');
      run = same_kind && follows ? run + 1 : 1;
      if (run >= (is_digit(c) ? 7U : 6U)) return true;
    }
  }
  return false;
}

// Anywhere: six letters and more, so that a random token holds one by chance less than once in a
// million.
constexpr std::string_view kWordsAnywhere[] = {
    "example",  "sample",     "placeholder", "changeme",   "change_me",  "change-me", "replaceme",
    "redacted", "foobar",     "notreal",     "not-a-real", "not_a_real", "yourkey",   "your_",
    "your-",    "yourapi",    "yourtoken",   "yoursecret", "yourpass",   "key_here",  "key-here",
    "keyhere",  "token_here", "token-here",  "tokenhere",  "goes_here",  "goes-here", "abc123",
    "qwerty",   "deadbeef",   "lorem_",
};
// Between separators only: by chance three given letters stand in one base62 token of 750, four in
// one of 25,000, but base62 has no separators.
constexpr std::string_view kWordsAlone[] = {
    "your", "here", "fake", "todo", "xxx", "dummy", "insert", "replace", "mock", "foo", "bar",
};
constexpr std::string_view kNames[] = {
    "key",    "keys",   "token", "tokens",     "secret",      "secrets", "password",
    "passwd", "apikey", "auth",  "credential", "credentials", "bearer",  "value",
};

}  // namespace

double entropy(std::string_view capture) {
  const std::string_view text = capture.substr(0, kTextBytesMax);
  if (text.empty()) return 0;
  std::array<unsigned, 256> times{};
  for (const char c : text) ++times[static_cast<unsigned char>(c)];
  double sum = 0;
  for (const unsigned n : times) {
    if (n > 0) sum += n * std::log2(n);
  }
  const auto size = static_cast<double>(text.size());
  return std::log2(size) - sum / size;
}

std::uint8_t character_sets(std::string_view capture) {
  unsigned sets = 0;
  for (const char c : capture.substr(0, kTextBytesMax)) {
    if (is_lower(c)) {
      sets |= kLower;
    } else if (is_upper(c)) {
      sets |= kUpper;
    } else if (is_digit(c)) {
      sets |= kDigit;
    } else if (c > ' ' && c < 0x7f) {
      sets |= kSymbol;
    }
  }
  return static_cast<std::uint8_t>(sets);
}

bool not_placeholder(std::string_view capture) {
  if (capture.empty()) return false;
  const Text text(capture.substr(0, kTextBytesMax));
  if (is_reference(text.written) || is_masked(text.lower) || is_filler(text.written) ||
      is_sequence(text.lower)) {
    return false;
  }
  for (const std::string_view word : kWordsAnywhere) {
    if (text.lower.find(word) != std::string_view::npos) return false;
  }
  if (holds_word(text, kWordsAlone, Edge::kSeparator)) return false;
  return std::ranges::any_of(text.written, is_digit) || !holds_word(text, kNames, Edge::kHump);
}

bool base64(std::string_view capture) {
  const std::string_view text = capture.substr(0, kTextBytesMax);
  std::size_t count = 0;
  std::size_t padding = 0;
  bool standard = false;
  bool url = false;
  unsigned last = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    if (padding > 0) return false;
    if (is_upper(c)) {
      last = static_cast<unsigned>(c - 'A');
    } else if (is_lower(c)) {
      last = static_cast<unsigned>(c - 'a') + 26;
    } else if (is_digit(c)) {
      last = static_cast<unsigned>(c - '0') + 52;
    } else if (c == '+' || c == '/') {
      standard = true;
      last = c == '+' ? 62 : 63;
    } else if (c == '-' || c == '_') {
      url = true;
      last = c == '-' ? 62 : 63;
    } else {
      return false;
    }
    ++count;
  }
  if (count < 4 || (standard && url)) return false;
  if (text.size() < capture.size()) return true;  // the end was not looked at
  const std::size_t over = count % 4;
  if (over == 1 || (padding > 0 && (over + padding) % 4 != 0) || padding > 2) return false;
  return over == 0 || (last & (over == 2 ? 0x0fU : 0x03U)) == 0;
}

}  // namespace tocsin::validate
