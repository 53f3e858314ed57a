// Sentences from a grammar: the trainer's own text, attacks and hard cases that are none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/lexical/model.h"

namespace tocsin::lexical::train {

// The same numbers on every machine, which <random>'s distributions do not promise.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  // Below `end`, which must not be 0.
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(next() % end); }

 private:
  std::uint64_t state_;
};

// `name = this | that {other}`, a rule a line; a line that begins with a blank goes on.  {name}
// stands for one of its alternatives, {name^} with a capital.  \n is a newline, {lb} and {rb} are
// braces.
class Grammar {
 public:
  explicit Grammar(std::string_view rules);

  // A name that no rule has stops the program: the grammar is ours.
  [[nodiscard]] std::string expand(std::string_view name, Random& random) const;
  [[nodiscard]] const std::map<std::string, std::vector<std::string>, std::less<>>& rules() const {
    return rules_;
  }

 private:
  void add_line(std::string_view line);

  std::map<std::string, std::vector<std::string>, std::less<>> rules_;
};

// What is written with the grammar: texts of one kind.
struct Family {
  std::string_view rule;
  Channel channel;
  bool attack;
  std::size_t texts;
};

const Grammar& phrases();
const std::vector<Family>& families();

}  // namespace tocsin::lexical::train
