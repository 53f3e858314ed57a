// What several unit tests share: events from JSON, detectors from YAML, a reporter that remembers.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/decode/native.h"
#include "daemon/pipeline.h"
#include "daemon/policy.h"
#include "detectors/detector.h"
#include "detectors/flow/tracker.h"

namespace tocsin::testing {

// One native event as JSON; `fields` are members of the object, without braces.
inline std::string event_json(std::string_view type, std::string_view fields,
                              std::string_view session = "s1",
                              std::string_view time = "2026-01-05T08:00:00Z",
                              std::string_view system = "bot") {
  return fmt::format(R"({{"time":"{}","system":"{}","session_id":"{}","type":"{}"{}{}}})", time,
                     system, session, type, fields.empty() ? "" : ",", fields);
}

inline std::string call_json(std::string_view tool, std::string_view arguments,
                             std::string_view call_id = "c1", std::string_view session = "s1") {
  return event_json("tool_call",
                    fmt::format(R"("tool":{{"name":"{}","call_id":"{}","arguments":{}}})", tool,
                                call_id, arguments),
                    session);
}

inline std::string result_json(std::string_view tool, std::string_view result,
                               std::string_view call_id = "c1", std::string_view session = "s1") {
  return event_json(
      "tool_result",
      fmt::format(R"("tool":{{"name":"{}","call_id":"{}","result":{}}})", tool, call_id, result),
      session);
}

inline std::string guardrail_json(std::string_view name, std::string_view verdict,
                                  std::string_view call_id = "c1",
                                  std::string_view session = "s1") {
  return event_json(
      "guardrail",
      fmt::format(R"("guardrail":{{"name":"{}","target_call_id":"{}","verdict":"{}"}})", name,
                  call_id, verdict),
      session);
}

struct Report {
  std::size_t rule = 0;
  std::vector<std::pair<std::string, std::string>> evidence;  // field, text
  std::optional<Origin> origin;
};

class Recorder final : public Reporter {
 public:
  using Reporter::report;
  void report(std::size_t rule, std::span<const EvidenceView> evidence,
              std::span<const MessageView>) override {
    Report& made = reports.emplace_back();
    made.rule = rule;
    for (const EvidenceView& item : evidence) {
      made.evidence.emplace_back(item.field, item.text);
      if (!item.origin) continue;
      made.origin = Origin{.event_id = std::string(item.origin->event_id),
                           .seq = item.origin->seq,
                           .tool = std::string(item.origin->tool)};
    }
  }
  void count(std::size_t metric, std::string_view label) override {
    counts.emplace_back(metric, std::string(label));
  }
  std::vector<Report> reports;
  std::vector<std::pair<std::size_t, std::string>> counts;
};

inline EventContext with_effect(Effect effect) {
  EventContext context;
  context.tool.effect = effect;
  return context;
}

inline std::vector<std::size_t> rules_of(const std::vector<Report>& reports) {
  std::vector<std::size_t> out;
  for (const Report& report : reports) out.push_back(report.rule);
  return out;
}

// One detector with the sessions, by their ids, of one system.  Each session is followed
// (detectors/flow/tracker.h), unless the context given brings a flow.
class DetectorUnderTest {
 public:
  explicit DetectorUnderTest(std::string_view id, std::string options = "");

  // Feeds one event, and what others found in it; returns what the detector reported.
  std::vector<Report> feed(const std::string& json, const EventContext& context = {},
                           std::span<const FoundRule> findings = {});
  // The same, with what the profile says of the event's tool, else what its name says, as the
  // pipeline does it.  Null: a system without a profile.
  std::vector<Report> play(const std::string& json, const SystemProfile* profile = nullptr);
  // The session is over.
  void forget(std::string_view session) { sessions_.erase(std::string(session)); }
  // Of the session fed last.
  [[nodiscard]] std::size_t state_bytes() const { return state_->bytes(); }
  // Null: the detector keeps none.
  [[nodiscard]] const SystemState* system_state() const { return system_state_.get(); }
  // Metric and label of what the detector counted so far.
  [[nodiscard]] const std::vector<std::pair<std::size_t, std::string>>& counts() const {
    return counts_;
  }
  // The detector's gauges as "label=value".
  [[nodiscard]] std::vector<std::string> gauges() const;
  [[nodiscard]] const DetectorSpec& spec() const { return *spec_; }

 private:
  struct Followed {
    std::unique_ptr<DetectorState> state;
    flow::SessionMemory memory;
  };

  std::vector<Report> feed_event(const Event& event, const EventContext& context,
                                 std::span<const FoundRule> findings);

  const DetectorSpec* spec_ = nullptr;
  std::unique_ptr<const Detector> detector_;
  std::map<std::string, Followed, std::less<>> sessions_;
  flow::Tracker tracker_;
  DetectorState* state_ = nullptr;  // of the session fed last
  std::unique_ptr<SystemState> system_state_;
  std::vector<std::pair<std::size_t, std::string>> counts_;
  NativeDecoder decoder_;
  std::int64_t offset_ = 0;
};

// A policy from the text of one pack and any number of profiles; fails the test on any mistake in
// them.
std::shared_ptr<const Policy> make_policy(const std::string& pack,
                                          const std::vector<std::string>& profiles = {},
                                          const std::string& detector_options = "");

// A pipeline over a policy that keeps what it said.
class PipelineUnderTest final : public PipelineOutput {
 public:
  explicit PipelineUnderTest(const std::shared_ptr<const Policy>& policy,
                             PipelineOptions options = {});

  // As records of one partition, in one batch.
  void run(std::span<const std::string> payloads, std::int32_t partition = 0,
           bool replayed = false);
  void run(std::initializer_list<std::string> payloads) {
    run(std::span(payloads.begin(), payloads.size()));
  }

  void on_finding(const Finding& finding) override { findings.push_back(finding); }
  void on_rejected(const Record&, Reject reason) override { rejected.push_back(reason); }
  void on_demotion(const RuleDemotion& what, std::string_view rule,
                   std::string_view system) override {
    demotions.push_back(std::string(rule) + (what.lifted ? " no more" : "") + " in " +
                        std::string(system));
  }

  // The sum of a family's samples that carry all of these labels.
  double metric(std::string_view family, const metrics::Labels& labels = {});

  std::vector<Finding> findings;
  std::vector<Reject> rejected;
  std::vector<std::string> demotions;
  metrics::Registry registry;
  std::unique_ptr<Pipeline> pipeline;

 private:
  std::int64_t next_offset_ = 0;
};

// "rule@seq" of each, in order.
std::vector<std::string> brief(const std::vector<Finding>& findings);

}  // namespace tocsin::testing
