#include "detectors/rules/import/regex_dialect.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace tocsin {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::optional<std::uint32_t> hex(std::string_view digits) {
  std::uint32_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, 16);
  if (digits.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

bool is_high_surrogate(std::uint32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(std::uint32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

class EcmaScript {
 public:
  explicit EcmaScript(std::string_view pattern) : rest_(pattern) {}

  std::expected<std::string, std::string> rewrite() {
    static const re2::RE2 kFlags(R"(\(\?[imsx]+\))");
    re2::StringPiece input(rest_.data(), rest_.size());
    re2::RE2::Consume(&input, kFlags);
    rest_ = {input.data(), input.size()};
    out_ = "(?i)";
    while (!rest_.empty() && error_.empty()) step();
    if (!error_.empty()) return std::unexpected(error_);
    return std::move(out_);
  }

 private:
  void copy(std::size_t bytes) {
    out_ += rest_.substr(0, bytes);
    rest_.remove_prefix(std::min(bytes, rest_.size()));
  }
  void replace(std::size_t bytes, std::string_view with) {
    out_ += with;
    rest_.remove_prefix(std::min(bytes, rest_.size()));
  }

  void step() {
    const char c = rest_.front();
    if (c == '\\') return escape();
    if (in_class_) {
      if (c == ']') in_class_ = false;
      return c == '[' ? replace(1, R"(\[)") : copy(1);
    }
    if (c == '[') return open_class();
    if (rest_.starts_with("(?")) return open_group();
    copy(1);
  }

  void open_class() {
    if (rest_.starts_with("[^]")) return replace(3, "(?s:.)");
    if (rest_.starts_with("[]")) {
      error_ = "the empty class [] matches nothing";
      return;
    }
    in_class_ = true;
    copy(rest_.starts_with("[^") ? 2 : 1);
  }

  void open_group() {
    if (rest_.starts_with("(?=") || rest_.starts_with("(?!")) {
      error_ = fmt::format("a look-ahead {}; RE2 has none", rest_.substr(0, 3));
    } else if (rest_.starts_with("(?<=") || rest_.starts_with("(?<!")) {
      error_ = fmt::format("a look-behind {}; RE2 has none", rest_.substr(0, 4));
    } else if (rest_.starts_with("(?<")) {
      replace(3, "(?P<");
    } else {
      copy(2);
    }
  }

  void escape() {
    const char next = rest_.size() > 1 ? rest_[1] : '\0';
    if (next == 'u') return unicode();
    if (!in_class_ && next >= '1' && next <= '9') {
      error_ = fmt::format("a back-reference \\{}; RE2 has none", next);
      return;
    }
    if (!in_class_ && next == 'k') {
      error_ = "a back-reference \\k; RE2 has none";
      return;
    }
    if (in_class_ && next == 'b') return replace(2, R"(\x08)");
    if (next == '0') return replace(2, R"(\x00)");
    copy(2);
  }

  // The number that an escape at the front of `text` stands for, and the escape's length.
  static std::optional<std::uint32_t> unit_of(std::string_view text, std::size_t& length) {
    if (text.starts_with("\\u{")) {
      const std::size_t close = text.find('}');
      if (close == std::string_view::npos) return std::nullopt;
      length = close + 1;
      return hex(text.substr(3, close - 3));
    }
    if (!text.starts_with("\\u") || text.size() < 6) return std::nullopt;
    length = 6;
    return hex(text.substr(2, 4));
  }

  void unicode() {
    std::size_t length = 0;
    auto value = unit_of(rest_, length);
    if (!value || *value > 0x10FFFF) {
      error_ = R"(\u without a code point)";
      return;
    }
    if (is_high_surrogate(*value)) {
      std::size_t second_length = 0;
      const auto second = unit_of(rest_.substr(length), second_length);
      if (second && is_low_surrogate(*second)) {
        value = 0x10000 + ((*value - 0xD800) << 10) + (*second - 0xDC00);
        length += second_length;
      }
    }
    if (is_high_surrogate(*value) || is_low_surrogate(*value)) {
      error_ = "half a surrogate pair: no valid text holds one";
      return;
    }
    replace(length, fmt::format("\\x{{{:X}}}", *value));
  }

  std::string_view rest_;
  std::string out_;
  std::string error_;
  bool in_class_ = false;
};

}  // namespace

std::string re2_from_go(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '\\' && at + 1 < pattern.size()) {
      out += c;
      out += pattern[++at];
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    if (!in_class && pattern.substr(at).starts_with("(?<") && at + 3 < pattern.size() &&
        (is_letter(pattern[at + 3]) || pattern[at + 3] == '_')) {
      out += "(?P<";
      at += 2;
      continue;
    }
    out += c;
  }
  return out;
}

std::expected<std::string, std::string> re2_from_ecmascript(std::string_view pattern) {
  return EcmaScript(pattern).rewrite();
}

std::string json_key_demanded(std::string_view pattern) {
  // Only what stands outside of all groups and classes.
  std::string top;
  std::size_t depth = 0;
  bool in_class = false;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    const bool shown = depth == 0 && !in_class;
    if (c == '\\' && at + 1 < pattern.size()) {
      if (shown) top += pattern.substr(at, 2);
      ++at;
    } else if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
      if (shown) top += '[';
    } else if (c == '(') {
      if (depth++ == 0) top += '(';
    } else if (c == ')') {
      depth -= depth > 0 ? 1 : 0;
    } else if (shown) {
      if (c == '|') return {};
      top += c;
    }
  }
  static const re2::RE2 kKey(R"re(\\?"(\w+)\\?"(?:\\s\*)?:)re");
  std::string key;
  re2::RE2::PartialMatch(top, kKey, &key);
  return key;
}

}  // namespace tocsin
