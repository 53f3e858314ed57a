// A YAML file as a tree that remembers where everything stood, and a reader that collects every
// mistake in it.
//
// Built on yaml-cpp's event parser instead of its node tree: that one expands aliases, accepts a
// key twice and forgets the position of keys.  Here aliases and anchors are refused (they are how
// YAML bombs are made, and no tocsin file needs them), a second equal key is an error, and depth,
// size and node count are bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/diagnostics.h"

namespace tocsin::yaml {

struct Limits {
  // yaml-cpp reads far ahead before the depth can be seen: a file of brackets costs about a second
  // a MiB.
  std::size_t file_bytes_max = std::size_t{2} << 20;
  std::size_t nodes_max = 2'000'000;
  std::size_t depth_max = 32;
};

// The text a tree was read from; diagnostics quote it.
struct Source {
  std::string name;
  std::string text;
};

struct Entry;

struct Node {
  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMap };

  Kind kind = Kind::kNull;
  bool quoted = false;      // a quoted scalar is a string, whatever it looks like
  bool overriding = false;  // not from the file: see ReadContext
  std::size_t line = 0;
  std::size_t column = 0;
  std::string scalar;
  std::vector<Node> items;     // kSequence
  std::vector<Entry> entries;  // kMap, in the file's order
  const Source* source = nullptr;

  // Out of line, where Entry is complete.
  Node();
  Node(const Node&);
  Node(Node&&) noexcept;
  Node& operator=(const Node&);
  Node& operator=(Node&&) noexcept;
  ~Node();

  // The value under `key`, or null.
  [[nodiscard]] const Node* find(std::string_view key) const;
};

struct Entry {
  Node key;
  Node value;
};

// The tree and the text it points into; movable, since both live on the heap.
struct Document {
  std::unique_ptr<Source> source;
  std::unique_ptr<Node> root;
};

// One document; empty files give a kNull root.  Mistakes go to `diagnostics`, and then there is no
// document.
std::optional<Document> parse(std::string name, std::string text, Diagnostics& diagnostics,
                              const Limits& limits = {});
std::optional<Document> load(const std::filesystem::path& path, Diagnostics& diagnostics,
                             const Limits& limits = {});

// A file's bytes; at most one more than `file_bytes_max`, so that `parse` sees that it is too
// large.
std::optional<std::string> read_file(const std::filesystem::path& path, Diagnostics& diagnostics,
                                     const Limits& limits = {});

void error_at(const Node& node, std::string message, std::string hint, Diagnostics& diagnostics);
void warning_at(const Node& node, std::string message, std::string hint, Diagnostics& diagnostics);

// What stands in for a file's values: returns the value for a dotted key path, or nothing.
using Override = std::function<std::optional<std::string>(std::string_view path)>;

// What the readers of one file share.
struct ReadContext {
  explicit ReadContext(Diagnostics& sink) : diagnostics(sink) {}

  Diagnostics& diagnostics;
  Override override_value;  // may be empty
  // Told each scalar or list that is asked for, and what it is when nobody sets it (a list: its
  // items with ", " between them); may be empty.
  std::function<void(std::string_view path, std::string_view value)> on_default;
  std::string override_name_prefix;         // for messages, e.g. "TOCSIN_"
  std::deque<Document> override_documents;  // keeps overriding values alive
};

// Reads one map.  Every accessor leaves `*out` alone when the key is absent, and complains when it
// is there and wrong.  Whatever was not asked for by the time of `finish` is an unknown key,
// reported with the nearest known one.
class MapReader {
 public:
  // `node` may be null or a kNull node: an empty map.  Any other kind than a map is reported here.
  MapReader(const Node* node, std::string path, ReadContext& context);

  void string(std::string_view key, std::string* out);
  void boolean(std::string_view key, bool* out);
  void integer(std::string_view key, std::int64_t min, std::int64_t max, std::int64_t* out);
  // One string counts as a list of one; an overriding one is split at commas, blanks around
  // them and empty parts left out.
  void strings(std::string_view key, std::vector<std::string>* out);
  // The position in `words` of the value.
  void choice(std::string_view key, std::span<const std::string_view> words, std::size_t* out);

  template <typename Int>
  void number(std::string_view key, std::int64_t min, std::int64_t max, Int* out) {
    auto value = static_cast<std::int64_t>(*out);
    integer(key, min, max, &value);
    *out = static_cast<Int>(value);
  }

  // The node under `key`, marked as known; null when absent.
  const Node* node(std::string_view key);
  MapReader map(std::string_view key);
  // Reports `key` as missing (at this map's position) unless it is there.
  bool require(std::string_view key, std::string_view why);

  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] const Node* self() const { return node_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  ReadContext& context() { return *context_; }

  void finish();

 private:
  std::string path_to(std::string_view key) const;
  void tell_default(std::string_view key, std::string_view value) const;
  void know(std::string_view key);

  const Node* node_ = nullptr;  // a map, or null
  const Node* where_ = nullptr;
  std::string path_;
  ReadContext* context_;
  std::vector<std::string> known_;
};

// A scalar that is not null; anything else is reported as not being `what`.
std::optional<std::string_view> scalar_of(const Node& node, std::string_view what, Diagnostics&);

}  // namespace tocsin::yaml
