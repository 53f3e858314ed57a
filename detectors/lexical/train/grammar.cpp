#include "detectors/lexical/train/grammar.h"

#include <cctype>
#include <utility>

#include "daemon/check.h"

namespace tocsin::lexical::train {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::uint64_t Random::next() {  // splitmix64
  state_ += 0x9E37'79B9'7F4A'7C15;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30U)) * 0xBF58'476D'1CE4'E5B9;
  z = (z ^ (z >> 27U)) * 0x94D0'49BB'1331'11EB;
  return z ^ (z >> 31U);
}

Grammar::Grammar(std::string_view rules) {
  std::string joined;
  while (!rules.empty()) {
    const std::size_t end = rules.find('\n');
    const std::string_view line = rules.substr(0, end);
    rules.remove_prefix(end == std::string_view::npos ? rules.size() : end + 1);
    if (!line.starts_with(' ') && !joined.empty()) {
      add_line(joined);
      joined.clear();
    }
    joined += line;
  }
  if (!joined.empty()) add_line(joined);
}

void Grammar::add_line(std::string_view line) {
  const std::size_t equals = line.find('=');
  CHECK(equals != std::string_view::npos);
  auto& alternatives = rules_[std::string(trimmed(line.substr(0, equals)))];
  CHECK(alternatives.empty());
  std::string_view rest = line.substr(equals + 1);
  while (true) {
    const std::size_t end = rest.find('|');
    std::string alternative(trimmed(rest.substr(0, end)));
    for (std::size_t i = 0; (i = alternative.find("\\n", i)) != std::string::npos;) {
      alternative.replace(i, 2, 1, '\n');
    }
    alternatives.push_back(std::move(alternative));
    if (end == std::string_view::npos) return;
    rest.remove_prefix(end + 1);
  }
}

std::string Grammar::expand(std::string_view name, Random& random) const {
  if (name == "lb") return "{";
  if (name == "rb") return "}";
  const auto rule = rules_.find(name);
  CHECK(rule != rules_.end());
  std::string_view rest = rule->second[random.below(rule->second.size())];
  std::string out;
  while (true) {
    const std::size_t open = rest.find('{');
    out += rest.substr(0, open);
    if (open == std::string_view::npos) return out;
    const std::size_t close = rest.find('}', open);
    CHECK(close != std::string_view::npos);
    std::string_view inner = rest.substr(open + 1, close - open - 1);
    const bool capital = inner.ends_with('^');
    if (capital) inner.remove_suffix(1);
    std::string part = expand(inner, random);
    if (capital && !part.empty()) {
      part[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(part[0])));
    }
    out += part;
    rest.remove_prefix(close + 1);
  }
}

}  // namespace tocsin::lexical::train
