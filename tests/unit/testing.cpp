#include "tests/unit/testing.h"

#include <algorithm>
#include <sstream>

#include "daemon/text.h"
#include "detectors/session/tool_context.h"
#include "tests/unit/catch.h"
#include "tests/unit/temp_dir.h"

namespace tocsin::testing {
DetectorUnderTest::DetectorUnderTest(std::string_view id, std::string options) {
  const auto specs = detector_specs();
  const auto found =
      std::ranges::find(specs, id, [](const DetectorSpec* spec) { return spec->id; });
  REQUIRE(found != specs.end());
  spec_ = *found;
  Diagnostics diagnostics;
  const auto document = yaml::parse("options.yaml", std::move(options), diagnostics);
  REQUIRE(document.has_value());
  yaml::ReadContext context(diagnostics);
  yaml::MapReader reader(document->root.get(), "", context);
  detector_ = spec_->make(reader);
  reader.finish();
  REQUIRE_FALSE(diagnostics.has_errors());
  system_state_ = detector_->new_system_state();
  // One that nothing happened in, for who asks before the first event.
  state_ =
      sessions_
          .emplace("", Followed{.state = detector_->new_state(), .memory = flow::SessionMemory(0)})
          .first->second.state.get();
}

std::vector<Report> DetectorUnderTest::feed(const std::string& json, const EventContext& context,
                                            std::span<const FoundRule> findings) {
  CAPTURE(json);
  const auto event = decoder_.decode(json, {.topic = "test", .partition = 0, .offset = ++offset_});
  REQUIRE(event.has_value());
  return feed_event(**event, context, findings);
}

std::vector<Report> DetectorUnderTest::play(const std::string& json, const SystemProfile* profile) {
  CAPTURE(json);
  const auto event = decoder_.decode(json, {.topic = "test", .partition = 0, .offset = ++offset_});
  REQUIRE(event.has_value());
  EventContext context;
  context.profile = profile;
  context.tool = session::tool_context(**event, profile);
  return feed_event(**event, context, {});
}

std::vector<Report> DetectorUnderTest::feed_event(const Event& event, const EventContext& context,
                                                  std::span<const FoundRule> findings) {
  Recorder recorder;
  EventContext own = context;
  if (own.seq == 0) own.seq = event.seq.value_or(static_cast<std::uint64_t>(offset_));
  own.system_state = system_state_.get();
  REQUIRE_FALSE(event.session_id.empty());
  auto session = sessions_.find(event.session_id);
  if (session == sessions_.end()) {
    session = sessions_
                  .emplace(std::string(event.session_id),
                           Followed{.state = detector_->new_state(),
                                    .memory = flow::SessionMemory(hash64(event.session_id))})
                  .first;
  }
  if (own.flow == nullptr) own.flow = &tracker_.follow(event, own, session->second.memory);
  state_ = session->second.state.get();
  detector_->on_event(event, own, *state_, recorder);
  detector_->on_findings(event, own, findings, *state_, recorder);
  counts_.insert(counts_.end(), recorder.counts.begin(), recorder.counts.end());
  return recorder.reports;
}

std::vector<std::string> DetectorUnderTest::gauges() const {
  std::vector<std::string> out;
  system_state_->gauges([&](std::size_t, std::string_view label, double value) {
    out.push_back(fmt::format("{}={}", label, value));
  });
  return out;
}

std::shared_ptr<const Policy> make_policy(const std::string& pack,
                                          const std::vector<std::string>& profiles,
                                          const std::string& detector_options) {
  const TempDir folder;
  PolicySources sources;
  sources.owner_needed = false;
  if (!pack.empty()) sources.packs.push_back(folder.write("pack.yaml", pack));
  for (std::size_t i = 0; i < profiles.size(); ++i) {
    sources.systems.push_back(folder.write("system-" + std::to_string(i) + ".yaml", profiles[i]));
  }
  Diagnostics diagnostics;
  const auto options = yaml::parse("detectors.yaml", detector_options, diagnostics);
  REQUIRE(options.has_value());
  sources.detector_options = options->root.get();
  auto policy = Policy::load(sources, diagnostics);
  std::ostringstream mistakes;
  print(mistakes, diagnostics, false);
  INFO(mistakes.str());
  REQUIRE(policy != nullptr);
  return policy;
}

PipelineUnderTest::PipelineUnderTest(const std::shared_ptr<const Policy>& policy,
                                     PipelineOptions options) {
  const PolicySnapshot snapshot{
      .policy = policy, .metrics = std::make_shared<const PolicyMetrics>(registry, *policy)};
  pipeline = std::make_unique<Pipeline>(
      snapshot, std::move(options),
      std::make_shared<const Redactor>(Redactor::key_from_secret("test")), registry);
}

void PipelineUnderTest::run(std::span<const std::string> payloads, std::int32_t partition,
                            bool replayed) {
  std::vector<Record> batch;
  for (const std::string& payload : payloads) {
    batch.push_back(
        {.payload = payload,
         .source = {.topic = "events", .partition = partition, .offset = next_offset_++},
         .replayed = replayed});
  }
  pipeline->run(batch, *this);
  pipeline->publish_gauges();
}

double PipelineUnderTest::metric(std::string_view family, const metrics::Labels& labels) {
  double sum = 0;
  for (const auto& exported : registry.collect()) {
    if (exported.name != family) continue;
    for (const auto& sample : exported.metric) {
      const bool wanted = std::ranges::all_of(labels, [&](const auto& label) {
        return std::ranges::any_of(sample.label, [&](const auto& has) {
          return has.name == label.first && has.value == label.second;
        });
      });
      if (!wanted) continue;
      sum += exported.type == prometheus::MetricType::Histogram
                 ? static_cast<double>(sample.histogram.sample_count)
                 : sample.counter.value + sample.gauge.value;
    }
  }
  return sum;
}

std::vector<std::string> brief(const std::vector<Finding>& findings) {
  std::vector<std::string> out;
  for (const Finding& finding : findings) {
    out.push_back(fmt::format("{}@{}", finding.rule, finding.seq));
  }
  return out;
}

}  // namespace tocsin::testing
