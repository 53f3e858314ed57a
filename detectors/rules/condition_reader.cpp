#include "detectors/rules/condition_reader.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

#include "daemon/text.h"
#include "detectors/rules/rule_fields.h"

namespace tocsin {
namespace {

using yaml::MapReader;
using yaml::Node;

constexpr std::string_view kFieldHint =
    "one of: content, text, tool.name, tool.description, tool.arguments.**, "
    "tool.arguments.<path>, tool.result.**, tool.result.<path> (`*` stands for one step or part of "
    "one, a leading `**` for any number), tool.effect, tool.declared, system, system.risk, "
    "system.decision, tenant, model, release";
constexpr std::array<std::pair<std::string_view, LiteralTest::Kind>, 5> kLiteralTests = {{
    {"contains", LiteralTest::Kind::kContains},
    {"words", LiteralTest::Kind::kWords},
    {"in", LiteralTest::Kind::kIn},
    {"starts_with", LiteralTest::Kind::kStartsWith},
    {"ends_with", LiteralTest::Kind::kEndsWith},
}};
// One of these is in whatever the finder takes for a URL.
constexpr std::array<std::string_view, 4> kUrlMarks = {"/", "\\", ":", "www."};

// What stands under a key that takes one scalar or several.
std::vector<const Node*> scalars_of(const Node& node, std::string_view what,
                                    Diagnostics& diagnostics) {
  std::vector<const Node*> scalars;
  const auto add = [&](const Node& each) {
    if (yaml::scalar_of(each, what, diagnostics)) scalars.push_back(&each);
  };
  if (node.kind == Node::Kind::kSequence) {
    for (const Node& item : node.items) add(item);
  } else if (node.kind != Node::Kind::kNull) {
    add(node);
  }
  if (scalars.empty() && (node.kind == Node::Kind::kNull || node.items.empty()) &&
      node.kind != Node::Kind::kMap && node.kind != Node::Kind::kScalar) {
    yaml::error_at(node, "an empty list", fmt::format("at least one {}", what), diagnostics);
  }
  return scalars;
}

}  // namespace

bool matches_the_empty_text(const re2::RE2& regex) {
  // `\b` does not match an empty text, but matches emptily in every other.
  return std::ranges::any_of(
      std::array<re2::StringPiece, 2>{"", "a b"}, [&](const re2::StringPiece& text) {
        re2::StringPiece found;
        return regex.Match(text, 0, text.size(), re2::RE2::UNANCHORED, &found, 1) && found.empty();
      });
}

std::optional<std::vector<std::string>> read_literals(const Node& node,
                                                      const Vocabulary& vocabulary,
                                                      Diagnostics& diagnostics) {
  if (node.kind == Node::Kind::kMap) {
    const Node* name = node.find("list");
    if (name == nullptr || node.entries.size() != 1 || name->kind != Node::Kind::kScalar) {
      yaml::error_at(node, "not a list of literals", "[a, b, c], or {list: NAME}", diagnostics);
      return std::nullopt;
    }
    const auto found = vocabulary.lists.find(name->scalar);
    if (found != vocabulary.lists.end()) return found->second;
    std::vector<std::string_view> known;
    for (const auto& [each, literals] : vocabulary.lists) known.push_back(each);
    const std::string_view near = nearest(name->scalar, known);
    yaml::error_at(*name, fmt::format("no list is called `{}`", name->scalar),
                   near.empty() ? "lists stand under `lists:` of a pack"
                                : fmt::format("did you mean `{}`?", near),
                   diagnostics);
    return std::nullopt;
  }
  if (node.kind == Node::Kind::kSequence && node.items.size() > kLiteralsMax) {
    yaml::error_at(node,
                   fmt::format("a list of {} literals; at most {} are accepted", node.items.size(),
                               kLiteralsMax),
                   "split it, or match by a pattern", diagnostics);
    return std::nullopt;
  }
  std::vector<std::string> literals;
  for (const Node* each : scalars_of(node, "a literal", diagnostics)) {
    if (each->scalar.empty() || each->scalar.size() > kLiteralBytesMax) {
      yaml::error_at(*each, fmt::format("a literal of {} bytes", each->scalar.size()),
                     fmt::format("1 to {} bytes", kLiteralBytesMax), diagnostics);
      return std::nullopt;
    }
    literals.push_back(ascii_lower(each->scalar));
  }
  if (literals.empty()) return std::nullopt;
  return literals;
}

ConditionReader::ConditionReader(const Vocabulary& vocabulary, PatternTable& patterns,
                                 const std::vector<EventType>& on, yaml::ReadContext& context)
    : vocabulary_(vocabulary),
      patterns_(patterns),
      on_(on),
      context_(context),
      diagnostics_(context.diagnostics) {}

std::optional<Condition> ConditionReader::read(const Node& node) { return read(node, 0); }

std::optional<Condition> ConditionReader::read(const Node& node, std::size_t depth) {
  if (++nodes_ > kConditionNodesMax || depth > kConditionDepthMax) {
    if (nodes_ <= kConditionNodesMax + 1) {
      yaml::error_at(node, "a condition too deep or too large",
                     fmt::format("at most {} levels and {} parts, macros unfolded",
                                 kConditionDepthMax, kConditionNodesMax),
                     diagnostics_);
    }
    return std::nullopt;
  }
  const std::size_t errors_before = diagnostics_.errors();
  MapReader reader(&node, "", context_);
  if (reader.self() == nullptr) {
    if (node.kind == Node::Kind::kNull) {
      yaml::error_at(node, "an empty condition", "{field: ..., regex: '...'}, or all, any, none",
                     diagnostics_);
    }
    return std::nullopt;
  }
  Condition condition;
  bool sound = true;
  if (const Node* macro = reader.node("macro")) {
    auto unfolded = read_macro(*macro, depth);
    sound = unfolded.has_value();
    if (unfolded) condition.all.push_back(std::move(*unfolded));
  }
  sound = read_children(reader.node("all"), "all", depth, condition.all) && sound;
  sound = read_children(reader.node("any"), "any", depth, condition.any) && sound;
  ++excluded_;
  sound = read_children(reader.node("none"), "none", depth, condition.none) && sound;
  --excluded_;
  if (reader.has("field") ||
      (condition.all.empty() && condition.any.empty() && condition.none.empty() && sound)) {
    FieldTest test;
    sound = read_test(node, reader, test) && sound;
    condition.tests.push_back(std::move(test));
  }
  reader.finish();
  if (!sound || diagnostics_.errors() > errors_before) return std::nullopt;
  return condition;
}

bool ConditionReader::read_children(const Node* node, std::string_view key, std::size_t depth,
                                    std::vector<Condition>& out) {
  if (node == nullptr) return true;
  if (node->kind != Node::Kind::kSequence || node->items.empty()) {
    yaml::error_at(*node, fmt::format("`{}` must be a list of conditions", key),
                   fmt::format("{}: [{{field: ..., regex: '...'}}, ...]", key), diagnostics_);
    return false;
  }
  bool sound = true;
  for (const Node& item : node->items) {
    auto condition = read(item, depth + 1);
    sound = condition.has_value() && sound;
    if (condition) out.push_back(std::move(*condition));
  }
  return sound;
}

std::optional<Condition> ConditionReader::read_macro(const Node& name, std::size_t depth) {
  const auto text = yaml::scalar_of(name, "a macro's name", diagnostics_);
  if (!text || vocabulary_.wrong_macros.contains(*text)) return std::nullopt;
  const auto found = vocabulary_.macros.find(*text);
  if (found == vocabulary_.macros.end()) {
    std::vector<std::string_view> known;
    for (const auto& [each, node] : vocabulary_.macros) known.push_back(each);
    const std::string_view near = nearest(*text, known);
    yaml::error_at(name, fmt::format("no macro is called `{}`", *text),
                   near.empty() ? "macros stand under `macros:` of a pack"
                                : fmt::format("did you mean `{}`?", near),
                   diagnostics_);
    return std::nullopt;
  }
  if (std::ranges::find(macros_, *text) != macros_.end()) {
    yaml::error_at(name, fmt::format("the macro `{}` stands for itself", *text),
                   "a macro cannot be part of its own condition", diagnostics_);
    return std::nullopt;
  }
  macros_.emplace_back(*text);
  auto condition = read(*found->second, depth + 1);
  macros_.pop_back();
  return condition;
}

bool ConditionReader::read_test(const Node& node, MapReader& reader, FieldTest& test) {
  const std::size_t errors_before = diagnostics_.errors();
  // Everything is read even after a mistake, so that all of them are reported at once.
  if (reader.require("field", std::string(kFieldHint))) read_field(*reader.node("field"), test);
  const bool context = test.field.context().has_value();
  if (!context) {
    read_regex(reader, test);
    test.number = read_bounds(reader, diagnostics_);
    read_cidr(reader, test);
    read_url(reader, test);
    read_views(reader, test);
  }
  read_literal_tests(reader, test);
  if (reader.has("exists")) {
    bool exists = true;
    reader.boolean("exists", &exists);
    test.exists = exists;
  }
  if (diagnostics_.errors() > errors_before) return false;
  if (!test.regex && test.literals.empty() && !test.number && test.cidr.empty() && !test.url &&
      !test.exists) {
    yaml::error_at(node, fmt::format("nothing is asked of `{}`", test.field.text()),
                   context ? "in, contains, starts_with, ends_with or exists"
                           : "regex, contains, words, in, starts_with, ends_with, gt, gte, lt, "
                             "lte, cidr, url or exists",
                   diagnostics_);
    return false;
  }
  return true;
}

bool ConditionReader::read_field(const Node& node, FieldTest& test) {
  const auto text = yaml::scalar_of(node, "a field", diagnostics_);
  if (!text) return false;
  auto selector = FieldSelector::parse(*text);
  if (!selector) {
    std::vector<std::string_view> known = {"content"};
    std::ranges::copy(kFieldClassNames, std::back_inserter(known));
    std::ranges::copy(kContextFieldNames, std::back_inserter(known));
    const std::string_view near = nearest(*text, known);
    yaml::error_at(node, fmt::format("`{}` is not a field", *text),
                   near.empty() ? std::string(kFieldHint)
                                : fmt::format("did you mean `{}`?  {}", near, kFieldHint),
                   diagnostics_);
    return false;
  }
  test.field = std::move(*selector);
  const bool filled = on_.empty() || std::ranges::any_of(on_, [&](EventType type) {
                        return test.field.filled_by(type);
                      });
  if (!filled) {
    yaml::error_at(node,
                   fmt::format("`{}` is never there in a {} event", *text, name_of(on_.front())),
                   "change `on` or `field`: this could not match", diagnostics_);
  }
  return filled;
}

std::optional<PatternId> ConditionReader::pattern(const Node& node, bool scanned) {
  const auto text = yaml::scalar_of(node, "an RE2 pattern", diagnostics_);
  if (!text) return std::nullopt;
  if (text->size() > kRegexBytesMax || patterns_.full()) {
    yaml::error_at(node,
                   text->size() > kRegexBytesMax
                       ? fmt::format("a pattern of {} bytes; at most {} are accepted", text->size(),
                                     kRegexBytesMax)
                       : fmt::format("more than {} patterns and literals, or {} MiB of them",
                                     PatternTable::kPatternsMax, PatternTable::kBytesMax >> 20),
                   "split the rule", diagnostics_);
    return std::nullopt;
  }
  std::string error;
  auto compiled = patterns_.proven() ? nullptr : LazyRegex::compile(*text, &error);
  if (!compiled && !patterns_.proven()) {
    yaml::error_at(node, fmt::format("RE2 refuses the pattern: {}", error),
                   "RE2 has no look-around, no back-references and no counts over 1000",
                   diagnostics_);
    return std::nullopt;
  }
  if (compiled && matches_the_empty_text(*compiled)) {
    yaml::error_at(node, "the pattern matches the empty text, and so everything",
                   "make at least one character necessary", diagnostics_);
    return std::nullopt;
  }
  const PatternId id = patterns_.regex(*text, scanned, std::move(compiled));
  places_.push_back({.pattern = id,
                     .line = node.line,
                     .column = node.column,
                     .file = node.source != nullptr ? node.source->name : ""});
  return id;
}

void ConditionReader::read_patterns(MapReader& reader, std::string_view key,
                                    std::vector<PatternId>& out) {
  const Node* node = reader.node(key);
  if (node == nullptr) return;
  for (const Node* each : scalars_of(*node, "an RE2 pattern", diagnostics_)) {
    if (const auto id = pattern(*each, false)) out.push_back(*id);
  }
}

bool ConditionReader::read_regex(MapReader& reader, FieldTest& test) {
  const Node* node = reader.node("regex");
  if (node == nullptr) return true;
  if (node->kind == Node::Kind::kNull ||
      (node->kind == Node::Kind::kSequence && node->items.empty())) {
    yaml::error_at(*node, "`regex` is empty", "an empty pattern would match everything",
                   diagnostics_);
    return false;
  }
  if (node->items.size() > kAlternativesMax) {
    yaml::error_at(*node,
                   fmt::format("{} alternatives; at most {} are accepted", node->items.size(),
                               kAlternativesMax),
                   "split the rule, or use `contains` with a list", diagnostics_);
    return false;
  }
  RegexTest regex;
  bool sound = true;
  for (const Node* each : scalars_of(*node, "an RE2 pattern", diagnostics_)) {
    const auto id = pattern(*each, scanned());
    sound = id.has_value() && sound;
    if (id) regex.patterns.push_back(*id);
  }
  test.regex = std::move(regex);
  sound = read_capture(reader, *test.regex) && sound;
  read_refinements(reader, test);
  return sound;
}

bool ConditionReader::read_capture(MapReader& reader, RegexTest& test) {
  if (!reader.has("capture")) return true;
  constexpr std::int64_t kCaptureMax = 15;
  std::int64_t capture = 0;
  reader.integer("capture", 0, kCaptureMax, &capture);
  test.capture = static_cast<int>(capture);
  for (const PatternId id : test.patterns) {
    if (patterns_.proven() || patterns_.compiled(id).NumberOfCapturingGroups() >= test.capture)
      continue;
    yaml::error_at(
        *reader.node("capture"),
        fmt::format("there is no group {} in `{}`", capture, printable(patterns_.text(id), 80)),
        "every alternative needs the group: (...)", diagnostics_);
    return false;
  }
  return true;
}

void ConditionReader::read_refinements(MapReader& reader, FieldTest& test) {
  RegexTest& regex = *test.regex;
  read_validators(reader, regex);
  if (const Node* words = reader.node("require_any")) {
    if (auto literals = read_literals(*words, vocabulary_, diagnostics_)) {
      regex.require_any = std::move(*literals);
    }
  }
  if (reader.has("within")) {
    constexpr std::int64_t kWithinMax = 1 << 20;
    std::int64_t within = 0;
    reader.integer("within", 1, kWithinMax, &within);
    regex.within = static_cast<std::size_t>(within);
    if (regex.require_any.empty()) {
      yaml::error_at(*reader.node("within"), "`within` without `require_any`",
                     "it says how near one of those words must stand", diagnostics_);
    }
  }
  read_patterns(reader, "unless", regex.unless);
  read_patterns(reader, "unless_line", regex.unless_line);
  read_patterns(reader, "unless_value", regex.unless_value);
}

validate::Argument ConditionReader::read_argument(const Node& node) {
  if (node.kind == Node::Kind::kScalar) {
    double number = 0;
    const char* const end = node.scalar.data() + node.scalar.size();
    const auto [stop, error] = std::from_chars(node.scalar.data(), end, number);
    if (error == std::errc{} && stop == end) return number;
  }
  std::vector<std::string> words;
  for (const Node* word : scalars_of(node, "an argument", diagnostics_)) {
    words.push_back(word->scalar);
  }
  return words;
}

void ConditionReader::read_validators(MapReader& reader, RegexTest& test) {
  const Node* node = reader.node("validate");
  if (node == nullptr) return;
  const std::vector<Node> single = {*node};
  for (const Node& each : node->kind == Node::Kind::kSequence ? node->items : single) {
    std::string name;
    validate::Argument argument;
    const Node* at = &each;
    if (each.kind == Node::Kind::kMap && each.entries.size() == 1) {
      name = each.entries.front().key.scalar;
      at = &each.entries.front().value;
      argument = read_argument(*at);
    } else if (each.kind == Node::Kind::kScalar) {
      name = each.scalar;
    }
    auto made = validate::make(name, argument);
    if (made) {
      test.validators.push_back(std::move(*made));
      continue;
    }
    yaml::error_at(name.empty() ? each : *at, made.error(), one_of(validate::names()),
                   diagnostics_);
  }
}

void ConditionReader::read_cidr(MapReader& reader, FieldTest& test) {
  const Node* node = reader.node("cidr");
  if (node == nullptr) return;
  for (const Node* each : scalars_of(*node, "a network", diagnostics_)) {
    if (auto network = validate::parse_cidr(each->scalar)) {
      test.cidr.push_back(*network);
    } else {
      yaml::error_at(*each, fmt::format("`{}` is not a network", each->scalar), network.error(),
                     diagnostics_);
    }
  }
}

void ConditionReader::read_url(MapReader& reader, FieldTest& test) {
  if (!reader.has("url")) return;
  MapReader url = reader.map("url");
  if (url.self() == nullptr) return;
  validate::UrlCondition condition;
  const auto literals = [&](std::string_view key, std::vector<std::string>& out) {
    const Node* node = url.node(key);
    if (node == nullptr) return;
    if (auto read = read_literals(*node, vocabulary_, diagnostics_)) out = std::move(*read);
  };
  literals("scheme", condition.scheme);
  literals("host", condition.host);
  literals("domain", condition.domain);
  literals("not_domain", condition.not_domain);
  if (const Node* ports = url.node("port")) {
    for (const Node* each : scalars_of(*ports, "a port", diagnostics_)) {
      std::uint16_t port = 0;
      const char* const end = each->scalar.data() + each->scalar.size();
      const auto [stop, error] = std::from_chars(each->scalar.data(), end, port);
      if (error == std::errc{} && stop == end && port > 0) {
        condition.port.push_back(port);
      } else {
        yaml::error_at(*each, fmt::format("`{}` is not a port", each->scalar), "1 to 65535",
                       diagnostics_);
      }
    }
  }
  if (const Node* addresses = url.node("address")) {
    std::vector<std::string> words;
    for (const Node* each : scalars_of(*addresses, "a class or network", diagnostics_)) {
      words.push_back(each->scalar);
    }
    if (auto set = validate::AddressSet::parse(words)) {
      condition.address = std::move(*set);
    } else {
      yaml::error_at(*addresses, set.error(), "", diagnostics_);
    }
  }
  url.finish();
  test.url = std::move(condition);
  if (!scanned()) return;
  for (const std::string_view mark : kUrlMarks) test.url_marks.push_back(patterns_.literal(mark));
}

void ConditionReader::read_views(MapReader& reader, FieldTest& test) {
  if (const Node* node = reader.node("decode")) {
    const auto word = yaml::scalar_of(*node, "true, false or only", diagnostics_);
    if (word && *word == "only") {
      test.views = FieldTest::Views::kDecoded;
    } else if (word && *word == "false") {
      test.views = FieldTest::Views::kRaw;
    } else if (word && *word != "true") {
      yaml::error_at(*node, fmt::format("`{}` is not true, false or only", *word),
                     "false: the value as it came; only: what a decoding showed", diagnostics_);
    }
  }
  const Node* node = reader.node("through");
  if (node == nullptr) return;
  for (const Node* each : scalars_of(*node, "a decoding", diagnostics_)) {
    const auto step = decoding::step_named(each->scalar);
    if (step) {
      test.through.push_back(*step);
      continue;
    }
    const std::string_view near = nearest(each->scalar, decoding::step_names());
    yaml::error_at(
        *each, fmt::format("`{}` is not a decoding", each->scalar),
        near.empty() ? one_of(decoding::step_names()) : fmt::format("did you mean `{}`?", near),
        diagnostics_);
  }
}

void ConditionReader::read_literal_tests(MapReader& reader, FieldTest& test) {
  for (const auto& [key, kind] : kLiteralTests) {
    const Node* node = reader.node(key);
    if (node == nullptr) continue;
    auto literals = read_literals(*node, vocabulary_, diagnostics_);
    if (!literals) continue;
    LiteralTest literal{.kind = kind, .literals = std::move(*literals), .by_pattern = {}};
    if (!test.field.context() && scanned()) {
      for (std::uint32_t i = 0; i < literal.literals.size(); ++i) {
        if (patterns_.full()) {
          yaml::error_at(
              *node,
              fmt::format("more than {} patterns and literals in all", PatternTable::kPatternsMax),
              "shorten the list", diagnostics_);
          break;
        }
        literal.by_pattern.emplace_back(patterns_.literal(literal.literals[i]), i);
      }
      std::ranges::sort(literal.by_pattern);
    }
    test.literals.push_back(std::move(literal));
  }
}

}  // namespace tocsin
