#include "detectors/rules/import/toml.h"

#include <fmt/format.h>

// Reports instead of throwing, and compiled here alone.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include "daemon/text.h"

namespace tocsin {
namespace {

using yaml::Limits;
using yaml::Node;
using yaml::Source;

// toml++ bounds the nesting of values, but not that of dotted keys: a megabyte of `a.a.a...` makes
// tables nested so deep that their destructors end the stack.  Counts the dots of each key, strings
// and comments left out; returns the line of one with too many, or 0.
std::size_t line_of_deep_key(std::string_view text, std::size_t depth_max) {
  std::size_t line = 1;
  std::size_t dots = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      const std::string_view triple = c == '"' ? R"(""")" : "'''";
      const bool multi = text.substr(at).starts_with(triple);
      at += multi ? 3 : 1;
      while (at < text.size()) {
        if (c == '"' && text[at] == '\\') {
          ++at;
        } else if (multi ? text.substr(at).starts_with(triple)
                         : text[at] == c || text[at] == '\n') {
          break;
        }
        if (at < text.size() && text[at] == '\n') ++line;
        ++at;
      }
      if (multi) at += 2;
      if (!multi && at < text.size() && text[at] == '\n') ++line;
    } else if (c == '#') {
      at = std::min(text.find('\n', at), text.size()) - 1;
    } else if (c == '\n') {
      ++line;
      dots = 0;
    } else if (c == '=' || c == ',' || c == '[' || c == '{') {
      dots = 0;
    } else if (c == '.' && ++dots >= depth_max) {
      return line;
    }
  }
  return 0;
}

class Converter {
 public:
  Converter(const Source* source, const Limits& limits) : source_(source), limits_(limits) {}

  Node convert(const toml::node& node, std::size_t depth = 0) {
    Node out = at(node.source());
    if (++nodes_ > limits_.nodes_max || depth > limits_.depth_max) {
      refused_ = true;
      return out;
    }
    if (const toml::table* table = node.as_table()) {
      out.kind = Node::Kind::kMap;
      for (const auto& [key, value] : *table) {
        Node name = at(key.source());
        name.kind = Node::Kind::kScalar;
        name.scalar = key.str();
        out.entries.push_back({std::move(name), convert(value, depth + 1)});
      }
      // The parser sorts keys; readers and people go by the file.
      std::ranges::stable_sort(out.entries, {}, [](const yaml::Entry& entry) {
        return std::pair(entry.key.line, entry.key.column);
      });
    } else if (const toml::array* array = node.as_array()) {
      out.kind = Node::Kind::kSequence;
      out.items.reserve(array->size());
      for (const toml::node& item : *array) out.items.push_back(convert(item, depth + 1));
    } else {
      out.kind = Node::Kind::kScalar;
      out.quoted = node.is_string();
      out.scalar = text_of(node);
    }
    return out;
  }
  [[nodiscard]] bool refused() const { return refused_; }

 private:
  Node at(const toml::source_region& region) const {
    Node node;
    node.source = source_;
    node.line = region.begin.line;
    node.column = region.begin.column;
    return node;
  }

  static std::string text_of(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return fmt::to_string(number->get());
    if (const auto* number = node.as_floating_point()) return fmt::to_string(number->get());
    if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
    std::ostringstream date;
    if (const auto* day = node.as_date()) date << day->get();
    if (const auto* time = node.as_time()) date << time->get();
    if (const auto* moment = node.as_date_time()) date << moment->get();
    return date.str();
  }

  const Source* source_;
  const Limits& limits_;
  std::size_t nodes_ = 0;
  bool refused_ = false;
};

}  // namespace

std::optional<yaml::Document> parse_toml(std::string name, std::string text,
                                         Diagnostics& diagnostics, const Limits& limits) {
  yaml::Document document;
  document.source = std::make_unique<Source>(Source{std::move(name), std::move(text)});
  const Source& source = *document.source;
  const auto refuse = [&](std::size_t line, std::size_t column, std::string message,
                          std::string hint) {
    Node where;
    where.source = &source;
    where.line = line;
    where.column = column;
    yaml::error_at(where, std::move(message), std::move(hint), diagnostics);
    return std::nullopt;
  };
  if (source.text.size() > limits.file_bytes_max) {
    return refuse(0, 0,
                  fmt::format("{} bytes, more than the {} accepted", source.text.size(),
                              limits.file_bytes_max),
                  "split the file");
  }
  if (!is_valid_utf8(source.text) || source.text.find('\0') != std::string::npos) {
    return refuse(0, 0, "not UTF-8 text", "save the file as UTF-8");
  }
  if (const std::size_t line = line_of_deep_key(source.text, limits.depth_max); line > 0) {
    return refuse(line, 1, fmt::format("nested deeper than {} levels", limits.depth_max), "");
  }
  const toml::parse_result parsed = toml::parse(source.text, source.name);
  if (!parsed) {
    const toml::source_position& place = parsed.error().source().begin;
    return refuse(place.line, place.column,
                  fmt::format("not TOML: {}", printable(parsed.error().description(), 200)),
                  "check quotes and brackets");
  }
  Converter converter(&source, limits);
  document.root = std::make_unique<Node>(converter.convert(parsed.table()));
  if (converter.refused()) {
    return refuse(0, 0,
                  fmt::format("more than {} values, or nested deeper than {} levels",
                              limits.nodes_max, limits.depth_max),
                  "split the file");
  }
  return document;
}

std::optional<yaml::Document> load_toml(const std::filesystem::path& path, Diagnostics& diagnostics,
                                        const Limits& limits) {
  auto text = yaml::read_file(path, diagnostics, limits);
  if (!text) return std::nullopt;
  return parse_toml(path.string(), std::move(*text), diagnostics, limits);
}

}  // namespace tocsin
