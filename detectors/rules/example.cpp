#include "detectors/rules/example.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detectors/rules/condition.h"

namespace tocsin {
namespace {

using yaml::MapReader;
using yaml::Node;

constexpr std::string_view kToolName = "example_tool";
constexpr std::size_t kExampleLeavesMax = 200;
constexpr std::size_t kExampleBytesKept = 400;  // of a failed one

// A node on one line, much as YAML's flow style has it.
void append_flow(const Node& node, std::string& out) {
  if (out.size() > kExampleBytesKept) return;
  switch (node.kind) {
    case Node::Kind::kScalar: out.append(node.scalar); break;
    case Node::Kind::kNull: out += '~'; break;
    case Node::Kind::kSequence: {
      out += '[';
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (i > 0) out += ", ";
        append_flow(node.items[i], out);
      }
      out += ']';
      break;
    }
    case Node::Kind::kMap: {
      out += '{';
      for (std::size_t i = 0; i < node.entries.size(); ++i) {
        if (i > 0) out += ", ";
        out.append(node.entries[i].key.scalar).append(": ");
        append_flow(node.entries[i].value, out);
      }
      out += '}';
      break;
    }
  }
}

// One example as an event; owns what the event points to.
class ExampleEvent {
 public:
  ExampleEvent(const Rule& rule, EventType type) {
    event_.type = type;
    event_.system = "example";
    event_.session_id = "example";
    event_.tool.name = kToolName;
    event_.tool.has_arguments = true;
    tool_.effect = Effect::kWrite;
    rule.where.collect_fields(fields_);
  }

  // The text as the value of every text field the rule names.
  void fill(std::string_view text) {
    bool only_the_name = true;
    for (const FieldSelector* field : fields_) {
      if (field->context() || field->names(FieldClass::kToolName)) continue;
      only_the_name = false;
      if (field->names(FieldClass::kText)) event_.text = text;
      if (field->names(FieldClass::kArguments)) add(event_.tool.arguments, field, text);
      if (field->names(FieldClass::kResult)) add(event_.tool.result, field, text);
      if (field->names(FieldClass::kDescription)) set_description(text);
    }
    if (only_the_name) event_.tool.name = text;
    keep_what_the_type_has();
  }

  bool read(MapReader& map) {
    event_.text = kept(map, "text");
    if (map.has("tool")) event_.tool.name = kept(map, "tool");
    if (map.has("system")) event_.system = kept(map, "system");
    event_.tenant = kept(map, "tenant");
    event_.model = kept(map, "model");
    event_.release = kept(map, "release");
    event_.tool.error = kept(map, "error");
    if (map.has("description")) set_description(kept(map, "description"));
    if (const Node* node = map.node("arguments")) flatten(*node, "", event_.tool.arguments);
    if (const Node* node = map.node("result")) flatten(*node, "", event_.tool.result);
    read_context(map);
    map.finish();
    return true;
  }

  [[nodiscard]] const Event& event() const { return event_; }
  [[nodiscard]] EventContext context() const {
    EventContext context;
    context.profile = with_profile_ ? &profile_ : nullptr;
    context.tool.effect = tool_.effect;
    context.tool.declared = declared_ ? &tool_ : nullptr;
    context.tool.inferred = !declared_;
    return context;
  }

 private:
  std::string_view kept(MapReader& map, std::string_view key) {
    std::string text;
    map.string(key, &text);
    return strings_.emplace_back(std::move(text));
  }

  void read_context(MapReader& map) {
    auto effect = static_cast<std::size_t>(tool_.effect);
    map.choice("effect", kEffectNames, &effect);
    tool_.effect = static_cast<Effect>(effect);
    map.boolean("declared", &declared_);
    if (map.has("risk")) {
      auto risk = static_cast<std::size_t>(profile_.risk);
      map.choice("risk", kRiskNames, &risk);
      profile_.risk = static_cast<Risk>(risk);
      with_profile_ = true;
    }
  }

  void add(std::vector<Leaf>& leaves, const FieldSelector* field, std::string_view text) {
    const std::string& path = strings_.emplace_back(field->example_path());
    if (std::ranges::find(leaves, path, &Leaf::path) != leaves.end()) return;
    leaves.push_back({.path = path, .text = text, .kind = LeafKind::kString});
  }

  void set_description(std::string_view text) {
    event_.tools = {{.name = kToolName, .description = text, .parameters = {}}};
  }

  void flatten(const Node& node, const std::string& path, std::vector<Leaf>& out) {
    if (out.size() >= kExampleLeavesMax) return;
    const auto below = [&](std::string_view step) {
      return path.empty() ? std::string(step) : fmt::format("{}.{}", path, step);
    };
    switch (node.kind) {
      case Node::Kind::kScalar:
        out.push_back({.path = strings_.emplace_back(path),
                       .text = strings_.emplace_back(node.scalar),
                       .kind = LeafKind::kString});
        break;
      case Node::Kind::kSequence:
        for (std::size_t i = 0; i < node.items.size(); ++i) {
          flatten(node.items[i], below(std::to_string(i)), out);
        }
        break;
      case Node::Kind::kMap:
        for (const yaml::Entry& entry : node.entries) {
          flatten(entry.value, below(entry.key.scalar), out);
        }
        break;
      case Node::Kind::kNull: break;
    }
  }

  // A call has no result: what a rule on both names is left out where it could not stand.
  void keep_what_the_type_has() {
    if (event_.type != EventType::kToolCall) event_.tool.arguments.clear();
    if (event_.type != EventType::kToolResult) event_.tool.result.clear();
    if (event_.type != EventType::kToolDefinitions) event_.tools.clear();
    const bool speaks = event_.type == EventType::kSystemMessage ||
                        event_.type == EventType::kUserMessage ||
                        event_.type == EventType::kModelOutput;
    if (!speaks) event_.text = {};
  }

  std::vector<const FieldSelector*> fields_;
  std::deque<std::string> strings_;  // stable
  ToolProfile tool_;
  SystemProfile profile_;
  bool declared_ = true;
  bool with_profile_ = false;
  Event event_;
};

// The rule on one example.
struct Trial {
  bool found = false;
  std::string what;  // of what was found, the first bytes
};

Trial try_event(const ExampleEvent& example, EventType type, const Rule& rule,
                const PatternTable& patterns, EventValues& values) {
  if (std::ranges::find(rule.on, type) == rule.on.end()) return {};
  values.lay_out(example.event());
  const EventContext context = example.context();
  const Subject subject{.event = example.event(),
                        .context = context,
                        .values = values,
                        .patterns = patterns,
                        .candidates = nullptr};
  Evaluation evaluation(subject);
  Trial trial{.found = evaluation.holds(rule.where), .what = {}};
  if (!trial.found || evaluation.hits().empty()) return trial;
  const Hit& hit = evaluation.hits().front();
  trial.what = hit.value->text.substr(hit.begin, std::min(hit.end - hit.begin, kExampleBytesKept));
  return trial;
}

class Examples {
 public:
  Examples(bool wanted, const Rule& rule, const PatternTable& patterns, EventValues& values,
           yaml::ReadContext& context, std::vector<ExampleFailure>* failures)
      : wanted_(wanted),
        rule_(rule),
        patterns_(patterns),
        values_(values),
        context_(context),
        failures_(failures) {}

  void try_one(const Node& node) {
    ExampleFailure failure;
    if (node.kind == Node::Kind::kScalar) {
      for (const EventType type : rule_.on) {
        ExampleEvent example(rule_, type);
        example.fill(node.scalar);
        check(example, type, failure);
      }
      if (!failure.types.empty()) report(node, std::move(failure));
      return;
    }
    MapReader map(&node, "", context_);
    if (map.self() == nullptr) return;
    auto type = static_cast<std::size_t>(rule_.on.front());
    map.choice("type", event_type_names(), &type);
    ExampleEvent example(rule_, static_cast<EventType>(type));
    const std::size_t errors_before = context_.diagnostics.errors();
    example.read(map);
    if (context_.diagnostics.errors() > errors_before) return;
    check(example, static_cast<EventType>(type), failure);
    if (!failure.types.empty()) report(node, std::move(failure));
  }

 private:
  void check(const ExampleEvent& example, EventType type, ExampleFailure& failure) {
    Trial trial = try_event(example, type, rule_, patterns_, values_);
    if (trial.found == wanted_) return;
    failure.types.push_back(type);
    if (failure.found.empty()) failure.found = std::move(trial.what);
  }

  void report(const Node& node, ExampleFailure failure) {
    if (failures_ != nullptr) {
      if (node.source != nullptr) failure.file = node.source->name;
      failure.line = node.line;
      failure.column = node.column;
      failure.rule = rule_.info.id;
      append_flow(node, failure.example);
      failure.wanted = wanted_;
      failures_->push_back(std::move(failure));
      return;
    }
    const std::string where = rule_.on.size() > 1
                                  ? fmt::format(" in a {} event", name_of(failure.types.front()))
                                  : std::string();
    yaml::error_at(
        node,
        fmt::format("rule {}: the `{}` example {}{}", rule_.info.id, wanted_ ? "match" : "no_match",
                    wanted_ ? "is not found" : "is found", where),
        "correct the condition or the example; an example that needs a tool, an effect "
        "or several fields is a map",
        context_.diagnostics);
  }

  bool wanted_;
  const Rule& rule_;
  const PatternTable& patterns_;
  EventValues& values_;
  yaml::ReadContext& context_;
  std::vector<ExampleFailure>* failures_;
};

}  // namespace

std::size_t try_examples(const Node* examples, bool wanted, const Rule& rule,
                         const PatternTable& patterns, EventValues& values,
                         yaml::ReadContext& context, std::vector<ExampleFailure>* failures) {
  if (examples == nullptr || examples->kind == Node::Kind::kNull) return 0;
  const std::vector<Node> single =
      examples->kind == Node::Kind::kSequence ? std::vector<Node>{} : std::vector<Node>{*examples};
  const std::vector<Node>& all = single.empty() ? examples->items : single;
  if (all.size() > kExamplesMax) {
    yaml::error_at(*examples,
                   fmt::format("{} examples; at most {} are accepted", all.size(), kExamplesMax),
                   "move them to a recorded case", context.diagnostics);
    return 0;
  }
  if (patterns.proven()) return all.size();
  Examples trial(wanted, rule, patterns, values, context, failures);
  for (const Node& example : all) trial.try_one(example);
  return all.size();
}

bool example_found(const Node& node, EventType type, const Rule& rule, const PatternTable& patterns,
                   EventValues& values, yaml::ReadContext& context) {
  ExampleEvent example(rule, type);
  if (node.kind == Node::Kind::kScalar) {
    example.fill(node.scalar);
  } else {
    MapReader map(&node, "", context);
    const std::size_t errors_before = context.diagnostics.errors();
    if (map.self() == nullptr) return false;
    example.read(map);
    if (context.diagnostics.errors() > errors_before) return false;
  }
  return try_event(example, type, rule, patterns, values).found;
}

}  // namespace tocsin
