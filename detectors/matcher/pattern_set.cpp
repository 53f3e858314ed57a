#include "detectors/matcher/pattern_set.h"

#include <re2/stringpiece.h>

#include "daemon/check.h"

namespace tocsin::matcher {

std::expected<std::unique_ptr<re2::RE2>, std::string> PatternSet::compile_one(
    std::string_view regex) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternBytesMax);
  auto compiled = std::make_unique<re2::RE2>(re2::StringPiece(regex.data(), regex.size()), options);
  if (!compiled->ok()) return std::unexpected(compiled->error());
  return compiled;
}

PatternSet::PatternSet(std::span<const std::string> patterns) {
  for (const std::string& pattern : patterns) {
    auto compiled = compile_one(pattern);
    CHECK(compiled.has_value());
    patterns_.push_back(std::move(*compiled));
  }
}

void PatternSet::scan(std::string_view text, std::vector<Match>& out) const {
  const re2::StringPiece piece(text.data(), text.size());
  for (std::uint32_t i = 0; i < patterns_.size(); ++i) {
    // Asking for the position costs a second pass, so ask only where there is a match.
    if (!patterns_[i]->Match(piece, 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0)) continue;
    re2::StringPiece found;
    CHECK(patterns_[i]->Match(piece, 0, text.size(), re2::RE2::UNANCHORED, &found, 1));
    const auto begin = static_cast<std::size_t>(found.data() - text.data());
    out.push_back({.pattern = i, .begin = begin, .end = begin + found.size()});
  }
}

}  // namespace tocsin::matcher
