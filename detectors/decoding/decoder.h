#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
namespace tocsin::decoding {
enum class Step : std::uint8_t { kUnicode, kTags, kSpacing, kUrl, kHtml, kEscape, kBase64, kHex };
inline constexpr std::array<std::string_view, 8> kN = {"unicode","tags","spacing","url","html","escape","base64","hex"};
inline std::span<const std::string_view> step_names() { return kN; }
inline std::optional<Step> step_named(std::string_view n) { for (std::size_t i = 0; i < 8; ++i) if (kN[i] == n) return static_cast<Step>(i); return {}; }
struct Chain { bool empty() const { return true; } bool contains(Step) const { return false; } std::string to_string() const { return {}; } };
struct View { std::string_view text; Chain chain; };
struct Limits {};
class Decoder { public: explicit Decoder(Limits = {}) {} void begin_event() {} void decode(std::string_view, std::vector<View>&) {} bool exhausted() const { return false; } };
}
