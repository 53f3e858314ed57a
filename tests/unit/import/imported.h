// What the tests of imports share: files written, imported, and asked what they find.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/yaml/document.h"
#include "detectors/rules/example.h"
#include "detectors/rules/import/import.h"
#include "tests/unit/temp_dir.h"

namespace tocsin::testing {

struct Imported {
  explicit Imported(const std::vector<ImportSource>& sources) {
    reports = import_rules(sources, {.patterns = patterns,
                                     .rules = rules,
                                     .on_file = [this](const yaml::Source&) { ++files; },
                                     .diagnostics = diagnostics});
    for (const Diagnostic& d : diagnostics.all()) said.push_back(d.message);
  }

  [[nodiscard]] const Rule* rule(std::string_view id) const {
    const auto found =
        std::ranges::find_if(rules, [&](const Rule& each) { return each.info.id == id; });
    return found == rules.end() ? nullptr : &*found;
  }
  // Whether the rule finds the text in an event of this type.
  bool finds(std::string_view id, std::string_view text,
             EventType type = EventType::kModelOutput) const {
    yaml::Node example;
    example.kind = yaml::Node::Kind::kScalar;
    example.scalar = text;
    Diagnostics ignored;
    yaml::ReadContext context(ignored);
    EventValues values;
    const Rule* found = rule(id);
    return found != nullptr && example_found(example, type, *found, patterns, values, context);
  }
  // "line id: reason" of each.
  static std::vector<std::string> brief(const std::vector<ImportNote>& notes) {
    std::vector<std::string> out;
    for (const ImportNote& note : notes) {
      out.push_back(fmt::format("{} {}: {}", note.line, note.id, note.text));
    }
    return out;
  }

  PatternTable patterns;
  std::vector<Rule> rules;
  Diagnostics diagnostics;
  std::vector<ImportReport> reports;
  std::vector<std::string> said;
  std::size_t files = 0;
};

}  // namespace tocsin::testing
