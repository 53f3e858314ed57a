#include "detectors/rules/rule_fields.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "detectors/rules/taxonomy.h"

namespace tocsin {

using yaml::MapReader;
using yaml::Node;

void read_rule_id(MapReader& reader, std::string& id, Diagnostics& diagnostics) {
  static const re2::RE2 kForm(R"([a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+)");
  constexpr std::size_t kIdBytesMax = 128;
  if (!reader.require("id", "for example shell.download-and-run")) return;
  reader.string("id", &id);
  if (id.size() <= kIdBytesMax &&
      re2::RE2::FullMatch(re2::StringPiece(id.data(), id.size()), kForm)) {
    return;
  }
  yaml::error_at(*reader.node("id"), fmt::format("`{}` is not a rule id", id),
                 "lower-case words with dashes, at least two parts joined by a dot: "
                 "shell.download-and-run",
                 diagnostics);
}

void report_taken_id(const Node& node, const std::string& id, Diagnostics& diagnostics) {
  yaml::error_at(node, fmt::format("the rule id `{}` is taken", id),
                 "every rule needs an id of its own; another pack or an earlier rule has it",
                 diagnostics);
}

void read_severity(MapReader& reader, Severity& severity) {
  auto index = static_cast<std::size_t>(severity);
  if (reader.require("severity", one_of(severity_names()))) {
    reader.choice("severity", severity_names(), &index);
  }
  severity = static_cast<Severity>(index);
}

void read_category(MapReader& reader, Category& category) {
  auto index = static_cast<std::size_t>(category);
  if (reader.require("category", one_of(category_names()))) {
    reader.choice("category", category_names(), &index);
  }
  category = static_cast<Category>(index);
}

void read_tags(MapReader& reader, std::vector<std::string>& tags, Diagnostics& diagnostics) {
  reader.strings("tags", &tags);
  const Node* node = reader.node("tags");
  if (node == nullptr) return;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const auto checked = check_tag(tags[i]);
    if (checked) continue;
    const bool in_list = node->kind == Node::Kind::kSequence && i < node->items.size();
    yaml::error_at(in_list ? node->items[i] : *node, checked.error(), "ids: see rules/README.md",
                   diagnostics);
  }
}

std::optional<NumberTest> read_bounds(MapReader& reader, Diagnostics& diagnostics) {
  NumberTest bounds;
  bool asked = false;
  const std::array<std::pair<std::string_view, std::optional<double>*>, 4> all = {
      {{"gt", &bounds.gt}, {"gte", &bounds.gte}, {"lt", &bounds.lt}, {"lte", &bounds.lte}}};
  for (const auto& [key, out] : all) {
    const Node* node = reader.node(key);
    if (node == nullptr) continue;
    asked = true;
    const auto text = yaml::scalar_of(*node, "a number", diagnostics);
    if (!text) continue;
    double value = 0;
    const char* const end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, value);
    if (error != std::errc{} || stop != end) {
      yaml::error_at(*node, fmt::format("`{}` is not a number", *text), "for example 1000",
                     diagnostics);
      continue;
    }
    *out = value;
  }
  if (!asked) return std::nullopt;
  return bounds;
}

}  // namespace tocsin
