#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <span>

#include <nlohmann/json.hpp>

#include "daemon/cli/rules.h"
#include "daemon/diagnostics.h"
#include "daemon/text.h"
#include "detectors/rules/taxonomy.h"

namespace tocsin::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kOwasp = "owasp:";

struct Filter {
  std::optional<Category> category;
  Severity severity = Severity::kInfo;
  std::string tag;  // empty: any
  std::optional<EventType> on;
};

// The position of a word, or a complaint on standard error.
std::optional<std::size_t> position(std::string_view word, std::span<const std::string_view> words,
                                    std::string_view what) {
  const auto found = std::ranges::find(words, word);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  const std::string_view near = nearest(word, words);
  std::cerr << fmt::format("tocsin rules: `{}` is not {}; {}\n", printable(word), what,
                           near.empty() ? one_of(words) : fmt::format("did you mean `{}`?", near));
  return std::nullopt;
}

std::optional<Filter> read(const ListFilter& words) {
  Filter filter;
  if (!words.category.empty()) {
    const auto at = position(words.category, category_names(), "a category");
    if (!at) return std::nullopt;
    filter.category = static_cast<Category>(*at);
  }
  if (!words.severity.empty()) {
    const auto at = position(words.severity, severity_names(), "a severity");
    if (!at) return std::nullopt;
    filter.severity = static_cast<Severity>(*at);
  }
  if (!words.on.empty()) {
    const auto at = position(words.on, event_type_names(), "an event type");
    if (!at) return std::nullopt;
    filter.on = static_cast<EventType>(*at);
  }
  const auto known = check_tag(words.tag);
  const bool taxonomy = std::ranges::find(tag_namespaces(), words.tag) != tag_namespaces().end();
  if (!words.tag.empty() && !taxonomy && !known) {
    std::cerr << "tocsin rules: " << printable(known.error()) << '\n';
    return std::nullopt;
  }
  filter.tag = canonical_tag(words.tag);
  return filter;
}

// atlas:AML.T0051 has atlas:AML.T0051.001 below it, nist:MS-2.7 has nist:MS-2.7-001.
bool has_tag(const RuleEntry& entry, std::string_view wanted) {
  return std::ranges::any_of(entry.tags, [&](std::string_view tag) {
    tag = canonical_tag(tag);
    if (!tag.starts_with(wanted)) return false;
    return tag.size() == wanted.size() ||
           !std::isalnum(static_cast<unsigned char>(tag[wanted.size()]));
  });
}

bool passes(const RuleEntry& entry, const Filter& filter) {
  if (filter.category && entry.category != *filter.category) return false;
  if (!filter.tag.empty() && !has_tag(entry, filter.tag)) return false;
  Severity severity = entry.severity;
  if (filter.on) {
    const auto found =
        std::ranges::find(entry.on, *filter.on, &std::pair<EventType, Severity>::first);
    if (found == entry.on.end()) return false;
    severity = found->second;  // what it is in that event
  }
  return severity >= filter.severity;
}

std::string on_column(const RuleEntry& entry) {
  if (entry.on.empty()) return "-";
  std::string out;
  for (const auto& [type, severity] : entry.on) {
    if (!out.empty()) out += ' ';
    out += name_of(type);
    if (entry.several_severities()) out.append(":").append(name_of(severity));
  }
  return out;
}

Json json_of(const RuleEntry& entry) {
  Json on = Json::object();
  for (const auto& [type, severity] : entry.on) on[std::string(name_of(type))] = name_of(severity);
  return {{"id", entry.id},
          {"title", entry.title},
          {"severity", name_of(entry.severity)},
          {"category", name_of(entry.category)},
          {"on", on},
          {"tags", entry.tags},
          {"from", entry.from},
          {"line", entry.line}};
}

using Row = std::array<std::string, 5>;

void print_table(const std::vector<Row>& rows, bool coloured) {
  std::array<std::size_t, 5> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    const bool head = coloured && &row == &rows.front();
    std::string line;
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      line += fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    std::cout << (head ? "\033[1m" : "") << line << row.back() << (head ? "\033[0m" : "") << '\n';
  }
}

void print_counts(const std::vector<RuleEntry>& entries) {
  std::array<std::size_t, kSeverityCount> counts{};
  for (const RuleEntry& entry : entries) ++counts[static_cast<std::size_t>(entry.severity)];
  std::cout << fmt::format("{} rule{}", grouped(entries.size()), entries.size() == 1 ? "" : "s");
  std::string_view before = ": ";
  for (std::size_t i = kSeverityCount; i-- > 0;) {
    if (counts[i] == 0) continue;
    std::cout << before << grouped(counts[i]) << ' ' << severity_names()[i];
    before = ", ";
  }
  std::cout << '\n';
}

int print_coverage(const std::vector<RuleEntry>& entries, bool json) {
  std::map<std::string_view, std::size_t> rules;
  for (const RuleEntry& entry : entries) {
    for (const std::string& tag : entry.tags) ++rules[canonical_tag(tag)];
  }
  // OWASP's in the order of its lists, then the others by id.
  std::vector<std::string_view> tags;
  std::vector<std::string_view> uncovered;
  for (const std::string_view tag : owasp_tags()) {
    (rules.contains(tag) ? tags : uncovered).push_back(tag);
  }
  for (const auto& [tag, count] : rules) {
    if (!tag.starts_with(kOwasp)) tags.push_back(tag);
  }
  if (json) {
    Json covered = Json::array();
    for (const std::string_view tag : tags) {
      covered.push_back({{"tag", tag}, {"title", title_of_tag(tag)}, {"rules", rules[tag]}});
    }
    Json none = Json::array();
    for (const std::string_view tag : uncovered) {
      none.push_back({{"tag", tag}, {"title", title_of_tag(tag)}});
    }
    std::cout << Json({{"covered", covered}, {"uncovered", none}}).dump() << '\n';
    return kDone;
  }
  for (const std::string_view tag : tags) {
    std::cout << fmt::format("{:<22} {:>5}  {}\n", tag, grouped(rules[tag]), title_of_tag(tag));
  }
  std::cout << (uncovered.empty() ? "Every id of OWASP LLM 2025 and Agentic 2026 has a rule\n"
                                  : "No rule for:\n");
  for (const std::string_view tag : uncovered) {
    std::cout << fmt::format("  {:<20} {}\n", tag, title_of_tag(tag));
  }
  return kDone;
}

}  // namespace

bool RuleEntry::several_severities() const {
  return std::ranges::any_of(on, [&](const auto& each) { return each.second != severity; });
}

std::vector<RuleEntry> rule_entries(const Policy& policy) {
  std::vector<RuleEntry> entries;
  const auto add = [&](const RuleInfo& info) -> RuleEntry& {
    RuleEntry& entry = entries.emplace_back();
    entry.id = info.id;
    entry.title = info.title;
    entry.severity = info.severity;
    entry.category = info.category;
    entry.tags = info.tags;
    return entry;
  };
  for (const Rule& rule : policy.rules().rules()) {
    RuleEntry& entry = add(rule.info);
    for (const EventType type : rule.on) {
      entry.on.emplace_back(type, rule.severities[static_cast<std::size_t>(type)]);
    }
    entry.from = rule.file;
    entry.line = rule.line;
    entry.rule = &rule;
  }
  const std::size_t detectors = entries.size();
  const auto reportable = policy.reportable().first(policy.first_correlation());
  for (const RuleInfo& info : reportable.subspan(policy.rules().reportable().size())) {
    // A detector's rule may stand there once a severity.
    const auto same = std::ranges::find(entries.begin() + static_cast<std::ptrdiff_t>(detectors),
                                        entries.end(), info.id, &RuleEntry::id);
    if (same != entries.end()) {
      same->severity = std::max(same->severity, info.severity);
    } else {
      add(info).from = fmt::format("detector {}", info.detector);
    }
  }
  for (const Correlation& correlation : policy.correlations().all()) {
    RuleEntry& entry = add(correlation.info);
    entry.from = correlation.file;
    entry.line = correlation.line;
    entry.correlation = &correlation;
  }
  std::ranges::sort(entries, {}, &RuleEntry::id);
  return entries;
}

int list_rules(const Policy& policy, const ListFilter& words, bool coverage, bool json) {
  const auto filter = read(words);
  if (!filter) return kOperatorMistake;
  std::vector<RuleEntry> entries = rule_entries(policy);
  std::erase_if(entries, [&](const RuleEntry& entry) { return !passes(entry, *filter); });
  if (coverage) return print_coverage(entries, json);
  if (json) {
    Json list = Json::array();
    for (const RuleEntry& entry : entries) list.push_back(json_of(entry));
    std::cout << list.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    return kDone;
  }
  std::vector<Row> rows = {{"ID", "SEVERITY", "CATEGORY", "FROM", "ON"}};
  for (const RuleEntry& entry : entries) {
    const std::string from =
        entry.line > 0 ? std::filesystem::path(entry.from).filename().string() : entry.from;
    rows.push_back({std::string(entry.id), std::string(name_of(entry.severity)),
                    std::string(name_of(entry.category)), printable(from), on_column(entry)});
  }
  if (!entries.empty()) print_table(rows, colour(stdout));
  print_counts(entries);
  return kDone;
}

}  // namespace tocsin::cli
