// gitleaks' configuration: [[rules]] with a pattern, an entropy floor, keywords and exceptions.
//
// What has no counterpart in an event: commits and file paths.  Exceptions by them never apply; a
// rule that holds only in files of some name is refused, since elsewhere it means something else.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "daemon/text.h"
#include "detectors/rules/condition_reader.h"
#include "detectors/rules/import/importer.h"
#include "detectors/rules/import/regex_dialect.h"
#include "detectors/rules/import/toml.h"

namespace tocsin {
namespace {

using yaml::Node;

constexpr std::size_t kStopwordPatternBytes = 8'000;

// [allowlist], [[allowlists]], [rules.allowlist] or [[rules.allowlists]].
struct Allowlist {
  enum class Target : std::uint8_t { kSecret, kMatch, kLine };
  Target target = Target::kSecret;
  bool all = false;        // condition = "AND": of each kind that is there, one
  bool elsewhere = false;  // by path or commit
  std::vector<std::string> regexes;
  std::vector<std::string> stopwords;
  std::vector<std::string> rules;  // targetRules; empty: all
};

Allowlist read_allowlist(const Node& node) {
  Allowlist list;
  const std::string target = ascii_lower(text_at(node, "regexTarget"));
  if (target == "match") list.target = Allowlist::Target::kMatch;
  if (target == "line") list.target = Allowlist::Target::kLine;
  const std::string condition = ascii_lower(text_at(node, "condition"));
  list.all = condition == "and" || condition == "&&";
  list.elsewhere = !texts_at(node, "paths").empty() || !texts_at(node, "commits").empty();
  list.regexes = texts_at(node, "regexes");
  list.stopwords = texts_at(node, "stopwords");
  list.rules = texts_at(node, "targetRules");
  return list;
}

// Under both spellings, as one table or several.
std::vector<Allowlist> read_allowlists(const Node& map) {
  std::vector<Allowlist> lists;
  for (const char* key : {"allowlist", "allowlists"}) {
    const Node* node = map.find(key);
    if (node == nullptr) continue;
    if (node->kind == Node::Kind::kMap) lists.push_back(read_allowlist(*node));
    for (const Node& item : node->items) {
      if (item.kind == Node::Kind::kMap) lists.push_back(read_allowlist(item));
    }
  }
  return lists;
}

// Stopwords are looked for inside of the secret, whatever their case: few long alternations.
std::vector<std::string> stopword_patterns(const std::vector<std::string>& words) {
  std::vector<std::string> patterns;
  std::string pattern;
  for (const std::string& word : words) {
    if (word.empty() || word.size() > kLiteralBytesMax) continue;
    pattern += (pattern.empty() ? "(?i)" : "|") + re2::RE2::QuoteMeta(word);
    if (pattern.size() < kStopwordPatternBytes) continue;
    patterns.push_back(std::move(pattern));
    pattern.clear();
  }
  if (!pattern.empty()) patterns.push_back(std::move(pattern));
  return patterns;
}

class GitleaksRule {
 public:
  GitleaksRule(const Node& node, const Importer::Origin& origin, const std::vector<Allowlist>& all,
               Importer& importer)
      : node_(node),
        origin_(origin),
        global_(all),
        importer_(importer),
        make_(origin.source, origin.line) {}

  void import(const std::string& id) {
    if (const std::string reason = refusal(); !reason.empty()) {
      importer_.refuse(origin_, reason);
      return;
    }
    Node test = make_.map({{"field", make_.text("content")},
                           {"regex", make_.text(re2_from_go(text_at(node_, "regex")))}});
    put_capture(test);
    put_entropy(test);
    std::vector<std::string> keywords = texts_at(node_, "keywords");
    std::erase(keywords, "");
    if (!keywords.empty()) make_.put(test, "require_any", make_.texts(keywords));
    put_exceptions(test);

    const std::string title = imported_title(text_at(node_, "description"));
    Node rule =
        make_.map({{"id", make_.text(id)},
                   {"title", make_.text(title.empty() ? origin_.id : title)},
                   {"severity", make_.text(importer_.capped(Severity::kHigh))},
                   {"category", make_.text("secret")},
                   {"on", make_.list({make_.text("system_message"), make_.text("user_message"),
                                      make_.text("model_output"), make_.text("tool_definitions"),
                                      make_.text("tool_call"), make_.text("tool_result")})},
                   {"where", std::move(test)}});
    importer_.put_tags(rule, texts_at(node_, "tags"), make_);
    if (importer_.take(origin_, rule) == nullptr) return;
    for (const std::string& what : reduced_) importer_.reduce(origin_, what);
  }

 private:
  std::string refusal() const {
    if (node_.find("required") != nullptr) {
      return "needs another rule's match nearby (`required`), which is not supported";
    }
    if (text_at(node_, "skipReport") == "true") {
      return "reports nothing by itself (`skipReport`)";
    }
    const bool path = !text_at(node_, "path").empty();
    if (text_at(node_, "regex").empty()) {
      return path ? "looks at file names alone, and events have none" : "has no `regex`";
    }
    if (path) return "holds only in files whose name matches `path`, and events name no file";
    return {};
  }

  // Without secretGroup, the first group that took part is the secret; a pattern without groups is
  // one as a whole.
  void put_capture(Node& test) const {
    const std::string group = text_at(node_, "secretGroup");
    if (!group.empty() && group != "0") {
      make_.put(test, "capture", make_.text(group));
    } else if (groups() > 0) {
      make_.put(test, "capture", make_.text("1"));
    }
  }

  int groups() const {
    const auto compiled = LazyRegex::compile(re2_from_go(text_at(node_, "regex")), nullptr);
    return compiled == nullptr ? 0 : compiled->NumberOfCapturingGroups();
  }

  void put_entropy(Node& test) const {
    const std::string bits = text_at(node_, "entropy");
    double floor = 0;
    std::from_chars(bits.data(), bits.data() + bits.size(), floor);
    if (bits.empty() || floor == 0) return;
    make_.put(test, "validate", make_.map({{"entropy", make_.text(bits)}}));
  }

  void put_exceptions(Node& test) {
    const bool captured = test.find("capture") != nullptr;
    for (const Allowlist& list : read_allowlists(node_)) add(list, captured);
    for (const Allowlist& list : global_) {
      if (list.rules.empty() || std::ranges::find(list.rules, origin_.id) != list.rules.end()) {
        add(list, captured);
      }
    }
    if (!unless_.empty()) make_.put(test, "unless", make_.texts(unless_));
    if (!unless_line_.empty()) make_.put(test, "unless_line", make_.texts(unless_line_));
  }

  void add(const Allowlist& list, bool captured) {
    if (list.all && list.elsewhere) return;  // needs a path or a commit as well
    if (list.all && !list.regexes.empty() && !list.stopwords.empty()) {
      reduced_.emplace_back("an exception that needs a pattern and a stopword at once is left out");
      return;
    }
    std::ranges::move(stopword_patterns(list.stopwords), std::back_inserter(unless_));
    using Target = Allowlist::Target;
    const bool by_line =
        list.target == Target::kLine || (list.target == Target::kMatch && captured);
    if (by_line && list.target == Target::kMatch && !list.regexes.empty()) {
      reduced_.emplace_back("an exception for the whole match is taken for its whole line");
    }
    for (const std::string& each : list.regexes) {
      std::string pattern = re2_from_go(each);
      std::string error;
      const auto compiled = LazyRegex::compile(pattern, &error);
      if (compiled == nullptr || matches_the_empty_text(*compiled)) {
        reduced_.push_back(fmt::format("an exception is left out: {}",
                                       compiled == nullptr ? "RE2 refuses its pattern: " + error
                                                           : "its pattern matches everything"));
        continue;
      }
      (by_line ? unless_line_ : unless_).push_back(std::move(pattern));
    }
  }

  const Node& node_;
  const Importer::Origin& origin_;
  const std::vector<Allowlist>& global_;
  Importer& importer_;
  NodeMaker make_;
  std::vector<std::string> unless_;
  std::vector<std::string> unless_line_;
  std::vector<std::string> reduced_;
};

void warn_of_extension(const Node& root, Diagnostics& diagnostics) {
  const Node* extend = root.find("extend");
  if (extend == nullptr) return;
  if (text_at(*extend, "useDefault") == "true") {
    yaml::warning_at(*extend, "`extend.useDefault` is not followed: that file comes with gitleaks",
                     "name gitleaks' own gitleaks.toml as an import as well", diagnostics);
  }
  if (const std::string path = text_at(*extend, "path"); !path.empty()) {
    yaml::warning_at(*extend, fmt::format("`extend.path` is not followed: {}", printable(path)),
                     "name that file as an import as well", diagnostics);
  }
}

}  // namespace

void import_gitleaks(Importer& importer) {
  ImportLoad& load = importer.load();
  const auto document = load_toml(importer.source().path, load.diagnostics);
  if (!document) return;
  load.on_file(*document->source);
  const Node& root = *document->root;
  const Node* rules = root.find("rules");
  const bool known =
      rules != nullptr ? rules->kind == Node::Kind::kSequence : root.find("extend") != nullptr;
  if (!known) {
    yaml::error_at(root, "no [[rules]]: not a configuration of gitleaks", "name a gitleaks.toml",
                   load.diagnostics);
    return;
  }
  warn_of_extension(root, load.diagnostics);
  if (rules == nullptr) return;
  const std::vector<Allowlist> global = read_allowlists(root);
  const yaml::Source source{.name = document->source->name, .text = ""};
  for (const Node& node : rules->items) {
    const Importer::Origin origin{.id = text_at(node, "id"), .source = &source, .line = node.line};
    if (!importer.room(origin)) return;
    const std::string id = imported_id("gitleaks", origin.id);
    if (id.empty()) {
      importer.refuse(origin, "has no `id`");
    } else if (importer.wanted(origin, id)) {
      GitleaksRule(node, origin, global, importer).import(id);
    }
  }
}

}  // namespace tocsin
