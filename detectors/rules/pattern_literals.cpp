// Which text stands in every match of a pattern.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "detectors/rules/pattern_syntax.h"

namespace tocsin::syntax {
namespace {

using Op = Node::Op;

constexpr bool is_upper(char32_t c) { return c >= 'A' && c <= 'Z'; }

// How many texts a part can be, where they are few, and the longest text in every match of it.
class Literals {
 public:
  struct Texts {
    std::size_t count = 1;
    std::size_t bytes = 0;  // of the shortest
  };
  struct Found {
    std::optional<Texts> texts;  // none: too many, or any number
    std::size_t required = 0;
  };

  static Found of(const Node& node) {
    switch (node.op) {
      case Op::kEmpty:
      case Op::kBegin:
      case Op::kEnd:
      case Op::kBoundary: return {.texts = Texts{}, .required = 0};
      case Op::kChar: return exactly({.count = 1, .bytes = utf8_bytes(node.character)});
      case Op::kAny: return {};
      case Op::kClass: return of_class(node);
      case Op::kConcat: return of_concat(node);
      case Op::kAlternate: return of_alternate(node);
      case Op::kRepeat: return of_repeat(node);
    }
    return {};
  }

 private:
  static constexpr std::size_t kClassMax = 6;  // a class of more characters ends a text
  static constexpr std::size_t kTextsMax = 64;
  // Of a class without ASCII: as rare in most texts as a literal.
  static constexpr std::size_t kBeyondAsciiBytes = 3;

  static Found exactly(Texts texts) { return {.texts = texts, .required = texts.bytes}; }

  static std::size_t utf8_bytes(char32_t c) {
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  }

  static std::optional<Texts> product(Texts a, const std::optional<Texts>& b) {
    if (!b || a.count * b->count > kTextsMax) return std::nullopt;
    return Texts{.count = a.count * b->count, .bytes = a.bytes + b->bytes};
  }

  static Found of_class(const Node& node) {
    std::size_t members = 0;
    for (char32_t c = 0; c < kBeyondAscii; ++c) {
      const bool other_case = is_upper(c) && node.set.test(c - 'A' + 'a');
      if (node.set.test(c) && !other_case) ++members;
    }
    if (node.set.test(kBeyondAscii)) {
      return {.texts = std::nullopt, .required = members == 0 ? kBeyondAsciiBytes : 0};
    }
    if (members == 0 || members > kClassMax) return {};
    return exactly({.count = members, .bytes = 1});
  }

  static Found of_concat(const Node& node) {
    std::size_t best = 0;
    Texts run;  // what the parts since the last gap may be
    bool whole = true;
    const auto gap = [&](Texts next) {
      whole = false;
      best = std::max(best, run.bytes);
      run = next;
    };
    for (const Node& sub : node.subs) {
      const Found found = of(sub);
      best = std::max(best, found.required);
      if (const auto longer = product(run, found.texts)) {
        run = *longer;
        continue;
      }
      // `ab+c` has ab and bc: one of what is repeated on either side of the gap.
      const std::optional<Texts> once =
          sub.op == Op::kRepeat && sub.min > 0 ? of(sub.subs.front()).texts : found.texts;
      if (const auto longer = product(run, once)) run = *longer;
      gap(once.value_or(Texts{}));
    }
    best = std::max(best, run.bytes);
    return {.texts = whole ? std::optional(run) : std::nullopt, .required = best};
  }

  static Found of_alternate(const Node& node) {
    Found out{.texts = Texts{.count = 0, .bytes = SIZE_MAX}, .required = SIZE_MAX};
    for (const Node& sub : node.subs) {
      const Found one = of(sub);
      out.required = std::min(out.required, one.required);
      if (out.texts && one.texts && out.texts->count + one.texts->count <= kTextsMax) {
        out.texts->count += one.texts->count;
        out.texts->bytes = std::min(out.texts->bytes, one.texts->bytes);
      } else {
        out.texts.reset();
      }
    }
    return out;
  }

  static Found of_repeat(const Node& node) {
    Found found = of(node.subs.front());
    if (node.min == node.max && found.texts) {
      std::optional<Texts> all = Texts{};
      for (std::uint32_t i = 0; i < node.min && all; ++i) all = product(*all, found.texts);
      if (all) return exactly(*all);
    }
    if (node.min == 0) found.required = 0;
    if (found.texts && node.min == 0 && node.max == 1) {
      found.texts->bytes = 0;
      ++found.texts->count;
    } else {
      found.texts.reset();
    }
    return found;
  }
};

}  // namespace

std::size_t required_literal_bytes(const Node& node) { return Literals::of(node).required; }

}  // namespace tocsin::syntax
