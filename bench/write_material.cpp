#include "bench/write_material.h"

#include <re2/re2.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/material.h"
#include "daemon/policy.h"

namespace tocsin::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRules = 250;

void write_lines(const fs::path& file, const std::vector<std::string>& lines) {
  std::ofstream out(file, std::ios::binary);
  for (const std::string& line : lines) out << line << '\n';
  out.close();
  if (!out) throw std::runtime_error("cannot write " + file.string());
}

// The patterns that stand for a URL to be looked at: `://` and the like, in half of all calls.
void collect_url_marks(const Condition& condition, std::set<PatternId>& marks) {
  for (const FieldTest& test : condition.tests) {
    marks.insert(test.url_marks.begin(), test.url_marks.end());
  }
  for (const Condition& each : condition.all) collect_url_marks(each, marks);
  for (const Condition& each : condition.any) collect_url_marks(each, marks);
}

// The patterns that can start a rule.  A rule's words are one pattern, as a person would write it.
std::vector<std::string> patterns_of(const Rule& rule, const PatternTable& table) {
  std::vector<std::string> patterns;
  std::string words;
  std::set<PatternId> marks;
  collect_url_marks(rule.where, marks);
  const auto triggers = rule.where.triggers();
  const auto is_mark = [&](PatternId id) { return marks.contains(id); };
  if (!triggers || std::ranges::any_of(*triggers, is_mark)) {
    std::cerr << rule.info.id << ": left out, no pattern tells where to look\n";
    return patterns;
  }
  for (const PatternId id : *triggers) {
    if (table.kind(id) == PatternTable::Kind::kRegex) {
      patterns.emplace_back(table.text(id));
      continue;
    }
    words += words.empty() ? "(?i:" : "|";
    words += re2::RE2::QuoteMeta(std::string(table.text(id)));
  }
  if (!words.empty()) patterns.push_back(words + ")");
  return patterns;
}

}  // namespace

void write_material(const fs::path& folder, std::size_t events) {
  fs::create_directories(folder);
  write_lines(folder / "events.jsonl", mixed_events(ordinary_events(events)));

  Diagnostics diagnostics;
  const auto policy = Policy::load({.packs = packs_of(folder, kRules)}, diagnostics);
  if (policy == nullptr) {
    print(std::cerr, diagnostics, false);
    throw std::runtime_error("the invented rules do not load");
  }
  std::map<std::string, std::set<std::string>> on;  // event types, by pattern
  for (const Rule& rule : policy->rules().rules()) {
    for (const std::string& pattern : patterns_of(rule, policy->rules().patterns())) {
      for (const EventType type : rule.on) on[pattern].emplace(name_of(type));
    }
  }
  std::vector<std::string> lines;
  for (const auto& [pattern, types] : on) {
    lines.push_back(nlohmann::ordered_json{{"pattern", pattern}, {"on", types}}.dump());
  }
  write_lines(folder / "patterns.jsonl", lines);
}

}  // namespace tocsin::bench
