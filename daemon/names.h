// Words of a closed list, by the enumeration they stand for.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

namespace tocsin {

// The enumerator at the position of `name` among `names`; nothing: it is none of them.
template <typename Enum>
std::optional<Enum> named(std::span<const std::string_view> names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace tocsin
