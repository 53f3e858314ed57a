#include "detectors/rules/rule_set.h"

#include <algorithm>
#include <string>
#include <utility>

namespace tocsin {

RuleSet::RuleSet(std::vector<Rule> rules) : rules_(std::move(rules)) {
  for (std::size_t type = 0; type < kEventTypeCount; ++type) {
    for (std::size_t field = 0; field < kFieldClassCount; ++field) {
      Group& group = groups_[type][field];
      std::vector<std::string> patterns;
      for (std::uint32_t i = 0; i < rules_.size(); ++i) {
        const Rule& rule = rules_[i];
        const bool wanted =
            static_cast<std::size_t>(rule.selector.field_class()) == field &&
            std::ranges::find(rule.on, static_cast<EventType>(type)) != rule.on.end();
        if (!wanted) continue;
        group.rules.push_back(i);
        patterns.push_back(rule.regex);
      }
      group.patterns = std::make_unique<matcher::PatternSet>(patterns);
    }
  }
}

void RuleSet::scan(const Group& group, std::string_view path, std::string_view text,
                   std::string_view field, Scratch& scratch, Reporter& reporter) const {
  scratch.matches.clear();
  group.patterns->scan(text, scratch.matches);
  for (const matcher::Match& match : scratch.matches) {
    const std::uint32_t index = group.rules[match.pattern];
    if (scratch.reported_in[index] == scratch.event) continue;
    if (!rules_[index].selector.selects(path)) continue;
    scratch.reported_in[index] = scratch.event;
    std::string where(field);
    if (!path.empty()) where.append(".").append(path);
    const std::array<EvidenceView, 1> evidence = {
        {{.field = where, .text = text.substr(match.begin, match.end - match.begin)}}};
    reporter.report(index, evidence);
  }
}

void RuleSet::evaluate(const Event& event, Scratch& scratch, Reporter& reporter) const {
  scratch.reported_in.resize(rules_.size());
  ++scratch.event;
  const auto scan_text = [&](FieldClass field, std::string_view text) {
    const Group& patterns = group(event.type, field);
    if (patterns.rules.empty() || text.empty()) return;
    scan(patterns, {}, text, kFieldClassNames[static_cast<std::size_t>(field)], scratch, reporter);
  };
  const auto scan_leaves = [&](FieldClass field, const std::vector<Leaf>& leaves) {
    const Group& patterns = group(event.type, field);
    if (patterns.rules.empty()) return;
    for (const Leaf& leaf : leaves) {
      const bool has_text = leaf.kind == LeafKind::kString || leaf.kind == LeafKind::kNumber;
      if (!has_text || leaf.text.empty()) continue;
      scan(patterns, leaf.path, leaf.text, kFieldClassNames[static_cast<std::size_t>(field)],
           scratch, reporter);
    }
  };
  scan_text(FieldClass::kText, event.text);
  scan_text(FieldClass::kToolName, event.tool.name);
  scan_leaves(FieldClass::kArguments, event.tool.arguments);
  scan_leaves(FieldClass::kResult, event.tool.result);
  for (const ToolDefinition& tool : event.tools) {
    scan_text(FieldClass::kDescription, tool.description);
    for (const Leaf& leaf : tool.parameters) {
      if (leaf.path.ends_with("description")) scan_text(FieldClass::kDescription, leaf.text);
    }
  }
}

}  // namespace tocsin
