// Agent Threat Rules: a folder of YAML files, one rule each, with its own test cases.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "daemon/text.h"
#include "detectors/rules/import/atr_condition.h"
#include "detectors/rules/import/importer.h"

namespace tocsin {
namespace {

using yaml::Node;

constexpr std::size_t kTestsMax = 1'000;  // of one rule
constexpr yaml::Limits kFileLimits{
    .file_bytes_max = std::size_t{256} << 10, .nodes_max = 50'000, .depth_max = 32};

constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kCategories = {{
    {"prompt-injection", "prompt_injection"},
    {"tool-poisoning", "tool_poisoning"},
    {"context-exfiltration", "exfiltration"},
    {"agent-manipulation", "prompt_injection"},
    {"privilege-escalation", "unsafe_tool"},
    {"excessive-autonomy", "unsafe_tool"},
    {"data-poisoning", "prompt_injection"},
    {"model-abuse", "jailbreak"},
    {"model-security", "output_policy"},
    {"skill-compromise", "tool_poisoning"},
}};

std::string_view category_of(const Node& rule) {
  const Node* tags = rule.find("tags");
  const std::string name = tags != nullptr ? text_at(*tags, "category") : "";
  const auto* found =
      std::ranges::find(kCategories, name, &std::pair<std::string_view, std::string_view>::first);
  return found == kCategories.end() ? "prompt_injection" : found->second;
}

// Nine in ten ATR rules say high or critical of themselves: what their authors call a trial does
// not wake anybody.
Severity severity_of(const Node& rule) {
  const Severity severity =
      severity_named(ascii_lower(text_at(rule, "severity"))).value_or(Severity::kInfo);
  const bool settled = text_at(rule, "status") == "stable" && text_at(rule, "maturity") == "stable";
  return settled ? severity : std::min(severity, Severity::kMedium);
}

// "AML.T0053 - AI Agent Tool Invocation" -> "AML.T0053"
std::string first_word(std::string_view text) {
  return std::string(text.substr(0, text.find_first_of(" \t-", text.starts_with("CWE-") ? 4 : 0)));
}

std::vector<std::string> tags_of(const Node& rule) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kReferences = {{
      {"owasp_llm", "owasp:"},
      {"owasp_agentic", "owasp:"},
      {"mitre_atlas", "atlas:"},
      {"mitre_attack", "attack:"},
      {"cwe", "cwe:"},
  }};
  std::vector<std::string> tags;
  if (const Node* references = rule.find("references"); references != nullptr) {
    for (const auto& [key, prefix] : kReferences) {
      for (const std::string& each : texts_at(*references, key)) {
        tags.push_back(std::string(prefix) + first_word(each));
      }
    }
  }
  const Node* compliance = rule.find("compliance");
  const Node* nist = compliance != nullptr ? compliance->find("nist_ai_rmf") : nullptr;
  if (nist == nullptr) return tags;
  for (const Node& each : nist->items) {
    std::string id = text_at(each, "subcategory");  // MS.2.7, which NIST writes MS-2.7
    if (id.size() > 2 && id[2] == '.') id[2] = '-';
    tags.push_back("nist:" + id);
  }
  return tags;
}

// ------------------------------------------------------------------------------ tests

class Tests {
 public:
  Tests(const Node& node, const Importer::Origin& origin, const Rule& rule, Importer& importer)
      : node_(node), rule_(rule), importer_(importer), make_(origin.source, origin.line) {
    types_ = rule.on;
    // Messages of all kinds carry the same text: one stands for them.
    const bool user = std::ranges::find(types_, EventType::kUserMessage) != types_.end();
    if (user) {
      std::erase(types_, EventType::kSystemMessage);
      std::erase(types_, EventType::kModelOutput);
    }
  }

  // What failed, in words; empty: nothing.
  std::string run() {
    if (const Node* cases = node_.find("test_cases"); cases != nullptr) {
      for (const yaml::Entry& list : cases->entries) run_list(list.value);
    }
    if (const Node* list = node_.find("evasion_tests"); list != nullptr) run_list(*list);
    ImportReport& report = importer_.report();
    report.tests += positives_ + negatives_;
    report.tests_failed += missed_ + wrong_;
    if (missed_ + wrong_ == 0) return {};
    std::string said;
    if (missed_ > 0) said = fmt::format("{} of {} that must be found are not", missed_, positives_);
    if (wrong_ > 0) {
      said += fmt::format("{}{} of {} that must not be found are", said.empty() ? "" : "; ", wrong_,
                          negatives_);
    }
    return said;
  }

 private:
  void run_list(const Node& list) {
    for (const Node& test : list.items) {
      if (test.kind != Node::Kind::kMap || ++run_ > kTestsMax) continue;
      const std::string expected = text_at(test, "expected");
      const bool wanted = expected == "triggered" || expected == "trigger";
      if (!wanted && expected != "not_triggered" && expected != "no_trigger") continue;
      const auto found = try_one(test);
      if (!found) continue;  // nothing that we know how to make an event of
      if (!wanted && test.find("bypass_technique") != nullptr) {
        ++importer_.report().evasions;  // its author owns that it slips through: no promise
        importer_.report().evasions_found += *found ? 1 : 0;
        continue;
      }
      ++(wanted ? positives_ : negatives_);
      if (*found != wanted) ++(wanted ? missed_ : wrong_);
    }
  }

  // As an event of each kind that the test's keys describe; found in one is found.
  std::optional<bool> try_one(const Node& test) {
    std::optional<bool> found;
    const auto see = [&](const Node& example, std::span<const EventType> types) {
      found = found.value_or(false) || importer_.found(rule_, example, types);
    };
    for (const char* key : {"input", "content"}) {
      const Node* input = test.find(key);
      if (input == nullptr) continue;
      if (input->kind == Node::Kind::kMap) {
        if (const auto inside = try_one(*input)) found = found.value_or(false) || *inside;
      } else if (input->kind == Node::Kind::kScalar) {
        see(*input, types_);
      }
    }
    const auto one = [&](std::string_view key, std::string_view ours, EventType type) {
      const Node* value = test.find(key);
      if (value != nullptr) see(make_.map({{ours, wrapped(*value, type)}}), {&type, 1});
    };
    one("user_input", "text", EventType::kUserMessage);
    one("agent_output", "text", EventType::kModelOutput);
    one("tool_response", "result", EventType::kToolResult);
    one("response", "result", EventType::kToolResult);
    one("tool_description", "description", EventType::kToolDefinitions);
    if (auto call = call_of(test)) {
      constexpr EventType kCall = EventType::kToolCall;
      see(*call, {&kCall, 1});
    }
    return found;
  }

  // A result that is no map stands under a path of its own.
  Node wrapped(const Node& value, EventType type) const {
    if (type != EventType::kToolResult || value.kind == Node::Kind::kMap) return value;
    return make_.map({{"value", value}});
  }

  // tool_name and tool_args, or {tool_call: {name, args}}.
  std::optional<Node> call_of(const Node& test) const {
    const Node* call = test.find("tool_call");
    const bool nested = call != nullptr && call->kind == Node::Kind::kMap;
    const Node* name = nested ? call->find("name") : test.find("tool_name");
    const Node* args = nested ? call->find("args") : test.find("tool_args");
    if (name == nullptr && args == nullptr) return std::nullopt;
    Node example = make_.map();
    if (name != nullptr) make_.put(example, "tool", *name);
    if (args != nullptr) {
      make_.put(example, "arguments",
                args->kind == Node::Kind::kMap ? *args : make_.map({{"value", *args}}));
    }
    return example;
  }

  const Node& node_;
  const Rule& rule_;
  Importer& importer_;
  NodeMaker make_;
  std::vector<EventType> types_;
  std::size_t run_ = 0;
  std::size_t positives_ = 0;
  std::size_t negatives_ = 0;
  std::size_t missed_ = 0;
  std::size_t wrong_ = 0;
};

// ------------------------------------------------------------------------------ rules

void import_rule(const Node& node, const Importer::Origin& origin, Importer& importer) {
  constexpr std::string_view kPrefix = "atr-";  // of their ids; ours says so by its first part
  std::string_view short_id = origin.id;
  if (ascii_lower(short_id).starts_with(kPrefix)) short_id.remove_prefix(kPrefix.size());
  const std::string id = imported_id("atr", short_id);
  if (id.empty()) return importer.refuse(origin, "has no `id`");
  if (!importer.wanted(origin, id)) return;
  const NodeMaker make(origin.source, origin.line);
  if (text_at(node, "status") == "deprecated" || text_at(node, "maturity") == "deprecated") {
    return importer.refuse(origin, "is deprecated");
  }
  auto detection = translate_detection(node, make);
  if (!detection) return importer.refuse(origin, detection.error());

  const std::string title = imported_title(text_at(node, "title"));
  std::vector<Node> on;
  for (const EventType type : detection->on) on.push_back(make.text(name_of(type)));
  Node rule = make.map({{"id", make.text(id)},
                        {"title", make.text(title.empty() ? origin.id : title)},
                        {"severity", make.text(importer.capped(severity_of(node)))},
                        {"category", make.text(category_of(node))},
                        {"on", make.list(std::move(on))},
                        {"where", std::move(detection->where)}});
  importer.put_tags(rule, tags_of(node), make);
  const Rule* taken = importer.take(origin, rule);
  if (taken == nullptr) return;
  const std::vector<std::string>& left_out = detection->left_out;
  if (!left_out.empty()) {
    importer.reduce(origin, fmt::format("{} of its conditions {} left out: {}", left_out.size(),
                                        left_out.size() == 1 ? "is" : "are", left_out.front()));
  }
  const Node* tags = node.find("tags");
  if (tags != nullptr && text_at(*tags, "suppress_in_code_blocks") == "true") {
    importer.reduce(origin, "finds matches in code blocks too (`suppress_in_code_blocks`)");
  }
  const std::string failures = Tests(node, origin, *taken, importer).run();
  if (!failures.empty()) importer.fail(origin, failures);
}

// One file; what is no rule is passed over, since packages hold other YAML.  True: it is a rule.
bool import_file(const std::filesystem::path& path, Importer& importer, std::size_t& bytes) {
  Diagnostics mistakes;
  const auto document = yaml::load(path, mistakes, kFileLimits);
  const yaml::Source source{.name = path.string(), .text = ""};
  if (!document) {
    const Diagnostic& first = mistakes.all().front();
    importer.refuse({.id = path.stem().string(), .source = &source, .line = first.line},
                    first.message);
    return true;
  }
  bytes += document->source->text.size();
  importer.load().on_file(*document->source);
  const Node& root = *document->root;
  if (root.find("detection") == nullptr) return false;
  const Node* id = root.find("id");
  const Importer::Origin origin{
      .id = text_at(root, "id"), .source = &source, .line = id != nullptr ? id->line : root.line};
  if (importer.room(origin)) import_rule(root, origin, importer);
  return true;
}

}  // namespace

void import_atr(Importer& importer) {
  Diagnostics& diagnostics = importer.load().diagnostics;
  std::size_t rules = 0;
  std::size_t bytes = 0;
  const auto complain = [&](std::string message, std::string hint) {
    diagnostics.add({.file = importer.source().path.string(),
                     .excerpt = "",
                     .message = std::move(message),
                     .hint = std::move(hint)});
  };
  std::error_code error;
  if (!std::filesystem::exists(importer.source().path, error)) {
    return complain("no such folder", "check the path");
  }
  for (const std::filesystem::path& file : import_files(importer.source(), &diagnostics)) {
    rules += import_file(file, importer, bytes) ? 1 : 0;
    if (bytes > ImportSource::kBytesMax) {
      return complain(fmt::format("more than {} MiB of rules", ImportSource::kBytesMax >> 20),
                      "name a folder below it");
    }
  }
  if (rules == 0 && !diagnostics.has_errors()) {
    complain("no YAML file with a `detection:` below: no Agent Threat Rules",
             "name the folder that npm unpacked, or its `rules`");
  }
}

}  // namespace tocsin
