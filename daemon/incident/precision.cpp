#include "daemon/incident/precision.h"

#include <algorithm>
#include <utility>

namespace tocsin::incident {

void RulePrecision::set(std::int32_t partition, std::string_view rule, Judged judged) {
  const auto found = rules_.find(rule);
  if (!judged.empty()) {
    ByPartition& all = found == rules_.end() ? rules_[std::string(rule)] : found->second;
    all.insert_or_assign(partition, std::move(judged));
  } else if (found != rules_.end()) {
    found->second.erase(partition);
    if (found->second.empty()) rules_.erase(found);
  }
}

std::map<std::string, Precision, std::less<>> RulePrecision::at(EventTime now) const {
  std::map<std::string, Precision, std::less<>> out;
  for (const auto& [rule, partitions] : rules_) {
    Judged all;
    for (const auto& [partition, judged] : partitions) {
      std::ranges::copy_if(judged, std::back_inserter(all), [&](const JudgedFinding& each) {
        return each.time + limits_.age_max > now;
      });
    }
    if (all.empty()) continue;
    std::ranges::stable_sort(all, std::ranges::greater(), &JudgedFinding::time);
    if (all.size() > Judgements::kWindow) all.resize(Judgements::kWindow);
    out.emplace(rule, Precision{.right = static_cast<std::size_t>(
                                    std::ranges::count(all, true, &JudgedFinding::right)),
                                .judged = all.size()});
  }
  return out;
}

RuleNames RulePrecision::demoted(const std::map<std::string, Precision, std::less<>>& all) const {
  RuleNames out;
  for (const auto& [rule, precision] : all) {
    if (precision.judged >= limits_.judgements_min && precision.ratio() < limits_.floor) {
      out.insert(rule);
    }
  }
  return out;
}

}  // namespace tocsin::incident
