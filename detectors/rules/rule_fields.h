// What rules and correlations have in common, read from YAML.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/diagnostics.h"
#include "daemon/finding.h"
#include "daemon/yaml/document.h"
#include "detectors/rules/condition.h"

namespace tocsin {

// `id`: lower-case words with dashes, at least two parts joined by dots.
void read_rule_id(yaml::MapReader& reader, std::string& id, Diagnostics& diagnostics);
void report_taken_id(const yaml::Node& node, const std::string& id, Diagnostics& diagnostics);
// `severity` as one word.
void read_severity(yaml::MapReader& reader, Severity& severity);
void read_category(yaml::MapReader& reader, Category& category);
void read_tags(yaml::MapReader& reader, std::vector<std::string>& tags, Diagnostics& diagnostics);
// gt, gte, lt, lte; nothing when none of them is there.
std::optional<NumberTest> read_bounds(yaml::MapReader& reader, Diagnostics& diagnostics);

}  // namespace tocsin
