// Which of many patterns may match: one pass of Vectorscan over an event's text.
//
// It only saves work: RE2 decides.  What must hold, and is fuzzed, is that nothing RE2 matches is
// missing here.
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
    kRegex,    // RE2 syntax
    kLiteral,  // bytes, ASCII case ignored
  };
  std::string text;
  Kind kind = Kind::kRegex;
};

// Immutable; thread-safe.
class FirstStage {
 public:
  struct Stats {
    std::size_t exact = 0;     // Vectorscan takes the pattern as it is
    std::size_t loosened = 0;  // ... only in part (its prefilter mode)
    std::size_t always = 0;    // not at all: a candidate in every event
    std::size_t database_bytes = 0;
    bool from_cache = false;
  };

  // The memory of one scan; one a worker, for any number of databases one after the other.
  class Scratch {
   public:
    Scratch() = default;
    Scratch(Scratch&& other) noexcept;
    Scratch& operator=(Scratch&& other) noexcept;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch();

   private:
    friend class FirstStage;
    hs_scratch* memory_ = nullptr;
    std::uint64_t owner_ = 0;  // the database it was made for
  };

  // Regexes must be valid in RE2.  `cache`: a directory for compiled databases, made when it is not
  // there; empty: none.  A cache that cannot be used costs time, nothing else.  An error means that
  // Vectorscan cannot run here at all, or that memory is out.
  static std::expected<std::unique_ptr<const FirstStage>, std::string> compile(
      std::span<const Pattern> patterns, const std::filesystem::path& cache);

  FirstStage(const FirstStage&) = delete;
  FirstStage& operator=(const FirstStage&) = delete;
  ~FirstStage();

  // Appends the positions of all patterns that RE2 (or a literal search) would find inside any one
  // of the values that `text` joins by newlines, each once, and perhaps of others.  `text` must be
  // valid UTF-8 and below 4 GiB.
  void scan(std::string_view text, Scratch& scratch, std::vector<std::uint32_t>& candidates) const;

  [[nodiscard]] const Stats& stats() const { return stats_; }
  // Patterns that are candidates in every event.
  [[nodiscard]] std::span<const std::uint32_t> always() const { return always_; }

 private:
  FirstStage();

  std::uint64_t id_;  // unique in the process
  hs_database* database_ = nullptr;
  std::vector<std::uint32_t> always_;
  Stats stats_;
};

}  // namespace tocsin::matcher
