// The whole pipeline over a list of events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bench/timing.h"
#include "daemon/pipeline.h"

namespace tocsin::bench {

// Keeps nothing but numbers; findings are written out, as sending them would do.
class Counting final : public Reporter, public PipelineOutput {
 public:
  static constexpr std::string_view kRules = "rules";  // Finding::detector of what rules find

  using Reporter::report;
  void report(std::size_t, std::span<const EvidenceView>, std::span<const MessageView>) override {
    ++count;
  }
  void on_finding(const Finding& finding) override {
    ++count;
    if (finding.detector == kRules) rule = finding.rule;
    bytes += to_json(finding).size();
  }
  void on_rejected(const Record&, Reject) override {
    throw std::runtime_error("an invented event is none");
  }
  std::size_t count = 0;
  std::size_t bytes = 0;
  std::string rule;  // of the last finding that a rule made
};

// A pipeline without a broker.
class PipelineRun {
 public:
  explicit PipelineRun(const std::shared_ptr<const Policy>& policy);

  // Forgets all sessions: or a second pass over the same events would look like a loop.
  void begin();
  // One batch.
  void run(std::span<const std::string> events);

  [[nodiscard]] const Counting& counting() const { return counting_; }

 private:
  metrics::Registry registry_;
  Pipeline pipeline_;
  Counting counting_;
  std::vector<Record> batch_;
  std::int64_t offset_ = 0;
};

// Nanoseconds an event.  `found`: gets the rule of the last finding that a rule made.
double pipeline_ns(const Timing& timing, const std::shared_ptr<const Policy>& policy,
                   const std::vector<std::string>& events, std::string* found = nullptr);

}  // namespace tocsin::bench
