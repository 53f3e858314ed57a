// What the importers of all formats share: rules offered one by one, and the account of them.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "daemon/yaml/document.h"
#include "detectors/rules/import/import.h"
#include "detectors/rules/pack.h"

namespace tocsin {

// Writes nodes of our language that stand where a foreign rule stood.
class NodeMaker {
 public:
  // `source` must outlive the nodes.  Its text is not quoted: give one without.
  NodeMaker(const yaml::Source* source, std::size_t line) : source_(source), line_(line) {}

  [[nodiscard]] yaml::Node text(std::string_view text) const;
  [[nodiscard]] yaml::Node texts(std::span<const std::string> texts) const;
  [[nodiscard]] yaml::Node list(std::vector<yaml::Node> items = {}) const;
  [[nodiscard]] yaml::Node map(
      std::initializer_list<std::pair<std::string_view, yaml::Node>> entries = {}) const;
  void put(yaml::Node& map, std::string_view key, yaml::Node value) const;

 private:
  [[nodiscard]] yaml::Node make(yaml::Node::Kind kind) const;

  const yaml::Source* source_;
  std::size_t line_;
};

// "<prefix>.<id>" with whatever our ids cannot hold as a dash; empty when nothing is left.
std::string imported_id(std::string_view prefix, std::string_view id);
// The first line of a text, cut to a title's length.
std::string imported_title(std::string_view text);
// The text of a scalar under `key`; empty when there is none.
std::string text_at(const yaml::Node& map, std::string_view key);
// The scalars of a list under `key`, or the one scalar.
std::vector<std::string> texts_at(const yaml::Node& map, std::string_view key);

// One import.
class Importer {
 public:
  Importer(const ImportSource& source, ImportLoad load, std::unordered_set<std::string>& ids);

  // Where one foreign rule stands.
  struct Origin {
    std::string id;  // the file's
    const yaml::Source* source = nullptr;
    std::size_t line = 0;
  };

  // Whether `only` and `except` let the rule in; counts it otherwise.
  bool wanted(const Origin& origin, std::string_view our_id);
  // False: no more rules fit; said once.
  bool room(const Origin& origin);
  void refuse(const Origin& origin, std::string_view reason);
  void reduce(const Origin& origin, std::string_view what);  // taken in part
  void fail(const Origin& origin, std::string_view what);    // its own tests
  // Tags that exist are put into `rule`.
  void put_tags(yaml::Node& rule, std::vector<std::string> tags, const NodeMaker& make);
  [[nodiscard]] std::string_view capped(Severity severity) const;
  // Reads a translated rule; null when it was refused.  Valid until the next is taken.
  const Rule* take(const Origin& origin, const yaml::Node& rule);
  // Whether the rule finds the example in an event of one of these types.
  bool found(const Rule& rule, const yaml::Node& example, std::span<const EventType> types);

  // Says which ids of `only` and `except` no rule had.
  void finish();

  ImportReport& report() { return report_; }
  ImportLoad& load() { return load_; }
  const ImportSource& source() const { return source_; }

 private:
  [[nodiscard]] ImportNote note(const Origin& origin, std::string_view text) const;

  const ImportSource& source_;
  ImportLoad load_;
  std::unordered_set<std::string>& ids_;
  std::unordered_set<std::string> named_;  // of `only` and `except`, met
  EventValues values_;
  ImportReport report_;
  bool full_ = false;
};

// The formats.
void import_gitleaks(Importer& importer);
void import_atr(Importer& importer);

}  // namespace tocsin
