#include "bench/pipeline_run.h"

#include <algorithm>

namespace tocsin::bench {
namespace {

constexpr std::size_t kBatch = 500;

}  // namespace

PipelineRun::PipelineRun(const std::shared_ptr<const Policy>& policy)
    : pipeline_(
          {.policy = policy, .metrics = std::make_shared<const PolicyMetrics>(registry_, *policy)},
          {.decode = {},
           .sessions = {},
           .now = {},
           .rule_watch = RuleWatchLimits{},
           .topic_label = "bench"},
          std::make_shared<const Redactor>(Redactor::random_key()), registry_) {}

void PipelineRun::begin() { pipeline_.forget_partition("bench", 0); }

void PipelineRun::run(std::span<const std::string> events) {
  batch_.clear();
  for (const std::string& event : events) {
    batch_.push_back(
        {.payload = event, .source = {.topic = "bench", .partition = 0, .offset = offset_++}});
  }
  pipeline_.run(batch_, counting_);
}

double pipeline_ns(const Timing& timing, const std::shared_ptr<const Policy>& policy,
                   const std::vector<std::string>& events, std::string* found) {
  PipelineRun pipeline(policy);
  const double ns = best_ns(timing, events.size(), [&] {
    pipeline.begin();
    const std::span<const std::string> all = events;
    for (std::size_t begin = 0; begin < all.size(); begin += kBatch) {
      pipeline.run(all.subspan(begin, std::min(kBatch, all.size() - begin)));
    }
  });
  if (found != nullptr) *found = pipeline.counting().rule;
  return ns;
}

}  // namespace tocsin::bench
