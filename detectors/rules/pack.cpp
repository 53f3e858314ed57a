#include "detectors/rules/pack.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "detectors/matcher/pattern_set.h"

namespace tocsin {
namespace {

using yaml::MapReader;
using yaml::Node;

constexpr std::array<std::string_view, 5> kTagNamespaces = {"owasp", "atlas", "nist", "cwe",
                                                            "attack"};
constexpr std::string_view kFieldHint =
    "one of: text, tool.name, tool.description, tool.arguments.**, tool.arguments.<path>, "
    "tool.result.**, tool.result.<path> (a `*` in a path stands for one step)";

bool valid_id(std::string_view id) {
  static const re2::RE2 kForm(R"([a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+)");
  return id.size() <= 128 && re2::RE2::FullMatch(re2::StringPiece(id.data(), id.size()), kForm);
}

// Reads one rule; its position in the file is only needed while it is read.
class RuleReader {
 public:
  RuleReader(const Node& node, yaml::ReadContext& context)
      : reader_(&node, "", context), diagnostics_(context.diagnostics) {}

  std::optional<Rule> read(const std::vector<Rule>& others) {
    const std::size_t errors_before = diagnostics_.errors();
    if (reader_.self() == nullptr) return std::nullopt;  // reported: not a map
    read_id(others);
    reader_.require("title", "one line a person understands at 3 a.m.");
    reader_.string("title", &rule_.info.title);
    reader_.string("description", &rule_.description);
    read_severity_and_category();
    reader_.strings("tags", &rule_.info.tags);
    check_tags();
    read_on();
    read_where();
    reader_.strings("match", &rule_.match);
    reader_.strings("no_match", &rule_.no_match);
    check_examples();
    reader_.finish();
    if (diagnostics_.errors() > errors_before) return std::nullopt;
    return std::move(rule_);
  }

 private:
  void read_id(const std::vector<Rule>& others) {
    if (!reader_.require("id", "for example shell.download-and-run")) return;
    reader_.string("id", &rule_.info.id);
    const Node* node = reader_.node("id");
    if (!valid_id(rule_.info.id)) {
      yaml::error_at(*node, fmt::format("`{}` is not a rule id", rule_.info.id),
                     "lower-case words with dashes, at least two parts joined by a dot: "
                     "shell.download-and-run",
                     diagnostics_);
    }
    const auto same =
        std::ranges::find(others, rule_.info.id, [](const Rule& other) { return other.info.id; });
    if (same != others.end()) {
      yaml::error_at(*node, fmt::format("the rule id `{}` is taken", rule_.info.id),
                     "every rule needs an id of its own; another pack or an earlier rule has it",
                     diagnostics_);
    }
    rule_.info.detector = "rules";
  }

  void read_severity_and_category() {
    auto severity = static_cast<std::size_t>(rule_.info.severity);
    if (reader_.require("severity", one_of(severity_names()))) {
      reader_.choice("severity", severity_names(), &severity);
    }
    rule_.info.severity = static_cast<Severity>(severity);
    auto category = static_cast<std::size_t>(rule_.info.category);
    if (reader_.require("category", one_of(category_names()))) {
      reader_.choice("category", category_names(), &category);
    }
    rule_.info.category = static_cast<Category>(category);
  }

  void check_tags() {
    const Node* node = reader_.node("tags");
    for (const std::string& tag : rule_.info.tags) {
      const std::string_view space = std::string_view(tag).substr(0, tag.find(':'));
      const bool known = std::ranges::find(kTagNamespaces, space) != kTagNamespaces.end();
      if (known && space.size() + 1 < tag.size()) continue;
      yaml::error_at(*node, fmt::format("`{}` is not a tag", tag),
                     "namespace:id, for example owasp:ASI05; namespaces: " + one_of(kTagNamespaces),
                     diagnostics_);
    }
  }

  void read_on() {
    if (!reader_.require("on", "the event types to look at, for example [tool_call]")) return;
    std::vector<std::string> names;
    reader_.strings("on", &names);
    const Node* node = reader_.node("on");
    const bool a_list = node->kind == Node::Kind::kNull || node->kind == Node::Kind::kSequence;
    if (a_list && node->items.empty()) {
      yaml::error_at(*node, "`on` is empty", "the event types to look at, for example [tool_call]",
                     diagnostics_);
    }
    for (const std::string& name : names) {
      if (const auto type = event_type_named(name)) {
        rule_.on.push_back(*type);
        continue;
      }
      const std::string_view near = nearest(name, event_type_names());
      yaml::error_at(
          *node, fmt::format("`{}` is not an event type", name),
          near.empty() ? one_of(event_type_names()) : fmt::format("did you mean `{}`?", near),
          diagnostics_);
    }
  }

  void read_where() {
    if (!reader_.require("where", "{field: ..., regex: '...'}")) return;
    MapReader where = reader_.map("where");
    if (where.self() == nullptr && reader_.node("where")->kind != Node::Kind::kNull) return;
    where.require("field", kFieldHint);
    where.require("regex", "an RE2 pattern in single quotes, or a list of alternatives");
    where.string("field", &rule_.field);
    where.strings("regex", &alternatives_);
    if (where.has("field")) check_field(*where.self()->find("field"));
    if (where.has("regex")) compile(*where.self()->find("regex"));
    where.finish();
  }

  void check_field(const Node& node) {
    const auto selector = FieldSelector::parse(rule_.field);
    if (!selector) {
      yaml::error_at(node, fmt::format("`{}` is not a field", rule_.field), std::string(kFieldHint),
                     diagnostics_);
      return;
    }
    rule_.selector = *selector;
    for (const EventType type : rule_.on) {
      if (selector->filled_by(type)) continue;
      yaml::error_at(node,
                     fmt::format("`{}` is never there in a {} event", rule_.field, name_of(type)),
                     "change `on` or `field`: this rule could not match", diagnostics_);
    }
  }

  // Alternatives are checked one by one, so that a mistake is shown where it stands, and run as one
  // pattern.
  void compile(const Node& node) {
    bool valid = !alternatives_.empty();
    const bool empty = node.kind == Node::Kind::kNull ||
                       (node.kind == Node::Kind::kSequence && node.items.empty());
    if (empty) {
      yaml::error_at(node, "`where.regex` is empty", "an empty pattern would match everything",
                     diagnostics_);
    }
    for (std::size_t i = 0; i < alternatives_.size(); ++i) {
      const bool in_list = node.kind == Node::Kind::kSequence;
      valid = check_pattern(in_list ? node.items[i] : node, alternatives_[i]) && valid;
      rule_.regex += fmt::format("{}(?:{})", i > 0 ? "|" : "", alternatives_[i]);
    }
    if (!valid) return;
    auto compiled = matcher::PatternSet::compile_one(rule_.regex);
    if (!compiled) {
      yaml::error_at(node,
                     fmt::format("RE2 refuses the alternatives together: {}", compiled.error()),
                     "split the rule", diagnostics_);
      return;
    }
    pattern_ = std::move(*compiled);
  }

  bool check_pattern(const Node& node, const std::string& regex) {
    if (regex.size() > kRegexBytesMax) {
      yaml::error_at(node,
                     fmt::format("a pattern of {} bytes; at most {} are accepted", regex.size(),
                                 kRegexBytesMax),
                     "split the rule", diagnostics_);
      return false;
    }
    const auto compiled = matcher::PatternSet::compile_one(regex);
    if (!compiled) {
      yaml::error_at(node, fmt::format("RE2 refuses the pattern: {}", compiled.error()),
                     "RE2 has no look-around, no back-references and no counts over 1000",
                     diagnostics_);
      return false;
    }
    // `\b` does not match an empty text, but matches emptily in every other.
    for (const re2::StringPiece text : {"", "a b"}) {
      re2::StringPiece found;
      if ((*compiled)->Match(text, 0, text.size(), re2::RE2::UNANCHORED, &found, 1) &&
          found.empty()) {
        yaml::error_at(node, "the pattern matches the empty text, and so everything",
                       "make at least one character necessary", diagnostics_);
        return false;
      }
    }
    return true;
  }

  void check_examples() {
    check_examples("match", true, rule_.match);
    check_examples("no_match", false, rule_.no_match);
    constexpr std::string_view kWhy = "at least one text that the rule must find";
    const Node* node = reader_.node("match");
    if (!reader_.require("match", kWhy)) return;
    const bool a_list = node->kind == Node::Kind::kNull || node->kind == Node::Kind::kSequence;
    if (a_list && node->items.empty()) {
      yaml::error_at(*node, "`match` is empty", std::string(kWhy), diagnostics_);
    }
  }

  void check_examples(std::string_view key, bool wanted, const std::vector<std::string>& examples) {
    const Node* node = reader_.node(key);
    if (node == nullptr || pattern_ == nullptr) return;
    if (examples.size() > kExamplesMax) {
      yaml::error_at(
          *node, fmt::format("{} examples; at most {} are accepted", examples.size(), kExamplesMax),
          "move them to a recorded case", diagnostics_);
      return;
    }
    for (std::size_t i = 0; i < examples.size(); ++i) {
      const re2::StringPiece text(examples[i].data(), examples[i].size());
      if (pattern_->Match(text, 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0) == wanted) {
        continue;
      }
      const Node& at = node->kind == Node::Kind::kSequence ? node->items[i] : *node;
      yaml::error_at(at,
                     fmt::format("rule {}: the `{}` example {} the pattern", rule_.info.id, key,
                                 wanted ? "does not match" : "matches"),
                     "correct the pattern or the example", diagnostics_);
    }
  }

  MapReader reader_;
  Diagnostics& diagnostics_;
  Rule rule_;
  std::vector<std::string> alternatives_;
  std::unique_ptr<re2::RE2> pattern_;
};

}  // namespace

void read_pack(const yaml::Document& document, std::vector<Rule>& rules, Diagnostics& diagnostics) {
  yaml::ReadContext context{.diagnostics = diagnostics,
                            .override_value = {},
                            .override_name_prefix = {},
                            .override_documents = {}};
  MapReader pack(document.root.get(), "", context);
  if (!pack.require("rules", "a pack is a map with one key: rules: [...]")) return;
  const Node* list = pack.node("rules");
  pack.finish();
  if (list->kind == Node::Kind::kNull) return;
  if (list->kind != Node::Kind::kSequence) {
    yaml::error_at(*list, "`rules` must be a list", "start each rule with `- id:`", diagnostics);
    return;
  }
  for (const Node& item : list->items) {
    if (auto rule = RuleReader(item, context).read(rules)) rules.push_back(std::move(*rule));
  }
}

}  // namespace tocsin
