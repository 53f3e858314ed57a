#include "detectors/rules/import/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <unordered_set>

#include "detectors/rules/import/importer.h"
#include "detectors/rules/import/toml.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

constexpr int kFolderDepthMax = 8;

bool is_yaml(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

// All of them below `folder`; false when it cannot be listed.
bool add_yaml_files(const fs::path& folder, std::vector<fs::path>& files, std::error_code& error) {
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code gone;
    if (it->is_directory(gone)) {
      if (name.starts_with('.') || name == "node_modules" || it.depth() >= kFolderDepthMax) {
        it.disable_recursion_pending();
      }
      continue;
    }
    if (name.starts_with('.') || !is_yaml(it->path())) continue;
    files.push_back(it->path());
    if (files.size() > ImportSource::kFilesMax) break;
  }
  return !error;
}

}  // namespace

std::vector<fs::path> import_files(const ImportSource& source, Diagnostics* diagnostics) {
  std::error_code error;
  if (source.format != ImportFormat::kAtr || !fs::is_directory(source.path, error)) {
    return {source.path};  // if it is not there, loading says so
  }
  // A package has its rules in a folder of that name, beside files that are none.
  const fs::path below = source.path / "rules";
  const fs::path folder = fs::is_directory(below, error) ? below : source.path;
  std::vector<fs::path> files;
  const auto complain = [&](std::string message, std::string hint) {
    if (diagnostics == nullptr) return;
    diagnostics->add({.file = folder.string(),
                      .excerpt = "",
                      .message = std::move(message),
                      .hint = std::move(hint)});
  };
  if (!add_yaml_files(folder, files, error)) {
    complain(fmt::format("cannot be listed: {}", error.message()), "check its permissions");
  }
  if (files.size() > ImportSource::kFilesMax) {
    complain(fmt::format("more than {} files", ImportSource::kFilesMax), "name a folder below it");
    files.resize(ImportSource::kFilesMax);
  }
  std::ranges::sort(files);
  return files;
}

std::optional<ImportFormat> import_format_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (path.extension() == ".toml") return ImportFormat::kGitleaks;
    return std::nullopt;
  }
  Diagnostics ignored;
  for (const fs::path& file : import_files({.format = ImportFormat::kAtr, .path = path})) {
    const auto document = yaml::load(file, ignored);
    if (!document) continue;
    // Folders of packs and profiles are told by their first file as well.
    return document->root->find("detection") != nullptr ? std::optional(ImportFormat::kAtr)
                                                        : std::nullopt;
  }
  return std::nullopt;
}

std::vector<ImportReport> import_rules(std::span<const ImportSource> sources,
                                       const ImportLoad& load) {
  std::unordered_set<std::string> ids;
  for (const Rule& rule : load.rules) ids.insert(rule.info.id);
  std::vector<ImportReport> reports;
  for (const ImportSource& source : sources) {
    Importer importer(source, load, ids);
    const std::size_t errors_before = load.diagnostics.errors();
    switch (source.format) {
      case ImportFormat::kGitleaks: import_gitleaks(importer); break;
      case ImportFormat::kAtr: import_atr(importer); break;
    }
    if (load.diagnostics.errors() == errors_before) importer.finish();
    reports.push_back(std::move(importer.report()));
  }
  return reports;
}

}  // namespace tocsin
