#include "detectors/matcher/rune_set.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tocsin::matcher {
namespace {

// Beyond ASCII, blocks where nothing has case, in any version of Unicode: Hebrew to Myanmar;
// punctuation; the ideographs with what surrounds them; Hangul; variation selectors and Arabic
// forms; emoji; tags.
constexpr std::array<RuneRange, 7> kUncased = {{{.lo = 0x590, .hi = 0x109F},
                                                {.lo = 0x2000, .hi = 0x20FF},
                                                {.lo = 0x3000, .hi = 0x9FFF},
                                                {.lo = 0xAC00, .hi = 0xD7FF},
                                                {.lo = 0xFE00, .hi = 0xFEFF},
                                                {.lo = 0x1F000, .hi = 0x1FAFF},
                                                {.lo = 0xE0000, .hi = 0xE0FFF}}};

bool is_uncased(Rune lo, Rune hi) {
  return std::ranges::any_of(
      kUncased, [&](const RuneRange& block) { return lo >= block.lo && hi <= block.hi; });
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

bool RuneSet::fold() {
  const bool s = contains('s') || contains('S') || contains(kLongS);
  const bool k = contains('k') || contains('K') || contains(kKelvin);
  const bool cased = std::ranges::any_of(ranges_, [](const RuneRange& range) {
    return range.hi > kAsciiMax && !is_uncased(std::max(range.lo, kAsciiMax + 1), range.hi);
  });
  if (cased) add(kAsciiMax + 1, kRuneMax);
  for (Rune upper = 'A'; upper <= 'Z'; ++upper) {
    const Rune lower = upper - 'A' + 'a';
    if (contains(upper) == contains(lower)) continue;
    add(upper, upper);
    add(lower, lower);
  }
  // These two fold to ASCII, and to nothing else.
  const auto set = [this](bool held, Rune rune, Rune upper, Rune lower) {
    if (!held) {
      remove(rune);
      return;
    }
    for (const Rune each : {rune, upper, lower}) add(each, each);
  };
  set(s, kLongS, 'S', 's');
  set(k, kKelvin, 'K', 'k');
  return cased;
}

void RuneSet::read_letters_as_ascii() {
  const auto read_as = [this](Rune rune, Rune upper, Rune lower) {
    if (!contains(rune)) return;
    remove(rune);
    add(upper, upper);
    add(lower, lower);
  };
  read_as(kLongS, 'S', 's');
  read_as(kKelvin, 'K', 'k');
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

std::string to_utf8(Rune rune) {
  if (rune <= kAsciiMax) return {static_cast<char>(rune)};
  std::uint8_t bytes[4];
  const unsigned length = encode(rune, bytes);
  return {bytes, bytes + length};
}

bool utf8_sequences(const RuneSet& set, std::size_t max, std::vector<ByteSequences>& out) {
  for (const auto& range : set.ranges()) {
    for (const auto& [lo, hi] :
         {std::pair<Rune, Rune>{0x80, 0x7FF}, {0x800, 0xFFFF}, {0x10000, kRuneMax}}) {
      const Rune from = std::max(range.lo, lo);
      const Rune to = std::min(range.hi, hi);
      if (from <= to && !split(from, to, max, out)) return false;
    }
  }
  return true;
}

}  // namespace tocsin::matcher
