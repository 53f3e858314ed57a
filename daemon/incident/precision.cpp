#include "daemon/incident/precision.h"

#include <algorithm>

#include "daemon/text.h"

namespace tocsin::incident {

RulePrecision::Change RulePrecision::judge(std::string_view rule, std::string_view what,
                                           Judgement judgement) {
  auto found = rules_.find(rule);
  if (found == rules_.end()) {
    if (rules_.size() >= limits_.rules_max) return Change::kNone;
    found = rules_.emplace(rule, Judged{}).first;
  }
  Judged& judged = found->second;
  const Judged::Item item{.what = hash64(what), .right = judgement != Judgement::kFalsePositive};
  const auto before = std::ranges::find(judged.window, item.what, &Judged::Item::what);
  if (before != judged.window.end()) {
    judged.right -= before->right ? 1 : 0;
    *before = item;
  } else {
    judged.window.push_back(item);
  }
  judged.right += item.right ? 1 : 0;
  if (judged.window.size() > limits_.window) {
    judged.right -= judged.window.front().right ? 1 : 0;
    judged.window.pop_front();
  }
  const bool demoted =
      judged.window.size() >= limits_.judgements_min &&
      static_cast<double>(judged.right) < limits_.floor * static_cast<double>(judged.window.size());
  if (demoted == judged.demoted) return Change::kNone;
  judged.demoted = demoted;
  return demoted ? Change::kDemoted : Change::kLifted;
}

bool RulePrecision::demoted(std::string_view rule) const {
  const auto found = rules_.find(rule);
  return found != rules_.end() && found->second.demoted;
}

std::optional<double> RulePrecision::precision(std::string_view rule) const {
  const auto found = rules_.find(rule);
  if (found == rules_.end()) return std::nullopt;
  return static_cast<double>(found->second.right) /
         static_cast<double>(found->second.window.size());
}

}  // namespace tocsin::incident
