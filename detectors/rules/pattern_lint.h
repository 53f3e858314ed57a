// What is wrong with a pattern that RE2 accepts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "detectors/rules/lint.h"

namespace tocsin {

struct PatternUse {
  bool excludes = false;  // in `unless` or `none`: what it matches is let through
  bool prose = false;     // the field holds what people and models write
  bool searched = false;  // for it in every event
};

struct PatternFlaw {
  Lint lint = Lint::kNoLiteral;
  std::string message;
  std::string remedy;
};

// One flaw of a kind at most.  Prefers to miss one to calling a good pattern bad.
std::vector<PatternFlaw> lint_pattern(std::string_view pattern, const PatternUse& use);

}  // namespace tocsin
