// `tocsin rules`: what its parts share.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/cli/cli.h"
#include "daemon/event.h"
#include "daemon/finding.h"
#include "daemon/policy.h"

namespace tocsin::cli {

inline constexpr std::size_t kTextShown = 20'000;  // bytes of one line; the longest pattern

// One id that findings can carry.
struct RuleEntry {
  std::string_view id;
  std::string_view title;
  Severity severity = Severity::kInfo;  // the worst
  Category category = Category::kUnsafeTool;
  std::vector<std::string> tags;
  std::vector<std::pair<EventType, Severity>> on;  // of rules of packs; others do not say
  std::string from;                                // a pack's file, or "detector loop"
  std::size_t line = 0;                            // in the file; 0: not from one
  const Rule* rule = nullptr;
  const Correlation* correlation = nullptr;

  [[nodiscard]] bool several_severities() const;
};

// All of a policy, by id; lives as long as the policy.
std::vector<RuleEntry> rule_entries(const Policy& policy);

struct ListFilter {
  std::string category;
  std::string severity;
  std::string tag;
  std::string on;
};

// Prints; the exit status.
int list_rules(const Policy& policy, const ListFilter& filter, bool coverage, bool json);
int show_rule(const Policy& policy, const std::string& id, bool json);
int lint_rules(const Policy& policy, bool json);

}  // namespace tocsin::cli
