#include "detectors/matcher/required_literals.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace tocsin::matcher {
namespace {

using Op = Node::Op;
using Strings = std::vector<std::string>;  // sorted, each once

constexpr std::size_t kClassMax = 4;      // a class of more characters ends a string
constexpr std::size_t kExactMax = 32;     // strings in a product
constexpr std::size_t kRequiredMax = 256; // strings in a result
constexpr std::size_t kLengthMax = 32;
// Longer strings are not rarer in a way that matters.
constexpr std::size_t kLengthWorth = 8;

struct Found {
  std::optional<Strings> exact;  // the whole language, where it is that small
  Strings required;              // empty: none known
};

void normalise(Strings& strings) {
  std::ranges::sort(strings);
  const auto rest = std::ranges::unique(strings);
  strings.erase(rest.begin(), rest.end());
}

std::size_t shortest(const Strings& strings) {
  if (strings.empty()) return 0;
  return std::ranges::min(strings, {}, &std::string::size).size();
}

void keep_better(Strings& best, const Strings& other) {
  const std::size_t worth = std::min(shortest(other), kLengthWorth);
  const std::size_t best_worth = std::min(shortest(best), kLengthWorth);
  if (worth > best_worth || (worth == best_worth && worth > 0 && other.size() < best.size())) {
    best = other;
  }
}

Strings product(const Strings& heads, const Strings& tails) {
  Strings out;
  out.reserve(heads.size() * tails.size());
  for (const std::string& head : heads) {
    for (const std::string& tail : tails) out.push_back(head + tail);
  }
  normalise(out);
  return out;
}

std::size_t longest(const Strings& strings) {
  return std::ranges::max(strings, {}, &std::string::size).size();
}

Found search(const Node& node);

Found search_bytes(const ByteSet& bytes) {
  Strings members;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (!bytes[byte]) continue;
    const bool upper = byte >= 'A' && byte <= 'Z';
    members.emplace_back(1, static_cast<char>(upper ? byte | 0x20 : byte));
    if (members.size() > 2 * kClassMax) return {};
  }
  normalise(members);
  if (members.empty() || members.size() > kClassMax) return {};
  return {.exact = members, .required = members};
}

Found search_concat(const Node& node) {
  Strings best;
  Strings run = {""};  // what the parts since the last gap may be
  bool exact = true;
  for (const Node& sub : node.subs) {
    Found found = search(sub);
    if (found.exact && run.size() * found.exact->size() <= kExactMax &&
        longest(run) + longest(*found.exact) <= kLengthMax) {
      run = product(run, *found.exact);
      continue;
    }
    exact = false;
    keep_better(best, run);
    keep_better(best, found.required);
    run = found.exact ? std::move(*found.exact) : Strings{""};
  }
  keep_better(best, run);
  if (!exact) return {.exact = std::nullopt, .required = std::move(best)};
  return {.exact = std::move(run), .required = std::move(best)};
}

Found search_alternate(const Node& node) {
  Found all{.exact = Strings{}, .required = {}};
  bool known = true;
  for (const Node& sub : node.subs) {
    Found one = search(sub);
    known = known && !one.required.empty();
    std::ranges::move(one.required, std::back_inserter(all.required));
    if (all.exact && one.exact && all.exact->size() + one.exact->size() <= kExactMax) {
      std::ranges::move(*one.exact, std::back_inserter(*all.exact));
    } else {
      all.exact.reset();
    }
  }
  normalise(all.required);
  if (all.exact) normalise(*all.exact);
  if (!known || all.required.size() > kRequiredMax) all.required.clear();
  return all;
}

Found search(const Node& node) {
  switch (node.op) {
    case Op::kEmpty: return {.exact = Strings{""}, .required = {}};
    case Op::kBytes: return search_bytes(node.bytes);
    case Op::kConcat: return search_concat(node);
    case Op::kAlternate: return search_alternate(node);
    case Op::kRepeat: {
      Found found = search(node.subs[0]);
      if (node.min == 0) found.required.clear();
      if (node.min == 0 && node.max == 1 && found.exact && found.exact->size() < kExactMax) {
        found.exact->emplace_back();
        normalise(*found.exact);
      } else {
        found.exact.reset();
      }
      return found;
    }
    default: return {};
  }
}

}  // namespace

std::vector<std::string> required_literals(const Node& node) { return search(node).required; }

}  // namespace tocsin::matcher
