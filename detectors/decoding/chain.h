// Through which decodings a text was seen, outermost first: "base64+url".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tocsin::decoding {

// What each of them undoes stands in steps.h.
enum class Step : std::uint8_t {
  kUnicode,
  kTags,
  kSpacing,
  kUrl,
  kHtml,
  kEscape,
  kBase64,
  kHex,
};

inline constexpr std::size_t kStepCount = 8;

// The names rules (`through: [base64]`) and findings use, in the order of `Step`.
std::span<const std::string_view> step_names();
std::optional<Step> step_named(std::string_view name);

// A small value: eight bytes, compared and copied as such.
class Chain {
 public:
  static constexpr std::size_t kStepsMax = 7;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  // The chain must not be empty.
  [[nodiscard]] Step back() const { return steps_[size_ - 1U]; }
  [[nodiscard]] bool contains(Step step) const;
  // This chain and one step more; there must be room.
  [[nodiscard]] Chain then(Step step) const;
  // Names joined by '+'; empty for the empty chain.
  [[nodiscard]] std::string to_string() const;

  bool operator==(const Chain&) const = default;

 private:
  std::array<Step, kStepsMax> steps_{};
  std::uint8_t size_ = 0;
};
static_assert(sizeof(Chain) == 8);

}  // namespace tocsin::decoding
