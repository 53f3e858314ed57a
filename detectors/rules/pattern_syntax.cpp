#include "detectors/rules/pattern_syntax.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <utility>

#include "daemon/text.h"
#include "detectors/matcher/named_classes.h"

namespace tocsin::syntax {
namespace {

using Op = Node::Op;
using matcher::kPerlClasses;
using matcher::kPosixClasses;
using matcher::NamedClass;

constexpr int kDepthMax = 1000;  // RE2's

void add_range(CharSet& set, char32_t low, char32_t high) {
  for (char32_t c = low; c <= high && c < kBeyondAscii; ++c) set.set(c);
  if (high >= kBeyondAscii) set.set(kBeyondAscii);
}

void add_named(CharSet& set, const NamedClass& named) {
  for (std::size_t i = 0; i + 1 < named.ranges.size(); i += 2) {
    add_range(set, static_cast<unsigned char>(named.ranges[i]),
              static_cast<unsigned char>(named.ranges[i + 1]));
  }
}

void fold_case(CharSet& set) {
  for (char32_t c = 'a'; c <= 'z'; ++c) {
    const char32_t upper = c - 'a' + 'A';
    if (set.test(c) || set.test(upper)) set.set(c).set(upper);
  }
}

// Recursive descent.  Every function returns false where the syntax is not understood.
class Parser {
 public:
  explicit Parser(std::string_view pattern) : in_(pattern) {}

  std::optional<Node> parse() {
    Node node;
    if (!alternation(node, 0) || at_ != in_.size()) return std::nullopt;
    return node;
  }

 private:
  struct Flags {
    bool fold = false;
    bool dot_all = false;
  };

  [[nodiscard]] bool next_is(std::string_view text) const {
    return in_.substr(at_).starts_with(text);
  }
  bool skip(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }

  bool alternation(Node& out, int depth) {
    if (depth > kDepthMax) return false;
    const std::size_t begin = at_;
    std::vector<Node> branches;
    do {
      Node branch;
      if (!concatenation(branch, depth)) return false;
      branches.push_back(std::move(branch));
    } while (skip("|"));
    if (branches.size() == 1) {
      out = std::move(branches.front());
    } else {
      out.op = Op::kAlternate;
      out.subs = std::move(branches);
      out.begin = begin;
      out.end = at_;
    }
    return true;
  }

  bool concatenation(Node& out, int depth) {
    out.begin = at_;
    std::vector<Node> parts;
    while (at_ < in_.size() && !next_is("|") && !next_is(")")) {
      if (next_is("\\Q") ? !quoted(parts) : !atom(parts, depth)) return false;
      if (!repetition(parts)) return false;
    }
    out.end = at_;
    if (parts.size() == 1) {
      out = std::move(parts.front());
    } else if (!parts.empty()) {
      out.op = Op::kConcat;
      out.subs = std::move(parts);
    }
    return true;
  }

  bool quoted(std::vector<Node>& parts) {
    at_ += 2;
    while (at_ < in_.size() && !skip("\\E")) {
      const std::size_t begin = at_;
      parts.push_back(character(begin, take()));
    }
    return true;
  }

  // Whatever of * + ? {n,m} follows, applied to the last part.
  bool repetition(std::vector<Node>& parts) {
    std::uint32_t min = 0;
    std::uint32_t max = Node::kUnbounded;
    if (skip("*")) {
    } else if (skip("+")) {
      min = 1;
    } else if (skip("?")) {
      max = 1;
    } else if (!counts(min, max)) {
      return true;
    }
    skip("?");
    if (parts.empty()) return false;
    Node repeat;
    repeat.op = Op::kRepeat;
    repeat.min = min;
    repeat.max = max;
    repeat.begin = parts.back().begin;
    repeat.end = at_;
    repeat.subs.push_back(std::move(parts.back()));
    parts.back() = std::move(repeat);
    return true;
  }

  // {n}, {n,} or {n,m}; anything else is a plain brace.
  bool counts(std::uint32_t& min, std::uint32_t& max) {
    if (!next_is("{")) return false;
    const char* const end = in_.data() + in_.size();
    const char* place = in_.data() + at_ + 1;
    const auto number = [&](std::uint32_t& value) {
      const auto [stop, error] = std::from_chars(place, end, value);
      place = stop;
      return error == std::errc{};
    };
    if (!number(min)) return false;
    max = min;
    if (place != end && *place == ',') {
      ++place;
      max = Node::kUnbounded;
      if (place != end && *place != '}' && !number(max)) return false;
    }
    if (place == end || *place != '}') return false;
    at_ = static_cast<std::size_t>(place - in_.data()) + 1;
    return true;
  }

  bool atom(std::vector<Node>& parts, int depth) {
    const std::size_t begin = at_;
    switch (in_[at_]) {
      case '(': return group(parts, depth);
      case '[': return bracket(parts);
      case '\\': return escaped(parts);
      case '*':
      case '+':
      case '?': return false;  // nothing to repeat
      case '^': ++at_; return assertion(parts, Op::kBegin, begin);
      case '$': ++at_; return assertion(parts, Op::kEnd, begin);
      case '.': {
        ++at_;
        CharSet any;
        any.set();
        if (!flags_.dot_all) any.reset('\n');
        parts.push_back(set_node(Op::kAny, begin, any));
        return true;
      }
      default: parts.push_back(character(begin, take())); return true;
    }
  }

  bool assertion(std::vector<Node>& parts, Op op, std::size_t begin) const {
    Node& node = parts.emplace_back();
    node.op = op;
    node.begin = begin;
    node.end = at_;
    return true;
  }

  bool group(std::vector<Node>& parts, int depth) {
    const Flags outer = flags_;
    ++at_;
    if (next_is("?P<") || next_is("?<")) {
      const std::size_t close = in_.find('>', at_);
      if (close == std::string_view::npos) return false;
      at_ = close + 1;
    } else if (skip("?")) {
      bool opens = false;
      if (!flags(opens)) return false;
      if (!opens) return true;  // (?i) lasts to the end of the group around it
    }
    Node inner;
    if (!alternation(inner, depth + 1) || !skip(")")) return false;
    flags_ = outer;
    parts.push_back(std::move(inner));
    return true;
  }

  bool flags(bool& opens) {
    bool value = true;
    for (; at_ < in_.size(); ++at_) {
      switch (in_[at_]) {
        case 'i': flags_.fold = value; break;
        case 's': flags_.dot_all = value; break;
        case 'm':
        case 'U': break;
        case '-': value = false; break;
        case ':':
        case ')': opens = in_[at_++] == ':'; return true;
        default: return false;
      }
    }
    return false;
  }

  bool escaped(std::vector<Node>& parts) {
    const std::size_t begin = at_;
    if (skip("\\A")) return assertion(parts, Op::kBegin, begin);
    if (skip("\\z")) return assertion(parts, Op::kEnd, begin);
    if (skip("\\b") || skip("\\B")) return assertion(parts, Op::kBoundary, begin);
    CharSet set;
    bool negated = false;
    if (class_escape(set, negated)) {
      Node node = set_node(Op::kClass, begin, set);
      node.negated = negated;
      parts.push_back(std::move(node));
      return true;
    }
    char32_t c = 0;
    if (!escaped_character(c)) return false;
    parts.push_back(character(begin, c));
    return true;
  }

  // \d \s \w \C \pX and their opposites.
  bool class_escape(CharSet& set, bool& negated) {
    if (at_ + 1 >= in_.size() || in_[at_] != '\\') return false;
    const char letter = in_[at_ + 1];
    const char lower = static_cast<char>(letter | 0x20);
    if (letter == 'C') {
      at_ += 2;
      set.set();
      return true;
    }
    if (lower == 'p') {
      // What of ASCII a group has is not looked up: as wide as it can be.
      const std::size_t close = in_.substr(at_ + 2).starts_with("{") ? in_.find('}', at_) : at_ + 2;
      if (close == std::string_view::npos) return false;
      at_ = std::min(close + 1, in_.size());
      set.set();
      return true;
    }
    for (const NamedClass& named : kPerlClasses) {
      if (named.name[0] != lower) continue;
      at_ += 2;
      add_named(set, named);
      negated = letter != lower;
      if (negated) set.flip();
      return true;
    }
    return false;
  }

  bool bracket(std::vector<Node>& parts) {
    const std::size_t begin = at_++;
    const bool negated = skip("^");
    CharSet set;
    for (bool first = true; first || !next_is("]"); first = false) {
      if (at_ >= in_.size() || !bracket_item(set)) return false;
    }
    ++at_;
    if (flags_.fold) fold_case(set);
    if (negated) set.flip();
    Node node = set_node(Op::kClass, begin, set);
    node.negated = negated;
    node.bracketed = true;
    parts.push_back(std::move(node));
    return true;
  }

  bool bracket_item(CharSet& set) {
    if (next_is("[:")) {
      const std::size_t close = in_.find(":]", at_ + 2);
      if (close != std::string_view::npos) {
        std::string_view name = in_.substr(at_ + 2, close - at_ - 2);
        const bool negated = name.starts_with("^");
        if (negated) name.remove_prefix(1);
        const auto* named = std::ranges::find(kPosixClasses, name, &NamedClass::name);
        if (named == kPosixClasses.end()) return false;
        at_ = close + 2;
        CharSet members;
        add_named(members, *named);
        set |= negated ? members.flip() : members;
        return true;
      }
    }
    CharSet members;
    bool negated = false;
    if (class_escape(members, negated)) {
      set |= members;
      return true;
    }
    char32_t low = 0;
    if (!bracket_character(low)) return false;
    char32_t high = low;
    if (next_is("-") && at_ + 1 < in_.size() && in_[at_ + 1] != ']') {
      ++at_;
      if (!bracket_character(high) || high < low) return false;
    }
    add_range(set, low, high);
    return true;
  }

  bool bracket_character(char32_t& c) {
    if (at_ >= in_.size()) return false;
    if (in_[at_] == '\\') return escaped_character(c);
    c = take();
    return true;
  }

  bool escaped_character(char32_t& c) {
    if (at_ + 1 >= in_.size()) return false;
    const char letter = in_[at_ + 1];
    at_ += 2;
    if (letter == 'x') return hexadecimal(c);
    if (letter >= '0' && letter <= '7') {
      c = static_cast<char32_t>(letter - '0');
      for (int i = 0; i < 2 && at_ < in_.size() && in_[at_] >= '0' && in_[at_] <= '7'; ++i) {
        c = c * 8 + static_cast<char32_t>(in_[at_++] - '0');
      }
      return true;
    }
    constexpr std::string_view kLetters = "aftnrv";
    constexpr std::string_view kValues = "\a\f\t\n\r\v";
    const std::size_t found = kLetters.find(letter);
    c = static_cast<unsigned char>(found == std::string_view::npos ? letter : kValues[found]);
    return true;
  }

  bool hexadecimal(char32_t& c) {
    const bool braced = skip("{");
    const std::size_t end = braced ? in_.find('}', at_) : at_ + 2;
    if (end == std::string_view::npos || end > in_.size()) return false;
    std::uint32_t value = 0;
    const auto [stop, error] = std::from_chars(in_.data() + at_, in_.data() + end, value, 16);
    if (error != std::errc{} || stop != in_.data() + end) return false;
    c = value;
    at_ = end + (braced ? 1 : 0);
    return true;
  }

  char32_t take() {
    const CodePoint point = first_code_point(in_.substr(at_));
    at_ += point.length;
    return point.value;
  }

  [[nodiscard]] Node set_node(Op op, std::size_t begin, const CharSet& set) const {
    Node node;
    node.op = op;
    node.fold = flags_.fold;
    node.set = set;
    node.begin = begin;
    node.end = at_;
    return node;
  }

  [[nodiscard]] Node character(std::size_t begin, char32_t c) const {
    CharSet set;
    add_range(set, c, c);
    if (flags_.fold) fold_case(set);
    Node node = set_node(Op::kChar, begin, set);
    node.character = c;
    return node;
  }

  std::string_view in_;
  std::size_t at_ = 0;
  Flags flags_;
};

}  // namespace

std::optional<Node> parse(std::string_view pattern) { return Parser(pattern).parse(); }

bool nullable(const Node& node) {
  switch (node.op) {
    case Op::kChar:
    case Op::kAny:
    case Op::kClass: return false;
    case Op::kConcat: return std::ranges::all_of(node.subs, nullable);
    case Op::kAlternate: return std::ranges::any_of(node.subs, nullable);
    case Op::kRepeat: return node.min == 0 || nullable(node.subs.front());
    default: return true;
  }
}

}  // namespace tocsin::syntax
