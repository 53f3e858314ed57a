// The field's usual mistakes, in rules that load and pass their examples all the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/rules/pattern_table.h"
#include "detectors/rules/rule.h"

namespace tocsin {

enum class Lint : std::uint8_t {
  kNegatedClassAsDomain,  // [^(example\.com)]: one character, not "another domain"
  kUnanchoredDomain,      // a host that goes on where the pattern's part for it ends
  kEnvelopeKey,           // "output":, but values are matched, decoded
  kUnboundedGap,          // two words any number of lines apart
  kCaseTrap,              // words of prose in one case only
  kNoLiteral,             // nothing to search for: tried on every value
  kUnfilledField,         // never there in an event type that the rule is for
  kSeverityInflation,     // more than half of a pack's rules page whoever is on call
  kNoTwin,                // no example of what looks alike and is harmless
  kUselessIgnore,         // `lint_ignore` of what does not stand there
};
inline constexpr std::size_t kLintCount = 10;
// "no-twin"; what `lint_ignore` takes.
std::span<const std::string_view> lint_names();
std::string_view name_of(Lint lint);

struct LintWarning {
  Lint lint = Lint::kNoTwin;
  std::string file;
  std::size_t line = 0;  // of the pattern where one is to blame, else of the rule
  std::size_t column = 0;
  std::string rule;
  std::string message;
  std::string remedy;
};

// By file, line and column.  What a rule's `lint_ignore` names is left out.
std::vector<LintWarning> lint(std::span<const Rule> rules, const PatternTable& patterns);

}  // namespace tocsin
