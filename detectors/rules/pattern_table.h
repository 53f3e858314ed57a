// Every pattern of a policy, once each, however many rules use it.
#pragma once

#include <re2/re2.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tocsin {

using PatternId = std::uint32_t;

// Where a rule has a pattern from.
struct PatternPlace {
  PatternId pattern = 0;
  std::size_t line = 0;
  std::size_t column = 0;
  std::string file;  // empty: the rule's own; macros may stand elsewhere
};

// An RE2 pattern that is compiled when first used: of thousands of rules few ever see a candidate.
// Thread-safe.
class LazyRegex {
 public:
  // `compiled`: the pattern's, when there is one already.
  explicit LazyRegex(std::string pattern, std::unique_ptr<const re2::RE2> compiled = nullptr)
      : pattern_(std::move(pattern)), compiled_(compiled.release()) {}
  LazyRegex(const LazyRegex&) = delete;
  LazyRegex& operator=(const LazyRegex&) = delete;
  ~LazyRegex() { delete compiled_.load(); }

  [[nodiscard]] const re2::RE2& get() const;
  // To be compiled again when next used.  Not while others use it.
  void release() { delete compiled_.exchange(nullptr); }
  [[nodiscard]] const std::string& pattern() const { return pattern_; }

  // What RE2 says of a pattern; null: it is fine.
  static std::unique_ptr<const re2::RE2> compile(std::string_view pattern, std::string* error);

 private:
  std::string pattern_;
  mutable std::atomic<const re2::RE2*> compiled_{nullptr};
};

// Filled while a policy is loaded, then immutable and thread-safe.
class PatternTable {
 public:
  enum class Kind : std::uint8_t {
    kRegex,
    kLiteral,  // ASCII case ignored; lower case here
  };
  // Patterns and literals of a policy, and their bytes.  A million-item list ends here.
  static constexpr std::size_t kPatternsMax = 200'000;
  static constexpr std::size_t kBytesMax = std::size_t{64} << 20;

  // `proven`: all that is added is known to compile, and its rules' examples to come out right.
  explicit PatternTable(bool proven = false) : proven_(proven) {}
  [[nodiscard]] bool proven() const { return proven_; }

  // The pattern must compile, and may be `compiled`.  `scanned`: the first stage looks for it.
  PatternId regex(std::string_view pattern, bool scanned,
                  std::unique_ptr<const re2::RE2> compiled = nullptr);
  PatternId literal(std::string_view text);

  [[nodiscard]] const re2::RE2& compiled(PatternId id) const { return *entries_[id].regex_get(); }
  [[nodiscard]] std::string_view text(PatternId id) const { return entries_[id].text(); }
  [[nodiscard]] Kind kind(PatternId id) const { return entries_[id].kind; }
  [[nodiscard]] bool scanned(PatternId id) const { return entries_[id].scanned; }
  void leave_out_of_scan(PatternId id) { entries_[id].scanned = false; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  // Gives back what loading compiled: of thousands of patterns few are used.
  void release_compiled();
  [[nodiscard]] bool full() const { return entries_.size() >= kPatternsMax || bytes_ >= kBytesMax; }

 private:
  struct Entry {
    Kind kind = Kind::kRegex;
    bool scanned = false;
    std::unique_ptr<LazyRegex> regex;
    std::string literal;

    [[nodiscard]] const re2::RE2* regex_get() const { return &regex->get(); }
    [[nodiscard]] std::string_view text() const {
      return kind == Kind::kRegex ? std::string_view(regex->pattern()) : std::string_view(literal);
    }
  };
  using Index = std::unordered_map<std::string_view, PatternId>;

  bool proven_;
  std::deque<Entry> entries_;  // stable: the indexes point into it
  Index regexes_;
  Index literals_;
  std::size_t bytes_ = 0;
};

}  // namespace tocsin
