#pragma once
#include <expected>
#include <string>
#include <string_view>
namespace tocsin {
inline std::expected<void, std::string> check_tag(std::string_view) { return {}; }
}  // namespace tocsin
