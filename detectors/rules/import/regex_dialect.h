// Patterns written for other engines, as RE2 reads them.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace tocsin {

// Go's regexp is RE2 but for `(?<name>...)`, which older RE2 spells `(?P<name>...)`.
std::string re2_from_go(std::string_view pattern);

// ECMAScript's, as a RegExp with the flag `i` would read it: \u escapes, named groups, `[^]` and
// brackets in classes rewritten.  Leading inline flags are dropped, since Agent Threat Rules'
// reference engine drops them.  The error says what RE2 cannot do: look-around, back-references,
// half a surrogate pair.  What is left may still be refused by RE2 itself.
std::expected<std::string, std::string> re2_from_ecmascript(std::string_view pattern);

// The JSON key that a pattern cannot match without: `"key"\s*:` outside of all groups of a pattern
// without alternatives.  Empty when there is none.  Values are matched decoded and one by one, so
// that a key of the arguments' serialised form is never there.
std::string json_key_demanded(std::string_view pattern);

}  // namespace tocsin
