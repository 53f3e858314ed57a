#include "detectors/rules/import/atr_condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <map>
#include <utility>

#include "daemon/text.h"
#include "detectors/rules/condition_reader.h"
#include "detectors/rules/import/regex_dialect.h"

namespace tocsin {
namespace {

using yaml::Node;

constexpr std::size_t kExpressionDepthMax = 6;

using Types = std::vector<EventType>;

const Types& all_types() {
  static const Types kTypes = {EventType::kSystemMessage, EventType::kUserMessage,
                               EventType::kModelOutput,   EventType::kToolDefinitions,
                               EventType::kToolCall,      EventType::kToolResult};
  return kTypes;
}

// One of our fields that a field of theirs stands for, and the events it is looked for in.
struct Place {
  std::string_view field;
  Types types;
};

// As ATR's reference engine resolves fields: what a tool said is the user's and the agent's word
// too, so that an injection in it is found; `content` is whatever the kind of event carries.
std::vector<Place> places_of(std::string_view field, std::string_view source) {
  const Place result{"tool.result.**", {EventType::kToolResult}};
  if (field == "user_input") return {{"text", {EventType::kUserMessage}}, result};
  if (field == "agent_output") return {{"text", {EventType::kModelOutput}}, result};
  if (field == "tool_response") return {result};
  if (field == "tool_args" || field == "tool_input") {
    return {{"tool.arguments.**", {EventType::kToolCall}}};
  }
  if (field == "tool_name") return {{"tool.name", {EventType::kToolCall}}};
  if (field == "tool_description") {
    return {{"tool.description", {EventType::kToolDefinitions}}};
  }
  if (field != "content") return {};
  if (source == "llm_io") {
    return {
        {"content", {EventType::kUserMessage, EventType::kModelOutput, EventType::kToolResult}}};
  }
  if (source == "mcp_exchange") {
    return {
        {"content", {EventType::kToolDefinitions, EventType::kToolCall, EventType::kToolResult}}};
  }
  if (source == "tool_call") return {{"content", {EventType::kToolCall}}};
  return {{"content", all_types()}};
}

// One condition: a test with one of our keys, in some places.
struct Test {
  std::vector<Place> places;
  std::string key;  // regex, contains, in, starts_with
  std::vector<std::string> values;
};

std::optional<std::string> key_of(std::string_view operation) {
  if (operation == "regex" || operation == "matches") return "regex";
  if (operation == "contains") return "contains";
  if (operation == "exact" || operation == "equals" || operation == "eq") return "in";
  if (operation == "starts_with") return "starts_with";
  if (operation == "ends_with") return "ends_with";
  return std::nullopt;
}

std::expected<std::string, std::string> translate_pattern(const std::string& written,
                                                          std::string_view field) {
  if (field == "tool_args" || field == "tool_input") {
    if (const std::string key = json_key_demanded(written); !key.empty()) {
      return std::unexpected(fmt::format(
          "needs the key \"{}\": of the arguments' JSON; values are matched one by one, without "
          "their keys, so that this is never found",
          key));
    }
  }
  auto pattern = re2_from_ecmascript(written);
  if (!pattern) return pattern;
  std::string error;
  const auto compiled = LazyRegex::compile(*pattern, &error);
  if (compiled == nullptr) {
    return std::unexpected(fmt::format("RE2 refuses the pattern: {}", error));
  }
  if (matches_the_empty_text(*compiled)) {
    return std::unexpected("the pattern matches the empty text, and so everything");
  }
  return pattern;
}

std::expected<Test, std::string> translate_test(const Node& node, std::string_view source) {
  if (node.kind != Node::Kind::kMap) return std::unexpected("a condition that is no map");
  const std::string field = text_at(node, "field");
  Test test;
  test.places = places_of(field, source);
  if (test.places.empty()) {
    return std::unexpected(
        field.empty() ? fmt::format("a condition on {}, not on a field",
                                    node.find("metric") != nullptr ? "a metric" : "a sequence")
                      : fmt::format("the field `{}` has no counterpart", field));
  }
  // Two spellings: {operator, value} and {match_type, patterns}.
  std::string operation = text_at(node, "match_type");
  if (operation.empty()) operation = text_at(node, "operator");
  const auto key = key_of(operation);
  if (!key) return std::unexpected(fmt::format("the operator `{}` has no counterpart", operation));
  test.key = *key;
  std::vector<std::string> values = texts_at(node, "patterns");
  std::ranges::move(texts_at(node, "value"), std::back_inserter(values));
  if (values.empty()) return std::unexpected("a condition without a value");
  for (std::string& value : values) {
    if (test.key == "regex") {
      auto pattern = translate_pattern(value, field);
      if (!pattern) return std::unexpected(pattern.error());
      value = std::move(*pattern);
    } else if (value.empty() || value.size() > kLiteralBytesMax) {
      return std::unexpected(fmt::format("a literal of {} bytes", value.size()));
    }
    test.values.push_back(std::move(value));
  }
  return test;
}

Types union_of(const Types& a, const Types& b) {
  Types out;
  std::ranges::set_union(a, b, std::back_inserter(out));
  return out;
}

// A part of the condition and the events in which it can hold.
struct Part {
  Node where;
  Types on;
};

class Detection {
 public:
  Detection(const Node& rule, const NodeMaker& make) : make_(make) {
    if (const Node* source = rule.find("agent_source"); source != nullptr) {
      source_ = text_at(*source, "type");
    }
    if (const Node* node = rule.find("detection"); node != nullptr) detection_ = node;
  }

  std::expected<AtrCondition, std::string> translate() {
    if (detection_ == nullptr) return std::unexpected("has no `detection`");
    if (auto reason = method_refused(); !reason.empty()) return std::unexpected(reason);
    const Node* conditions = detection_->find("conditions");
    const bool named = conditions != nullptr && conditions->kind == Node::Kind::kMap;
    const bool listed = conditions != nullptr && conditions->kind == Node::Kind::kSequence;
    if ((!named && !listed) || (conditions->items.empty() && conditions->entries.empty())) {
      return std::unexpected("has no `detection.conditions`");
    }
    for (const Node& each : conditions->items) add(fmt::to_string(tests_.size()), each);
    for (const yaml::Entry& each : conditions->entries) add(each.key.scalar, each.value);

    std::string how = text_at(*detection_, "condition");
    const std::string word = ascii_lower(how);
    std::expected<Part, std::string> part;
    if (word == "any" || word == "or" || word.empty()) {
      part = any_of_all();
    } else if (word == "all" || word == "and") {
      part = all_of_all();
    } else {
      rest_ = how;
      part = expression(0);
      skip_blanks();
      if (part && !rest_.empty()) {
        part = std::unexpected(fmt::format("`condition: {}` is not understood", how));
      }
    }
    if (!part) return std::unexpected(part.error());
    return AtrCondition{.on = std::move(part->on),
                        .where = std::move(part->where),
                        .left_out = std::move(left_out_)};
  }

 private:
  std::string method_refused() const {
    const std::string method = text_at(*detection_, "method");
    if (method.empty() || method == "pattern") return {};
    if (method == "semantic") {
      const Node* semantic = detection_->find("semantic");
      if (semantic != nullptr && text_at(*semantic, "fallback_method") == "pattern") return {};
      return "asks a model to judge (`method: semantic`), without patterns to fall back to";
    }
    return fmt::format("`method: {}` is no pattern", method);
  }

  void add(const std::string& name, const Node& node) {
    tests_.emplace_back(name, translate_test(node, source_));
  }

  // Tests that one is enough of, those of one field and key together in one.
  std::expected<Part, std::string> any_of_all() {
    std::map<std::pair<std::string_view, std::string>, std::vector<std::string>> merged;
    Types on;
    std::string first_error;
    for (const auto& [name, test] : tests_) {
      if (!test) {
        if (first_error.empty()) first_error = test.error();
        left_out_.push_back(test.error());
        continue;
      }
      for (const Place& place : test->places) {
        on = union_of(on, place.types);
        std::vector<std::string>& values = merged[{place.field, test->key}];
        for (const std::string& value : test->values) {
          if (std::ranges::find(values, value) == values.end()) values.push_back(value);
        }
      }
    }
    if (merged.empty()) return std::unexpected(first_error);
    std::vector<Node> tests;
    for (const auto& [place, values] : merged) {
      tests.push_back(test_node(place.first, place.second, values));
    }
    return Part{.where = any_node(std::move(tests)), .on = std::move(on)};
  }

  std::expected<Part, std::string> all_of_all() {
    std::vector<Part> parts;
    for (const auto& [name, test] : tests_) {
      if (!test) return std::unexpected(test.error());
      parts.push_back(part_of(*test));
    }
    return all_of(std::move(parts));
  }

  std::expected<Part, std::string> all_of(std::vector<Part> parts) const {
    if (parts.size() == 1) return std::move(parts.front());
    Part out{.where = {}, .on = all_types()};
    std::vector<Node> nodes;
    for (Part& part : parts) {
      Types both;
      std::ranges::set_intersection(out.on, part.on, std::back_inserter(both));
      out.on = std::move(both);
      nodes.push_back(std::move(part.where));
    }
    if (out.on.empty()) {
      return std::unexpected(
          "needs fields of different events at once, and each event is looked at by itself");
    }
    out.where = make_.map({{"all", make_.list(std::move(nodes))}});
    return out;
  }

  Part any_of(std::vector<Part> parts) const {
    if (parts.size() == 1) return std::move(parts.front());
    Part out;
    std::vector<Node> nodes;
    for (Part& part : parts) {
      out.on = union_of(out.on, part.on);
      nodes.push_back(std::move(part.where));
    }
    out.where = any_node(std::move(nodes));
    return out;
  }

  // `a AND (b OR NOT c)`; AND binds tighter.  A NOT must stand beside something that is asked for.
  std::expected<Part, std::string> expression(std::size_t depth) {
    if (depth > kExpressionDepthMax) return std::unexpected("`condition` is nested too deep");
    std::vector<Part> parts;
    do {
      auto part = conjunction(depth);
      if (!part) return part;
      parts.push_back(std::move(*part));
    } while (take_word("or"));
    return any_of(std::move(parts));
  }

  std::expected<Part, std::string> conjunction(std::size_t depth) {
    std::vector<Part> wanted;
    std::vector<Node> unwanted;
    do {
      const bool negated = take_word("not");
      auto part = operand(depth);
      if (!part) return part;
      if (negated) {
        unwanted.push_back(std::move(part->where));
      } else {
        wanted.push_back(std::move(*part));
      }
    } while (take_word("and"));
    if (wanted.empty()) return std::unexpected("`condition` asks for nothing but an absence");
    auto all = all_of(std::move(wanted));
    if (all && !unwanted.empty()) {
      all->where = make_.map({{"all", make_.list({std::move(all->where)})},
                              {"none", make_.list(std::move(unwanted))}});
    }
    return all;
  }

  std::expected<Part, std::string> operand(std::size_t depth) {
    skip_blanks();
    if (rest_.starts_with('(')) {
      rest_.remove_prefix(1);
      auto part = expression(depth + 1);
      skip_blanks();
      if (!rest_.starts_with(')')) return std::unexpected("`condition` lacks a parenthesis");
      rest_.remove_prefix(1);
      return part;
    }
    const std::string_view name = word();
    rest_.remove_prefix(name.size());
    const auto found = std::ranges::find(tests_, name, &Named::first);
    if (found == tests_.end()) {
      return std::unexpected(fmt::format("`condition` names `{}`, which is not there", name));
    }
    if (!found->second) return std::unexpected(found->second.error());
    return part_of(*found->second);
  }

  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n')) {
      rest_.remove_prefix(1);
    }
  }
  std::string_view word() const {
    const auto* end = std::ranges::find_if(
        rest_, [](char c) { return c == ' ' || c == '\n' || c == '(' || c == ')'; });
    return rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
  }
  bool take_word(std::string_view wanted) {
    skip_blanks();
    if (ascii_lower(word()) != wanted) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }

  Part part_of(const Test& test) const {
    std::vector<Node> nodes;
    Part part;
    for (const Place& place : test.places) {
      nodes.push_back(test_node(place.field, test.key, test.values));
      part.on = union_of(part.on, place.types);
    }
    part.where = any_node(std::move(nodes));
    return part;
  }
  Node test_node(std::string_view field, std::string_view key,
                 const std::vector<std::string>& values) const {
    return make_.map({{"field", make_.text(field)}, {key, make_.texts(values)}});
  }
  Node any_node(std::vector<Node> nodes) const {
    if (nodes.size() == 1) return std::move(nodes.front());
    return make_.map({{"any", make_.list(std::move(nodes))}});
  }

  using Named = std::pair<std::string, std::expected<Test, std::string>>;

  const NodeMaker& make_;
  const Node* detection_ = nullptr;
  std::string source_;
  std::vector<Named> tests_;
  std::vector<std::string> left_out_;
  std::string_view rest_;  // of an expression
};

}  // namespace

std::expected<AtrCondition, std::string> translate_detection(const Node& rule,
                                                             const NodeMaker& make) {
  return Detection(rule, make).translate();
}

}  // namespace tocsin
