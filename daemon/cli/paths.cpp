#include "daemon/cli/paths.h"

#include <algorithm>
#include <iterator>
#include <system_error>

#include "daemon/cases.h"
#include "daemon/diagnostics.h"
#include "daemon/policy.h"
#include "daemon/yaml/document.h"

namespace tocsin::cli {
namespace {

namespace fs = std::filesystem;

bool is_profile(const fs::path& path) {
  Diagnostics ignored;
  const auto document = yaml::load(path, ignored);
  return document && document->root->find("system") != nullptr;
}

void sort_file(const fs::path& file, Paths& out) {
  (is_profile(file) ? out.systems : out.packs).push_back(file);
}

void sort_folder(const fs::path& folder, Paths& out) {
  std::error_code error;
  const bool packs = fs::is_directory(folder / "packs", error);
  const bool systems = fs::is_directory(folder / "systems", error);
  if (packs) out.packs.push_back(folder / "packs");
  if (systems) out.systems.push_back(folder / "systems");
  if (packs || systems) return;
  for (const fs::path& file : policy_files({folder})) sort_file(file, out);
  std::ranges::move(case_folders(folder), std::back_inserter(out.cases));
}

}  // namespace

Paths sort_paths(const std::vector<std::string>& paths) {
  Paths out;
  for (const std::string& path : paths) {
    std::error_code error;
    if (const auto format = import_format_of(path)) {
      out.imports.push_back({.format = *format, .path = path, .only = {}, .except = {}});
    } else if (fs::is_directory(path, error)) {
      sort_folder(path, out);
    } else {
      sort_file(path, out);
    }
  }
  return out;
}

void choose_rules(const Paths& paths, bool configured, Config& config) {
  if (!paths.packs.empty() || !paths.imports.empty()) {
    config.rules.packs = paths.packs;
    config.rules.imports = paths.imports;
  }
  if (!paths.systems.empty()) {
    config.rules.systems = paths.systems;
  } else if ((!paths.packs.empty() || !paths.imports.empty()) && paths.cases.empty()) {
    config.rules.systems.clear();
  } else if (!configured && !shipped_rules().empty()) {
    config.rules.systems = {shipped_rules() / "systems"};
  }
}

}  // namespace tocsin::cli
