// Rules written for another tool, loaded as they are: what can be translated is, and what cannot is
// named with its reason.
//
// A foreign rule is rewritten as the map of a pack's rule and read by the pack's own reader, so
// that every check and bound of our language holds for it too.  A refused rule is a warning: a file
// that nobody here maintains must load.  A file that is not what it is said to be is an error.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/diagnostics.h"
#include "daemon/yaml/document.h"
#include "detectors/rules/import/source.h"
#include "detectors/rules/pattern_table.h"
#include "detectors/rules/rule.h"

namespace tocsin {

// One thing said of one rule.
struct ImportNote {
  std::string id;  // the file's; may hold anything: print it escaped
  std::string file;
  std::size_t line = 0;
  std::string text;
};

struct ImportReport {
  ImportFormat format = ImportFormat::kGitleaks;
  std::string path;
  std::size_t taken = 0;
  std::size_t left_out = 0;  // by `only` and `except`
  // The rules' own test cases: an event that must be found, or must not.
  std::size_t tests = 0;
  std::size_t tests_failed = 0;
  // What its author says slips through, and what of that is found here (it is decoded first).
  std::size_t evasions = 0;
  std::size_t evasions_found = 0;
  std::size_t tags_dropped = 0;     // that no taxonomy of ours has
  std::vector<ImportNote> refused;  // rules
  std::vector<ImportNote> reduced;  // rules taken without a part of them
  std::vector<ImportNote> failed;   // rules taken that fail some of their own tests
};

// What the imports of one policy share.
struct ImportLoad {
  PatternTable& patterns;
  std::vector<Rule>& rules;  // taken ones are added; at most kRulesMax
  std::function<void(const yaml::Source&)> on_file;
  Diagnostics& diagnostics;
};

// The files an import is read from: the one, or all *.yaml and *.yml below the folder in name
// order, dot-files left out.
std::vector<std::filesystem::path> import_files(const ImportSource& source,
                                                Diagnostics* diagnostics = nullptr);

// What is at `path`, told from its content; nothing when it is neither.
std::optional<ImportFormat> import_format_of(const std::filesystem::path& path);

std::vector<ImportReport> import_rules(std::span<const ImportSource> sources,
                                       const ImportLoad& load);

}  // namespace tocsin
