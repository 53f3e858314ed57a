#include "detectors/rules/condition.h"

#include <re2/stringpiece.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "daemon/text.h"

namespace tocsin {
namespace {

constexpr std::size_t kGroupsMax = 16;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool equal_ignoring_case(std::string_view text, std::string_view lowered) {
  return text.size() == lowered.size() &&
         std::ranges::equal(text, lowered, {}, [](char c) { return lower(c); });
}

// Where `lowered` begins in `text`, from `from` on; npos.
std::size_t find_ignoring_case(std::string_view text, std::string_view lowered, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  const auto rest = text.substr(from);
  const auto found = std::ranges::search(rest, lowered, {}, [](char c) { return lower(c); });
  return found.empty() && !lowered.empty()
             ? std::string_view::npos
             : from + static_cast<std::size_t>(found.begin() - rest.begin());
}

bool touches_word(std::string_view text, std::size_t begin, std::size_t end) {
  const bool before = begin > 0 && word_character(text[begin]) && word_character(text[begin - 1]);
  const bool after =
      end < text.size() && word_character(text[end - 1]) && word_character(text[end]);
  return before || after;
}

bool literal_matches(LiteralTest::Kind kind, std::string_view text, std::string_view lowered,
                     Hit& hit) {
  using Kind = LiteralTest::Kind;
  hit.begin = 0;
  hit.end = lowered.size();
  switch (kind) {
    case Kind::kIn: return equal_ignoring_case(text, lowered);
    case Kind::kStartsWith:
      return text.size() >= lowered.size() &&
             equal_ignoring_case(text.substr(0, lowered.size()), lowered);
    case Kind::kEndsWith:
      if (text.size() < lowered.size()) return false;
      hit.begin = text.size() - lowered.size();
      hit.end = text.size();
      return equal_ignoring_case(text.substr(hit.begin), lowered);
    case Kind::kContains:
    case Kind::kWords: break;
  }
  for (std::size_t at = find_ignoring_case(text, lowered, 0); at != std::string_view::npos;
       at = find_ignoring_case(text, lowered, at + 1)) {
    hit.begin = at;
    hit.end = at + lowered.size();
    if (kind == Kind::kContains || !touches_word(text, hit.begin, hit.end)) return true;
  }
  return false;
}

std::string_view line_around(std::string_view text, std::size_t begin, std::size_t end) {
  const std::size_t before = begin == 0 ? std::string_view::npos : text.rfind('\n', begin - 1);
  const std::size_t from = before == std::string_view::npos ? 0 : before + 1;
  const std::size_t after = text.find('\n', end);
  return text.substr(from, after == std::string_view::npos ? after : after - from);
}

bool url_holds(const validate::UrlCondition& condition, std::string_view text, Hit& hit,
               bool& limited) {
  validate::UrlFinder finder(text);
  while (const auto url = finder.next()) {
    if (!condition.matches(*url)) continue;
    // A second reading may stand in the finder's own memory: then the whole value is the evidence.
    const bool inside = url->text.data() >= text.data() &&
                        url->text.data() + url->text.size() <= text.data() + text.size();
    hit.begin = inside ? static_cast<std::size_t>(url->text.data() - text.data()) : 0;
    hit.end = inside ? hit.begin + url->text.size() : text.size();
    return true;
  }
  limited = limited || finder.limited();
  return false;
}

std::optional<double> number_in(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool views_allow(const FieldTest& test, const Value& value) {
  using Views = FieldTest::Views;
  if (test.views == Views::kRaw && !value.chain.empty()) return false;
  if (test.views == Views::kDecoded && value.chain.empty()) return false;
  return test.through.empty() || std::ranges::any_of(test.through, [&](decoding::Step step) {
           return value.chain.contains(step);
         });
}

std::string_view context_value(const Subject& subject, ContextField field) {
  const EventContext& context = subject.context;
  switch (field) {
    case ContextField::kEffect: return name_of(context.tool.effect);
    case ContextField::kDeclared: return context.tool.declared != nullptr ? "true" : "false";
    case ContextField::kSystem: return subject.event.system;
    case ContextField::kRisk:
      // Nobody said that an unknown system is harmless.
      return name_of(context.profile == nullptr ? Risk::kHigh : context.profile->risk);
    case ContextField::kDecision:
      return context.profile != nullptr && context.profile->decision == Decision::kAssistive
                 ? "assistive"
                 : "consequential";
    case ContextField::kTenant: return subject.event.tenant;
    case ContextField::kModel: return subject.event.model;
    case ContextField::kRelease: return subject.event.release;
  }
  return {};
}

}  // namespace

std::string_view Subject::first_value(const FieldSelector& field) const {
  if (field.context()) return context_value(*this, *field.context());
  const auto found = std::ranges::find_if(
      values.values(), [&](const Value& value) { return field.selects(value.field, value.path); });
  return found == values.values().end() ? std::string_view{} : found->text;
}

// ------------------------------------------------------------------------------ triggers

namespace {

using Triggers = std::optional<std::vector<PatternId>>;

Triggers triggers_of(const FieldTest& test) {
  if (test.field.context()) return std::nullopt;
  if (test.regex) return test.regex->patterns;
  if (!test.literals.empty()) {
    std::vector<PatternId> ids;
    for (const auto& [id, position] : test.literals.front().by_pattern) ids.push_back(id);
    return ids;
  }
  if (test.url) return test.url_marks;
  return std::nullopt;
}

// The fewer the better: each may start an evaluation for nothing.
void keep_better(Triggers& best, Triggers other) {
  if (!other) return;
  if (!best || other->size() < best->size()) best = std::move(other);
}

}  // namespace

std::optional<std::vector<PatternId>> Condition::triggers() const {
  Triggers best;
  for (const FieldTest& test : tests) keep_better(best, triggers_of(test));
  for (const Condition& each : all) keep_better(best, each.triggers());
  if (any.empty()) return best;
  std::vector<PatternId> together;
  for (const Condition& each : any) {
    const Triggers one = each.triggers();
    if (!one) return best;
    together.insert(together.end(), one->begin(), one->end());
  }
  keep_better(best, std::move(together));
  return best;
}

void Condition::collect_patterns(std::vector<PatternId>& out) const {
  for (const FieldTest& test : tests) {
    if (test.regex) out.insert(out.end(), test.regex->patterns.begin(), test.regex->patterns.end());
    for (const LiteralTest& literals : test.literals) {
      for (const auto& [id, position] : literals.by_pattern) out.push_back(id);
    }
    out.insert(out.end(), test.url_marks.begin(), test.url_marks.end());
  }
  for (const auto* children : {&all, &any, &none}) {
    for (const Condition& each : *children) each.collect_patterns(out);
  }
}

void Condition::collect_fields(std::vector<const FieldSelector*>& out) const {
  for (const FieldTest& test : tests) out.push_back(&test.field);
  for (const auto* children : {&all, &any, &none}) {
    for (const Condition& each : *children) each.collect_fields(out);
  }
}

void Candidates::reset(std::size_t patterns) {
  ids_.clear();
  seen_in_.resize(patterns);
  if (++event_ == 0) {  // after four billion events the stamps mean nothing any more
    std::ranges::fill(seen_in_, 0);
    event_ = 1;
  }
}

void Candidates::add(PatternId id) {
  if (contains(id)) return;
  seen_in_[id] = event_;
  ids_.push_back(id);
}

// ------------------------------------------------------------------------------ evaluation

bool Evaluation::may_hold(PatternId id) const {
  return subject_.candidates == nullptr || !subject_.patterns.scanned(id) ||
         subject_.candidates->contains(id);
}

bool Evaluation::holds(const Condition& condition) {
  for (const FieldTest& test : condition.tests) {
    if (!holds(test)) return false;
  }
  for (const Condition& each : condition.all) {
    if (!holds(each)) return false;
  }
  if (!condition.any.empty()) {
    const bool one = std::ranges::any_of(condition.any, [&](const Condition& each) {
      const std::size_t before = hits_.size();
      if (holds(each)) return true;
      hits_.resize(before);
      return false;
    });
    if (!one) return false;
  }
  return std::ranges::none_of(condition.none, [&](const Condition& each) {
    const std::size_t before = hits_.size();
    const bool held = holds(each);
    hits_.resize(before);
    return held;
  });
}

bool Evaluation::context_holds(const FieldTest& test) const {
  const std::string_view text = subject_.first_value(test.field);
  if (test.exists && *test.exists == text.empty()) return false;
  Hit ignored;
  return std::ranges::all_of(test.literals, [&](const LiteralTest& literals) {
    return std::ranges::any_of(literals.literals, [&](const std::string& literal) {
      return literal_matches(literals.kind, text, literal, ignored);
    });
  });
}

bool Evaluation::holds(const FieldTest& test) {
  if (test.field.context()) return context_holds(test);
  if (test.exists && !*test.exists) {
    return std::ranges::none_of(subject_.values.values(), [&](const Value& value) {
      return test.field.selects(value.field, value.path);
    });
  }
  // The first stage saw the whole event: without a candidate there is no value worth a look.
  if (test.regex &&
      std::ranges::none_of(test.regex->patterns, [&](PatternId id) { return may_hold(id); })) {
    return false;
  }
  for (const Value& value : subject_.values.values()) {
    if (!test.field.selects(value.field, value.path) || !views_allow(test, value)) continue;
    Hit hit{.value = &value, .begin = 0, .end = value.text.size()};
    if (!value_holds(test, value, hit)) continue;
    if (hits_.size() < kHitsMax) hits_.push_back(hit);
    return true;
  }
  return false;
}

bool Evaluation::value_holds(const FieldTest& test, const Value& value, Hit& hit) {
  if (test.number) {
    const auto number = number_in(value.text);
    if (!number || !test.number->holds(*number)) return false;
  }
  if (!test.cidr.empty()) {
    const auto address = validate::address_in(value.text);
    if (!address || std::ranges::none_of(test.cidr, [&](const validate::Cidr& network) {
          return network.contains(*address);
        })) {
      return false;
    }
  }
  if (test.url && !url_holds(*test.url, value.text, hit, urls_limited_)) return false;
  for (const LiteralTest& literals : test.literals) {
    if (!literal_holds(literals, value, hit)) return false;
  }
  return !test.regex || regex_holds(*test.regex, value, hit);
}

bool Evaluation::literal_holds(const LiteralTest& test, const Value& value, Hit& hit) const {
  if (subject_.candidates == nullptr || test.by_pattern.empty()) {
    return std::ranges::any_of(test.literals, [&](const std::string& literal) {
      return literal_matches(test.kind, value.text, literal, hit);
    });
  }
  // Of a long list only what the first stage saw is looked at again.
  return std::ranges::any_of(subject_.candidates->ids(), [&](PatternId id) {
    const auto at = std::ranges::lower_bound(test.by_pattern, id, {},
                                             &std::pair<PatternId, std::uint32_t>::first);
    return at != test.by_pattern.end() && at->first == id &&
           literal_matches(test.kind, value.text, test.literals[at->second], hit);
  });
}

namespace {

using Groups = std::array<re2::StringPiece, kGroupsMax>;

// Behind a group that took no part in the match from `from` on, the first that did: alternatives
// have a group each.  Without any, the whole match.
re2::StringPiece next_group(const re2::RE2& regex, re2::StringPiece text, std::size_t from,
                            int group, Groups& groups) {
  const int last = std::min(regex.NumberOfCapturingGroups(), static_cast<int>(kGroupsMax) - 1);
  if (group < last) {
    regex.Match(text, from, text.size(), re2::RE2::UNANCHORED, groups.data(), last + 1);
  }
  for (auto i = static_cast<std::size_t>(group) + 1; i <= static_cast<std::size_t>(last); ++i) {
    if (!groups[i].empty()) return groups[i];
  }
  return groups[0];
}

}  // namespace

bool Evaluation::regex_holds(const RegexTest& test, const Value& value, Hit& hit) const {
  return std::ranges::any_of(test.patterns, [&](PatternId id) {
    return may_hold(id) && pattern_holds(test, id, value, hit);
  });
}

bool Evaluation::pattern_holds(const RegexTest& test, PatternId id, const Value& value,
                               Hit& hit) const {
  const re2::RE2& regex = subject_.patterns.compiled(id);
  const re2::StringPiece text(value.text.data(), value.text.size());
  // Asking for positions costs a second pass, so ask only where there is a match.
  if (!regex.Match(text, 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0)) return false;
  Groups groups;
  const int wanted = std::min(test.capture, regex.NumberOfCapturingGroups());
  std::size_t from = 0;
  for (std::size_t tries = 0; tries < RegexTest::kMatchesMax && from <= text.size(); ++tries) {
    if (!regex.Match(text, from, text.size(), re2::RE2::UNANCHORED, groups.data(), wanted + 1)) {
      return false;
    }
    const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    const std::size_t end = begin + groups[0].size();
    re2::StringPiece capture = groups[static_cast<std::size_t>(wanted)];
    if (capture.empty()) capture = next_group(regex, text, from, wanted, groups);
    if (refined(test, value.text, begin, end, {capture.data(), capture.size()})) {
      hit.begin = static_cast<std::size_t>(capture.data() - text.data());
      hit.end = hit.begin + capture.size();
      return true;
    }
    from = end > begin ? end : end + 1;
  }
  return false;
}

bool Evaluation::found_in(std::span<const PatternId> patterns, std::string_view text) const {
  return std::ranges::any_of(patterns, [&](PatternId id) {
    return subject_.patterns.compiled(id).Match(re2::StringPiece(text.data(), text.size()), 0,
                                                text.size(), re2::RE2::UNANCHORED, nullptr, 0);
  });
}

bool Evaluation::refined(const RegexTest& test, std::string_view text, std::size_t begin,
                         std::size_t end, std::string_view capture) const {
  if (!test.require_any.empty()) {
    const std::size_t from = begin > test.within ? begin - test.within : 0;
    const std::size_t to = text.size() - end > test.within ? end + test.within : text.size();
    const std::string_view around = text.substr(from, to - from);
    if (std::ranges::none_of(test.require_any, [&](const std::string& word) {
          return find_ignoring_case(around, word, 0) != std::string_view::npos;
        })) {
      return false;
    }
  }
  if (!std::ranges::all_of(test.validators, [&](const validate::Validator& validator) {
        return validator(capture);
      })) {
    return false;
  }
  if (found_in(test.unless, capture)) return false;
  if (!test.unless_line.empty() && found_in(test.unless_line, line_around(text, begin, end))) {
    return false;
  }
  return test.unless_value.empty() || !found_in(test.unless_value, text);
}

}  // namespace tocsin
