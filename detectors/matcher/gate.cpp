#include "detectors/matcher/gate.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "detectors/matcher/literal_finder.h"
#include "detectors/matcher/rune_set.h"
#include "detectors/matcher/sign.h"

namespace tocsin::matcher {
namespace {

using Op = Node::Op;
using Groups = std::vector<LiteralGroup>;

constexpr std::size_t kExactMax = 64;   // strings in a product
constexpr std::size_t kClassMax = 4;    // characters of a class that is still spelt out
constexpr std::size_t kGroupsMax = 16;  // kept of a sequence

// How often a literal is in a text of a kilobyte, roughly: what a hit costs is spent so often.
constexpr double kCommonWord = 0.3;
constexpr double kRareEnough = 0.02;  // no further group is asked for
constexpr double kWorthAsking = 0.6;  // together more common than that: no gate
constexpr double kGroupWorth = 0.7;   // a group more common than that says nothing
constexpr std::size_t kGroupsAsked = 3;
// By length, of what is not a common word; and the factor where it is no word at all.
constexpr std::array<double, 8> kByLength = {1, 1, 1, 0.03, 0.005, 0.001, 0.0005, 0.0003};
constexpr double kLongWord = 0.0001;
constexpr double kNotAWord = 0.25;
// What agents, their tools and English say all the time, and what hides in other words.
constexpr auto kCommonWords = std::to_array<std::string_view>(
    {"able",        "about",   "access",   "account",  "act",         "add",
     "address",     "after",   "all",      "also",     "and",         "answer",
     "any",         "app",     "are",      "argument", "attach",      "back",
     "base",        "been",    "before",   "but",      "call",        "can",
     "cat",         "char",    "check",    "code",     "com",         "command",
     "con",         "content", "create",   "cur",      "data",        "date",
     "description", "details", "did",      "direct",   "does",        "each",
     "edit",        "else",    "email",    "end",      "ent",         "error",
     "even",        "ever",    "every",    "exec",     "file",        "find",
     "first",       "follow",  "for",      "form",     "format",      "from",
     "function",    "get",     "give",     "given",    "group",       "has",
     "have",        "head",    "hello",    "help",     "her",         "here",
     "hide",        "history", "home",     "host",     "how",         "html",
     "http",        "http://", "https",    "https://", "ignore",      "info",
     "information", "ing",     "input",    "instruct", "instruction", "instructions",
     "int",         "into",    "ion",      "its",      "key",         "know",
     "last",        "like",    "line",     "list",     "log",         "made",
     "mail",        "make",    "man",      "mark",     "may",         "message",
     "mode",        "model",   "more",     "mount",    "must",        "name",
     "need",        "new",     "next",     "not",      "note",        "now",
     "number",      "off",     "one",      "only",     "open",        "ord",
     "order",       "other",   "our",      "out",      "output",      "own",
     "part",        "pass",    "password", "path",     "payment",     "permission",
     "please",      "port",    "post",     "print",    "process",     "prompt",
     "provide",     "put",     "query",    "read",     "reply",       "request",
     "response",    "rest",    "result",   "return",   "rule",        "run",
     "say",         "secret",  "see",      "select",   "send",        "sent",
     "server",      "service", "session",  "set",      "shall",       "share",
     "should",      "show",    "some",     "start",    "stat",        "subject",
     "such",        "system",  "table",    "tail",     "take",        "tar",
     "task",        "tell",    "text",     "than",     "that",        "the",
     "their",       "them",    "then",     "there",    "these",       "they",
     "this",        "time",    "tion",     "title",    "token",       "tool",
     "transaction", "true",    "turn",     "two",      "type",        "under",
     "update",      "url",     "use",      "user",     "value",       "want",
     "was",         "way",     "web",      "were",     "what",        "when",
     "where",       "which",   "who",      "will",     "with",        "word",
     "work",        "would",   "write",    "you",      "your"});
static_assert(std::ranges::is_sorted(kCommonWords));

// ------------------------------------------------------------------------------ literals

// What is known of one part of a pattern.
struct Part {
  std::optional<LiteralGroup> exact;  // all the strings it can match, when they are few
  Groups required;

  static Part nothing() { return {}; }
  static Part empty() { return {.exact = LiteralGroup{""}, .required = {}}; }
};

void normalise(LiteralGroup& group) {
  std::ranges::sort(group);
  const auto rest = std::ranges::unique(group);
  group.erase(rest.begin(), rest.end());
}

std::size_t shortest(const LiteralGroup& group) {
  return group.empty() ? 0 : std::ranges::min(group, {}, &std::string::size).size();
}

// Adds a group, unless it says nothing; a literal that holds another of the group is not needed.
void require(Groups& groups, LiteralGroup group) {
  if (shortest(group) == 0 || groups.size() >= kGroupsMax) return;
  for (std::string& literal : group) literal.resize(std::min(literal.size(), kLiteralLengthMax));
  std::ranges::sort(group, {},
                    [](const std::string& text) { return std::pair(text.size(), text); });
  LiteralGroup kept;
  for (std::string& literal : group) {
    const bool held = std::ranges::any_of(kept, [&](const std::string& shorter) {
      return literal.find(shorter) != std::string::npos;
    });
    if (!held) kept.push_back(std::move(literal));
  }
  if (kept.size() > kGroupLiteralsMax) return;
  std::ranges::sort(kept);
  if (std::ranges::find(groups, kept) == groups.end()) groups.push_back(std::move(kept));
}

// Every head with every tail, or nothing where they would be too many or too long.
std::optional<LiteralGroup> product(const LiteralGroup& heads, const LiteralGroup& tails) {
  if (heads.size() * tails.size() > kExactMax) return std::nullopt;
  LiteralGroup out;
  for (const std::string& head : heads) {
    for (const std::string& tail : tails) {
      if (head.size() + tail.size() > kLiteralLengthMax) return std::nullopt;
      out.push_back(head + tail);
    }
  }
  normalise(out);
  return out;
}

// The part so many times, where it is exact and that is not too much.
std::optional<LiteralGroup> power(const Part& part, std::uint32_t times) {
  std::optional<LiteralGroup> all = part.exact ? std::optional(LiteralGroup{""}) : std::nullopt;
  for (std::uint32_t i = 0; i < times && all; ++i) all = product(*all, *part.exact);
  return all;
}

// Parts one after the other.
class Sequence {
 public:
  void add(Part part) {
    for (LiteralGroup& group : part.required) require(required_, std::move(group));
    if (!part.exact) {
      cut({""});
    } else if (auto longer = product(run_, *part.exact)) {
      run_ = std::move(*longer);
    } else {
      cut(std::move(*part.exact));
    }
  }

  // A part that stands there once or more often: once behind what came, once before what comes.
  void add_repeated(Part part) {
    std::optional<LiteralGroup> last = part.exact;
    add(std::move(part));
    if (last) cut(std::move(*last));
  }

  Part take() {
    if (whole_) return {.exact = std::move(run_), .required = std::move(required_)};
    require(required_, std::move(run_));
    return {.exact = std::nullopt, .required = std::move(required_)};
  }

 private:
  // Something unknown stands between what came and `next`.
  void cut(LiteralGroup next) {
    require(required_, std::exchange(run_, std::move(next)));
    whole_ = false;
  }

  LiteralGroup run_ = {""};  // what the parts since the last cut may be
  bool whole_ = true;        // ... which are all parts so far
  Groups required_;
};

Groups requirements(Part part) {
  if (part.exact) require(part.required, std::move(*part.exact));
  return std::move(part.required);
}

// One of the branches: the best group of each, together; then the second best, and so on.
Part alternatives(std::vector<Part> branches) {
  Part all;
  std::size_t strings = 0;
  const bool exact = std::ranges::all_of(branches, [&](const Part& branch) {
    strings += branch.exact ? branch.exact->size() : 0;
    return branch.exact.has_value();
  });
  if (exact && strings <= kExactMax) {
    all.exact.emplace();
    for (Part& branch : branches) std::ranges::move(*branch.exact, std::back_inserter(*all.exact));
    normalise(*all.exact);
    return all;
  }
  std::vector<Groups> groups;
  std::size_t ranks = kGroupsMax;
  for (Part& branch : branches) {
    Groups& own = groups.emplace_back(requirements(std::move(branch)));
    std::ranges::stable_sort(own, std::ranges::greater{}, shortest);
    ranks = std::min(ranks, own.size());
  }
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    LiteralGroup together;
    for (Groups& own : groups) std::ranges::move(own[rank], std::back_inserter(together));
    require(all.required, std::move(together));
  }
  return all;
}

Part part_of(const Node& node);

Part part_of_runes(RuneSet runes) {
  runes.read_letters_as_ascii();
  LiteralGroup members;
  for (const auto& [lo, hi] : runes.ranges()) {
    if (hi - lo >= 2 * kClassMax || members.size() >= 2 * kClassMax) return Part::nothing();
    for (Rune rune = lo; rune <= hi; ++rune) {
      const bool upper = rune >= 'A' && rune <= 'Z';
      members.push_back(to_utf8(upper ? rune - 'A' + 'a' : rune));
    }
  }
  normalise(members);
  if (members.empty() || members.size() > kClassMax) return Part::nothing();
  return {.exact = std::move(members), .required = {}};
}

void add_to(Sequence& sequence, const Node& node) {
  if (node.op != Op::kRepeat || (node.min == 1 && node.max == 1)) {
    sequence.add(part_of(node.op == Op::kRepeat ? node.subs[0] : node));
    return;
  }
  Part part = part_of(node.subs[0]);
  if (node.max == 0) return;
  if (auto all = node.min == node.max ? power(part, node.min) : std::nullopt) {
    sequence.add({.exact = std::move(all), .required = {}});
  } else if (node.min > 0) {
    sequence.add_repeated(std::move(part));
  } else if (node.max == 1 && part.exact) {
    part.exact->emplace_back();
    normalise(*part.exact);
    sequence.add({.exact = std::move(part.exact), .required = {}});
  } else {
    sequence.add(Part::nothing());
  }
}

Part part_of(const Node& node) {
  switch (node.op) {
    case Op::kRunes: return part_of_runes(node.runes);
    case Op::kBytes: return Part::nothing();
    case Op::kRepeat: {
      Sequence sequence;
      add_to(sequence, node);
      return sequence.take();
    }
    case Op::kConcat: {
      Sequence sequence;
      for (const Node& sub : node.subs) add_to(sequence, sub);
      return sequence.take();
    }
    case Op::kAlternate: {
      std::vector<Part> branches;
      for (const Node& sub : node.subs) branches.push_back(part_of(sub));
      return alternatives(std::move(branches));
    }
    default: return Part::empty();  // the empty string, assertions
  }
}

// ------------------------------------------------------------------------------ rarity

double frequency(std::string_view literal) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ' ';
  };
  std::string_view word = literal;
  while (word.starts_with(' ')) word.remove_prefix(1);
  while (word.ends_with(' ')) word.remove_suffix(1);
  if (literal.size() < LiteralFinder::kLiteralMin) return 1;
  if (std::ranges::binary_search(kCommonWords, word)) return kCommonWord;
  const double words = literal.size() < kByLength.size() ? kByLength[literal.size()] : kLongWord;
  return std::ranges::all_of(literal, letter) ? words : words * kNotAWord;
}

double frequency(const LiteralGroup& group) {
  double sum = 0;
  for (const std::string& literal : group) sum += frequency(literal);
  return sum;
}

}  // namespace

std::vector<LiteralGroup> required_literals(const Node& node) {
  return requirements(part_of(node));
}

std::size_t required_literal_bytes(const Node& node) {
  std::size_t best = 0;
  for (const LiteralGroup& group : required_literals(node)) best = std::max(best, shortest(group));
  return best;
}

std::optional<std::size_t> longest_match(const Node& node) {
  std::size_t bytes = 0;
  switch (node.op) {
    case Op::kRunes:
      bytes = node.runes.empty() ? 0 : to_utf8(node.runes.ranges().back().hi).size();
      break;
    case Op::kBytes: bytes = 1; break;
    case Op::kConcat:
      for (const Node& sub : node.subs) {
        const auto more = longest_match(sub);
        if (!more) return std::nullopt;
        bytes += *more;
      }
      break;
    case Op::kAlternate:
      for (const Node& sub : node.subs) {
        const auto branch = longest_match(sub);
        if (!branch) return std::nullopt;
        bytes = std::max(bytes, *branch);
      }
      break;
    case Op::kRepeat: {
      const auto once = longest_match(node.subs[0]);
      if (!once || (node.max == Node::kUnbounded && *once > 0)) return std::nullopt;
      bytes = *once * node.max;
      break;
    }
    default: break;  // assertions have no width
  }
  return bytes <= kMatchBytesMax ? std::optional(bytes) : std::nullopt;
}

Gate gate_of(const Node& node) {
  std::vector<std::pair<double, LiteralGroup>> groups;
  for (LiteralGroup& group : required_literals(node)) {
    const double common = frequency(group);
    if (common <= kGroupWorth) groups.emplace_back(common, std::move(group));
  }
  std::ranges::sort(groups);
  Gate gate;
  double together = 1;
  for (auto& [common, group] : groups) {
    if (together <= kRareEnough || gate.groups.size() == kGroupsAsked) break;
    together *= common;
    gate.groups.push_back(std::move(group));
  }
  if (together <= kWorthAsking) {
    gate.marks = required_marks(node);
    return gate;
  }
  return {};
}

}  // namespace tocsin::matcher
