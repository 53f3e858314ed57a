// What a PATH on the command line holds.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/config.h"

namespace tocsin::cli {

struct Paths {
  std::vector<std::filesystem::path> packs;
  std::vector<std::filesystem::path> systems;
  std::vector<ImportSource> imports;
  std::vector<std::filesystem::path> cases;  // folders of recorded cases (daemon/cases.h)
};

// Told from the content: packs have `rules:`, profiles have `system:`, a folder of rules has
// `packs` or `systems` below it, a case has events; TOML is gitleaks', Agent Threat Rules have
// `detection:`.  What is not there counts as a pack, so that
// loading can say so.
Paths sort_paths(const std::vector<std::string>& paths);

// The rules that a command works on: those among `paths`, else the configuration's, else those
// that come with tocsin.  Profiles likewise, but only cases need those that nobody named.
// `configured`: there is a configuration file, and so a say in which profiles there are.
void choose_rules(const Paths& paths, bool configured, Config& config);

}  // namespace tocsin::cli
