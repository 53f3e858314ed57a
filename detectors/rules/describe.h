// A condition in words, for a person who wants to know what a rule asks.
#pragma once

#include <string>
#include <vector>

#include "detectors/rules/condition.h"
#include "detectors/rules/pattern_table.h"

namespace tocsin {

inline constexpr std::size_t kLiteralsDescribed = 12;  // of one test; the rest is counted

// A tree, two spaces a level, macros unfolded.  Texts stand as the pack has them (literals in lower
// case): what shows them makes them printable.  Arguments of validators are not kept, nor are
// address classes.
std::vector<std::string> describe(const Condition& condition, const PatternTable& patterns);

}  // namespace tocsin
