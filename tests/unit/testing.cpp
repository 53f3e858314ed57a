#include "tests/unit/testing.h"

#include <algorithm>
#include <sstream>

#include "tests/unit/catch.h"
#include "tests/unit/metric_text.h"
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
  state_ = detector_->new_state();
}

std::vector<Report> DetectorUnderTest::feed(const std::string& json, const EventContext& context) {
  CAPTURE(json);
  const auto event = decoder_.decode(json, {.topic = "test", .partition = 0, .offset = ++offset_});
  REQUIRE(event.has_value());
  Recorder recorder;
  EventContext with_seq = context;
  if (with_seq.seq == 0) with_seq.seq = static_cast<std::uint64_t>(offset_);
  detector_->on_event(**event, with_seq, *state_, recorder);
  return recorder.reports;
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
}

double PipelineUnderTest::metric(std::string_view family, const metrics::Labels& labels) {
  return metric_in(registry.text(), family, labels).value_or(0);
}

std::vector<std::string> brief(const std::vector<Finding>& findings) {
  std::vector<std::string> out;
  for (const Finding& finding : findings) {
    out.push_back(fmt::format("{}@{}", finding.rule, finding.seq));
  }
  return out;
}

}  // namespace tocsin::testing
