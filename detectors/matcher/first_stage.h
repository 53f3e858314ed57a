#pragma once
#include <expected>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>
namespace tocsin::matcher {
struct Pattern { std::string text; enum class Kind { kRegex, kLiteral } kind; };
class FirstStage { public: struct Scratch {}; std::size_t n = 0;
 static std::expected<std::unique_ptr<const FirstStage>, std::string> compile(std::span<const Pattern> p, const std::filesystem::path&) { auto f = std::make_unique<FirstStage>(); f->n = p.size(); return f; }
 void scan(std::string_view, Scratch&, std::vector<std::uint32_t>& out) const { for (std::uint32_t i = 0; i < n; ++i) out.push_back(i); } };
}
