// The named character classes of RE2.  Source: its doc/syntax.txt.
#pragma once

#include <array>
#include <string_view>

namespace tocsin::matcher {

struct NamedClass {
  std::string_view name;
  std::string_view ranges;  // pairs of first and last; ASCII
};

// [:name:]
inline constexpr auto kPosixClasses = std::to_array<NamedClass>({{"alnum", "09AZaz"},
                                                                 {"alpha", "AZaz"},
                                                                 {"ascii", {"\x00\x7F", 2}},
                                                                 {"blank", "\t\t  "},
                                                                 {"cntrl", {"\x00\x1F\x7F\x7F", 4}},
                                                                 {"digit", "09"},
                                                                 {"graph", "!~"},
                                                                 {"lower", "az"},
                                                                 {"print", " ~"},
                                                                 {"punct", "!/:@[`{~"},
                                                                 {"space", "\t\r  "},
                                                                 {"upper", "AZ"},
                                                                 {"word", "09AZaz__"},
                                                                 {"xdigit", "09AFaf"}});
// \d \s \w; \s is not \v.
inline constexpr auto kPerlClasses =
    std::to_array<NamedClass>({{"d", "09"}, {"s", "\t\n\f\r  "}, {"w", "09AZaz__"}});

}  // namespace tocsin::matcher
