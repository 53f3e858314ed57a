#include "detectors/rules/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "detectors/rules/pattern_lint.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, kLintCount> kNames = {
    "negated-class-as-domain", "unanchored-domain",  "envelope-key",
    "unbounded-gap",           "case-trap",          "no-literal",
    "unfilled-field",          "severity-inflation", "no-twin",
    "useless-ignore",
};
constexpr std::size_t kPackRulesMin = 4;  // below, a share says nothing

// Whether the condition can hold in an event of this type, as far as its fields say.
bool can_hold(const Condition& condition, EventType type) {
  for (const FieldTest& test : condition.tests) {
    if (!test.field.filled_by(type) && test.exists != false) return false;
  }
  const auto holds = [type](const Condition& each) { return can_hold(each, type); };
  return std::ranges::all_of(condition.all, holds) &&
         (condition.any.empty() || std::ranges::any_of(condition.any, holds));
}

bool is_prose(const FieldSelector& field) {
  return !field.context() && (field.names(FieldClass::kText) || field.names(FieldClass::kResult) ||
                              field.names(FieldClass::kDescription));
}

class RuleLinter {
 public:
  RuleLinter(const Rule& rule, const PatternTable& patterns, std::vector<LintWarning>& out)
      : rule_(rule), patterns_(patterns), out_(out) {}

  void run() {
    condition(rule_.where, false);
    unfilled_fields();
    if (rule_.no_match_examples == 0) {
      add(Lint::kNoTwin, nullptr,
          rule_.info.severity >= Severity::kHigh
              ? "pages people, and no `no_match` example says what it must leave alone"
              : "no `no_match` example says what it must leave alone",
          "add what looks alike and is harmless: `no_match: ['...']`");
    }
  }

 private:
  void add(Lint lint, const PatternPlace* place, std::string message, std::string remedy) {
    LintWarning warning{.lint = lint,
                        .file = rule_.file,
                        .line = rule_.line,
                        .column = 1,
                        .rule = rule_.info.id,
                        .message = std::move(message),
                        .remedy = std::move(remedy)};
    if (place != nullptr) {
      if (!place->file.empty()) warning.file = place->file;
      warning.line = place->line;
      warning.column = place->column;
    }
    out_.push_back(std::move(warning));
  }

  void condition(const Condition& condition, bool excluded) {
    for (const FieldTest& test : condition.tests) {
      if (!test.regex) continue;
      const bool prose = is_prose(test.field);
      judge(test.regex->patterns, {.excludes = excluded, .prose = prose, .searched = !excluded});
      for (const auto* unless :
           {&test.regex->unless, &test.regex->unless_line, &test.regex->unless_value}) {
        judge(*unless, {.excludes = true, .prose = prose, .searched = false});
      }
    }
    for (const Condition& each : condition.all) this->condition(each, excluded);
    for (const Condition& each : condition.any) this->condition(each, excluded);
    for (const Condition& each : condition.none) this->condition(each, !excluded);
  }

  void judge(const std::vector<PatternId>& ids, const PatternUse& use) {
    for (const PatternId id : ids) {
      const auto place = std::ranges::find(rule_.patterns, id, &PatternPlace::pattern);
      for (PatternFlaw& flaw : lint_pattern(patterns_.text(id), use)) {
        add(flaw.lint, place == rule_.patterns.end() ? nullptr : &*place, std::move(flaw.message),
            std::move(flaw.remedy));
      }
    }
  }

  void unfilled_fields() {
    for (const EventType type : rule_.on) {
      if (can_hold(rule_.where, type)) continue;
      add(Lint::kUnfilledField, nullptr,
          fmt::format("cannot hold in a {} event: `where` asks for fields that are never there "
                      "together",
                      name_of(type)),
          "take the type out of `on`, or put the tests under `any`");
    }
    for (const MessagePart& part : rule_.message) {
      if (part.kind != MessagePart::Kind::kField) continue;
      const bool filled =
          std::ranges::any_of(rule_.on, [&](EventType type) { return part.field.filled_by(type); });
      if (filled) continue;
      add(Lint::kUnfilledField, nullptr,
          fmt::format("the message names `{}`, which is never there in a {} event",
                      part.field.text(), name_of(rule_.on.front())),
          "name another field");
    }
  }

  const Rule& rule_;
  const PatternTable& patterns_;
  std::vector<LintWarning>& out_;
};

// Whatever the event, the rule says critical.
bool always_critical(const Rule& rule) {
  return std::ranges::all_of(rule.on, [&](EventType type) {
    return rule.severities[static_cast<std::size_t>(type)] == Severity::kCritical;
  });
}

// One warning a pack, at the first rule that does not say it means it; those that do are no part of
// the share.
void severity_inflation(std::span<const Rule> rules, std::vector<LintWarning>& out) {
  struct Pack {
    std::size_t rules = 0;
    std::vector<const Rule*> critical;
    std::vector<const Rule*> meant;  // of them
  };
  std::map<std::string_view, Pack> packs;
  for (const Rule& rule : rules) {
    Pack& pack = packs[rule.file];
    ++pack.rules;
    if (!always_critical(rule)) continue;
    const bool meant = std::ranges::find(rule.lint_ignore, name_of(Lint::kSeverityInflation)) !=
                       rule.lint_ignore.end();
    (meant ? pack.meant : pack.critical).push_back(&rule);
  }
  for (const auto& [file, pack] : packs) {
    const std::size_t critical = pack.critical.size() + pack.meant.size();
    if (pack.rules < kPackRulesMin || critical * 2 <= pack.rules) continue;
    std::vector<const Rule*> told = pack.meant;  // they take it back, and have not said so in vain
    if (pack.critical.size() * 2 > pack.rules) told.push_back(pack.critical.front());
    for (const Rule* rule : told) {
      out.push_back({.lint = Lint::kSeverityInflation,
                     .file = rule->file,
                     .line = rule->line,
                     .column = 1,
                     .rule = rule->info.id,
                     .message = fmt::format("{} of the pack's {} rules are critical: when most "
                                            "things page, nothing does",
                                            pack.critical.size(), pack.rules),
                     .remedy = "keep critical for what was carried out; medium is an attempt"});
    }
  }
}

// Takes out what rules mean to do, and adds what they say they mean and do not do.
void apply_ignores(std::span<const Rule> rules, std::vector<LintWarning>& warnings) {
  std::map<std::string_view, const Rule*> ignoring;
  for (const Rule& rule : rules) {
    if (!rule.lint_ignore.empty()) ignoring.emplace(rule.info.id, &rule);
  }
  std::set<std::pair<std::string_view, std::string_view>> used;
  std::erase_if(warnings, [&](const LintWarning& warning) {
    const auto found = ignoring.find(warning.rule);
    if (found == ignoring.end()) return false;
    const std::string_view name = name_of(warning.lint);
    const std::vector<std::string>& names = found->second->lint_ignore;
    if (std::ranges::find(names, name) == names.end()) return false;
    used.emplace(found->first, name);
    return true;
  });
  for (const auto& [id, rule] : ignoring) {
    for (const std::string& name : rule->lint_ignore) {
      if (used.contains({id, name})) continue;
      warnings.push_back({.lint = Lint::kUselessIgnore,
                          .file = rule->file,
                          .line = rule->line,
                          .column = 1,
                          .rule = rule->info.id,
                          .message = fmt::format("`lint_ignore: [{}]` silences nothing", name),
                          .remedy = "take it out"});
    }
  }
}

}  // namespace

std::span<const std::string_view> lint_names() { return kNames; }
std::string_view name_of(Lint lint) { return kNames[static_cast<std::size_t>(lint)]; }

std::vector<LintWarning> lint(std::span<const Rule> rules, const PatternTable& patterns) {
  std::vector<LintWarning> warnings;
  for (const Rule& rule : rules) RuleLinter(rule, patterns, warnings).run();
  severity_inflation(rules, warnings);
  apply_ignores(rules, warnings);
  std::ranges::stable_sort(warnings, {}, [](const LintWarning& warning) {
    return std::tuple(std::string_view(warning.file), warning.line, warning.column,
                      std::string_view(warning.rule), warning.lint);
  });
  // A macro that a rule uses twice is said once.
  const auto again = std::ranges::unique(warnings, {}, [](const LintWarning& warning) {
    return std::tuple(std::string_view(warning.file), warning.line, warning.column,
                      std::string_view(warning.rule), std::string_view(warning.message));
  });
  warnings.erase(again.begin(), again.end());
  return warnings;
}

}  // namespace tocsin
