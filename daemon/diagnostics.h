// The operator's mistakes: collected, all of them, and shown with the place, the line, a caret and
// a remedy.
#pragma once

#include <cstddef>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin {

enum class Gravity { kError, kWarning };

struct Diagnostic {
  Gravity gravity = Gravity::kError;
  std::string file;      // a path, or "environment"
  std::size_t line = 0;  // from 1; 0: the file as a whole
  std::size_t column = 0;
  std::string excerpt;  // the line, as it stands in the file; may be empty
  std::string message;  // names the bad value
  std::string hint;     // what is allowed, the nearest known word, what to do; may be empty
};

// Gathers diagnostics of one load.  Bounded: after kMax the rest are counted, not kept, so that a
// hostile file cannot fill memory with complaints about itself.
class Diagnostics {
 public:
  static constexpr std::size_t kMax = 200;

  void add(Diagnostic diagnostic);
  // By file, line and column: readers do not find mistakes in the order they stand in.
  void sort();
  [[nodiscard]] bool has_errors() const { return errors_ > 0; }
  [[nodiscard]] std::size_t errors() const { return errors_; }
  [[nodiscard]] std::span<const Diagnostic> all() const { return kept_; }
  [[nodiscard]] std::size_t left_out() const { return left_out_; }

 private:
  std::vector<Diagnostic> kept_;
  std::size_t errors_ = 0;
  std::size_t left_out_ = 0;
};

// `file:line:col: error: message`, the line, a caret, the hint.  All text from files is escaped for
// a terminal.
void print(std::ostream& out, const Diagnostics& diagnostics, bool colour);

// The same as a JSON array of {gravity, file, line, column, message, hint}.
std::string to_json(const Diagnostics& diagnostics);

// The candidate nearest to `word` by edit distance, or empty when none is near enough to be meant.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

// "a, b or c", for messages that list what is allowed.
std::string one_of(std::span<const std::string_view> words);

}  // namespace tocsin
