#include "daemon/metrics/policy_metrics.h"

#include <string>

namespace tocsin {
namespace {

using metrics::Labels;
using metrics::Registry;

// From event time: agents buffer, gateways batch, collectors export every few seconds.
constexpr std::array<double, 14> kDetectionBounds = {0.01, 0.05, 0.1, 0.25, 0.5, 1,    2.5,
                                                     5,    10,   30,  60,   300, 1800, 7200};

PolicyMetrics::ToolIds tool_ids(Registry& registry, std::string_view system, std::string_view tool,
                                Effect effect, bool inferred) {
  const Labels labels = {{"system", std::string(system)},
                         {"tool", std::string(tool)},
                         {"effect", std::string(name_of(effect))},
                         {"effect_source", inferred ? "inferred" : "declared"}};
  return {.calls = registry.counter("tocsin_tool_calls_total",
                                    "Tool calls seen; effect_source says whether the profile "
                                    "declares the effect or it was inferred from the tool's name.",
                                    labels),
          .unsafe_calls =
              registry.counter("tocsin_unsafe_tool_calls_total",
                               "Tool calls with a finding at severity high or above.", labels)};
}

PolicyMetrics::System system_ids(Registry& registry, std::string_view name,
                                 const SystemProfile* profile,
                                 std::span<const RuleInfo> reportable) {
  PolicyMetrics::System ids;
  const std::string system(name);
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    ids.events[i] =
        registry.counter("tocsin_events_total", "Events decoded and processed.",
                         {{"system", system}, {"type", std::string(event_type_names()[i])}});
  }
  if (profile != nullptr) {
    for (const auto& [tool_name, tool] : profile->tools) {
      ids.declared_tools.emplace(&tool, tool_ids(registry, name, tool_name, tool.effect, false));
    }
  }
  for (std::size_t i = 0; i < kEffectCount; ++i) {
    ids.undeclared_tools[i] = tool_ids(registry, name, "undeclared", static_cast<Effect>(i), true);
  }
  const std::string risk(profile == nullptr ? "unknown" : name_of(profile->risk));
  ids.outputs = registry.counter("tocsin_outputs_total", "Model outputs seen.",
                                 {{"system", system}, {"risk", risk}});
  ids.violating_outputs =
      registry.counter("tocsin_policy_violating_outputs_total",
                       "Model outputs with a finding at severity medium or above.",
                       {{"system", system}, {"risk", risk}});
  for (const RuleInfo& rule : reportable) {
    ids.findings.push_back(registry.counter("tocsin_findings_total",
                                            "Findings, by what found them.",
                                            {{"system", system},
                                             {"rule", rule.id},
                                             {"severity", std::string(name_of(rule.severity))},
                                             {"category", std::string(name_of(rule.category))},
                                             {"suppressed", "false"}}));
  }
  for (std::size_t i = 0; i < kSeverityCount; ++i) {
    ids.detection_seconds[i] = registry.histogram(
        "tocsin_detection_seconds", "From the misuse event's own time to its finding.",
        kDetectionBounds, {{"system", system}, {"severity", std::string(severity_names()[i])}});
  }
  ids.content_coverage =
      registry.gauge("tocsin_content_coverage_ratio",
                     "Share of recent tool calls whose arguments could be seen; NaN: no calls yet.",
                     {{"system", system}}, metrics::Merge::kRatio);
  return ids;
}

}  // namespace

PolicyMetrics::PolicyMetrics(Registry& registry, const Policy& policy) {
  for (const SystemProfile& profile : policy.systems()) {
    systems_.push_back(system_ids(registry, profile.system, &profile, policy.reportable()));
  }
  systems_.push_back(system_ids(registry, "unknown", nullptr, policy.reportable()));
  for (const RuleInfo& rule : policy.reportable()) {
    last_match_.push_back(registry.gauge("tocsin_rule_last_match_timestamp_seconds",
                                         "Event time of the rule's latest match; 0: never.",
                                         {{"rule", rule.id}}, metrics::Merge::kMax));
    constexpr std::string_view kDemoted = "tocsin_rule_demoted";
    constexpr std::string_view kDemotedHelp =
        "1: the rule costs too much and is not tried on long events (time), or its findings in "
        "some system are told as low (flood), or people found it wrong too often and its findings "
        "are told one severity lower (precision).";
    demoted_.push_back(
        {registry.gauge(kDemoted, kDemotedHelp, {{"rule", rule.id}, {"reason", "time"}},
                        metrics::Merge::kMax),
         registry.gauge(kDemoted, kDemotedHelp, {{"rule", rule.id}, {"reason", "flood"}},
                        metrics::Merge::kMax)});
  }
  for (const Rule& rule : policy.rules().rules()) {
    rule_seconds_.push_back(registry.reading("tocsin_rule_seconds_total",
                                             "Time spent on what the first stage let through.",
                                             {{"rule", rule.info.id}}));
  }
}

TopicMetrics::TopicMetrics(Registry& registry, std::string_view topic) {
  for (std::size_t i = 0; i < kRejectCount; ++i) {
    rejected[i] = registry.counter(
        "tocsin_events_rejected_total", "Records that are not events, by reason.",
        {{"topic", std::string(topic)}, {"reason", std::string(name_of(static_cast<Reject>(i)))}});
  }
  repaired = registry.counter("tocsin_events_repaired_total",
                              "Events decoded after lone surrogate escapes became U+FFFD.",
                              {{"topic", std::string(topic)}});
}

}  // namespace tocsin
