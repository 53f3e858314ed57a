#pragma once
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
namespace tocsin::validate {
struct Found { std::size_t begin, end; };
struct UrlCondition { std::vector<std::string> schemes, hosts, domains, not_domains;
 std::expected<void,std::string> add_port(std::string_view) { return {}; } std::expected<void,std::string> add_address(std::string_view) { return {}; }
 std::optional<Found> find(std::string_view) const { return {}; } };
}
