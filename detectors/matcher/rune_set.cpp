#include "detectors/matcher/rune_set.h"

#include <utf8proc.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace tocsin::matcher {
namespace {

// Code points that fold alike, for those beyond ASCII: sorted by `rune`, both directions.
class FoldTable {
 public:
  FoldTable() {
    // Case is assigned below this plane; nothing above has any.
    constexpr Rune kCasedMax = 0x1FFFF;
    std::unordered_map<Rune, std::vector<Rune>> orbits;  // by their lowest member reached
    for (Rune rune = kAsciiMax + 1; rune <= kCasedMax; ++rune) {
      const auto code = static_cast<utf8proc_int32_t>(rune);
      const auto lower = static_cast<Rune>(utf8proc_tolower(code));
      const auto upper = static_cast<Rune>(utf8proc_toupper(code));
      const auto title = static_cast<Rune>(utf8proc_totitle(code));
      if (lower == rune && upper == rune && title == rune) continue;
      for (const Rune other : {lower, upper, title}) link(rune, other);
    }
    // Unicode 15.1 made these fold alike; they have no case of their own.
    link(0x390, 0x1FD3);
    link(0x3B0, 0x1FE3);
    link(0xFB05, 0xFB06);
    for (const auto& [rune, parent] : parents_) orbits[root(rune)].push_back(rune);
    for (const auto& [top, members] : orbits) {
      for (const Rune from : members) {
        for (const Rune to : members) {
          if (from > kAsciiMax && from != to) pairs_.emplace_back(from, to);
        }
      }
    }
    std::ranges::sort(pairs_);
    parents_.clear();
  }

  // Calls `add(to)` for what folds like a member of lo..hi beyond ASCII.
  template <typename Add>
  void each(Rune lo, Rune hi, Add add) const {
    for (auto at = std::ranges::lower_bound(pairs_, std::pair<Rune, Rune>{lo, 0});
         at != pairs_.end() && at->first <= hi; ++at) {
      add(at->second);
    }
  }

 private:
  // Plain case mappings tie dotted and dotless i to the ASCII letters; simple folding does not, and
  // of the ASCII letters only s and k have others that fold to them.
  static bool is_ascii_apart(Rune a, Rune b) {
    const Rune low = std::min(a, b);
    const Rune high = std::max(a, b);
    return low <= kAsciiMax && high != kLongS && high != kKelvin;
  }
  Rune root(Rune rune) {
    const auto found = parents_.find(rune);
    if (found == parents_.end() || found->second == rune) return rune;
    return root(found->second);
  }
  void link(Rune a, Rune b) {
    if (a == b || is_ascii_apart(a, b)) return;
    parents_.try_emplace(a, a);
    parents_.try_emplace(b, b);
    parents_[root(a)] = root(b);
  }

  std::unordered_map<Rune, Rune> parents_;
  std::vector<std::pair<Rune, Rune>> pairs_;
};

const FoldTable& fold_table() {
  static const FoldTable table;
  return table;
}

unsigned encode(Rune rune, std::uint8_t out[4]) {
  if (rune < 0x800) {
    out[0] = static_cast<std::uint8_t>(0xC0 | rune >> 6);
    out[1] = static_cast<std::uint8_t>(0x80 | (rune & 0x3F));
    return 2;
  }
  if (rune < 0x10000) {
    out[0] = static_cast<std::uint8_t>(0xE0 | rune >> 12);
    out[1] = static_cast<std::uint8_t>(0x80 | (rune >> 6 & 0x3F));
    out[2] = static_cast<std::uint8_t>(0x80 | (rune & 0x3F));
    return 3;
  }
  out[0] = static_cast<std::uint8_t>(0xF0 | rune >> 18);
  out[1] = static_cast<std::uint8_t>(0x80 | (rune >> 12 & 0x3F));
  out[2] = static_cast<std::uint8_t>(0x80 | (rune >> 6 & 0x3F));
  out[3] = static_cast<std::uint8_t>(0x80 | (rune & 0x3F));
  return 4;
}

// Splits lo..hi (of one encoded length) until each piece is a product of byte ranges.
bool split(Rune lo, Rune hi, std::size_t max, std::vector<ByteSequences>& out) {
  for (const unsigned shift : {6U, 12U, 18U}) {
    const Rune low_bits = (Rune{1} << shift) - 1;
    if ((lo & ~low_bits) == (hi & ~low_bits)) break;
    if ((lo & low_bits) != 0) {
      return split(lo, lo | low_bits, max, out) && split((lo | low_bits) + 1, hi, max, out);
    }
    if ((hi & low_bits) != low_bits) {
      return split(lo, (hi & ~low_bits) - 1, max, out) && split(hi & ~low_bits, hi, max, out);
    }
  }
  if (out.size() >= max) return false;
  std::uint8_t first[4];
  std::uint8_t last[4];
  ByteSequences sequences{.length = encode(lo, first), .bytes = {}};
  encode(hi, last);
  for (unsigned i = 0; i < sequences.length; ++i) {
    sequences.bytes[i].lo = first[i];
    sequences.bytes[i].hi = last[i];
  }
  out.push_back(sequences);
  return true;
}

}  // namespace

void RuneSet::add(Rune lo, Rune hi) {
  if (lo > hi || lo > kRuneMax) return;
  hi = std::min(hi, kRuneMax);
  // Everything from `first` up to `last` overlaps or touches the new range.
  auto first = std::ranges::find_if(
      ranges_, [lo](const RuneRange& range) { return lo == 0 || range.hi >= lo - 1; });
  auto last = first;
  for (; last != ranges_.end() && last->lo <= hi + 1; ++last) {
    lo = std::min(lo, last->lo);
    hi = std::max(hi, last->hi);
  }
  if (first == last) {
    ranges_.insert(first, {.lo = lo, .hi = hi});
  } else {
    *first = {.lo = lo, .hi = hi};
    ranges_.erase(first + 1, last);
  }
}

void RuneSet::add(const RuneSet& other) {
  for (const auto& [lo, hi] : other.ranges_) add(lo, hi);
}

void RuneSet::remove(Rune rune) {
  negate();
  add(rune, rune);
  negate();
}

void RuneSet::negate() {
  std::vector<RuneRange> gaps;
  Rune next = 0;
  for (const auto& [lo, hi] : ranges_) {
    if (lo > next) gaps.push_back({.lo = next, .hi = lo - 1});
    next = hi + 1;
  }
  if (next <= kRuneMax) gaps.push_back({.lo = next, .hi = kRuneMax});
  ranges_ = std::move(gaps);
}

void RuneSet::fold() {
  const std::vector<RuneRange> before = ranges_;
  for (const auto& [lo, hi] : before) {
    if (hi <= kAsciiMax) continue;
    fold_table().each(std::max(lo, kAsciiMax + 1), hi, [this](Rune rune) { add(rune, rune); });
  }
  for (Rune upper = 'A'; upper <= 'Z'; ++upper) {
    const Rune lower = upper - 'A' + 'a';
    if (contains(upper) == contains(lower)) continue;
    add(upper, upper);
    add(lower, lower);
  }
  if (contains('s')) add(kLongS, kLongS);
  if (contains('k')) add(kKelvin, kKelvin);
}

bool RuneSet::contains(Rune rune) const {
  const auto at = std::ranges::lower_bound(ranges_, rune, {}, &RuneRange::hi);
  return at != ranges_.end() && at->lo <= rune;
}

ByteSet RuneSet::ascii() const {
  ByteSet bytes;
  for (const auto& [lo, hi] : ranges_) {
    for (Rune rune = lo; rune <= hi && rune <= kAsciiMax; ++rune) bytes.set(rune);
  }
  return bytes;
}

bool utf8_sequences(const RuneSet& set, std::size_t max, std::vector<ByteSequences>& out) {
  for (const auto& range : set.ranges()) {
    for (const auto& [lo, hi] : {std::pair<Rune, Rune>{0x80, 0x7FF},
                                 {0x800, 0xFFFF},
                                 {0x10000, kRuneMax}}) {
      const Rune from = std::max(range.lo, lo);
      const Rune to = std::min(range.hi, hi);
      if (from <= to && !split(from, to, max, out)) return false;
    }
  }
  return true;
}

}  // namespace tocsin::matcher
