#include "detectors/matcher/sign.h"

#include <algorithm>
#include <bit>
#include <span>
#include <utility>

#include "detectors/matcher/rune_set.h"
#include "detectors/validate/ascii_set.h"

namespace tocsin::matcher {
namespace {

using Op = Node::Op;

// ------------------------------------------------------------------------------ marks

// Without those of all prose and names: , . _  The last ones are in dates, paths and compounds,
// too, but an option ("-c") and a drive ("c:") need theirs, which most of what is said lacks.
constexpr std::string_view kRareMarks = "!\"#$%&'()*+;<=>?@[\\]^`{|}~";
constexpr std::string_view kMarks = "!\"#$%&'()*+;<=>?@[\\]^`{|}~-/:";
constexpr Marks kControl = Marks{1} << kMarks.size();
constexpr Marks kLineFeed = kControl << 1;
constexpr Marks kReturn = kControl << 2;
constexpr Marks kBeyondAscii = kControl << 3;
constexpr std::size_t kRequiredMax = 8;

constexpr std::array<Marks, 256> kMarksOf = [] {
  std::array<Marks, 256> marks{};
  for (std::size_t i = 0; i < kMarks.size(); ++i) {
    marks[static_cast<unsigned char>(kMarks[i])] = Marks{1} << i;
  }
  for (unsigned c = 0; c < ' '; ++c) {
    if (c != '\t') marks[c] = kControl;
  }
  marks['\n'] = kLineFeed;
  marks['\r'] = kReturn;
  for (unsigned c = 0x80; c < marks.size(); ++c) marks[c] = kBeyondAscii;
  return marks;
}();

constexpr Marks marks_of(std::string_view bytes) {
  Marks marks = 0;
  for (const char c : bytes) marks |= kMarksOf[static_cast<unsigned char>(c)];
  return marks;
}

// 0: some members are no marks.
Marks all_marks(const ByteSet& bytes, bool beyond_ascii) {
  Marks marks = beyond_ascii ? kBeyondAscii : 0;
  for (std::size_t c = 0; c < bytes.size(); ++c) {
    if (!bytes.test(c)) continue;
    if (kMarksOf[c] == 0) return 0;
    marks |= kMarksOf[c];
  }
  return marks;
}

// What patterns share, the rarest first: a text that lacks one of these lacks any part of it.
constexpr auto kMarkKinds = std::to_array<Marks>({
    kBeyondAscii,
    kControl,
    marks_of("\\"),
    marks_of("!"),
    marks_of("$&;<>`|"),
    marks_of("\"'`"),
    marks_of("()[]{}"),
    marks_of("="),
    kLineFeed | kReturn,
    marks_of("#%*+?@^~"),
    marks_of("$&;<>`|%\\") | kLineFeed | kReturn,
    marks_of(kRareMarks) | kControl,
    marks_of(kRareMarks) | kControl | kLineFeed | kReturn | kBeyondAscii,
    marks_of(":"),
    marks_of("/\\"),
    marks_of("-+"),
    ~Marks{0},
});

// Position of the first kind that a text with one of these marks has.
std::size_t kind_of(Marks marks) {
  const auto holds = [marks](Marks shared) { return (marks & ~shared) == 0; };
  return static_cast<std::size_t>(std::ranges::find_if(kMarkKinds, holds) - kMarkKinds.begin());
}

// One of the branches: the rarest set of each, together.
std::vector<Marks> marks_of_branches(std::span<const Node> branches) {
  Marks together = 0;
  for (const Node& branch : branches) {
    const std::vector<Marks> own = required_marks(branch);
    if (own.empty()) return {};
    together |= std::ranges::min(
        own, {}, [](Marks marks) { return std::pair(kind_of(marks), std::popcount(marks)); });
  }
  return together == 0 ? std::vector<Marks>{} : std::vector{together};
}

// ------------------------------------------------------------------------------ runs

ByteSet set_of(std::string_view bytes) {
  ByteSet set;
  for (const char c : bytes) set.set(static_cast<unsigned char>(c));
  return set;
}

const ByteSet kDigits = set_of("0123456789");
const ByteSet kToken = kDigits | set_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-");
const ByteSet kEncoded = kToken | set_of(".+/~=");

// Whether so many bytes one after the other are in a set.
bool has_stretch(std::string_view text, const validate::AsciiSet& of, std::size_t bytes) {
  const std::size_t step = validate::AsciiSet::kBlock - (bytes - 1);
  for (std::size_t at = 0; at + bytes <= text.size(); at += step) {
    if (validate::runs_of(of.in(text, at), bytes) != 0) return true;
  }
  return false;
}

struct RunKind {
  RunKind(std::size_t bytes_, const ByteSet& of_, const ByteSet& separators_, std::size_t within_,
          bool (*may_be_)(std::string_view))
      : bytes(bytes_),
        of(of_),
        separators(separators_),
        run(bytes_, of_, separators_),
        within(within_),
        may_be(may_be_) {}

  std::size_t bytes;
  ByteSet of;
  ByteSet separators;
  Run run;
  std::size_t within;                // number of a kind that is wherever this one is; 0: none
  bool (*may_be)(std::string_view);  // false: it is not there; null: cannot tell
};

bool may_have_digits(std::string_view text) {
  static constexpr validate::AsciiSet kDigitsAndMarks(" ,-./0123456789");
  return has_stretch(text, kDigitsAndMarks, 9);
}

bool may_have_token(std::string_view text) {
  static constexpr auto kNoBlanks = validate::AsciiSet::of([](char c) { return c > ' '; });
  return has_stretch(text, kNoBlanks, 15);
}

// The rarest first.  Dates have eight digits; few words fifteen letters, none twenty.
const std::array<RunKind, Sign::kRuns>& run_kinds() {
  static const std::array<RunKind, Sign::kRuns> kinds = {{
      {11, kDigits, set_of(" -"), 3, nullptr},
      {11, kDigits, set_of(" ,-./"), 4, nullptr},
      {9, kDigits, set_of(" -"), 4, nullptr},
      {9, kDigits, set_of(" ,-./"), 0, &may_have_digits},
      {20, kToken, {}, 6, nullptr},
      {15, kEncoded, {}, 0, &may_have_token},
  }};
  return kinds;
}

// Counts the bytes of a set that follow each other in a sequence of nodes.
class RunCounter {
 public:
  RunCounter(const ByteSet& of, const ByteSet& separators) : of_(of), separators_(separators) {}

  void add(const Node& node) {
    switch (node.op) {
      case Op::kRunes:
        if (is_member(node)) {
          run_ += 1;
          separated_ = false;
        } else if (is_separator(node)) {
          separate();
        } else {
          cut();
        }
        return;
      case Op::kConcat:
        for (const Node& sub : node.subs) add(sub);
        return;
      case Op::kAlternate: add_alternatives(node); return;
      case Op::kRepeat: add_repeat(node); return;
      case Op::kBytes: cut(); return;
      default: return;  // assertions have no width
    }
  }

  [[nodiscard]] std::size_t longest() const { return std::max(best_, run_); }

 private:
  static constexpr std::size_t kRoundsMax = 16;

  static ByteSet ascii_only(const Node& node) {
    if (node.op != Op::kRunes) return {};
    RuneSet runes = node.runes;
    runes.read_letters_as_ascii();
    return runes.has_non_ascii() ? ByteSet{} : runes.ascii();
  }
  [[nodiscard]] bool is_member(const Node& node) const {
    const ByteSet set = ascii_only(node);
    return set.any() && (set & ~of_).none();
  }
  [[nodiscard]] bool is_separator(const Node& node) const {
    const ByteSet set = ascii_only(node);
    return set.any() && (set & ~separators_).none();
  }

  void separate() {
    if (separated_) cut();
    separated_ = true;
  }
  void cut() {
    best_ = longest();
    run_ = 0;
    separated_ = false;
    cut_ = true;
  }

  void add_repeat(const Node& node) {
    const Node& sub = node.subs[0];
    if (node.max == 0) return;
    if (is_member(sub)) {
      run_ += node.min;  // more of them do no harm
      if (node.min > 0) separated_ = false;
      return;
    }
    if (node.min == 0) {
      node.max == 1 && is_separator(sub) ? separate() : cut();
      return;
    }
    // (?:[0-9][ -]?){11,18}: more rounds do no harm either.
    const bool is_grouped = sub.op == Op::kConcat && sub.subs.size() == 2 &&
                            is_member(sub.subs[0]) && sub.subs[1].op == Op::kRepeat &&
                            sub.subs[1].max == 1 && is_separator(sub.subs[1].subs[0]);
    if (is_grouped) {
      run_ += node.min;
      separated_ = true;
      return;
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(node.min, kRoundsMax); ++i) add(sub);
    if (node.max == node.min && node.min <= kRoundsMax) return;
    // Of more rounds the last stands before what follows.
    cut();
    add(sub);
  }

  void add_alternatives(const Node& node) {
    std::size_t least = SIZE_MAX;
    bool is_whole = true;
    for (const Node& branch : node.subs) {
      RunCounter counter(of_, separators_);
      counter.separated_ = separated_;
      counter.add(branch);
      is_whole = is_whole && !counter.cut_ && !counter.separated_;
      least = std::min(least, counter.longest());
    }
    if (is_whole) {  // members and nothing else, so the run goes on
      run_ += least;
      separated_ = false;
      return;
    }
    cut();
    best_ = std::max(best_, least);
  }

  const ByteSet& of_;
  const ByteSet& separators_;
  std::size_t run_ = 0;
  std::size_t best_ = 0;
  bool separated_ = false;  // a separator stands behind the last byte
  bool cut_ = false;        // something else than members and separators stood there
};

}  // namespace

std::vector<Marks> required_marks(const Node& node) {
  std::vector<Marks> all;
  const auto add = [&all](Marks marks) {
    if (marks != 0 && all.size() < kRequiredMax && std::ranges::find(all, marks) == all.end()) {
      all.push_back(marks);
    }
  };
  switch (node.op) {
    case Op::kRunes: {
      RuneSet runes = node.runes;
      runes.read_letters_as_ascii();
      add(all_marks(runes.ascii(), runes.has_non_ascii()));
      break;
    }
    case Op::kBytes: add(all_marks(node.bytes, false)); break;
    case Op::kConcat:
      for (const Node& sub : node.subs) std::ranges::for_each(required_marks(sub), add);
      break;
    case Op::kRepeat:
      if (node.min > 0) return required_marks(node.subs[0]);
      break;
    case Op::kAlternate: return marks_of_branches(node.subs);
    default: break;
  }
  return all;
}

bool requires_beyond_ascii(const Node& node) {
  const std::vector<Marks> marks = required_marks(node);
  return std::ranges::find(marks, kBeyondAscii) != marks.end();
}

std::size_t required_run(const Node& node, const ByteSet& of, const ByteSet& separators) {
  RunCounter counter(of, separators);
  counter.add(node);
  return counter.longest();
}

Run::Run(std::size_t bytes, const ByteSet& of, const ByteSet& separators) : bytes_(bytes) {
  for (std::size_t c = 0; c < parts_.size(); ++c) {
    if (of.test(c)) parts_[c] = Part::kMember;
    if (separators.test(c)) parts_[c] = Part::kSeparator;
  }
}

bool Run::in(std::string_view text) const {
  const auto part = [&](std::size_t at) { return parts_[static_cast<unsigned char>(text[at])]; };
  std::size_t at = 0;
  while (at + bytes_ <= text.size()) {
    // What is neither, the last of this stretch: a run begins behind it.
    std::size_t end = at + bytes_;
    while (end > at && part(end - 1) != Part::kNone) --end;
    if (end > at) {
      at = end;
      continue;
    }
    std::size_t bytes = 0;
    bool is_separated = false;
    for (; at < text.size() && part(at) != Part::kNone; ++at) {
      if (part(at) == Part::kMember) {
        is_separated = false;
        if (++bytes == bytes_) return true;
      } else {
        if (is_separated) bytes = 0;
        is_separated = true;
      }
    }
  }
  return false;
}

Sign sign_of(const Node& node) {
  const auto& runs = run_kinds();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (required_run(node, runs[i].of, runs[i].separators) >= runs[i].bytes) {
      return {.marks = 0, .run = i + 1};
    }
  }
  std::size_t best = kMarkKinds.size();
  for (const Marks marks : required_marks(node)) best = std::min(best, kind_of(marks));
  return {.marks = best < kMarkKinds.size() ? kMarkKinds[best] : 0, .run = 0};
}

TextSigns::TextSigns(std::string_view text, std::size_t separators) : text_(text) {
  for (const char c : text) marks_ |= kMarksOf[static_cast<unsigned char>(c)];
  std::size_t feeds = 0;
  for (std::size_t at = text.find('\n'); at != std::string_view::npos && feeds <= separators;
       at = text.find('\n', at + 1)) {
    ++feeds;
  }
  if (feeds <= separators) marks_ &= ~kLineFeed;
}

bool TextSigns::has_run(std::size_t run) {
  std::optional<bool>& has = runs_[run - 1];
  if (!has) {
    const RunKind& kind = run_kinds()[run - 1];
    has = (kind.within == 0 || has_run(kind.within)) &&
          (kind.may_be == nullptr || kind.may_be(text_)) && kind.run.in(text_);
  }
  return *has;
}

}  // namespace tocsin::matcher
