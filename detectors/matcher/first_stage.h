// The first stage: many patterns, one pass over a text, out come those that may match in it.
//
// RE2 decides afterwards.  Every pattern is turned into a wider and simpler expression (widen.h),
// and all of them into one Vectorscan database.  The promise is one-sided: a pattern that matches in
// one of the values is a candidate; a candidate need not match.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct hs_database;
struct hs_scratch;

namespace tocsin::matcher {

struct Pattern {
  enum class Kind : std::uint8_t {
    kRegex,    // RE2's syntax, compiled by RE2 with its default options without an error
    kLiteral,  // bytes, ASCII case ignored
  };
  std::string text;
  Kind kind = Kind::kRegex;
};

// Why a regex would be a burden on every event, in words for its author; empty when it is none.
// It is one when no string of three bytes or more stands in every match: then there is nothing to
// look for, and an automaton has to follow every byte of every event.
std::string_view slow_reason(const Pattern& pattern);

// Immutable; thread-safe, each thread with its own Scratch.
class FirstStage {
 public:
  static constexpr std::size_t kPatternsMax = 200'000;
  static constexpr std::size_t kTextBytesMax = std::size_t{64} << 20;  // all patterns together
  static constexpr std::size_t kValuesBytesMax = std::size_t{1} << 30;

  struct Stats {
    std::size_t patterns = 0;    // as given
    std::size_t distinct = 0;    // each of these is in one of the next four
    std::size_t widened = 0;     // found by an expression as close as widen.h makes it
    std::size_t prefiltered = 0; // by one that Vectorscan took in its approximate mode alone
    std::size_t literals = 0;    // by the strings that each match must hold
    std::size_t always = 0;      // candidates for every text
    std::size_t database_bytes = 0;
    bool from_cache = false;
  };

  // What one thread needs for scanning, with any FirstStage, one after the other; 10 to 500 KiB.
  class Scratch {
   public:
    Scratch() = default;
    ~Scratch();
    Scratch(Scratch&& other) noexcept;
    Scratch& operator=(Scratch&& other) noexcept;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

   private:
    friend class FirstStage;
    hs_scratch* space_ = nullptr;
    std::uint64_t owner_ = 0;  // the FirstStage it was last made fit for
    std::vector<std::uint32_t> found_;
    std::string folded_;
  };

  // Takes seconds for thousands of patterns.  A compiled database is kept in `cache_dir` (created
  // when missing, mode 0700; no cache when empty) and found there the next time, in milliseconds;
  // a file that is damaged, or of another machine or version, is never used.  What cannot be written
  // there is compiled each time.  An error: too many patterns, or a CPU that Vectorscan refuses.
  static std::expected<std::unique_ptr<const FirstStage>, std::string> compile(
      std::span<const Pattern> patterns, const std::filesystem::path& cache_dir);

  ~FirstStage();
  FirstStage(const FirstStage&) = delete;
  FirstStage& operator=(const FirstStage&) = delete;

  // Adds one value to those that are scanned together.
  static void append_value(std::string& values, std::string_view value);

  // `values` was made by append_value and holds at least one.  `candidates` gets the positions (in
  // what was compiled) of the patterns that may match in any of them, each once, in rising order.
  // Any bytes will do; where they are no UTF-8, matches are found as RE2 finds them.
  // Time: linear in the values; at most one callback for each distinct pattern.
  void scan(std::string_view values, Scratch& scratch,
            std::vector<std::uint32_t>& candidates) const;

  [[nodiscard]] const Stats& stats() const { return stats_; }

 private:
  FirstStage() = default;

  hs_database* database_ = nullptr;
  std::uint64_t id_ = 0;
  std::vector<std::uint32_t> first_user_;  // expression e is of users_[first_user_[e]..first_user_[e+1])
  std::vector<std::uint32_t> users_;
  std::vector<std::uint32_t> always_;
  Stats stats_;
};

}  // namespace tocsin::matcher
