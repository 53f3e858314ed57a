#include "detectors/rules/import/importer.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/text.h"
#include "detectors/rules/example.h"
#include "detectors/rules/taxonomy.h"

namespace tocsin {

using yaml::Node;

namespace {

constexpr std::size_t kTitleBytesMax = 200;
constexpr std::size_t kReasonBytesMax = 400;
constexpr std::size_t kIdBytesShown = 128;

bool is_id_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool names(const std::vector<std::string>& ids, std::string_view theirs, std::string_view ours) {
  return std::ranges::find(ids, theirs) != ids.end() || std::ranges::find(ids, ours) != ids.end();
}

}  // namespace

Node NodeMaker::make(Node::Kind kind) const {
  Node node;
  node.kind = kind;
  node.source = source_;
  node.line = line_;
  node.column = 1;
  return node;
}

Node NodeMaker::text(std::string_view text) const {
  Node node = make(Node::Kind::kScalar);
  node.quoted = true;
  node.scalar = text;
  return node;
}

Node NodeMaker::texts(std::span<const std::string> texts) const {
  Node node = list();
  for (const std::string& each : texts) node.items.push_back(text(each));
  return node;
}

Node NodeMaker::list(std::vector<Node> items) const {
  Node node = make(Node::Kind::kSequence);
  node.items = std::move(items);
  return node;
}

Node NodeMaker::map(std::initializer_list<std::pair<std::string_view, Node>> entries) const {
  Node node = make(Node::Kind::kMap);
  for (const auto& [key, value] : entries) put(node, key, value);
  return node;
}

void NodeMaker::put(Node& map, std::string_view key, Node value) const {
  map.entries.push_back({text(key), std::move(value)});
}

std::string imported_id(std::string_view prefix, std::string_view id) {
  std::string out;
  for (const char c : ascii_lower(id)) {
    if (is_id_character(c)) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  while (out.ends_with('-')) out.pop_back();
  return out.empty() ? out : fmt::format("{}.{}", prefix, out);
}

std::string imported_title(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  text = text.substr(first);
  text = text.substr(0, text.find_first_of("\r\n"));
  return std::string(text.substr(0, cut_at_character(text, kTitleBytesMax)));
}

std::string text_at(const Node& map, std::string_view key) {
  const Node* node = map.find(key);
  return node != nullptr && node->kind == Node::Kind::kScalar ? node->scalar : std::string();
}

std::vector<std::string> texts_at(const Node& map, std::string_view key) {
  std::vector<std::string> texts;
  const Node* node = map.find(key);
  if (node == nullptr) return texts;
  if (node->kind == Node::Kind::kScalar) texts.push_back(node->scalar);
  for (const Node& item : node->items) {
    if (item.kind == Node::Kind::kScalar) texts.push_back(item.scalar);
  }
  return texts;
}

Importer::Importer(const ImportSource& source, ImportLoad load,
                   std::unordered_set<std::string>& ids)
    : source_(source), load_(std::move(load)), ids_(ids) {
  report_.format = source.format;
  report_.path = source.path.string();
}

bool Importer::wanted(const Origin& origin, std::string_view our_id) {
  named_.insert(origin.id);
  named_.emplace(our_id);
  const bool in = source_.only.empty() || names(source_.only, origin.id, our_id);
  if (in && !names(source_.except, origin.id, our_id)) return true;
  ++report_.left_out;
  return false;
}

bool Importer::room(const Origin& origin) {
  if (load_.rules.size() < kRulesMax) return true;
  if (!full_) refuse(origin, fmt::format("more than {} rules; the rest is not read", kRulesMax));
  full_ = true;
  return false;
}

ImportNote Importer::note(const Origin& origin, std::string_view text) const {
  return {.id = printable(origin.id, kIdBytesShown),
          .file = origin.source->name,
          .line = origin.line,
          .text = printable(text, kReasonBytesMax)};
}

void Importer::refuse(const Origin& origin, std::string_view reason) {
  report_.refused.push_back(note(origin, reason));
}

void Importer::reduce(const Origin& origin, std::string_view what) {
  report_.reduced.push_back(note(origin, what));
}

void Importer::fail(const Origin& origin, std::string_view what) {
  report_.failed.push_back(note(origin, what));
}

void Importer::put_tags(Node& rule, std::vector<std::string> tags, const NodeMaker& make) {
  std::ranges::sort(tags);
  const auto repeated = std::ranges::unique(tags);
  tags.erase(repeated.begin(), repeated.end());
  report_.tags_dropped +=
      std::erase_if(tags, [](const std::string& tag) { return !check_tag(tag).has_value(); });
  if (!tags.empty()) make.put(rule, "tags", make.texts(tags));
}

std::string_view Importer::capped(Severity severity) const {
  return name_of(std::min(severity, source_.severity_max));
}

const Rule* Importer::take(const Origin& origin, const Node& rule) {
  Diagnostics mistakes;
  auto read = read_translated_rule(
      rule, {.patterns = load_.patterns, .values = values_, .ids = ids_}, mistakes);
  if (!read) {
    refuse(origin, mistakes.all().empty() ? "not understood" : mistakes.all().front().message);
    return nullptr;
  }
  ++report_.taken;
  return &load_.rules.emplace_back(std::move(*read));
}

bool Importer::found(const Rule& rule, const Node& example, std::span<const EventType> types) {
  Diagnostics ignored;
  yaml::ReadContext context(ignored);
  return std::ranges::any_of(types, [&](EventType type) {
    return example_found(example, type, rule, load_.patterns, values_, context);
  });
}

void Importer::finish() {
  for (const auto* list : {&source_.only, &source_.except}) {
    for (const std::string& id : *list) {
      if (named_.contains(id)) continue;
      const std::vector<std::string_view> known(named_.begin(), named_.end());
      const std::string_view near = nearest(id, known);
      load_.diagnostics.add({.gravity = Gravity::kWarning,
                             .file = source_.path.string(),
                             .excerpt = "",
                             .message = fmt::format("no rule is called `{}`", id),
                             .hint = near.empty() ? "" : fmt::format("did you mean `{}`?", near)});
    }
  }
}

}  // namespace tocsin
