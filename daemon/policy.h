// A policy: the rules, detectors and system profiles in force, loaded together and immutable.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/diagnostics.h"
#include "daemon/finding.h"
#include "daemon/profile/system_profile.h"
#include "daemon/yaml/document.h"
#include "detectors/detector.h"
#include "detectors/rules/correlation.h"
#include "detectors/rules/example.h"
#include "detectors/rules/import/import.h"
#include "detectors/rules/rule_set.h"

namespace tocsin {

struct PolicySources {
  // Files, or directories whose *.yaml and *.yml are read in name order.
  std::vector<std::filesystem::path> packs;
  std::vector<std::filesystem::path> systems;
  std::vector<ImportSource> imports;
  std::filesystem::path cache;  // where compiled rules are kept between starts; empty: nowhere
  // What the cache says of patterns and examples is believed (policy_proof.h): for a start that
  // somebody waits for.
  bool proof_is_enough = false;
  bool owner_needed = true;  // every profile names its owner; only replay may do without
  const yaml::Node* detector_options = nullptr;  // the `detectors:` map of the configuration
  // Where rules' examples that come out wrong go; null: each is an error, and nothing loads.
  std::vector<ExampleFailure>* failed_examples = nullptr;
};

// The files behind a list of files and directories: of a directory its *.yaml and *.yml in name
// order, dot-files left out.  What is not there stands for itself, so that loading can say so.
std::vector<std::filesystem::path> policy_files(const std::vector<std::filesystem::path>& paths,
                                                Diagnostics* diagnostics = nullptr);

// Changes whenever one of the files that a policy is read from does: names, inodes, sizes, times.
// Links are followed, so that the swap of a ConfigMap's `..data` shows.  A file that cannot be
// looked at counts as gone.
std::string fingerprint(const PolicySources& sources);

class Policy {
 public:
  struct LoadedDetector {
    const DetectorSpec* spec = nullptr;
    std::unique_ptr<const Detector> detector;
    std::size_t first_rule = 0;  // where its rules start in `reportable`
  };

  // Null when anything is wrong; `diagnostics` then has every error of every file.
  static std::shared_ptr<const Policy> load(const PolicySources& sources, Diagnostics& diagnostics);

  [[nodiscard]] const RuleSet& rules() const { return *rules_; }
  [[nodiscard]] std::span<const LoadedDetector> detectors() const { return detectors_; }
  [[nodiscard]] const CorrelationSet& correlations() const { return *correlations_; }
  // Where the correlations start in `reportable`.
  [[nodiscard]] std::size_t first_correlation() const { return first_correlation_; }
  // Everything that can be found: what `rules()` reports, then what each detector does, then the
  // correlations.
  [[nodiscard]] std::span<const RuleInfo> reportable() const { return reportable_; }
  [[nodiscard]] std::span<const SystemProfile> systems() const { return systems_; }
  // The position in `systems()`; its size for a system nobody profiled.
  [[nodiscard]] std::size_t system_index(std::string_view name) const;
  // Null: nobody profiled it.
  [[nodiscard]] const SystemProfile* profile_of(std::string_view system) const;
  // What became of each of the sources' imports.
  [[nodiscard]] std::span<const ImportReport> imports() const { return imports_; }
  // Of all files read, with their names: two processes with equal digests apply the same policy.
  [[nodiscard]] const std::string& sha256() const { return sha256_; }
  // Of its files, taken before they were read.
  [[nodiscard]] const std::string& files() const { return files_; }

 private:
  Policy() = default;
  // `proven`: the packs are known to be right.
  void load_rules(const std::vector<yaml::Document>& packs, const PolicySources& sources,
                  bool proven, const std::function<void(const yaml::Source&)>& on_file,
                  Diagnostics& diagnostics);
  void load_correlations(const std::vector<yaml::Document>& packs, Diagnostics& diagnostics);
  void load_detectors(const yaml::Node* options, Diagnostics& diagnostics);

  std::unique_ptr<const RuleSet> rules_;
  std::vector<ImportReport> imports_;
  std::vector<LoadedDetector> detectors_;
  std::unique_ptr<const CorrelationSet> correlations_;
  std::size_t first_correlation_ = 0;
  std::vector<RuleInfo> reportable_;
  std::vector<SystemProfile> systems_;
  std::map<std::string, std::size_t, std::less<>> system_index_;
  std::string sha256_;
  std::string files_;
};

}  // namespace tocsin
