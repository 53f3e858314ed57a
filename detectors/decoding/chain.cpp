#include "detectors/decoding/chain.h"

#include <algorithm>

#include "daemon/check.h"

namespace tocsin::decoding {
namespace {

constexpr std::array<std::string_view, kStepCount> kNames = {"unicode", "tags",   "spacing", "url",
                                                             "html",    "escape", "base64",  "hex"};

}  // namespace

std::span<const std::string_view> step_names() { return kNames; }

std::optional<Step> step_named(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Step>(found - kNames.begin());
}

bool Chain::contains(Step step) const {
  const auto steps = std::span(steps_).first(size_);
  return std::ranges::find(steps, step) != steps.end();
}

Chain Chain::then(Step step) const {
  CHECK(size_ < kStepsMax);
  Chain longer = *this;
  longer.steps_[longer.size_++] = step;
  return longer;
}

std::string Chain::to_string() const {
  std::string out;
  for (const Step step : std::span(steps_).first(size_)) {
    if (!out.empty()) out += '+';
    out += kNames[static_cast<std::size_t>(step)];
  }
  return out;
}

}  // namespace tocsin::decoding
