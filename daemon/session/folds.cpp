#include "daemon/session/folds.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>

#include "daemon/text.h"

namespace tocsin {
namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const std::array<std::uint64_t, 2> both = {a, b};
  return hash64({reinterpret_cast<const char*>(both.data()), sizeof(both)});
}

}  // namespace

FindingFolds::Fold* FindingFolds::find(std::uint64_t key) {
  const auto found = std::ranges::find(folds_, key, &Fold::key);
  return found == folds_.end() ? nullptr : &*found;
}

FindingFolds::Verdict FindingFolds::admit(const Match& match) {
  const std::uint64_t group = mix(match.rule, match.tool);
  std::uint64_t key = mix(group, match.evidence);
  Fold* fold = find(key);
  if (fold == nullptr) {
    const auto distinct = std::ranges::count(folds_, group, &Fold::group);
    if (static_cast<std::size_t>(distinct) >= kDistinctMax) {
      key = group;
      fold = find(key);
    }
  }
  if (fold == nullptr) {
    const Repeats alone{.count = 1,
                        .first_time = match.time,
                        .first_offset = match.offset,
                        .first_finding_id = std::string(match.finding_id)};
    if (folds_.size() < kFoldsMax) {
      folds_.push_back({.key = key,
                        .group = group,
                        .count = 1,
                        .first_time = match.time,
                        .told_time = match.time,
                        .first_offset = match.offset,
                        .first_finding_id = alone.first_finding_id});
    }
    return {.tell = true, .repeats = alone};
  }
  ++fold->count;
  const bool tell = std::has_single_bit(fold->count) || match.time - fold->told_time >= kTellEvery;
  if (!tell) return {.tell = false, .repeats = {}};
  fold->told_time = match.time;
  return {.tell = true,
          .repeats = {.count = fold->count,
                      .first_time = fold->first_time,
                      .first_offset = fold->first_offset,
                      .first_finding_id = fold->first_finding_id}};
}

std::size_t FindingFolds::bytes() const {
  constexpr std::size_t kIdBytes = 48;  // of an id that does not fit into the string itself
  return folds_.capacity() * sizeof(Fold) + folds_.size() * kIdBytes;
}

}  // namespace tocsin
