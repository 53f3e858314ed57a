#include "daemon/incident/judgements.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "daemon/incident/json_fields.h"
#include "daemon/text.h"

namespace tocsin::incident {
namespace {

constexpr std::size_t kHashDigits = 16;

std::optional<std::uint64_t> hash_of(std::string_view digits) {
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, 16);
  if (digits.size() != kHashDigits || error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

void keep_latest(Judged& judged) {
  std::ranges::stable_sort(judged, {}, &JudgedFinding::time);
  if (judged.size() <= Judgements::kWindow) return;
  judged.erase(judged.begin(), judged.end() - Judgements::kWindow);
}

}  // namespace

std::string to_json(std::string_view rule, const Judged& judged) {
  nlohmann::ordered_json json = {{"rule", rule}, {"judged", nlohmann::ordered_json::array()}};
  for (const JudgedFinding& each : judged) {
    json["judged"].push_back({{"what", fmt::format("{:016x}", each.what)},
                              {"time", format_time(each.time)},
                              {"right", each.right}});
  }
  return json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::expected<RuleJudged, RecordReject> JudgedReader::read(std::string_view bytes) {
  std::optional<RecordReject> error;
  const auto root = parse_record(parser_, bytes, kBytesMax, error);
  if (!root) return std::unexpected(*error);
  JsonFields fields(*root, error);
  RuleJudged out;
  out.rule = fields.text("rule");
  if (out.rule.size() > Judgements::kRuleBytesMax) fields.fail(RecordReject::kTooLarge);
  fields.each("judged", Judgements::kWindow, [&](const JsonFields::Element& element) {
    JsonFields item(element, error);
    const auto what = hash_of(item.text("what"));
    if (!what) return item.fail(RecordReject::kWrongType);
    out.judged.push_back({.what = *what, .time = item.time("time"), .right = item.flag("right")});
  });
  if (error) return std::unexpected(*error);
  keep_latest(out.judged);
  return out;
}

const Judged* Judgements::judge(std::string_view rule, std::string_view what, Judgement judgement,
                                EventTime time) {
  auto found = rules_.find(rule);
  if (found == rules_.end()) {
    if (rules_.size() >= kRulesMax || rule.size() > kRuleBytesMax) return nullptr;
    found = rules_.emplace(rule, Judged{}).first;
  }
  Judged& judged = found->second;
  const JudgedFinding said{
      .what = hash64(what), .time = time, .right = judgement != Judgement::kFalsePositive};
  const auto before = std::ranges::find(judged, said.what, &JudgedFinding::what);
  if (before == judged.end()) {
    judged.push_back(said);
  } else if (*before == said || said.time < before->time) {
    return nullptr;
  } else {
    *before = said;
  }
  keep_latest(judged);
  return &judged;
}

void Judgements::restore(std::string_view rule, Judged judged) {
  if (judged.empty()) {
    if (const auto found = rules_.find(rule); found != rules_.end()) rules_.erase(found);
    return;
  }
  if (!rules_.contains(rule) && rules_.size() >= kRulesMax) return;
  rules_.insert_or_assign(std::string(rule), std::move(judged));
}

}  // namespace tocsin::incident
