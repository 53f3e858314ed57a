// RE2's dialect in Vectorscan's: what differs, and what is done about it.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::matcher {

// A Vectorscan expression that matches wherever the RE2 pattern does, and perhaps elsewhere too.
// To be compiled with UTF8 and MULTILINE, and run over values joined by newlines.
//
// Both are close to PCRE.  Where they differ, the wider reading is written out:
//   \A, \z          text ends -> line ends, since values are joined
//   \s, \S          RE2 leaves the vertical tab out of space
//   \w, [[:word:]]  under (?i) RE2 folds: U+017F (long s) and U+212A (Kelvin sign) are letters
//   (..){2,9}       counted groups become `*` or `+`, and long upper bounds of single characters
//   go:
//                   counting is what makes automata large, and RE2 counts anyway
// `^` and `$` need nothing: MULTILINE makes them wider.  What Vectorscan does not know (\C, (?U))
// is left as it stands, for it to refuse.
//
// `counting` false: no repeat is counted at all, for patterns that are too large otherwise.
std::string to_vectorscan(std::string_view re2_pattern, bool counting = true);

}  // namespace tocsin::matcher
