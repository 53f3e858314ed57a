#include "daemon/yaml/document.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <unordered_set>

#include "daemon/text.h"

namespace tocsin::yaml {
namespace {

constexpr std::size_t kExcerptBytesMax = std::size_t{32}
                                         << 10;  // a long pattern and what follows it

std::string line_of(const Source& source, std::size_t line) {
  std::string_view rest = source.text;
  for (std::size_t at = 1; at < line; ++at) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return {};
    rest.remove_prefix(end + 1);
  }
  rest = rest.substr(0, rest.find('\n'));
  if (rest.ends_with('\r')) rest.remove_suffix(1);
  return std::string(rest.substr(0, kExcerptBytesMax));
}

void complain(Gravity gravity, const Source* source, std::size_t line, std::size_t column,
              std::string message, std::string hint, Diagnostics& diagnostics) {
  diagnostics.add({.gravity = gravity,
                   .file = source != nullptr ? source->name : std::string("?"),
                   .line = line,
                   .column = column,
                   // Finding the line is linear in the file: not for complaints nobody will see.
                   .excerpt = source != nullptr && line > 0 && diagnostics.left_out() == 0
                                  ? line_of(*source, line)
                                  : "",
                   .message = std::move(message),
                   .hint = std::move(hint)});
}

// Thrown through yaml-cpp's parser, which knows no other way to be stopped.
struct Refused {
  YAML::Mark mark;
  std::string message;
  std::string hint;
};

class Builder : public YAML::EventHandler {
 public:
  Builder(const Source* source, const Limits& limits) : source_(source), limits_(limits) {}

  std::unique_ptr<Node> take() { return std::move(root_); }

  // To be called at the end: yaml-cpp takes the end of the file for a missing quote, and all keys
  // up to there for text.
  void refuse_open_quote() const {
    if (!last_quoted_) return;
    std::string_view text = source_->text;
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // not counted by yaml-cpp
    std::size_t at = static_cast<std::size_t>(std::max(last_quoted_->pos, 0));
    const char quote = at < text.size() ? text[at] : '\0';
    if (quote != '\'' && quote != '"') return;
    while (++at < text.size()) {
      const bool doubled = quote == '\'' && text.substr(at).starts_with("''");
      if (doubled || (quote == '"' && text[at] == '\\')) {
        ++at;  // an escaped quote, or whatever else is escaped
      } else if (text[at] == quote) {
        return;
      }
    }
    throw Refused{*last_quoted_, "a quote that is never closed", "close it"};
  }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    place(make(mark, Node::Kind::kNull));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{mark, "aliases (*name) are not accepted", "write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    Node node = make(mark, Node::Kind::kScalar);
    node.quoted = tag == "!";
    node.scalar = value;
    last_quoted_ = node.quoted ? std::optional(mark) : std::nullopt;
    if (!node.quoted && (value == "~" || value == "null")) node.kind = Node::Kind::kNull;
    place(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_anchor(mark, anchor);
    open(make(mark, Node::Kind::kSequence));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_anchor(mark, anchor);
    open(make(mark, Node::Kind::kMap));
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node node;
    std::optional<Node> key;               // of a map: read, its value is still to come
    std::unordered_set<std::string> keys;  // of a map: seen
  };

  static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) {
      throw Refused{mark, "anchors (&name) are not accepted",
                    "write the value out where it is used"};
    }
  }

  Node make(const YAML::Mark& mark, Node::Kind kind) {
    if (++nodes_ > limits_.nodes_max) {
      throw Refused{mark, fmt::format("more than {} values in one file", limits_.nodes_max),
                    "split the file"};
    }
    Node node;
    node.kind = kind;
    node.line = static_cast<std::size_t>(mark.line) + 1;
    node.column = static_cast<std::size_t>(mark.column) + 1;
    node.source = source_;
    return node;
  }

  void open(Node node) {
    if (frames_.size() >= limits_.depth_max) {
      YAML::Mark mark;
      mark.line = static_cast<int>(node.line) - 1;
      mark.column = static_cast<int>(node.column) - 1;
      throw Refused{mark, fmt::format("nested deeper than {} levels", limits_.depth_max), ""};
    }
    frames_.push_back({.node = std::move(node), .key = std::nullopt, .keys = {}});
  }

  void close() {
    Node node = std::move(frames_.back().node);
    frames_.pop_back();
    place(std::move(node));
  }

  void place(Node node) {
    if (frames_.empty()) {
      root_ = std::make_unique<Node>(std::move(node));
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == Node::Kind::kSequence) {
      frame.node.items.push_back(std::move(node));
      return;
    }
    if (!frame.key) {
      YAML::Mark mark;
      mark.line = static_cast<int>(node.line) - 1;
      mark.column = static_cast<int>(node.column) - 1;
      if (node.kind != Node::Kind::kScalar) throw Refused{mark, "a key must be a plain word", ""};
      if (!frame.keys.insert(node.scalar).second) {
        throw Refused{mark, fmt::format("the key `{}` stands here twice", node.scalar),
                      "keep one of them"};
      }
      frame.key = std::move(node);
      return;
    }
    if (node.kind == Node::Kind::kNull && node.line != frame.key->line) {
      node.line = frame.key->line;  // yaml-cpp gives an absent value the place of whatever follows
      node.column = frame.key->column;
    }
    frame.node.entries.emplace_back(std::move(*frame.key), std::move(node));
    frame.key.reset();
  }

  const Source* source_;
  const Limits& limits_;
  std::size_t nodes_ = 0;
  std::vector<Frame> frames_;
  std::unique_ptr<Node> root_;
  std::optional<YAML::Mark> last_quoted_;  // the latest scalar, when it is quoted
};

// "a, b" -> a, b; an empty text is an empty list.
void split_at_commas(std::string_view text, std::vector<std::string>* out) {
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view item = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t first = item.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    item = item.substr(first, item.find_last_not_of(" \t") - first + 1);
    out->emplace_back(item);
  }
}

constexpr std::string_view kind_name(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kNull: return "nothing";
    case Node::Kind::kScalar: return "a single value";
    case Node::Kind::kSequence: return "a list";
    case Node::Kind::kMap: return "a map";
  }
  return "?";
}

}  // namespace

Node::Node() = default;
Node::Node(const Node&) = default;
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(const Node&) = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

const Node* Node::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name.scalar == key) return &value;
  }
  return nullptr;
}

std::optional<Document> parse(std::string name, std::string text, Diagnostics& diagnostics,
                              const Limits& limits) {
  Document document;
  document.source = std::make_unique<Source>(Source{std::move(name), std::move(text)});
  const Source& source = *document.source;
  if (source.text.size() > limits.file_bytes_max) {
    complain(Gravity::kError, &source, 0, 0,
             fmt::format("{} bytes, more than the {} accepted", source.text.size(),
                         limits.file_bytes_max),
             "split the file", diagnostics);
    return std::nullopt;
  }
  if (!is_valid_utf8(source.text) || source.text.find('\0') != std::string::npos) {
    complain(Gravity::kError, &source, 0, 0, "not UTF-8 text", "save the file as UTF-8",
             diagnostics);
    return std::nullopt;
  }
  const auto refuse = [&](const YAML::Mark& mark, std::string message, std::string hint) {
    complain(Gravity::kError, &source, static_cast<std::size_t>(std::max(mark.line, 0)) + 1,
             static_cast<std::size_t>(std::max(mark.column, 0)) + 1, std::move(message),
             std::move(hint), diagnostics);
  };
  try {
    std::istringstream stream(source.text);
    YAML::Parser parser(stream);
    Builder builder(&source, limits);
    parser.HandleNextDocument(builder);
    builder.refuse_open_quote();
    document.root = builder.take();
    if (document.root == nullptr) {
      document.root = std::make_unique<Node>();
      document.root->source = &source;
    }
    Builder second(&source, limits);
    if (parser.HandleNextDocument(second)) {
      const auto extra = second.take();
      complain(Gravity::kError, &source, extra != nullptr ? extra->line : 0,
               extra != nullptr ? extra->column : 0, "a second document in one file",
               "keep one document a file", diagnostics);
      return std::nullopt;
    }
  } catch (const Refused& refused) {
    refuse(refused.mark, refused.message, refused.hint);
    return std::nullopt;
  } catch (const YAML::Exception& error) {
    refuse(error.mark, fmt::format("not YAML: {}", error.msg),
           "check indentation, quotes and colons; quote values that hold `: `, `#`, `{` or `*`");
    return std::nullopt;
  }
  return document;
}

std::optional<std::string> read_file(const std::filesystem::path& path, Diagnostics& diagnostics,
                                     const Limits& limits) {
  const auto fail = [&](std::string message, std::string hint) {
    diagnostics.add({.file = path.string(),
                     .excerpt = "",
                     .message = std::move(message),
                     .hint = std::move(hint)});
    return std::nullopt;
  };
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return fail("no such file", "check the path");
  if (std::filesystem::is_directory(path, error)) return fail("is a directory, not a file", "");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail("cannot be opened", "check its permissions");
  // One byte over the limit is enough to know that the file is too large; a device or a pipe may
  // never end.
  std::string text(limits.file_bytes_max + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return fail("cannot be read", "");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

std::optional<Document> load(const std::filesystem::path& path, Diagnostics& diagnostics,
                             const Limits& limits) {
  auto text = read_file(path, diagnostics, limits);
  if (!text) return std::nullopt;
  return parse(path.string(), std::move(*text), diagnostics, limits);
}

void error_at(const Node& node, std::string message, std::string hint, Diagnostics& diagnostics) {
  complain(Gravity::kError, node.source, node.line, node.column, std::move(message),
           std::move(hint), diagnostics);
}

void warning_at(const Node& node, std::string message, std::string hint, Diagnostics& diagnostics) {
  complain(Gravity::kWarning, node.source, node.line, node.column, std::move(message),
           std::move(hint), diagnostics);
}

std::optional<std::string_view> scalar_of(const Node& node, std::string_view what,
                                          Diagnostics& diagnostics) {
  if (node.kind == Node::Kind::kScalar) return node.scalar;
  error_at(node, fmt::format("expected {}, found {}", what, kind_name(node.kind)), "", diagnostics);
  return std::nullopt;
}

MapReader::MapReader(const Node* node, std::string path, ReadContext& context)
    : where_(node), path_(std::move(path)), context_(&context) {
  if (node == nullptr || node->kind == Node::Kind::kNull) return;
  if (node->kind == Node::Kind::kMap) {
    node_ = node;
    return;
  }
  error_at(*node,
           fmt::format("{}: expected a map, found {}", path_.empty() ? "the file" : path_,
                       kind_name(node->kind)),
           "", context.diagnostics);
}

std::string MapReader::path_to(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void MapReader::tell_default(std::string_view key, std::string_view value) const {
  if (context_->on_default) context_->on_default(path_to(key), value);
}

void MapReader::know(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
}

bool MapReader::has(std::string_view key) const {
  return node_ != nullptr && node_->find(key) != nullptr;
}

const Node* MapReader::node(std::string_view key) {
  know(key);
  if (context_->override_value) {
    const std::string path = path_to(key);
    if (auto value = context_->override_value(path)) {
      auto source = std::make_unique<Source>();
      source->name = fmt::format("environment ({} for `{}`)", context_->override_name_prefix, path);
      auto root = std::make_unique<Node>();
      root->kind = Node::Kind::kScalar;
      root->scalar = std::move(*value);
      root->overriding = true;
      root->source = source.get();
      context_->override_documents.push_back({std::move(source), std::move(root)});
      return context_->override_documents.back().root.get();
    }
  }
  return node_ == nullptr ? nullptr : node_->find(key);
}

MapReader MapReader::map(std::string_view key) {
  know(key);
  MapReader child(node_ == nullptr ? nullptr : node_->find(key), path_to(key), *context_);
  if (child.where_ == nullptr) child.where_ = where_;  // what it lacks is missing here
  return child;
}

bool MapReader::require(std::string_view key, std::string_view why) {
  if (has(key)) return true;
  know(key);
  std::string message = fmt::format("`{}` is missing", path_to(key));
  if (where_ != nullptr) {
    error_at(*where_, std::move(message), std::string(why), context_->diagnostics);
  } else {
    context_->diagnostics.add({.file = context_->override_value ? "environment" : "?",
                               .excerpt = "",
                               .message = std::move(message),
                               .hint = std::string(why)});
  }
  return false;
}

void MapReader::string(std::string_view key, std::string* out) {
  tell_default(key, *out);
  const Node* value = node(key);
  if (value == nullptr) return;
  if (const auto text = scalar_of(*value, fmt::format("a string for `{}`", path_to(key)),
                                  context_->diagnostics)) {
    *out = *text;
  }
}

void MapReader::boolean(std::string_view key, bool* out) {
  static constexpr std::string_view kWords[] = {"false", "true"};
  std::size_t index = *out ? 1 : 0;
  choice(key, kWords, &index);
  *out = index == 1;
}

void MapReader::integer(std::string_view key, std::int64_t min, std::int64_t max,
                        std::int64_t* out) {
  tell_default(key, std::to_string(*out));
  const Node* value = node(key);
  if (value == nullptr) return;
  const auto text = scalar_of(*value, fmt::format("a whole number for `{}`", path_to(key)),
                              context_->diagnostics);
  if (!text) return;
  std::int64_t parsed = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, parsed);
  if (error != std::errc{} || stop != end || parsed < min || parsed > max) {
    error_at(*value, fmt::format("`{}` is not a value for `{}`", *text, path_to(key)),
             fmt::format("a whole number from {} to {}", min, max), context_->diagnostics);
    return;
  }
  *out = parsed;
}

void MapReader::strings(std::string_view key, std::vector<std::string>* out) {
  tell_default(key, fmt::format("{}", fmt::join(*out, ", ")));
  const Node* value = node(key);
  if (value == nullptr) return;
  out->clear();
  if (value->kind == Node::Kind::kNull) return;
  if (value->kind == Node::Kind::kScalar) {
    if (value->overriding) {
      split_at_commas(value->scalar, out);
    } else {
      out->emplace_back(value->scalar);
    }
    return;
  }
  if (value->kind == Node::Kind::kMap) {
    error_at(*value, fmt::format("`{}`: expected a list, found a map", path_to(key)), "",
             context_->diagnostics);
    return;
  }
  for (const Node& item : value->items) {
    if (const auto text =
            scalar_of(item, fmt::format("a string in `{}`", path_to(key)), context_->diagnostics)) {
      out->emplace_back(*text);
    }
  }
}

void MapReader::choice(std::string_view key, std::span<const std::string_view> words,
                       std::size_t* out) {
  tell_default(key, words[*out]);
  const Node* value = node(key);
  if (value == nullptr) return;
  const auto text = scalar_of(*value, fmt::format("{} for `{}`", one_of(words), path_to(key)),
                              context_->diagnostics);
  if (!text) return;
  const auto found = std::ranges::find(words, *text);
  if (found == words.end()) {
    const std::string_view near = nearest(*text, words);
    error_at(*value, fmt::format("`{}` is not a value for `{}`", *text, path_to(key)),
             near.empty() ? one_of(words)
                          : fmt::format("did you mean `{}`? Allowed: {}", near, one_of(words)),
             context_->diagnostics);
    return;
  }
  *out = static_cast<std::size_t>(found - words.begin());
}

void MapReader::finish() {
  if (node_ == nullptr) return;
  const std::vector<std::string_view> known(known_.begin(), known_.end());
  for (const auto& [key, value] : node_->entries) {
    if (std::ranges::find(known, key.scalar) != known.end()) continue;
    const std::string_view near = nearest(key.scalar, known);
    error_at(key, fmt::format("unknown key `{}`", path_to(key.scalar)),
             near.empty() ? fmt::format("known here: {}", one_of(known))
                          : fmt::format("did you mean `{}`?", near),
             context_->diagnostics);
  }
}

}  // namespace tocsin::yaml
