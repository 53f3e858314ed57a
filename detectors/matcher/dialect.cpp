#include "detectors/matcher/dialect.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <system_error>
#include <vector>

namespace tocsin::matcher {
namespace {

constexpr std::string_view kVerticalTab = "\\x0b";
constexpr std::string_view kSpaceOfRe2 = "\\t\\n\\f\\r\\x20";
constexpr int kUpperBoundMax = 1;           // of a single character: ranges are left open
constexpr std::size_t kGroupBytesMax = 16;  // of a group that may still be counted,
constexpr int kGroupTimesMax = 32;          // ... so often
constexpr int kLowerBoundMax = 128;         // tokens have lengths, and those tell them from words
constexpr std::string_view kFoldedLetters = "\\x{17f}\\x{212a}";

class Translator {
 public:
  Translator(std::string_view in, bool counting)
      : in_(in), counting_(counting), folds_(in.find("(?") != std::string_view::npos) {}

  std::string run() {
    while (at_ < in_.size()) {
      if (in_[at_] == '\\') {
        escape();
      } else if (in_[at_] == '[') {
        character_class();
      } else if (in_[at_] == '{' && counted()) {
        continue;
      } else {
        parenthesis(in_[at_]);
        out_ += in_[at_++];
        continue;
      }
      after_group_ = false;
    }
    return std::move(out_);
  }

 private:
  enum class Place { kOutside, kClass, kNegatedClass };

  void parenthesis(char c) {
    after_group_ = c == ')';
    if (c == '(') {
      groups_.push_back(out_.size());
    } else if (c == ')' && !groups_.empty()) {
      group_bytes_ = out_.size() - groups_.back();
      groups_.pop_back();
    }
  }

  // A counted repeat, written more loosely; false when the brace is none (and so a literal).
  bool counted() {
    const std::string_view rest = in_.substr(at_);
    std::size_t end = 1;
    const auto number = [&]() -> std::optional<int> {
      int value = 0;
      const auto [stop, error] =
          std::from_chars(rest.data() + end, rest.data() + rest.size(), value);
      if (error != std::errc{}) return std::nullopt;
      end = static_cast<std::size_t>(stop - rest.data());
      return value;
    };
    const auto least = number();
    if (!least) return false;
    std::optional<int> most = least;
    if (end < rest.size() && rest[end] == ',') {
      ++end;
      most = number();
    }
    if (end >= rest.size() || rest[end] != '}') return false;
    at_ += end + 1;
    const bool unbounded = !most || (*most > *least && *most > kUpperBoundMax);
    if (after_group_ || !counting_) {
      if (most && *most <= 1) {
        out_ += rest.substr(0, end + 1);
      } else {
        const bool small = counting_ && group_bytes_ <= kGroupBytesMax && *least <= kGroupTimesMax;
        out_ += *least == 0 ? "*" : small && *least > 1 ? "{" + std::to_string(*least) + ",}" : "+";
      }
    } else if (*least > kLowerBoundMax || unbounded) {
      const int kept = std::min(*least, kLowerBoundMax);
      out_ += kept == 0 ? "*" : kept == 1 ? "+" : "{" + std::to_string(kept) + ",}";
    } else {
      out_ += rest.substr(0, end + 1);
    }
    after_group_ = false;
    return true;
  }

  void escape() {
    if (in_.substr(at_, 2) == "\\Q") {
      quoted();
      return;
    }
    escape(Place::kOutside);
  }

  // Everything up to \E is literal, backslashes and brackets too.
  void quoted() {
    const std::size_t end = in_.find("\\E", at_ + 2);
    const std::size_t stop = end == std::string_view::npos ? in_.size() : end + 2;
    out_ += in_.substr(at_, stop - at_);
    if (end == std::string_view::npos) out_ += "\\E";
    at_ = stop;
  }

  void escape(Place place) {
    const char letter = at_ + 1 < in_.size() ? in_[at_ + 1] : '\0';
    const std::string_view both = in_.substr(at_, 2);
    at_ += both.size();
    const bool outside = place == Place::kOutside;
    switch (letter) {
      case 'A': out_ += outside ? "^" : both; return;
      case 'z': out_ += outside ? "$" : both; return;
      case 'S':
        if (outside) {
          out_.append("[\\S").append(kVerticalTab).append("]");
        } else {
          out_ += both;
          if (place == Place::kClass) out_ += kVerticalTab;
        }
        return;
      case 's': out_ += place == Place::kNegatedClass ? kSpaceOfRe2 : both; return;
      case 'v': out_ += place == Place::kNegatedClass ? kVerticalTab : both; return;
      case 'w':
        if (outside && folds_) {
          out_.append("[\\w").append(kFoldedLetters).append("]");
        } else {
          out_ += both;
          if (place == Place::kClass && folds_) out_ += kFoldedLetters;
        }
        return;
      default: out_ += both; return;
    }
  }

  void character_class() {
    out_ += in_[at_++];
    Place place = Place::kClass;
    if (at_ < in_.size() && in_[at_] == '^') {
      place = Place::kNegatedClass;
      out_ += in_[at_++];
    }
    if (at_ < in_.size() && in_[at_] == ']') {  // first of all it is a literal
      out_ += "\\]";
      ++at_;
    }
    while (at_ < in_.size() && in_[at_] != ']') {
      if (in_[at_] == '\\') {
        escape(place);
      } else if (in_.substr(at_, 2) == "[:") {
        posix(place);
      } else {
        if (in_[at_] == '[') out_ += '\\';
        out_ += in_[at_++];
      }
    }
    if (at_ < in_.size()) out_ += in_[at_++];
  }

  void posix(Place place) {
    const std::size_t end = in_.find(":]", at_ + 2);
    if (end == std::string_view::npos) {
      out_ += "\\[";
      ++at_;
      return;
    }
    const std::string_view name = in_.substr(at_, end + 2 - at_);
    out_ += name;
    if (place == Place::kClass && folds_ && !name.starts_with("[:^")) out_ += kFoldedLetters;
    at_ = end + 2;
  }

  std::string_view in_;
  bool counting_;
  bool folds_;                       // there may be an (?i) somewhere
  std::vector<std::size_t> groups_;  // where the open ones begin in `out_`
  std::size_t group_bytes_ = 0;      // of the one closed last
  bool after_group_ = false;         // what stands before this place is a group
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string to_vectorscan(std::string_view re2_pattern, bool counting) {
  return Translator(re2_pattern, counting).run();
}

}  // namespace tocsin::matcher
