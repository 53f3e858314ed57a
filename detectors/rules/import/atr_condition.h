// `detection:` of an Agent Threat Rule as a condition of our language.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/event.h"
#include "daemon/yaml/document.h"
#include "detectors/rules/import/importer.h"

namespace tocsin {

struct AtrCondition {
  std::vector<EventType> on;  // sorted
  yaml::Node where;
  std::vector<std::string> left_out;  // conditions that could not be taken, and why
};

// The error says why nothing of the rule can be taken.  Of conditions of which one is enough, those
// that cannot be translated are left out; of conditions that are all needed, one such is the end.
std::expected<AtrCondition, std::string> translate_detection(const yaml::Node& rule,
                                                             const NodeMaker& make);

}  // namespace tocsin
