#include "detectors/rules/pack.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "detectors/rules/condition_reader.h"
#include "detectors/rules/example.h"
#include "detectors/rules/lint.h"
#include "detectors/rules/rule_fields.h"

namespace tocsin {
namespace {

using yaml::MapReader;
using yaml::Node;

constexpr std::size_t kMessageBytesMax = 512;

bool is_null_or_empty_list(const Node& node) {
  return node.kind == Node::Kind::kNull ||
         (node.kind == Node::Kind::kSequence && node.items.empty());
}

bool valid_name(std::string_view name) {
  static const re2::RE2 kForm(R"([a-z][a-z0-9_]{0,63})");
  return re2::RE2::FullMatch(re2::StringPiece(name.data(), name.size()), kForm);
}

using Ids = std::unordered_set<std::string>;

// What the readers of one load share.
struct Load {
  const Vocabulary& vocabulary;
  PatternTable& patterns;
  EventValues& values;  // for examples
  Ids& ids;
  std::vector<ExampleFailure>* failures = nullptr;  // null: a failed example is an error
  bool translated = false;                          // from another language: no examples
};

// Reads one rule; its position in the file is only needed while it is read.
class RuleReader {
 public:
  RuleReader(const Node& node, Load load, yaml::ReadContext& context)
      : node_(node),
        reader_(&node, "", context),
        load_(load),
        context_(context),
        diagnostics_(context.diagnostics) {}

  std::optional<Rule> read() {
    const std::size_t errors_before = diagnostics_.errors();
    if (reader_.self() == nullptr) return std::nullopt;  // reported: not a map
    read_id();
    reader_.require("title", "one line a person understands at 3 a.m.");
    reader_.string("title", &rule_.info.title);
    reader_.string("description", &rule_.description);
    read_on();
    read_severities();
    read_category(reader_, rule_.info.category);
    read_tags(reader_, rule_.info.tags, diagnostics_);
    read_message();
    read_lint_ignore();
    const bool sound = read_where();
    if (sound && !load_.translated) read_examples();
    reader_.node("match");
    reader_.node("no_match");
    reader_.finish();
    if (node_.source != nullptr) rule_.file = node_.source->name;
    rule_.line = node_.line;
    if (diagnostics_.errors() > errors_before) return std::nullopt;
    return std::move(rule_);
  }

 private:
  void read_id() {
    read_rule_id(reader_, rule_.info.id, diagnostics_);
    rule_.info.detector = "rules";
    if (!reader_.has("id") || load_.ids.insert(rule_.info.id).second) return;
    report_taken_id(*reader_.node("id"), rule_.info.id, diagnostics_);
  }

  void read_on() {
    if (!reader_.require("on", "the event types to look at, for example [tool_call]")) return;
    const Node* node = reader_.node("on");
    if (is_null_or_empty_list(*node)) {
      yaml::error_at(*node, "`on` is empty", "the event types to look at, for example [tool_call]",
                     diagnostics_);
      return;
    }
    std::vector<std::string> names;
    reader_.strings("on", &names);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const Node& at = node->kind == Node::Kind::kSequence ? node->items[i] : *node;
      const auto type = event_type_of(at, names[i]);
      if (type && std::ranges::find(rule_.on, *type) == rule_.on.end()) rule_.on.push_back(*type);
    }
  }

  std::optional<EventType> event_type_of(const Node& node, std::string_view name) {
    const auto type = event_type_named(name);
    if (type) return type;
    const std::string_view near = nearest(name, event_type_names());
    yaml::error_at(
        node, fmt::format("`{}` is not an event type", name),
        near.empty() ? one_of(event_type_names()) : fmt::format("did you mean `{}`?", near),
        diagnostics_);
    return std::nullopt;
  }

  // One word, or one a type of event: the same secret means more in an output than in a result.
  void read_severities() {
    const Node* node = reader_.node("severity");
    if (node == nullptr || node->kind != Node::Kind::kMap) {
      read_severity(reader_, rule_.info.severity);
      rule_.severities.fill(rule_.info.severity);
      return;
    }
    MapReader by_type = reader_.map("severity");
    rule_.info.severity = Severity::kInfo;
    for (const EventType type : rule_.on) {
      auto severity = static_cast<std::size_t>(Severity::kMedium);
      if (by_type.require(name_of(type), "every event type in `on` needs its severity")) {
        by_type.choice(name_of(type), severity_names(), &severity);
      }
      rule_.severities[static_cast<std::size_t>(type)] = static_cast<Severity>(severity);
      rule_.info.severity = std::max(rule_.info.severity, static_cast<Severity>(severity));
    }
    if (!rule_.on.empty()) by_type.finish();
  }

  void read_message() {
    const Node* node = reader_.node("message");
    if (node == nullptr) return;
    const auto text = yaml::scalar_of(*node, "a text", diagnostics_);
    if (!text) return;
    if (text->size() > kMessageBytesMax) {
      yaml::error_at(*node, fmt::format("a message of {} bytes", text->size()),
                     fmt::format("at most {}", kMessageBytesMax), diagnostics_);
      return;
    }
    std::string_view rest = *text;
    while (!rest.empty()) {
      const std::size_t open = rest.find('{');
      if (open > 0) {
        rule_.message.push_back({.kind = MessagePart::Kind::kLiteral,
                                 .literal = std::string(rest.substr(0, open)),
                                 .field = {}});
      }
      if (open == std::string_view::npos) return;
      const std::size_t close = rest.find('}', open);
      const std::string_view name = rest.substr(open + 1, close - open - 1);
      rest = close == std::string_view::npos ? std::string_view{} : rest.substr(close + 1);
      add_placeholder(*node, name, close != std::string_view::npos);
    }
  }

  void read_lint_ignore() {
    reader_.strings("lint_ignore", &rule_.lint_ignore);
    const Node* node = reader_.node("lint_ignore");
    for (std::size_t i = 0; node != nullptr && i < rule_.lint_ignore.size(); ++i) {
      const std::string& name = rule_.lint_ignore[i];
      if (std::ranges::find(lint_names(), name) != lint_names().end()) continue;
      const std::string_view near = nearest(name, lint_names());
      const bool in_list = node->kind == Node::Kind::kSequence && i < node->items.size();
      yaml::error_at(in_list ? node->items[i] : *node, fmt::format("no lint is called `{}`", name),
                     near.empty() ? one_of(lint_names()) : fmt::format("did you mean `{}`?", near),
                     diagnostics_);
    }
  }

  void add_placeholder(const Node& node, std::string_view name, bool closed) {
    if (closed && name == "match") {
      rule_.message.push_back({.kind = MessagePart::Kind::kMatch, .literal = {}, .field = {}});
      return;
    }
    auto field = FieldSelector::parse(name);
    if (closed && field) {
      rule_.message.push_back(
          {.kind = MessagePart::Kind::kField, .literal = {}, .field = std::move(*field)});
      return;
    }
    yaml::error_at(node, fmt::format("`{{{}}}` is not a field", name),
                   "{match}, {tool.name}, {system}, {tool.arguments.<path>} ...", diagnostics_);
  }

  bool read_where() {
    if (!reader_.require("where", "{field: ..., regex: '...'}")) return false;
    ConditionReader conditions(load_.vocabulary, load_.patterns, rule_.on, context_);
    auto condition = conditions.read(*reader_.node("where"));
    if (!condition) return false;
    rule_.where = std::move(*condition);
    rule_.patterns = conditions.take_places();
    for (PatternPlace& place : rule_.patterns) {
      if (node_.source != nullptr && place.file == node_.source->name) place.file.clear();
    }
    return check_fields();
  }

  // An event type that fills none of the fields asked for could not match.
  bool check_fields() {
    std::vector<const FieldSelector*> fields;
    rule_.where.collect_fields(fields);
    bool sound = true;
    for (const EventType type : rule_.on) {
      const bool filled = std::ranges::any_of(fields, [&](const FieldSelector* field) {
        return !field->context() && field->filled_by(type);
      });
      const bool context_only = std::ranges::all_of(
          fields, [](const FieldSelector* field) { return field->context().has_value(); });
      if (filled || context_only) continue;
      sound = false;
      yaml::error_at(
          *reader_.node("on"),
          fmt::format("no field that `where` names is ever there in a {} event", name_of(type)),
          "change `on` or `where`", diagnostics_);
    }
    return sound;
  }

  void read_examples() {
    constexpr std::string_view kWhy = "at least one text that the rule must find";
    const Node* match = reader_.node("match");
    if (!reader_.require("match", kWhy) || rule_.on.empty()) return;
    if (is_null_or_empty_list(*match)) {
      yaml::error_at(*match, "`match` is empty", std::string(kWhy), diagnostics_);
    }
    const Node* no_match = reader_.node("no_match");
    rule_.examples =
        try_examples(match, true, rule_, load_.patterns, load_.values, context_, load_.failures);
    rule_.no_match_examples = try_examples(no_match, false, rule_, load_.patterns, load_.values,
                                           context_, load_.failures);
    rule_.examples += rule_.no_match_examples;
  }

  const Node& node_;
  MapReader reader_;
  Load load_;
  yaml::ReadContext& context_;
  Diagnostics& diagnostics_;
  Rule rule_;
};

// The map of one pack; what it holds is read in several passes over all packs.
class PackReader {
 public:
  PackReader(const yaml::Document& document, yaml::ReadContext& context)
      : reader_(document.root.get(), "", context), context_(context) {}

  void read_lists(Vocabulary& vocabulary) {
    for (const yaml::Entry& entry : entries("lists")) {
      if (!named_well(entry.key, vocabulary.lists.contains(entry.key.scalar), "list")) continue;
      auto literals = read_literals(entry.value, vocabulary, context_.diagnostics);
      if (literals) vocabulary.lists.emplace(entry.key.scalar, std::move(*literals));
    }
  }

  void read_macros(Vocabulary& vocabulary) {
    for (const yaml::Entry& entry : entries("macros")) {
      if (!named_well(entry.key, vocabulary.macros.contains(entry.key.scalar), "macro")) continue;
      vocabulary.macros.emplace(entry.key.scalar, &entry.value);
    }
  }

  void read_rules(Load load, std::vector<Rule>& rules) {
    const bool other = reader_.has("lists") || reader_.has("macros") || reader_.has("correlations");
    reader_.node("correlations");  // read once everything that can match is known
    if (!other) reader_.require("rules", "a pack is a map with rules: [...]");
    const Node* list = reader_.node("rules");
    reader_.finish();
    if (list == nullptr || list->kind == Node::Kind::kNull) return;
    if (list->kind != Node::Kind::kSequence) {
      yaml::error_at(*list, "`rules` must be a list", "start each rule with `- id:`",
                     context_.diagnostics);
      return;
    }
    for (const Node& item : list->items) {
      if (rules.size() >= kRulesMax) {
        yaml::error_at(item, fmt::format("more than {} rules", kRulesMax), "load fewer packs",
                       context_.diagnostics);
        return;
      }
      if (auto rule = RuleReader(item, load, context_).read()) rules.push_back(std::move(*rule));
    }
  }

 private:
  std::span<const yaml::Entry> entries(std::string_view key) {
    const Node* node = reader_.node(key);
    if (node == nullptr || node->kind == Node::Kind::kNull) return {};
    if (node->kind == Node::Kind::kMap) return node->entries;
    yaml::error_at(*node, fmt::format("`{}` must be a map", key), "name: ...",
                   context_.diagnostics);
    return {};
  }

  bool named_well(const Node& name, bool taken, std::string_view what) {
    if (valid_name(name.scalar) && !taken) return true;
    yaml::error_at(name,
                   taken ? fmt::format("the {} `{}` exists already", what, name.scalar)
                         : fmt::format("`{}` is not a name for a {}", name.scalar, what),
                   taken ? "names are shared by all packs" : "lower-case letters, digits and _",
                   context_.diagnostics);
    return false;
  }

  MapReader reader_;
  yaml::ReadContext& context_;
};

// A macro that nobody uses may be wrong as well, and a wrong one used ten times is one mistake.
void check_macros(Vocabulary& vocabulary, PatternTable& patterns, yaml::ReadContext& context) {
  for (const auto& [name, node] : vocabulary.macros) {
    const std::vector<EventType> any_type;
    ConditionReader reader(vocabulary, patterns, any_type, context);
    if (!reader.read(*node)) vocabulary.wrong_macros.insert(name);
  }
}

}  // namespace

std::vector<Rule> read_packs(std::span<const yaml::Document> packs, PatternTable& patterns,
                             Diagnostics& diagnostics, std::vector<ExampleFailure>* failures) {
  yaml::ReadContext context(diagnostics);
  std::vector<PackReader> readers;
  readers.reserve(packs.size());
  for (const yaml::Document& document : packs) readers.emplace_back(document, context);
  Vocabulary vocabulary;
  for (PackReader& reader : readers) reader.read_lists(vocabulary);
  for (PackReader& reader : readers) reader.read_macros(vocabulary);
  check_macros(vocabulary, patterns, context);
  std::vector<Rule> rules;
  EventValues values;
  Ids ids;
  for (PackReader& reader : readers) {
    reader.read_rules({.vocabulary = vocabulary,
                       .patterns = patterns,
                       .values = values,
                       .ids = ids,
                       .failures = failures},
                      rules);
  }
  return rules;
}

std::optional<Rule> read_translated_rule(const Node& rule, RuleLoad load,
                                         Diagnostics& diagnostics) {
  static const Vocabulary kNoVocabulary;
  yaml::ReadContext context(diagnostics);
  return RuleReader(rule,
                    {.vocabulary = kNoVocabulary,
                     .patterns = load.patterns,
                     .values = load.values,
                     .ids = load.ids,
                     .translated = true},
                    context)
      .read();
}

}  // namespace tocsin
