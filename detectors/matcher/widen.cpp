#include "detectors/matcher/widen.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <utility>

namespace tocsin::matcher {
namespace {

using Op = Node::Op;

// More byte sequences than this in one class: any code point with one of their lead bytes will do.
constexpr std::size_t kSequencesMax = 8;

ByteSet byte_range(unsigned lo, unsigned hi) {
  ByteSet set;
  for (unsigned byte = lo; byte <= hi; ++byte) set.set(byte);
  return set;
}

// A class of at most so many bytes is rare enough to begin with; so many bytes must be left.
constexpr std::size_t kNarrowClass = 16;
constexpr std::uint32_t kRestMin = 6;

const ByteSet kContinuation = byte_range(0x80, 0xBF);
const ByteSet kWordBytes =
    byte_range('0', '9') | byte_range('A', 'Z') | byte_range('a', 'z') | byte_range('_', '_');
// An `s` or `k` of the text may have been a long s or a Kelvin sign, which are no word characters.
const ByteSet kOtherBytes = ~kWordBytes | ByteSet().set('s').set('S').set('k').set('K');

// --- edges

enum class Side : std::uint8_t { kFront, kBack };

// What \b makes of characters.
constexpr unsigned kWord = 1;
constexpr unsigned kOther = 2;
constexpr unsigned kBoth = kWord | kOther;

struct Edge {
  unsigned kinds = 0;   // of the characters a match may have on that side
  bool passes = false;  // the match may be empty, and what comes next is at the edge instead
};

Edge edge_of(const Node& node, Side side) {
  switch (node.op) {
    case Op::kRunes: {
      const ByteSet ascii = node.runes.ascii();
      unsigned kinds = (ascii & kWordBytes).any() ? kWord : 0;
      if ((ascii & ~kWordBytes).any() || node.runes.has_non_ascii()) kinds |= kOther;
      return {.kinds = kinds, .passes = false};
    }
    case Op::kBytes: return {.kinds = kBoth, .passes = false};
    case Op::kConcat: {
      Edge edge{.kinds = 0, .passes = true};
      const std::size_t count = node.subs.size();
      for (std::size_t i = 0; i < count && edge.passes; ++i) {
        const Edge sub = edge_of(node.subs[side == Side::kFront ? i : count - 1 - i], side);
        edge = {.kinds = edge.kinds | sub.kinds, .passes = sub.passes};
      }
      return edge;
    }
    case Op::kAlternate: {
      Edge edge;
      for (const Node& sub : node.subs) {
        const Edge one = edge_of(sub, side);
        edge = {.kinds = edge.kinds | one.kinds, .passes = edge.passes || one.passes};
      }
      return edge;
    }
    case Op::kRepeat: {
      Edge edge = edge_of(node.subs[0], side);
      edge.passes = edge.passes || node.min == 0;
      return edge;
    }
    default: return {.kinds = 0, .passes = true};
  }
}

// Matches the empty string wherever it stands.
bool surely_optional(const Node& node) {
  switch (node.op) {
    case Op::kEmpty: return true;
    case Op::kConcat: return std::ranges::all_of(node.subs, surely_optional);
    case Op::kAlternate: return std::ranges::any_of(node.subs, surely_optional);
    case Op::kRepeat: return node.min == 0 || surely_optional(node.subs[0]);
    default: return false;
  }
}

// The byte that must stand outside of a match whose edge has the assertion `op`.
Node guard(Op op, Side side, unsigned kinds) {
  if (op == Op::kBegin && side == Side::kFront) return Node::of(byte_range('\n', '\n'));
  if (op == Op::kEnd && side == Side::kBack) return Node::of(byte_range('\n', '\n'));
  const bool boundary = op == Op::kWordBoundary;
  if (!boundary && op != Op::kNotWordBoundary) return {};
  if (kinds == kWord) return Node::of(boundary ? kOtherBytes : kWordBytes);
  if (kinds == kOther) return Node::of(boundary ? kWordBytes : kOtherBytes);
  return {};
}

void sharpen(Node& node, Side side, unsigned beyond);

unsigned kinds_from(const std::vector<Node>& subs, std::size_t first, Side side, unsigned beyond) {
  unsigned kinds = 0;
  for (std::size_t i = first; i < subs.size(); ++i) {
    const Edge edge = edge_of(subs[i], side);
    kinds |= edge.kinds;
    if (!edge.passes) return kinds;
  }
  return kinds | beyond;
}

// `subs` begins at the edge, whichever side that is.
std::vector<Node> sharpen_run(std::vector<Node> subs, Side side, unsigned beyond) {
  std::vector<Node> out;
  Op pending = Op::kEmpty;  // an assertion at this very place
  std::size_t i = 0;
  for (; i < subs.size(); ++i) {
    Node& sub = subs[i];
    if (sub.is_assertion()) {
      const bool line = sub.op == Op::kBegin || sub.op == Op::kEnd;
      if (pending == Op::kEmpty || line) pending = sub.op;
      continue;
    }
    if (pending != Op::kEmpty) {
      Node outside = guard(pending, side, kinds_from(subs, i, side, beyond));
      pending = Op::kEmpty;
      if (outside.op != Op::kEmpty) {
        out.push_back(std::move(outside));
        break;
      }
    }
    if (surely_optional(sub)) continue;  // what matches with it matches without
    sharpen(sub, side, kinds_from(subs, i + 1, side, beyond));
    break;
  }
  if (pending != Op::kEmpty) out.push_back(guard(pending, side, beyond));
  std::move(subs.begin() + static_cast<std::ptrdiff_t>(i), subs.end(), std::back_inserter(out));
  return out;
}

// Rewrites what stands at one side of the whole expression, where only *whether* there is a match
// counts: assertions become the byte outside of the match, what may be left out is left out.
// `beyond`: the kinds of characters that may come next, inwards.
void sharpen(Node& node, Side side, unsigned beyond) {
  switch (node.op) {
    case Op::kRunes: {
      // Of a character with many encodings the byte next to the rest is enough.
      RuneSet runes = node.runes;
      runes.read_letters_as_ascii();
      std::vector<ByteSequences> sequences;
      if (utf8_sequences(runes, kSequencesMax, sequences)) return;
      node =
          Node::of(runes.ascii() | (side == Side::kFront ? kContinuation : byte_range(0xC2, 0xF4)));
      return;
    }
    case Op::kConcat: {
      if (side == Side::kBack) std::ranges::reverse(node.subs);
      node.subs = sharpen_run(std::move(node.subs), side, beyond);
      if (side == Side::kBack) std::ranges::reverse(node.subs);
      return;
    }
    case Op::kAlternate:
      for (Node& sub : node.subs) sharpen(sub, side, beyond);
      return;
    case Op::kRepeat:
      if (node.min == 0) {
        node = {};
      } else if (node.min > 1) {
        node.max = node.min;
      } else {
        Node sub = std::move(node.subs[0]);
        sharpen(sub, side, beyond);
        node = std::move(sub);
      }
      return;
    case Op::kEmpty:
    case Op::kBytes: return;
    default: node = guard(node.op, side, beyond); return;
  }
}

// --- bytes

struct Encoded {
  Node node;
  ByteSet bytes;  // every byte of every encoding
  std::uint32_t length_min = 4;
  std::uint32_t length_max = 1;
};

Encoded encode(RuneSet runes) {
  runes.read_letters_as_ascii();
  Encoded out;
  out.bytes = runes.ascii();
  std::vector<Node> branches;
  if (out.bytes.any()) {
    out.length_min = 1;
    branches.push_back(Node::of(out.bytes));
  }
  if (!runes.has_non_ascii()) {
    out.length_max = 1;
    out.node = branches.empty() ? Node::of(ByteSet()) : std::move(branches[0]);
    return out;
  }
  std::vector<ByteSequences> sequences;
  const bool exact = utf8_sequences(runes, kSequencesMax, sequences);
  if (!exact) {
    const ByteSet leads = byte_range(0xC2, 0xF4);
    out.node = Node::of(Op::kConcat,
                        {Node::of(out.bytes | leads), Node::repeat(Node::of(kContinuation), 0, 3)});
    out.bytes |= leads | kContinuation;
    out.length_min = 1;
    out.length_max = 4;
    return out;
  }
  for (const ByteSequences& sequence : sequences) {
    std::vector<Node> parts;
    for (unsigned i = 0; i < sequence.length; ++i) {
      const ByteSet set = byte_range(sequence.bytes[i].lo, sequence.bytes[i].hi);
      out.bytes |= set;
      parts.push_back(Node::of(set));
    }
    out.length_min = std::min(out.length_min, sequence.length);
    out.length_max = std::max(out.length_max, sequence.length);
    branches.push_back(Node::of(Op::kConcat, std::move(parts)));
  }
  out.node =
      branches.size() == 1 ? std::move(branches[0]) : Node::of(Op::kAlternate, std::move(branches));
  return out;
}

std::uint32_t times(std::uint32_t a, std::uint32_t b) {
  if (a == Node::kUnbounded || b == Node::kUnbounded)
    return a == 0 || b == 0 ? 0 : Node::kUnbounded;
  const std::uint64_t product = std::uint64_t{a} * b;
  return product >= Node::kUnbounded ? Node::kUnbounded : static_cast<std::uint32_t>(product);
}

std::uint32_t plus(std::uint32_t a, std::uint32_t b) {
  return a >= Node::kUnbounded - b ? Node::kUnbounded : a + b;
}

void to_bytes(Node& node) {
  if (node.op == Op::kRunes) {
    node = encode(std::move(node.runes)).node;
  } else if (node.is_assertion()) {
    node = {};  // inside, an assertion only narrows
  } else if (node.op == Op::kRepeat && node.subs[0].op == Op::kRunes && node.max > 1 &&
             node.subs[0].runes.has_non_ascii()) {
    // A run of characters is a run of their bytes: one state instead of one for each byte.
    const Encoded encoded = encode(node.subs[0].runes);
    node = Node::repeat(Node::of(encoded.bytes), times(node.min, encoded.length_min),
                        times(node.max, encoded.length_max));
  } else {
    for (Node& sub : node.subs) to_bytes(sub);
  }
}

// --- shape

bool is_never(const Node& node) { return node.op == Op::kBytes && node.bytes.none(); }

// Flattens, merges one-byte alternatives into a class, takes out what matches only nothing.
void simplify(Node& node) {
  for (Node& sub : node.subs) simplify(sub);
  if (node.op == Op::kConcat) {
    std::vector<Node> parts;
    for (Node& sub : node.subs) {
      if (sub.op == Op::kEmpty) continue;
      if (is_never(sub)) {
        node = Node::of(ByteSet());
        return;
      }
      if (sub.op == Op::kConcat) {
        std::ranges::move(sub.subs, std::back_inserter(parts));
      } else {
        parts.push_back(std::move(sub));
      }
    }
    node.subs = std::move(parts);
    if (node.subs.empty()) node = {};
  } else if (node.op == Op::kAlternate) {
    std::vector<Node> branches;
    ByteSet single;
    bool optional = false;
    const auto take = [&](Node& sub) {
      if (sub.op == Op::kEmpty) {
        optional = true;
      } else if (sub.op == Op::kBytes) {
        single |= sub.bytes;  // nothing, of one that never matches
      } else {
        branches.push_back(std::move(sub));
      }
    };
    for (Node& sub : node.subs) {
      if (sub.op == Op::kAlternate) {
        std::ranges::for_each(sub.subs, take);
      } else {
        take(sub);
      }
    }
    if (single.any()) branches.push_back(Node::of(single));
    if (branches.empty()) {
      node = optional ? Node{} : Node::of(ByteSet());
    } else {
      Node all = branches.size() == 1 ? std::move(branches[0])
                                      : Node::of(Op::kAlternate, std::move(branches));
      node = optional ? Node::repeat(std::move(all), 0, 1) : std::move(all);
    }
  } else if (node.op == Op::kRepeat) {
    if (node.subs[0].op == Op::kEmpty || node.max == 0 ||
        (node.min == 0 && is_never(node.subs[0]))) {
      node = {};
    } else if (is_never(node.subs[0])) {
      node = Node::of(ByteSet());
    }
  }
  if ((node.op == Op::kConcat || (node.op == Op::kRepeat && node.min == 1 && node.max == 1)) &&
      node.subs.size() == 1) {
    Node only = std::move(node.subs[0]);
    node = std::move(only);
  }
}

struct Extent {
  ByteSet bytes;
  std::uint32_t min = 0;
  std::uint32_t max = 0;
};

Extent extent(const Node& node) {
  switch (node.op) {
    case Op::kBytes: return {.bytes = node.bytes, .min = 1, .max = 1};
    case Op::kConcat: {
      Extent all;
      for (const Node& sub : node.subs) {
        const Extent one = extent(sub);
        all = {.bytes = all.bytes | one.bytes,
               .min = plus(all.min, one.min),
               .max = plus(all.max, one.max)};
      }
      return all;
    }
    case Op::kAlternate: {
      Extent all{.bytes = {}, .min = Node::kUnbounded, .max = 0};
      for (const Node& sub : node.subs) {
        const Extent one = extent(sub);
        all = {.bytes = all.bytes | one.bytes,
               .min = std::min(all.min, one.min),
               .max = std::max(all.max, one.max)};
      }
      return all;
    }
    case Op::kRepeat: {
      const Extent one = extent(node.subs[0]);
      return {.bytes = one.bytes, .min = times(one.min, node.min), .max = times(one.max, node.max)};
    }
    default: return {};
  }
}

std::uint32_t positions(const Node& node) {
  switch (node.op) {
    case Op::kBytes: return 1;
    case Op::kRepeat: {
      const std::uint32_t count = node.max == Node::kUnbounded ? std::max(node.min, 1U) : node.max;
      return times(positions(node.subs[0]), count);
    }
    default: {
      std::uint32_t sum = 0;
      for (const Node& sub : node.subs) sum = plus(sum, positions(sub));
      return sum;
    }
  }
}

void relax(Node& node, const Limits& limits) {
  for (Node& sub : node.subs) relax(sub, limits);
  if (node.op != Op::kRepeat) return;
  const Node& sub = node.subs[0];
  if (sub.op != Op::kBytes) {
    if (node.max <= 1 || positions(node) <= limits.group_positions) return;
    // Whatever the group's order, its repetitions are a run of its bytes.
    const Extent all = extent(sub);
    node = Node::repeat(Node::of(all.bytes), times(all.min, node.min), times(all.max, node.max));
  }
  if (node.min > limits.run_min) {
    node.min = limits.run_min;
    node.max = Node::kUnbounded;
  }
  if (node.max > limits.run_max) node.max = Node::kUnbounded;
}

// --- text

bool case_closed(const Node& node) {
  if (node.op == Op::kBytes) {
    for (unsigned upper = 'A'; upper <= 'Z'; ++upper) {
      if (node.bytes[upper] != node.bytes[upper | 0x20]) return false;
    }
    return true;
  }
  return std::ranges::all_of(node.subs, case_closed);
}

void append_byte(unsigned byte, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= 'a' && byte <= 'z') || byte == '_' || byte == ' ';
  if (plain) {
    out += static_cast<char>(byte);
  } else {
    out += "\\x";
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

void append_bytes(const ByteSet& bytes, bool caseless, std::string& out) {
  ByteSet set = bytes;
  if (caseless) set &= ~byte_range('A', 'Z');
  if (set.count() == 1) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (set[byte]) append_byte(byte, out);
    }
    return;
  }
  out += '[';
  for (unsigned lo = 0; lo < 256; ++lo) {
    if (!bytes[lo]) continue;
    unsigned hi = lo;
    while (hi < 255 && bytes[hi + 1]) ++hi;
    append_byte(lo, out);
    if (hi > lo) {
      if (hi > lo + 1) out += '-';
      append_byte(hi, out);
    }
    lo = hi;
  }
  out += ']';
}

void append(const Node& node, bool caseless, std::string& out) {
  switch (node.op) {
    case Op::kBytes: append_bytes(node.bytes, caseless, out); return;
    case Op::kConcat:
      for (const Node& sub : node.subs) {
        if (sub.op == Op::kAlternate) out += "(?:";
        append(sub, caseless, out);
        if (sub.op == Op::kAlternate) out += ')';
      }
      return;
    case Op::kAlternate:
      for (std::size_t i = 0; i < node.subs.size(); ++i) {
        if (i > 0) out += '|';
        append(node.subs[i], caseless, out);
      }
      return;
    case Op::kRepeat: {
      const bool bare = node.subs[0].op == Op::kBytes;
      if (!bare) out += "(?:";
      append(node.subs[0], caseless, out);
      if (!bare) out += ')';
      if (node.min == 0 && node.max == 1) {
        out += '?';
      } else if (node.max == Node::kUnbounded && node.min <= 1) {
        out += node.min == 0 ? '*' : '+';
      } else {
        out += '{' + std::to_string(node.min);
        if (node.max != node.min) {
          out += ',';
          if (node.max != Node::kUnbounded) out += std::to_string(node.max);
        }
        out += '}';
      }
      return;
    }
    default: return;
  }
}

}  // namespace

Node widen(Node node, const Limits& limits) {
  sharpen(node, Side::kFront, kBoth);
  sharpen(node, Side::kBack, kBoth);
  to_bytes(node);
  simplify(node);
  relax(node, limits);
  simplify(node);
  return node;
}

Node without_broad_front(Node node) {
  if (node.op != Op::kConcat) return node;
  const auto broad = [](const Node& sub) {
    const Node& one = sub.op == Op::kRepeat ? sub.subs[0] : sub;
    return one.op == Op::kBytes && one.bytes.count() > kNarrowClass;
  };
  const auto narrow = [](const Node& sub) {
    const Node& one = sub.op == Op::kRepeat && sub.min > 0 ? sub.subs[0] : sub;
    return one.op == Op::kBytes && one.bytes.count() <= kNarrowClass;
  };
  std::size_t first = 0;
  while (first < node.subs.size() && broad(node.subs[first])) ++first;
  Node rest = Node::of(Op::kConcat,
                       {node.subs.begin() + static_cast<std::ptrdiff_t>(first), node.subs.end()});
  if (first == 0 || rest.subs.empty() || !narrow(rest.subs[0]) || extent(rest).min < kRestMin) {
    return node;
  }
  return rest;
}

bool may_be_empty(const Node& node) { return edge_of(node, Side::kFront).passes; }

Expression to_expression(const Node& node) {
  Expression out;
  out.caseless = case_closed(node);
  append(node, out.caseless, out.text);
  return out;
}

}  // namespace tocsin::matcher
