#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "daemon/cli/rules.h"
#include "daemon/diagnostics.h"
#include "daemon/text.h"
#include "detectors/rules/describe.h"
#include "detectors/rules/taxonomy.h"

namespace tocsin::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kSiblingsShown = 8;

std::vector<std::string_view> others_with(std::string_view tag, const RuleEntry& but,
                                          const std::vector<RuleEntry>& entries) {
  std::vector<std::string_view> ids;
  for (const RuleEntry& entry : entries) {
    const bool has = std::ranges::any_of(entry.tags, [&](const std::string& each) {
      return canonical_tag(each) == canonical_tag(tag);
    });
    if (has && entry.id != but.id) ids.push_back(entry.id);
  }
  return ids;
}

std::string severities(const RuleEntry& entry) {
  if (!entry.several_severities()) return std::string(name_of(entry.severity));
  std::string out;
  for (const auto& [type, severity] : entry.on) {
    if (!out.empty()) out += ", ";
    out += fmt::format("{} in {}", name_of(severity), name_of(type));
  }
  return out;
}

std::string types(const RuleEntry& entry) {
  std::string out;
  for (const auto& [type, severity] : entry.on) {
    if (!out.empty()) out += ", ";
    out += name_of(type);
  }
  return out;
}

// As the pack has it.
std::string message(const Rule& rule) {
  std::string out;
  for (const MessagePart& part : rule.message) {
    switch (part.kind) {
      case MessagePart::Kind::kLiteral: out += part.literal; break;
      case MessagePart::Kind::kMatch: out += "{match}"; break;
      case MessagePart::Kind::kField: out.append("{").append(part.field.text()).append("}"); break;
    }
  }
  return out;
}

std::vector<std::string> lines_of(const Correlation& correlation) {
  std::vector<std::string> lines = {fmt::format(
      "{} within {} s", kCorrelationTypeNames[static_cast<std::size_t>(correlation.type)],
      std::chrono::duration_cast<std::chrono::seconds>(correlation.timespan).count())};
  for (const std::string& rule : correlation.rules) lines.push_back("  " + rule);
  return lines;
}

std::vector<std::string> condition_of(const RuleEntry& entry, const Policy& policy) {
  if (entry.rule != nullptr) return describe(entry.rule->where, policy.rules().patterns());
  if (entry.correlation != nullptr) return lines_of(*entry.correlation);
  return {};
}

std::string_view description_of(const RuleEntry& entry) {
  if (entry.rule != nullptr) return entry.rule->description;
  return entry.correlation != nullptr ? std::string_view(entry.correlation->description)
                                      : std::string_view{};
}

void print_text(const RuleEntry& entry, const std::vector<RuleEntry>& entries,
                const Policy& policy) {
  const bool coloured = colour(stdout);
  const auto strong = [&](std::string_view text) {
    return coloured ? fmt::format("\033[1m{}\033[0m", text) : std::string(text);
  };
  const auto row = [](std::string_view name, std::string_view text) {
    if (!text.empty()) std::cout << fmt::format("  {:<10} {}\n", name, printable(text, kTextShown));
  };
  std::cout << strong(entry.id) << '\n';
  row("title", entry.title);
  row("severity", severities(entry));
  row("category", name_of(entry.category));
  row("on", types(entry));
  row("from", entry.line > 0 ? fmt::format("{}:{}", entry.from, entry.line) : entry.from);
  if (entry.rule != nullptr) {
    const std::size_t twins = entry.rule->no_match_examples;
    row("examples",
        fmt::format("{} to find, {} to leave alone", entry.rule->examples - twins, twins));
    row("message", message(*entry.rule));
  }
  std::string_view description = description_of(entry);
  while (description.ends_with('\n')) description.remove_suffix(1);
  if (!description.empty()) {
    std::cout << "\n  " << printable(description, kTextShown) << '\n';
  }
  if (!entry.tags.empty()) std::cout << '\n' << strong("Tags, and who else has them") << '\n';
  for (const std::string& tag : entry.tags) {
    const auto others = others_with(tag, entry, entries);
    const std::string_view title = title_of_tag(tag);
    std::cout << fmt::format("  {}{}{}\n", tag, title.empty() ? "" : "  ", title);
    std::string siblings;
    for (std::size_t i = 0; i < others.size() && i < kSiblingsShown; ++i) {
      siblings.append(i > 0 ? ", " : "").append(others[i]);
    }
    if (others.size() > kSiblingsShown) {
      siblings += fmt::format(" and {} more", others.size() - kSiblingsShown);
    }
    std::cout << "      " << (others.empty() ? "no other rule" : siblings) << '\n';
  }
  const auto condition = condition_of(entry, policy);
  if (!condition.empty()) std::cout << '\n' << strong("Holds when") << '\n';
  for (const std::string& line : condition) {
    std::cout << "  " << printable(line, kTextShown) << '\n';
  }
}

Json json_of(const RuleEntry& entry, const std::vector<RuleEntry>& entries, const Policy& policy) {
  Json on = Json::object();
  for (const auto& [type, severity] : entry.on) on[std::string(name_of(type))] = name_of(severity);
  Json tags = Json::array();
  for (const std::string& tag : entry.tags) {
    tags.push_back(
        {{"tag", tag}, {"title", title_of_tag(tag)}, {"others", others_with(tag, entry, entries)}});
  }
  Json out = {{"id", entry.id},
              {"title", entry.title},
              {"description", description_of(entry)},
              {"severity", name_of(entry.severity)},
              {"category", name_of(entry.category)},
              {"on", on},
              {"from", entry.from},
              {"line", entry.line},
              {"tags", tags},
              {"condition", condition_of(entry, policy)}};
  if (entry.rule != nullptr) {
    out["message"] = message(*entry.rule);
    out["match"] = entry.rule->examples - entry.rule->no_match_examples;
    out["no_match"] = entry.rule->no_match_examples;
  }
  return out;
}

}  // namespace

int show_rule(const Policy& policy, const std::string& id, bool json) {
  const std::vector<RuleEntry> entries = rule_entries(policy);
  const auto found = std::ranges::find(entries, id, &RuleEntry::id);
  if (found == entries.end()) {
    std::vector<std::string_view> ids;
    std::ranges::transform(entries, std::back_inserter(ids), &RuleEntry::id);
    const std::string_view near = nearest(id, ids);
    std::cerr << fmt::format("tocsin rules: no rule is called `{}`; {}\n", printable(id),
                             near.empty() ? "`tocsin rules list` has them all"
                                          : fmt::format("did you mean `{}`?", near));
    return kOperatorMistake;
  }
  if (json) {
    std::cout
        << json_of(*found, entries, policy).dump(-1, ' ', false, Json::error_handler_t::replace)
        << '\n';
  } else {
    print_text(*found, entries, policy);
  }
  return kDone;
}

}  // namespace tocsin::cli
