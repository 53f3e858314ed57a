#include "daemon/precision_follower.h"

#include <algorithm>
#include <chrono>

namespace tocsin {
namespace {

// How long one turn waits for something new; also how soon a stop is seen.
constexpr std::chrono::milliseconds kWait{500};

EventTime now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace

std::expected<std::unique_ptr<PrecisionFollower>, std::string> PrecisionFollower::create(
    const Config& config, std::vector<std::string> rules, OnChange on_change,
    metrics::Registry& registry) {
  std::unique_ptr<PrecisionFollower> follower(
      new PrecisionFollower(config, std::move(on_change), registry));
  auto source = CompactedFollower::create(config.kafka, config.topics.judgements, "judgements");
  if (!source) return std::unexpected(source.error());
  follower->source_ = std::move(*source);
  follower->adopt(std::move(rules));
  return follower;
}

PrecisionFollower::PrecisionFollower(const Config& config, OnChange on_change,
                                     metrics::Registry& registry)
    : config_(config),
      on_change_(std::move(on_change)),
      registry_(registry),
      shard_(registry.make_shard()),
      precision_(config.rules.precision),
      lowered_(std::make_shared<const incident::RuleNames>()) {}

void PrecisionFollower::adopt(std::vector<std::string> rules) {
  const std::lock_guard lock(pending_mutex_);
  pending_ = std::move(rules);
}

bool PrecisionFollower::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) turn(now());
  return true;
}

void PrecisionFollower::turn(EventTime now) {
  const auto polled = source_->poll(
      kWait, [this](std::int32_t partition, std::string_view key, const std::string_view* payload) {
        take(partition, key, payload);
      });
  if (!polled) {
    const log::Sampler::Verdict verdict = sampler_.admit("read");
    if (verdict.log) {
      log::warn("judgements.read", "judgements cannot be read; trying again",
                {{"topic", config_.topics.judgements},
                 {"error", polled.error()},
                 {"suppressed", verdict.suppressed}});
    }
  }
  publish(now);
}

void PrecisionFollower::take(std::int32_t partition, std::string_view key,
                             const std::string_view* payload) {
  if (payload == nullptr) return precision_.set(partition, key, {});
  auto judged = reader_.read(*payload);
  if (judged && judged->rule == key) {
    return precision_.set(partition, key, std::move(judged->judged));
  }
  const log::Sampler::Verdict verdict = sampler_.admit("record");
  if (!verdict.log) return;
  log::error("judgements.unreadable", "a record of judgements is none of ours and is passed over",
             {{"topic", config_.topics.judgements},
              {"partition", partition},
              {"reason", judged ? "key" : incident::name_of(judged.error())},
              {"suppressed", verdict.suppressed}});
}

void PrecisionFollower::publish(EventTime now) {
  bool all = false;
  {
    const std::lock_guard lock(pending_mutex_);
    if (pending_) {
      rules_ = std::move(*pending_);
      pending_.reset();
      all = true;
    }
  }
  auto known = precision_.at(now);
  if (!all && known == known_) return;
  known_ = std::move(known);
  auto lowered = precision_.demoted(known_);
  for (const std::string& rule : rules_) {
    const auto found = known_.find(rule);
    const incident::Precision told = found == known_.end() ? incident::Precision{} : found->second;
    shard_.set_ratio(registry_.gauge("tocsin_rule_precision_ratio",
                                     "True positives among the rule's judged findings; NaN: none "
                                     "judged.",
                                     {{"rule", rule}}, metrics::Merge::kRatio),
                     static_cast<double>(told.right), static_cast<double>(told.judged));
    shard_.set(
        registry_.gauge("tocsin_rule_demoted", "", {{"rule", rule}, {"reason", "precision"}}),
        lowered.contains(rule) ? 1 : 0);
  }
  if (lowered == *lowered_) return;
  say(*lowered_, lowered);
  lowered_ = std::make_shared<const incident::RuleNames>(std::move(lowered));
  if (config_.rules.demote) on_change_(lowered_);
}

void PrecisionFollower::say(const incident::RuleNames& before,
                            const incident::RuleNames& after) const {
  for (const std::string& rule : after) {
    if (before.contains(rule)) continue;
    const incident::Precision& told = known_.at(rule);
    log::warn(
        "rule.demoted",
        config_.rules.demote
            ? "people say that a rule is wrong too often: its findings are told one severity "
              "lower until it is right again"
            : "people say that a rule is wrong too often; rules.demote is off, so nothing "
              "changes",
        {{"rule", rule}, {"reason", "precision"}, {"right", told.right}, {"judged", told.judged}});
  }
  for (const std::string& rule : before) {
    if (after.contains(rule)) continue;
    log::info("rule.restored", "a demoted rule is itself again",
              {{"rule", rule}, {"reason", "precision"}});
  }
}

}  // namespace tocsin
