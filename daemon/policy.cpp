#include "daemon/policy.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "daemon/policy_proof.h"
#include "daemon/redact.h"
#include "detectors/rules/pack.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

// A misuse case that names a rule nobody has is a promise nobody keeps.
void check_misuse_rules(const yaml::Node& root, const std::set<std::string_view>& known,
                        Diagnostics& diagnostics) {
  const yaml::Node* cases = root.find("misuse_cases");
  if (cases == nullptr) return;
  const std::vector<std::string_view> words(known.begin(), known.end());
  for (const yaml::Node& misuse : cases->items) {
    const yaml::Node* rules = misuse.find("rules");
    if (rules == nullptr) continue;
    // One rule may stand there without being a list.
    const std::vector<yaml::Node> single = {*rules};
    for (const yaml::Node& rule :
         rules->kind == yaml::Node::Kind::kSequence ? rules->items : single) {
      if (rule.kind != yaml::Node::Kind::kScalar || known.contains(rule.scalar)) continue;
      const std::string_view near = nearest(rule.scalar, words);
      yaml::warning_at(rule, fmt::format("no rule or detector reports `{}`", rule.scalar),
                       near.empty() ? "`tocsin check` lists what is loaded"
                                    : fmt::format("did you mean `{}`?", near),
                       diagnostics);
    }
  }
}

}  // namespace

std::vector<fs::path> policy_files(const std::vector<fs::path>& paths, Diagnostics* diagnostics) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);  // if it is not there, loading says so
      continue;
    }
    std::vector<fs::path> inside;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      const fs::path& file = it->path();
      // Dot-files are editors' and Kubernetes' (`..data`): never rules.
      const bool hidden = file.filename().string().starts_with('.');
      if (!hidden && (file.extension() == ".yaml" || file.extension() == ".yml")) {
        inside.push_back(file);
      }
    }
    if (error && diagnostics != nullptr) {
      diagnostics->add({.file = path.string(),
                        .excerpt = "",
                        .message = fmt::format("cannot be listed: {}", error.message()),
                        .hint = "check its permissions"});
    }
    std::ranges::sort(inside);
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

std::string fingerprint(const PolicySources& sources) {
  std::string print;
  const auto add = [&](const std::vector<fs::path>& files) {
    for (const fs::path& file : files) {
      struct stat facts{};
      if (::stat(file.c_str(), &facts) != 0) {
        print += fmt::format("{} -\n", file.string());
        continue;
      }
      print += fmt::format("{} {} {} {} {}.{}\n", file.string(), facts.st_dev, facts.st_ino,
                           facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
    }
  };
  add(policy_files(sources.packs));
  add(policy_files(sources.systems));
  for (const ImportSource& import : sources.imports) add(import_files(import));
  return print;
}

void Policy::load_detectors(const yaml::Node* options, Diagnostics& diagnostics) {
  yaml::ReadContext context(diagnostics);
  yaml::MapReader all(options, "detectors", context);
  for (const DetectorSpec* spec : detector_specs()) {
    yaml::MapReader reader = all.map(spec->id);
    bool enabled = true;
    reader.boolean("enabled", &enabled);
    auto detector = spec->make(reader);
    reader.finish();
    if (!enabled) continue;
    detectors_.push_back(
        {.spec = spec, .detector = std::move(detector), .first_rule = reportable_.size()});
    for (const DetectorRule& rule : spec->rules) {
      reportable_.push_back({.id = std::string(rule.id),
                             .detector = std::string(spec->id),
                             .title = std::string(rule.title),
                             .severity = rule.severity,
                             .category = rule.category,
                             .tags = {rule.tags.begin(), rule.tags.end()}});
    }
  }
  all.finish();
}

void Policy::load_rules(const std::vector<yaml::Document>& packs, const PolicySources& sources,
                        bool proven, const std::function<void(const yaml::Source&)>& on_file,
                        Diagnostics& diagnostics) {
  auto patterns = std::make_unique<PatternTable>(proven);
  std::vector<Rule> rules = read_packs(packs, *patterns, diagnostics, sources.failed_examples);
  imports_ = import_rules(
      sources.imports,
      {.patterns = *patterns, .rules = rules, .on_file = on_file, .diagnostics = diagnostics});
  if (diagnostics.has_errors()) {
    // Enough for what else is checked: which rules there are.
    for (const Rule& rule : rules) reportable_.push_back(rule.info);
    return;
  }
  patterns->release_compiled();
  auto compiled = RuleSet::compile(std::move(rules), std::move(patterns), sources.cache);
  if (!compiled) {
    diagnostics.add({.file = "rules", .message = compiled.error(), .hint = "load fewer rules"});
    return;
  }
  rules_ = std::move(*compiled);
  reportable_.assign(rules_->reportable().begin(), rules_->reportable().end());
}

void Policy::load_correlations(const std::vector<yaml::Document>& packs, Diagnostics& diagnostics) {
  std::vector<std::string_view> known;
  for (const RuleInfo& info : reportable_) known.push_back(info.id);
  // With half of the rules refused, half of the correlations would seem to wait for nothing.
  const bool whole = !diagnostics.has_errors();
  std::vector<Correlation> correlations;
  for (const yaml::Document& pack : packs) {
    const yaml::Node* list = pack.root->find("correlations");
    if (whole && list != nullptr) read_correlations(*list, known, correlations, diagnostics);
  }
  first_correlation_ = reportable_.size();
  for (const Correlation& correlation : correlations) reportable_.push_back(correlation.info);
  correlations_ = std::make_unique<const CorrelationSet>(std::move(correlations), reportable_);
}

std::shared_ptr<const Policy> Policy::load(const PolicySources& sources, Diagnostics& diagnostics) {
  const std::shared_ptr<Policy> policy(new Policy);
  policy->files_ = fingerprint(sources);
  std::string digests;
  const auto add_digest = [&](const yaml::Source& source) {
    // The file's name, not its path: the same ConfigMap mounted elsewhere is the same policy.
    digests +=
        fmt::format("{} {}\n", fs::path(source.name).filename().string(), sha256_hex(source.text));
  };
  const auto load_file = [&](const fs::path& file) {
    auto document = yaml::load(file, diagnostics);
    if (document) add_digest(*document->source);
    return document;
  };

  std::vector<yaml::Document> packs;
  for (const fs::path& file : policy_files(sources.packs, &diagnostics)) {
    if (auto document = load_file(file)) packs.push_back(std::move(*document));
  }
  // Imported rules are compiled and tried by their importer, whatever was known before.
  const PolicyProof proof(sources.imports.empty() ? sources.cache : fs::path(), digests);
  const bool proven = sources.proof_is_enough && !diagnostics.has_errors() && proof.is_kept();
  policy->load_rules(packs, sources, proven, add_digest, diagnostics);
  if (!proven && sources.failed_examples == nullptr && !diagnostics.has_errors()) proof.keep();
  policy->load_detectors(sources.detector_options, diagnostics);
  policy->load_correlations(packs, diagnostics);
  packs.clear();
#ifdef __GLIBC__
  malloc_trim(0);  // documents, trees and trial automata were several times what stays
#endif

  std::set<std::string_view> known;
  for (const RuleInfo& info : policy->reportable_) known.insert(info.id);
  for (const fs::path& file : policy_files(sources.systems, &diagnostics)) {
    const auto document = load_file(file);
    if (!document) continue;
    auto profile = read_system_profile(*document, sources.owner_needed, diagnostics);
    if (!profile) continue;
    // With half of the rules refused, every second story would seem untold.
    if (!diagnostics.has_errors()) check_misuse_rules(*document->root, known, diagnostics);
    const auto [at, inserted] =
        policy->system_index_.emplace(profile->system, policy->systems_.size());
    if (!inserted) {
      const yaml::Node* node = document->root->find("system");
      yaml::error_at(*node, fmt::format("the system `{}` has a profile already", profile->system),
                     "one profile a system", diagnostics);
      continue;
    }
    policy->systems_.push_back(std::move(*profile));
  }
  diagnostics.sort();
  if (diagnostics.has_errors()) return nullptr;
  policy->sha256_ = sha256_hex(digests);
  return policy;
}

std::size_t Policy::system_index(std::string_view name) const {
  const auto found = system_index_.find(name);
  return found == system_index_.end() ? systems_.size() : found->second;
}

const SystemProfile* Policy::profile_of(std::string_view system) const {
  const std::size_t index = system_index(system);
  return index < systems_.size() ? &systems_[index] : nullptr;
}

}  // namespace tocsin
