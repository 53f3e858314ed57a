#include "bench/write_material.h"

#include <re2/re2.h>

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

// The patterns that can start a rule.  A rule's words are one pattern, as a person would write it.
std::vector<std::string> patterns_of(const Rule& rule, const PatternTable& table) {
  std::vector<std::string> patterns;
  std::string words;
  const auto triggers = rule.where.triggers();
  if (!triggers) {
    std::cerr << rule.info.id << ": left out, it asks for no pattern\n";
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
