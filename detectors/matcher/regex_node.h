// A regular expression as a tree, from RE2's syntax.
//
// It exists to be turned into a wider, simpler expression for the first stage, so what cannot
// change which texts match is not kept: groups' numbers and names, greediness.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "detectors/matcher/rune_set.h"

namespace tocsin::matcher {

struct Node {
  enum class Op : std::uint8_t {
    kEmpty,            // the empty string
    kRunes,            // one code point of `runes`; none when that is empty
    kBytes,            // one byte of `bytes`
    kConcat,           // `subs`, one after the other
    kAlternate,        // one of `subs`
    kRepeat,           // subs[0], `min` to `max` times
    kBegin,            // before it stands nothing, or (in a multi-line group) a line feed
    kEnd,              // after it the same
    kWordBoundary,     // \b, ASCII
    kNotWordBoundary,  // \B
  };
  static constexpr std::uint32_t kUnbounded = UINT32_MAX;

  static Node of(RuneSet set) {
    Node node{.op = Op::kRunes};
    node.runes = std::move(set);
    return node;
  }
  static Node of(const ByteSet& set) {
    Node node{.op = Op::kBytes};
    node.bytes = set;
    return node;
  }
  static Node of(Op op, std::vector<Node> subs) {
    Node node{.op = op};
    node.subs = std::move(subs);
    return node;
  }
  static Node repeat(Node sub, std::uint32_t min, std::uint32_t max) {
    Node node{.op = Op::kRepeat, .min = min, .max = max};
    node.subs.push_back(std::move(sub));
    return node;
  }

  [[nodiscard]] bool is_assertion() const { return op >= Op::kBegin; }

  Op op = Op::kEmpty;
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  RuneSet runes;
  ByteSet bytes;
  std::vector<Node> subs;
};

// The tree of a pattern that RE2 compiles with its default options.  Nothing where the syntax is
// not understood; a pattern that RE2 refuses gives nothing or any tree.  Classes may be wider than
// RE2's:
// \p{..} holds every code point beyond ASCII, and case folds by the newer of both tables.
std::optional<Node> parse_re2(std::string_view pattern);

}  // namespace tocsin::matcher
