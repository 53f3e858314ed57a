#include "bench/pipeline_run.h"

#include <algorithm>
#include <cstdint>

namespace tocsin::bench {
namespace {

constexpr std::size_t kBatch = 500;

}  // namespace

double pipeline_ns(const Timing& timing, const std::shared_ptr<const Policy>& policy,
                   const std::vector<std::string>& events, std::string* found) {
  metrics::Registry registry;
  Pipeline pipeline(
      {.policy = policy, .metrics = std::make_shared<const PolicyMetrics>(registry, *policy)},
      {.decode = {},
       .sessions = {},
       .now = {},
       .rule_watch = RuleWatchLimits{},
       .topic_label = "bench"},
      std::make_shared<const Redactor>(Redactor::random_key()), registry);
  Counting counting;
  std::vector<Record> batch;
  std::int64_t offset = 0;
  const double ns = best_ns(timing, events.size(), [&] {
    pipeline.forget_partition("bench", 0);  // or the second pass would look like a loop
    for (std::size_t begin = 0; begin < events.size(); begin += kBatch) {
      batch.clear();
      for (std::size_t i = begin; i < std::min(begin + kBatch, events.size()); ++i) {
        batch.push_back({.payload = events[i],
                         .source = {.topic = "bench", .partition = 0, .offset = offset++}});
      }
      pipeline.run(batch, counting);
    }
  });
  if (found != nullptr) *found = counting.rule;
  return ns;
}

}  // namespace tocsin::bench
