#include "detectors/rules/pattern_lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "daemon/text.h"
#include "detectors/matcher/gate.h"
#include "detectors/matcher/sign.h"
#include "detectors/rules/pattern_syntax.h"

namespace tocsin {
namespace {

using syntax::CharSet;
using syntax::Node;
using Op = Node::Op;

constexpr std::size_t kShown = 60;         // bytes of a pattern in a message
constexpr std::size_t kSamplesMax = 64;    // texts that stand for a pattern
constexpr std::size_t kSampleBytes = 512;  // of one
constexpr std::size_t kLiteralBytesMin = 3;
constexpr std::size_t kWordLettersMin = 3;
constexpr std::size_t kBroadClass = 64;  // characters; a set that stops at little

// What a literal's last label must be to be taken for a host: file endings that are top-level
// domains as well (.sh, .py, .md, .me) are left out.
constexpr auto kTopLevels = std::to_array<std::string_view>(
    {"com",  "org", "net", "io",   "ai",      "dev",      "app",   "edu",     "gov", "cloud", "co",
     "info", "biz", "xyz", "test", "example", "internal", "onion", "invalid", "ru",  "cn"});
// Keys of events on the wire.  (`role` is left out: forged messages in a text have it.)
constexpr auto kEnvelopeKeys = std::to_array<std::string_view>(
    {"output", "arguments", "result", "content", "text", "tool_calls", "tool_call", "function_call",
     "tool_name", "tool_input", "tool_output", "tool_result", "session_id", "event_id"});

bool is_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_upper(char32_t c) { return c >= 'A' && c <= 'Z'; }

bool is_top_level(std::string_view label) {
  return std::ranges::find(kTopLevels, ascii_lower(label)) != kTopLevels.end();
}

CharSet blanks() {
  CharSet set;
  for (const char c : {' ', '\t', '\n', '\r', '\f', '\v'}) set.set(static_cast<unsigned char>(c));
  return set;
}

bool only_blanks(const Node& node) {
  return node.is_character() && node.set.any() && (node.set & ~blanks()).none();
}

bool is_assertion(const Node& node) {
  return node.op == Op::kBegin || node.op == Op::kEnd || node.op == Op::kBoundary;
}

// Where a part stands: at `index` of a concatenation within another part.
struct Place {
  const Node* concat = nullptr;
  std::size_t index = 0;
  const Place* outer = nullptr;
};

// What may stand next to a part in a text it matches.
struct Neighbours {
  CharSet set;
  bool open = false;      // anything: the pattern says nothing more
  bool boundary = false;  // \b
};

// Adds what `node` can begin (or end) with; false when it can be empty, so that what is beyond it
// counts too.
bool add_edge(const Node& node, bool forward, Neighbours& out) {
  switch (node.op) {
    case Op::kChar:
    case Op::kAny:
    case Op::kClass: out.set |= node.set; return true;
    case Op::kBegin:
    case Op::kEnd: return true;  // a text's border: nothing stands there
    case Op::kBoundary: out.boundary = true; return true;
    case Op::kEmpty: return false;
    case Op::kConcat:
      for (std::size_t i = 0; i < node.subs.size(); ++i) {
        if (add_edge(node.subs[forward ? i : node.subs.size() - 1 - i], forward, out)) return true;
      }
      return false;
    case Op::kAlternate: {
      bool all = true;
      for (const Node& sub : node.subs) all = add_edge(sub, forward, out) && all;
      return all;
    }
    case Op::kRepeat: return add_edge(node.subs.front(), forward, out) && node.min > 0;
  }
  return false;
}

Neighbours after(std::size_t index, const Node& concat, const Place* outer) {
  Neighbours out;
  for (std::size_t i = index + 1; i < concat.subs.size(); ++i) {
    if (add_edge(concat.subs[i], true, out)) return out;
  }
  for (const Place* place = outer; place != nullptr; place = place->outer) {
    for (std::size_t i = place->index + 1; i < place->concat->subs.size(); ++i) {
      if (add_edge(place->concat->subs[i], true, out)) return out;
    }
  }
  out.open = true;
  return out;
}

Neighbours before(std::size_t index, const Node& concat, const Place* outer) {
  Neighbours out;
  for (std::size_t i = index; i-- > 0;) {
    if (add_edge(concat.subs[i], false, out)) return out;
  }
  for (const Place* place = outer; place != nullptr; place = place->outer) {
    for (std::size_t i = place->index; i-- > 0;) {
      if (add_edge(place->concat->subs[i], false, out)) return out;
    }
  }
  out.open = true;
  return out;
}

class PatternLinter {
 public:
  PatternLinter(std::string_view pattern, const PatternUse& use) : pattern_(pattern), use_(use) {}

  std::vector<PatternFlaw> run() {
    const auto root = syntax::parse(pattern_);
    if (!root) return {};
    walk(*root, nullptr);
    envelope_keys(*root);
    if (use_.searched && !has_literal()) {
      add(Lint::kNoLiteral,
          fmt::format("no text of {} bytes stands in every match of `{}`", kLiteralBytesMin,
                      shown(0, pattern_.size())),
          "it is tried on every value of every event: add a word that must be there, or say "
          "lint_ignore");
    }
    return std::move(flaws_);
  }

 private:
  // As the first stage sees it: a character beyond ASCII is as rare in most texts.
  [[nodiscard]] bool has_literal() const {
    const auto tree = matcher::parse_re2(pattern_);
    return tree && (matcher::required_literal_bytes(*tree) >= kLiteralBytesMin ||
                    matcher::requires_beyond_ascii(*tree));
  }

  void add(Lint lint, std::string message, std::string remedy) {
    if (std::ranges::find(flaws_, lint, &PatternFlaw::lint) != flaws_.end()) return;
    flaws_.push_back({lint, std::move(message), std::move(remedy)});
  }

  [[nodiscard]] std::string shown(std::size_t begin, std::size_t end) const {
    const std::string_view part = pattern_.substr(begin, end - begin);
    const std::size_t kept = cut_at_character(part, std::min(part.size(), kShown));
    return std::string(part.substr(0, kept)) + (kept < part.size() ? "..." : "");
  }
  [[nodiscard]] std::string shown(const Node& node) const { return shown(node.begin, node.end); }

  void walk(const Node& node, const Place* outer) {
    if (node.op == Op::kClass && node.negated && node.bracketed) negated_class(node);
    if (node.op == Op::kConcat) {
      hosts(node, outer);
      if (use_.prose) phrases(node);
      for (std::size_t i = 0; i < node.subs.size(); ++i) {
        if (node.subs[i].op == Op::kRepeat) gap(node, i, outer);
        const Place place{.concat = &node, .index = i, .outer = outer};
        walk(node.subs[i], &place);
      }
      return;
    }
    for (const Node& sub : node.subs) walk(sub, outer);
  }

  // -- negated-class-as-domain

  // The class as a person reads it: without ranges and escapes.
  static std::string without_ranges(std::string_view inside) {
    std::string out;
    for (std::size_t i = 0; i < inside.size(); ++i) {
      if (inside[i] == '\\' && i + 1 < inside.size()) {
        ++i;
        out += inside[i] == '.' ? '.' : ' ';
      } else if (i + 2 < inside.size() && inside[i + 1] == '-') {
        i += 2;
        out += ' ';
      } else {
        out += inside[i];
      }
    }
    return out;
  }

  static std::size_t letters_before(std::string_view text, std::size_t at) {
    std::size_t count = 0;
    while (at > 0 && (is_letter(text[at - 1]) || is_digit(text[at - 1]) || text[at - 1] == '-')) {
      --at;
      ++count;
    }
    return count;
  }

  static std::string_view letters_from(std::string_view text, std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && is_letter(text[end])) ++end;
    return text.substr(at, end - at);
  }

  // Whether somebody wrote a name, or a choice of words, where only single characters count.
  static bool reads_like_words(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '.' && letters_before(text, i) >= kWordLettersMin &&
          is_top_level(letters_from(text, i + 1))) {
        return true;
      }
      if (text[i] == '|' && letters_before(text, i) >= 2 && letters_from(text, i + 1).size() >= 2) {
        return true;
      }
      constexpr std::size_t kLongWord = 5;
      const std::string_view word = letters_from(text, i);
      if (word.size() >= kLongWord) {
        std::string sorted = ascii_lower(word);
        std::ranges::sort(sorted);
        if (std::ranges::adjacent_find(sorted) != sorted.end()) return true;
      }
    }
    return false;
  }

  void negated_class(const Node& node) {
    const std::string text =
        without_ranges(pattern_.substr(node.begin + 2, node.end - node.begin - 3));
    if (!reads_like_words(text)) return;
    add(Lint::kNegatedClassAsDomain,
        fmt::format("`{}` is one character that is none of these, not \"anything but this name\"",
                    shown(node)),
        "for hosts `url: {not_domain: [...]}`; for words `unless`");
  }

  // -- unanchored-domain

  struct Host {
    std::size_t first = 0;  // positions in the concatenation
    std::size_t last = 0;
    std::string text;
    bool any_dot = false;  // a dot that was not escaped
  };

  // The host that a run of literal characters ends with.
  static std::optional<Host> host_in(const Node& concat, std::size_t first, std::size_t last) {
    Host host{.first = first, .last = last, .text = {}, .any_dot = false};
    std::vector<std::size_t> dots;
    for (std::size_t i = first; i <= last; ++i) {
      const Node& sub = concat.subs[i];
      if (sub.op == Op::kAny || sub.character == '.') {
        dots.push_back(host.text.size());
        host.any_dot = host.any_dot || sub.op == Op::kAny;
      }
      host.text += sub.op == Op::kAny ? '.' : static_cast<char>(sub.character);
    }
    if (dots.empty() || !is_top_level(std::string_view(host.text).substr(dots.back() + 1))) {
      return std::nullopt;
    }
    const std::size_t begin = dots.size() > 1 ? dots[dots.size() - 2] + 1 : 0;
    const std::string_view label = std::string_view(host.text).substr(begin, dots.back() - begin);
    if (std::ranges::count_if(label, [](char c) { return is_letter(c); }) < 2) return std::nullopt;
    return host;
  }

  static bool in_host(const Node& node) {
    if (node.op == Op::kAny) return true;
    return node.op == Op::kChar && (is_letter(node.character) || is_digit(node.character) ||
                                    node.character == '-' || node.character == '.');
  }

  void hosts(const Node& concat, const Place* outer) {
    for (std::size_t i = 0; i < concat.subs.size(); ++i) {
      if (!in_host(concat.subs[i])) continue;
      std::size_t last = i;
      while (last + 1 < concat.subs.size() && in_host(concat.subs[last + 1])) ++last;
      // A dot at either end is no part of a name.
      std::size_t end = last;
      while (end > i && concat.subs[end].op == Op::kAny) --end;
      if (const auto host = host_in(concat, i, end)) judge_host(*host, concat, outer);
      i = last;
    }
  }

  void judge_host(const Host& host, const Node& concat, const Place* outer) {
    constexpr std::string_view kHostTest = "to test where a URL leads, `url: {domain: [...]}`";
    if (host.any_dot) {
      add(Lint::kUnanchoredDomain,
          fmt::format("a dot of `{}` is not escaped and stands for any character", host.text),
          fmt::format("write `\\.`; {}", kHostTest));
      return;
    }
    const Neighbours next = after(host.last, concat, outer);
    const bool goes_on =
        next.open || (next.set.test('.') && next.set.test('a')) || (use_.excludes && next.boundary);
    if (goes_on) {
      add(Lint::kUnanchoredDomain,
          fmt::format("nothing ends the host `{0}`: {0}.evil.test matches as well", host.text),
          fmt::format("end it with `(?:[:/]|$)`; {}", kHostTest));
      return;
    }
    if (!use_.excludes) return;  // there, one host more is let through
    const Neighbours previous = before(host.first, concat, outer);
    if (previous.open || previous.boundary || previous.set.test('-')) {
      add(Lint::kUnanchoredDomain,
          fmt::format("nothing begins the host `{0}`: evil-{0} is let through as well", host.text),
          fmt::format("begin it with `^`, `//` or `(?://|\\.)`; {}", kHostTest));
    }
  }

  // -- unbounded-gap

  // The characters of a part that is always one character.
  static std::optional<CharSet> one_character(const Node& node) {
    if (node.is_character()) return node.set;
    if (node.op != Op::kAlternate) return std::nullopt;
    CharSet all;
    for (const Node& sub : node.subs) {
      const auto one = one_character(sub);
      if (!one) return std::nullopt;
      all |= *one;
    }
    return all;
  }

  void gap(const Node& concat, std::size_t index, const Place* outer) {
    const Node& repeat = concat.subs[index];
    if (repeat.max != Node::kUnbounded) return;
    const auto set = one_character(repeat.subs.front());
    if (!set || !set->test('\n') || !set->test('a') || !set->test(' ') ||
        set->count() < kBroadClass) {
      return;
    }
    const Neighbours next = after(index, concat, outer);
    const Neighbours previous = before(index, concat, outer);
    if (next.open || next.set.none() || previous.open || previous.set.none()) return;
    // A quotation, a tag, a list: it ends where its delimiter stands.
    for (const char delimiter : {'"', '\'', '`', '>', ')', ']', '}', ';', '|'}) {
      if (!set->test(static_cast<unsigned char>(delimiter))) return;
    }
    if ((next.set & *set).none()) return;
    add(Lint::kUnboundedGap,
        fmt::format(
            "`{}` runs over any number of lines: what stands before it and what follows may "
            "have nothing to do with each other",
            shown(repeat)),
        "bound it, for example `[^\\n]{0,200}`");
  }

  // -- case-trap

  struct Word {
    std::size_t letters = 0;
    bool cased = true;     // every letter in one case only
    bool capitals = true;  // nothing but capitals
  };

  // One word, or a choice of words.
  static std::optional<Word> word_of(const Node& node) {
    if (node.op == Op::kChar && is_letter(node.character)) {
      return Word{.letters = 1, .cased = !node.fold, .capitals = is_upper(node.character)};
    }
    Word word;
    if (node.op == Op::kConcat || node.op == Op::kAlternate) {
      std::size_t shortest = SIZE_MAX;
      for (const Node& sub : node.subs) {
        const auto part = word_of(sub);
        if (!part) return std::nullopt;
        word.letters += part->letters;
        shortest = std::min(shortest, part->letters);
        word.cased = word.cased && part->cased;
        word.capitals = word.capitals && part->capitals;
      }
      if (node.op == Op::kAlternate) word.letters = shortest;
      return word;
    }
    return std::nullopt;
  }

  static bool separates(const Node& node) {
    if (node.op == Op::kRepeat) return node.min > 0 && only_blanks(node.subs.front());
    return only_blanks(node);
  }

  static bool is_mark(const Node& node) {
    return node.op == Op::kChar && node.character < 0x80 && !is_letter(node.character) &&
           !is_digit(node.character);
  }

  // Two words of prose in a row.
  void phrases(const Node& concat) {
    Word word;
    Word previous;
    std::size_t begin = 0;        // of the word in hand
    std::size_t before_word = 0;  // of the word before it
    bool broken = false;          // something that is no letter touches the word
    const auto holds = [&](const Word& each) {
      return each.letters >= kWordLettersMin && each.cased && !each.capitals;
    };
    const auto complain = [&](std::size_t end) {
      add(Lint::kCaseTrap,
          fmt::format("`{}` is found in this case only, and people write as they like",
                      shown(concat.subs[before_word].begin, concat.subs[end].end)),
          "put `(?i)` in front");
    };
    for (std::size_t i = 0; i <= concat.subs.size(); ++i) {
      const Node* const sub = i < concat.subs.size() ? &concat.subs[i] : nullptr;
      const bool blank = sub != nullptr && separates(*sub);
      const bool mark = sub == nullptr || (!blank && is_mark(*sub));  // ends the phrase too
      if (!blank && !mark) {
        const auto part = word_of(*sub);
        if (!part) {
          broken = broken || !is_assertion(*sub);
          continue;
        }
        word.letters += part->letters;
        word.cased = word.cased && part->cased;
        word.capitals = word.capitals && part->capitals;
        continue;
      }
      if (holds(word) && !broken && holds(previous)) return complain(i - 1);
      previous = broken || mark ? Word{} : word;
      before_word = begin;
      begin = i + 1;
      word = Word{};
      broken = false;
    }
  }

  // -- envelope-key

  // Texts that the part matches, with \x01 for what is not literal; optional parts are left out.
  static std::vector<std::string> samples(const Node& node) {
    switch (node.op) {
      case Op::kChar:
        return {std::string(1, node.character < 0x80 ? static_cast<char>(node.character) : '\x01')};
      case Op::kAny: return {"\x01"};
      case Op::kClass:
        if (!node.negated && node.set.test('"')) return {"\""};
        return {only_blanks(node) ? " " : "\x01"};
      case Op::kRepeat: return node.min == 0 ? std::vector<std::string>{""} : samples(node.subs[0]);
      case Op::kAlternate: {
        std::vector<std::string> all;
        for (const Node& sub : node.subs) {
          for (std::string& one : samples(sub)) {
            if (all.size() < kSamplesMax) all.push_back(std::move(one));
          }
        }
        return all;
      }
      case Op::kConcat: {
        std::vector<std::string> all = {""};
        for (const Node& sub : node.subs) {
          const std::vector<std::string> tails = samples(sub);
          std::vector<std::string> longer;
          for (const std::string& head : all) {
            for (const std::string& tail : tails) {
              if (longer.size() == kSamplesMax) break;
              longer.push_back(head.size() > kSampleBytes ? head : head + tail);
            }
          }
          all = std::move(longer);
        }
        return all;
      }
      default: return {""};
    }
  }

  void envelope_keys(const Node& root) {
    for (std::string& sample : samples(root)) {
      std::erase_if(sample, [](char c) { return c == '\\' || c == ' '; });
      const std::string text = ascii_lower(sample);
      for (const std::string_view key : kEnvelopeKeys) {
        if (text.find(fmt::format("\"{}\":", key)) == std::string::npos) continue;
        add(Lint::kEnvelopeKey,
            fmt::format("looks for the key `\"{}\":` of the event as it was sent", key),
            "values are matched, decoded, without their envelope: name the field, as in "
            "`field: tool.arguments.**`");
        return;
      }
    }
  }

  std::string_view pattern_;
  PatternUse use_;
  std::vector<PatternFlaw> flaws_;
};

}  // namespace

std::vector<PatternFlaw> lint_pattern(std::string_view pattern, const PatternUse& use) {
  return PatternLinter(pattern, use).run();
}

}  // namespace tocsin
