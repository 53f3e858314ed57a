// YAML -> Condition, with every mistake reported where it stands.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/diagnostics.h"
#include "daemon/event.h"
#include "daemon/yaml/document.h"
#include "detectors/rules/condition.h"
#include "detectors/rules/pattern_table.h"

namespace tocsin {

inline constexpr std::size_t kRegexBytesMax = 16 << 10;
inline constexpr std::size_t kAlternativesMax = 1'000;  // in one `regex`
inline constexpr std::size_t kLiteralsMax = 100'000;    // in one list
inline constexpr std::size_t kLiteralBytesMax = 1'024;
inline constexpr std::size_t kConditionDepthMax = 8;
inline constexpr std::size_t kConditionNodesMax = 500;  // of one rule, macros unfolded

// `lists:` and `macros:` of all packs, by name.  Nodes live as long as their documents.
struct Vocabulary {
  std::map<std::string, std::vector<std::string>, std::less<>> lists;
  std::map<std::string, const yaml::Node*, std::less<>> macros;
  std::set<std::string, std::less<>> wrong_macros;  // reported where they stand, not at each use
};

// A literal list: scalars, or `{list: NAME}`.  Reports what is wrong; nothing then.
std::optional<std::vector<std::string>> read_literals(const yaml::Node& node,
                                                      const Vocabulary& vocabulary,
                                                      Diagnostics& diagnostics);

// Such a pattern would find something in every text.
bool matches_the_empty_text(const re2::RE2& regex);

class ConditionReader {
 public:
  // `on`: the event types that the condition will meet; a field none of them fills is a mistake.
  ConditionReader(const Vocabulary& vocabulary, PatternTable& patterns,
                  const std::vector<EventType>& on, yaml::ReadContext& context);

  // Nothing, with the reason in the diagnostics.
  std::optional<Condition> read(const yaml::Node& node);
  // Where the patterns of what was read stand.
  [[nodiscard]] std::vector<PatternPlace> take_places() { return std::exchange(places_, {}); }

 private:
  std::optional<Condition> read(const yaml::Node& node, std::size_t depth);
  bool read_children(const yaml::Node* node, std::string_view key, std::size_t depth,
                     std::vector<Condition>& out);
  std::optional<Condition> read_macro(const yaml::Node& name, std::size_t depth);
  bool read_test(const yaml::Node& node, yaml::MapReader& reader, FieldTest& test);
  bool read_field(const yaml::Node& node, FieldTest& test);
  bool read_regex(yaml::MapReader& reader, FieldTest& test);
  void read_refinements(yaml::MapReader& reader, FieldTest& test);
  bool read_capture(yaml::MapReader& reader, RegexTest& test);
  validate::Argument read_argument(const yaml::Node& node);
  void read_validators(yaml::MapReader& reader, RegexTest& test);
  void read_cidr(yaml::MapReader& reader, FieldTest& test);
  void read_url(yaml::MapReader& reader, FieldTest& test);
  void read_views(yaml::MapReader& reader, FieldTest& test);
  void read_literal_tests(yaml::MapReader& reader, FieldTest& test);
  void read_patterns(yaml::MapReader& reader, std::string_view key, std::vector<PatternId>& out);
  // Compiles; nothing when it is refused.  `must_consume`: a pattern that matches the empty text
  // would match everything.
  std::optional<PatternId> pattern(const yaml::Node& node, bool scanned);
  bool scanned() const { return excluded_ == 0; }

  const Vocabulary& vocabulary_;
  PatternTable& patterns_;
  const std::vector<EventType>& on_;
  yaml::ReadContext& context_;
  Diagnostics& diagnostics_;
  std::size_t nodes_ = 0;
  std::size_t excluded_ = 0;  // inside so many `none:`; what stands there starts no evaluation
  std::vector<std::string> macros_;  // being unfolded
  std::vector<PatternPlace> places_;
};

}  // namespace tocsin
