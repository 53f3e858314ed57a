#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <string>

#include "detectors/matcher/named_classes.h"
#include "detectors/matcher/regex_node.h"

namespace tocsin::matcher {
namespace {

using Op = Node::Op;

constexpr int kDepthMax = 1100;             // RE2 stops at 1000
constexpr std::uint32_t kRepeatMax = 1000;  // RE2's

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_octal(char c) { return c >= '0' && c <= '7'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

RuneSet set_of(const NamedClass& named) {
  RuneSet set;
  for (std::size_t i = 0; i + 1 < named.ranges.size(); i += 2) {
    set.add(static_cast<unsigned char>(named.ranges[i]),
            static_cast<unsigned char>(named.ranges[i + 1]));
  }
  return set;
}

// What of ASCII belongs to a \p{..}, by asking RE2; its names are a closed list of about 200.
const RuneSet* unicode_group(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, RuneSet, std::less<>> known;
  const std::scoped_lock lock(mutex);
  if (const auto found = known.find(name); found != known.end()) return &found->second;
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 group("\\p{" + name + "}", options);
  if (!group.ok()) return nullptr;
  RuneSet set(kAsciiMax + 1, kRuneMax);
  for (Rune rune = 0; rune <= kAsciiMax; ++rune) {
    if (re2::RE2::FullMatch(std::string(1, static_cast<char>(rune)), group)) set.add(rune, rune);
  }
  return &known.emplace(name, std::move(set)).first->second;
}

// Recursive descent.  Every function returns false where the syntax is not understood.
class Parser {
 public:
  explicit Parser(std::string_view pattern) : rest_(pattern) {}

  std::optional<Node> parse() {
    Node node;
    if (!alternation(node, 0) || !rest_.empty()) return std::nullopt;
    return node;
  }

 private:
  struct Flags {
    bool fold = false;
    bool dot_all = false;
  };

  [[nodiscard]] bool at(std::string_view text) const { return rest_.starts_with(text); }
  bool skip(std::string_view text) {
    if (!at(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  bool alternation(Node& out, int depth) {
    if (depth > kDepthMax) return false;
    std::vector<Node> branches;
    do {
      Node branch;
      if (!concatenation(branch, depth)) return false;
      branches.push_back(std::move(branch));
    } while (skip("|"));
    out = branches.size() == 1 ? std::move(branches[0])
                               : Node::of(Op::kAlternate, std::move(branches));
    return true;
  }

  bool concatenation(Node& out, int depth) {
    std::vector<Node> parts;
    while (!rest_.empty() && !at("|") && !at(")")) {
      if (at("\\Q")) {
        if (!quoted(parts)) return false;
      } else if (!atom(parts, depth)) {
        return false;
      }
      if (!repetition(parts)) return false;
    }
    out = parts.size() == 1 ? std::move(parts[0]) : Node::of(Op::kConcat, std::move(parts));
    return true;
  }

  bool quoted(std::vector<Node>& parts) {
    rest_.remove_prefix(2);
    while (!rest_.empty() && !skip("\\E")) {
      Rune rune = 0;
      if (!take_rune(rune)) return false;
      parts.push_back(literal(rune));
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
    skip("?");  // lazy or greedy is the same to us
    if (parts.empty() || min > kRepeatMax || (max > kRepeatMax && max != Node::kUnbounded) ||
        min > max) {
      return false;
    }
    // \Q..\E before a repetition: only its last character; that is how the parts stand here.
    parts.back() = Node::repeat(std::move(parts.back()), min, max);
    return true;
  }

  // {n}, {n,} or {n,m}; anything else is a plain brace.
  bool counts(std::uint32_t& min, std::uint32_t& max) {
    if (!at("{")) return false;
    std::string_view text = rest_.substr(1);
    const auto number = [&text](std::uint32_t& value) {
      if (text.empty() || !is_digit(text[0])) return false;
      if (text[0] == '0' && text.size() > 1 && is_digit(text[1])) return false;
      for (value = 0; !text.empty() && is_digit(text[0]); text.remove_prefix(1)) {
        value = std::min(value * 10 + static_cast<std::uint32_t>(text[0] - '0'), kRepeatMax + 1);
      }
      return true;
    };
    if (!number(min)) return false;
    max = min;
    if (text.starts_with(",")) {
      text.remove_prefix(1);
      max = Node::kUnbounded;
      if (!text.starts_with("}") && !number(max)) return false;
    }
    if (!text.starts_with("}")) return false;
    rest_ = text.substr(1);
    return true;
  }

  bool atom(std::vector<Node>& parts, int depth) {
    const char c = rest_[0];
    if (c == '(') return group(parts, depth);
    if (c == '[') return bracket(parts);
    if (c == '\\') return escaped(parts);
    if (c == '*' || c == '+' || c == '?') return false;  // nothing to repeat
    if (skip("^")) {
      parts.push_back({.op = Op::kBegin});
    } else if (skip("$")) {
      parts.push_back({.op = Op::kEnd});
    } else if (skip(".")) {
      RuneSet any(0, kRuneMax);
      if (!flags_.dot_all) any.remove('\n');
      parts.push_back(Node::of(std::move(any)));
    } else {
      Rune rune = 0;
      if (!take_rune(rune)) return false;
      parts.push_back(literal(rune));
    }
    return true;
  }

  bool group(std::vector<Node>& parts, int depth) {
    const Flags outer = flags_;
    skip("(");
    if (at("?P<") || at("?<")) {
      const auto end = rest_.find('>');
      if (end == std::string_view::npos) return false;
      rest_.remove_prefix(end + 1);
    } else if (skip("?")) {
      bool opens = false;
      if (!flags(opens)) return false;
      // (?i) without a body lasts to the end of the group around it; it is nothing to repeat.
      if (!opens) {
        return !at("*") && !at("+") && !at("?");
      }
    }
    Node inner;
    if (!alternation(inner, depth + 1) || !skip(")")) return false;
    flags_ = outer;
    parts.push_back(std::move(inner));
    return true;
  }

  bool flags(bool& opens) {
    bool value = true;
    for (; !rest_.empty(); rest_.remove_prefix(1)) {
      switch (rest_[0]) {
        case 'i': flags_.fold = value; break;
        case 's': flags_.dot_all = value; break;
        case 'm':  // values are joined by line feeds: both kinds of line ends look alike
        case 'U': break;
        case '-':
          if (!value) return false;
          value = false;
          break;
        case ':':
        case ')':
          opens = rest_[0] == ':';
          rest_.remove_prefix(1);
          return true;
        default: return false;
      }
    }
    return false;
  }

  bool escaped(std::vector<Node>& parts) {
    if (skip("\\A")) {
      parts.push_back({.op = Op::kBegin});
    } else if (skip("\\z")) {
      parts.push_back({.op = Op::kEnd});
    } else if (skip("\\b")) {
      parts.push_back({.op = Op::kWordBoundary});
    } else if (skip("\\B")) {
      parts.push_back({.op = Op::kNotWordBoundary});
    } else if (skip("\\C")) {
      parts.push_back(Node::of(ByteSet().set()));
    } else if (RuneSet set; class_escape(set)) {
      parts.push_back(Node::of(std::move(set)));
    } else {
      Rune rune = 0;
      if (!escaped_rune(rune)) return false;
      parts.push_back(literal(rune));
    }
    return true;
  }

  // \d \s \w \pX and their opposites; folded and negated as RE2 does: first folded.
  bool class_escape(RuneSet& out) {
    if (rest_.size() < 2) return false;
    const char letter = rest_[1];
    if (letter == 'p' || letter == 'P') return unicode_class(out);
    const char lower = static_cast<char>(letter | 0x20);
    for (const NamedClass& named : kPerlClasses) {
      if (named.name[0] != lower) continue;
      rest_.remove_prefix(2);
      out = set_of(named);
      if (flags_.fold) out.fold();
      if (letter != lower) out.negate();
      return true;
    }
    return false;
  }

  bool unicode_class(RuneSet& out) {
    std::string_view text = rest_.substr(2);
    std::string_view name;
    if (text.starts_with("{")) {
      const auto end = text.find('}');
      if (end == std::string_view::npos) return false;
      name = text.substr(1, end - 1);
      text.remove_prefix(end + 1);
    } else {
      name = text.substr(0, 1);
      text.remove_prefix(name.size());
    }
    bool negative = rest_[1] == 'P';
    if (name.starts_with("^")) {
      negative = !negative;
      name.remove_prefix(1);
    }
    const RuneSet* group = unicode_group(std::string(name));
    if (group == nullptr) return false;
    rest_ = text;
    out = *group;
    // Folded to the wider side: a letter may be in a group by its other case alone.
    if (flags_.fold && !negative) out.fold();
    if (negative) {
      out.negate();
      out.add(kAsciiMax + 1, kRuneMax);
    }
    return true;
  }

  bool bracket(std::vector<Node>& parts) {
    skip("[");
    const bool negative = skip("^");
    RuneSet set;
    for (bool first = true; first || !at("]"); first = false) {
      if (rest_.empty() || !bracket_item(set)) return false;
    }
    skip("]");
    if (negative) {
      set.negate();
      // Where something stood for every code point beyond ASCII, its opposite must not hold none.
      if (widened_) set.add(kAsciiMax + 1, kRuneMax);
    }
    widened_ = false;
    parts.push_back(Node::of(std::move(set)));
    return true;
  }

  bool bracket_item(RuneSet& set) {
    if (at("[:")) {
      const auto end = rest_.find(":]", 2);
      if (end != std::string_view::npos) {
        std::string_view name = rest_.substr(2, end - 2);
        const bool negative = name.starts_with("^");
        if (negative) name.remove_prefix(1);
        const auto* named = std::ranges::find(kPosixClasses, name, &NamedClass::name);
        if (named == kPosixClasses.end()) return false;
        rest_.remove_prefix(end + 2);
        add(set, set_of(*named), negative);
        return true;
      }
    }
    if (at("\\p") || at("\\P")) widened_ = true;
    if (RuneSet escape; at("\\") && class_escape(escape)) {
      set.add(escape);
      return true;
    }
    Rune lo = 0;
    if (!bracket_rune(lo)) return false;
    Rune hi = lo;
    if (at("-") && rest_.size() >= 2 && rest_[1] != ']') {
      skip("-");
      if (!bracket_rune(hi) || hi < lo) return false;
    }
    add(set, RuneSet(lo, hi), false);
    return true;
  }

  void add(RuneSet& set, RuneSet more, bool negative) {
    if (flags_.fold && more.fold()) widened_ = true;
    if (negative) more.negate();
    set.add(more);
  }

  bool bracket_rune(Rune& rune) { return at("\\") ? escaped_rune(rune) : take_rune(rune); }

  // The escapes for one code point.
  bool escaped_rune(Rune& rune) {
    if (rest_.size() < 2) return false;
    const char c = rest_[1];
    rest_.remove_prefix(2);
    if (c == 'x') return hex(rune);
    if (is_octal(c)) {
      // \1..\7 alone would be a back-reference.
      if (c != '0' && (rest_.empty() || !is_octal(rest_[0]))) return false;
      rune = static_cast<Rune>(c - '0');
      for (int i = 0; i < 2 && !rest_.empty() && is_octal(rest_[0]); ++i) {
        rune = rune * 8 + static_cast<Rune>(rest_[0] - '0');
        rest_.remove_prefix(1);
      }
      return true;
    }
    constexpr std::string_view kLetters = "aftnrv";
    constexpr std::string_view kValues = "\a\f\t\n\r\v";
    if (const auto found = kLetters.find(c); found != std::string_view::npos) {
      rune = static_cast<unsigned char>(kValues[found]);
      return true;
    }
    const auto byte = static_cast<unsigned char>(c);
    rune = byte;
    return byte <= kAsciiMax && !is_digit(c) && !is_letter(c);
  }

  bool hex(Rune& rune) {
    const bool braced = skip("{");
    rune = 0;
    std::size_t digits = 0;
    for (; !rest_.empty() && hex_value(rest_[0]) >= 0 && (braced || digits < 2); ++digits) {
      rune = rune * 16 + static_cast<Rune>(hex_value(rest_[0]));
      if (rune > kRuneMax) return false;
      rest_.remove_prefix(1);
    }
    return braced ? digits > 0 && skip("}") : digits == 2;
  }

  // One code point of the pattern's UTF-8; RE2 has checked that it is valid.
  bool take_rune(Rune& rune) {
    if (rest_.empty()) return false;
    const auto lead = static_cast<unsigned char>(rest_[0]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (lead >= 0x80 && (lead < 0xC2 || lead > 0xF4)) return false;
    if (rest_.size() < size) return false;
    rune = size == 1 ? lead : lead & (0xFFU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
      const auto byte = static_cast<unsigned char>(rest_[i]);
      if ((byte & 0xC0) != 0x80) return false;
      rune = rune << 6 | (byte & 0x3F);
    }
    rest_.remove_prefix(size);
    return true;
  }

  [[nodiscard]] Node literal(Rune rune) const {
    RuneSet set(rune, rune);
    if (flags_.fold) set.fold();
    return Node::of(std::move(set));
  }

  std::string_view rest_;
  Flags flags_;
  // In the bracket being read, a \p{..} or a member that may have case was taken for all beyond
  // ASCII.
  bool widened_ = false;
};

}  // namespace

std::optional<Node> parse_re2(std::string_view pattern) { return Parser(pattern).parse(); }

}  // namespace tocsin::matcher
