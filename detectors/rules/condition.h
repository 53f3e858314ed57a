// What a rule asks of an event: a tree of tests, and its evaluation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/event.h"
#include "detectors/detector.h"
#include "detectors/rules/field.h"
#include "detectors/rules/pattern_table.h"
#include "detectors/rules/values.h"
#include "detectors/validate/address.h"
#include "detectors/validate/url.h"
#include "detectors/validate/validators.h"

namespace tocsin {

// RE2 patterns and what else their match must be.  When a refinement fails, the next match in the
// same value is tried.
struct RegexTest {
  // Tried so often in one value; text made of near misses costs no more than that.
  static constexpr std::size_t kMatchesMax = 256;

  std::vector<PatternId> patterns;  // alternatives
  // The group that validators, `unless` and evidence look at; where it took no part in the match,
  // the next that did, else the whole match.
  int capture = 0;
  std::vector<validate::Validator> validators;
  std::vector<std::string> require_any;                          // lower case
  std::size_t within = std::numeric_limits<std::size_t>::max();  // bytes either side of the match
  std::vector<PatternId> unless;
  std::vector<PatternId> unless_line;
  std::vector<PatternId> unless_value;
};

// Literals, ASCII case ignored.
struct LiteralTest {
  enum class Kind : std::uint8_t { kContains, kWords, kIn, kStartsWith, kEndsWith };
  Kind kind = Kind::kContains;
  std::vector<std::string> literals;                            // lower case
  std::vector<std::pair<PatternId, std::uint32_t>> by_pattern;  // sorted; position in `literals`
};

struct NumberTest {
  std::optional<double> gt, gte, lt, lte;
  [[nodiscard]] bool holds(double value) const {
    return (!gt || value > *gt) && (!gte || value >= *gte) && (!lt || value < *lt) &&
           (!lte || value <= *lte);
  }
};

// Some value of the field passes every test that is there.
struct FieldTest {
  enum class Views : std::uint8_t { kAll, kRaw, kDecoded };

  FieldSelector field;
  std::optional<RegexTest> regex;
  std::vector<LiteralTest> literals;
  std::optional<NumberTest> number;
  std::vector<validate::Cidr> cidr;
  std::optional<validate::UrlCondition> url;
  std::vector<PatternId> url_marks;  // without one of these in it no event holds a URL
  std::optional<bool> exists;
  Views views = Views::kAll;
  std::vector<decoding::Step> through;  // empty: however it was seen
};

// Everything that is there must hold.
struct Condition {
  std::vector<FieldTest> tests;  // none or one: a vector because it may be absent and is large
  std::vector<Condition> all;
  std::vector<Condition> any;   // empty: not asked for
  std::vector<Condition> none;  // not one of them

  // Patterns of which at least one is in any event that can satisfy this condition; nothing: it
  // cannot be told from patterns.
  [[nodiscard]] std::optional<std::vector<PatternId>> triggers() const;
  // All that the first stage looks for on its behalf.
  void collect_patterns(std::vector<PatternId>& out) const;
  // All selectors, whether asked for or excluded.
  void collect_fields(std::vector<const FieldSelector*>& out) const;
};

// Which patterns the first stage saw in an event.
class Candidates {
 public:
  void reset(std::size_t patterns);
  void add(PatternId id);
  [[nodiscard]] bool contains(PatternId id) const { return seen_in_[id] == event_; }
  [[nodiscard]] std::span<const PatternId> ids() const { return ids_; }

 private:
  std::vector<std::uint32_t> seen_in_;  // the number of the event that had it last
  std::vector<PatternId> ids_;
  std::uint32_t event_ = 0;
};

// Where in the event a test held.
struct Hit {
  const Value* value = nullptr;
  std::size_t begin = 0;  // bytes of the value's text
  std::size_t end = 0;
};

// One event, as conditions see it.  `candidates` null: there was no first stage.
struct Subject {
  const Event& event;
  const EventContext& context;
  const EventValues& values;
  const PatternTable& patterns;
  const Candidates* candidates = nullptr;

  // What a field holds, of several texts the first; empty when there is none.
  [[nodiscard]] std::string_view first_value(const FieldSelector& field) const;
};

class Evaluation {
 public:
  static constexpr std::size_t kHitsMax = 4;  // as much evidence as a person reads

  explicit Evaluation(const Subject& subject) : subject_(subject) {}

  // After `true`, `hits` has where the tests held, in the order of the condition.
  bool holds(const Condition& condition);
  [[nodiscard]] std::span<const Hit> hits() const { return hits_; }
  void clear() { hits_.clear(); }
  // A value had more URLs than are looked at, and none of those held.
  [[nodiscard]] bool urls_limited() const { return urls_limited_; }

 private:
  bool holds(const FieldTest& test);
  bool context_holds(const FieldTest& test) const;
  bool value_holds(const FieldTest& test, const Value& value, Hit& hit);
  bool regex_holds(const RegexTest& test, const Value& value, Hit& hit) const;
  bool pattern_holds(const RegexTest& test, PatternId id, const Value& value, Hit& hit) const;
  bool refined(const RegexTest& test, std::string_view text, std::size_t begin, std::size_t end,
               std::string_view capture) const;
  bool literal_holds(const LiteralTest& test, const Value& value, Hit& hit) const;
  [[nodiscard]] bool may_hold(PatternId id) const;
  bool found_in(std::span<const PatternId> patterns, std::string_view text) const;

  const Subject& subject_;
  std::vector<Hit> hits_;
  bool urls_limited_ = false;
};

}  // namespace tocsin
