#include "detectors/rules/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace tocsin {
namespace {

constexpr std::size_t kIndent = 2;

std::string joined(std::span<const std::string> words) {
  std::string out;
  for (std::size_t i = 0; i < words.size() && i < kLiteralsDescribed; ++i) {
    if (i > 0) out += ", ";
    out += words[i];
  }
  if (words.size() > kLiteralsDescribed) {
    out += fmt::format(" ... and {} more", words.size() - kLiteralsDescribed);
  }
  return out;
}

std::string_view verb(LiteralTest::Kind kind) {
  switch (kind) {
    case LiteralTest::Kind::kContains: return "contains one of";
    case LiteralTest::Kind::kWords: return "has one of the words";
    case LiteralTest::Kind::kIn: return "is one of";
    case LiteralTest::Kind::kStartsWith: return "begins with one of";
    case LiteralTest::Kind::kEndsWith: return "ends with one of";
  }
  return "";
}

class Describer {
 public:
  explicit Describer(const PatternTable& patterns) : patterns_(patterns) {}

  void condition(const Condition& condition, std::size_t depth) {
    const std::size_t parts = condition.tests.size() + condition.all.size() +
                              (condition.any.empty() ? 0 : 1) + (condition.none.empty() ? 0 : 1);
    if (parts > 1) line(depth++, "all of");
    for (const FieldTest& each : condition.tests) test(each, depth);
    for (const Condition& each : condition.all) this->condition(each, depth);
    group("any of", condition.any, depth);
    group("none of", condition.none, depth);
  }

  std::vector<std::string> take() { return std::move(lines_); }

 private:
  void line(std::size_t depth, std::string_view text) {
    lines_.push_back(std::string(depth * kIndent, ' ').append(text));
  }

  void group(std::string_view name, const std::vector<Condition>& conditions, std::size_t depth) {
    if (conditions.empty()) return;
    line(depth, name);
    for (const Condition& each : conditions) condition(each, depth + 1);
  }

  void list(std::size_t depth, std::string_view what, std::span<const PatternId> patterns) {
    if (patterns.empty()) return;
    line(depth, what);
    for (const PatternId id : patterns) line(depth + 1, fmt::format("/{}/", patterns_.text(id)));
  }

  // Every part of a test asks something of one value of the field.
  void test(const FieldTest& test, std::size_t depth) {
    const std::string& field = test.field.text();
    if (test.exists) {
      line(depth, fmt::format("{} is {}", field, *test.exists ? "there" : "not there"));
    }
    for (const LiteralTest& literal : test.literals) {
      line(depth, fmt::format("{} {} {}", field, verb(literal.kind), joined(literal.literals)));
    }
    if (test.number) number(field, *test.number, depth);
    if (!test.cidr.empty()) line(depth, fmt::format("{} is an address in a network", field));
    if (test.url) url(field, *test.url, depth);
    if (test.regex) regex(field, *test.regex, depth);
    if (test.views == FieldTest::Views::kRaw) line(depth + 1, "as it came, not decoded");
    if (test.views == FieldTest::Views::kDecoded) line(depth + 1, "in what a decoding showed only");
    if (!test.through.empty()) {
      std::vector<std::string> steps;
      for (const decoding::Step step : test.through) {
        steps.emplace_back(decoding::step_names()[static_cast<std::size_t>(step)]);
      }
      line(depth + 1, fmt::format("decoded through one of {}", joined(steps)));
    }
  }

  void number(std::string_view field, const NumberTest& test, std::size_t depth) {
    std::string bounds;
    const auto bound = [&](std::string_view sign, const std::optional<double>& value) {
      if (value) bounds += fmt::format(" {} {}", sign, *value);
    };
    bound(">", test.gt);
    bound(">=", test.gte);
    bound("<", test.lt);
    bound("<=", test.lte);
    line(depth, fmt::format("{} is a number{}", field, bounds));
  }

  void url(std::string_view field, const validate::UrlCondition& url, std::size_t depth) {
    line(depth, fmt::format("{} holds a URL with", field));
    const auto words = [&](std::string_view what, const std::vector<std::string>& values) {
      if (!values.empty()) line(depth + 1, fmt::format("{}: {}", what, joined(values)));
    };
    words("scheme", url.scheme);
    words("host", url.host);
    words("domain or below", url.domain);
    words("no domain of, or below", url.not_domain);
    std::vector<std::string> ports;
    for (const std::uint16_t port : url.port) ports.push_back(std::to_string(port));
    words("port", ports);
    if (url.address) line(depth + 1, "an address of certain classes or networks");
  }

  void regex(std::string_view field, const RegexTest& test, std::size_t depth) {
    list(depth, fmt::format("{} matches{}", field, test.patterns.size() > 1 ? " one of" : ""),
         test.patterns);
    ++depth;
    if (test.capture > 0) line(depth, fmt::format("group {} of it counts", test.capture));
    std::vector<std::string> validators;
    for (const validate::Validator& each : test.validators) validators.emplace_back(each.name());
    if (!validators.empty()) line(depth, fmt::format("it passes {}", joined(validators)));
    if (!test.require_any.empty()) {
      const bool anywhere = test.within == std::numeric_limits<std::size_t>::max();
      line(depth, fmt::format("one of these stands {}: {}",
                              anywhere ? std::string("in the value")
                                       : fmt::format("within {} bytes", test.within),
                              joined(test.require_any)));
    }
    list(depth, "unless it matches", test.unless);
    list(depth, "unless its line matches", test.unless_line);
    list(depth, "unless the value matches", test.unless_value);
  }

  const PatternTable& patterns_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> describe(const Condition& condition, const PatternTable& patterns) {
  Describer describer(patterns);
  describer.condition(condition, 0);
  return describer.take();
}

}  // namespace tocsin
