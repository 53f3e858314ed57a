#pragma once
#include <cmath>
#include <array>
#include <cstdlib>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
namespace tocsin::validate {
struct Argument { std::vector<std::string> words; };
class Validator { public: std::function<bool(std::string_view)> f; bool operator()(std::string_view s) const { return f(s); } };
inline std::span<const std::string_view> names() { static constexpr std::array<std::string_view,1> n = {"luhn"}; return n; }
inline std::expected<Validator, std::string> make(std::string_view name, const Argument& a) {
  if (name == "entropy") { double want = std::atof(a.words[0].c_str()); return Validator{[want](std::string_view s) { std::array<int,256> c{}; for (unsigned char ch : s) c[ch]++; double e = 0; for (int n : c) if (n) { double p = double(n) / double(s.size()); e -= p * std::log2(p); } return e >= want; }}; }
  return Validator{[](std::string_view) { return true; }};
}
}
