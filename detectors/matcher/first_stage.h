// Which of many patterns may match a text.
//
// "Hyperscan" here and below is the library behind <hs/hs.h>: Hyperscan on x86-64, Vectorscan
// elsewhere.  Vectorscan up to 5.4.11 misses matches on x86-64 with AVX2 and AVX-512, so the
// library is tried on a few texts before it is believed (`trusted`).
//
// Of most patterns the words are looked for (gate.h, literal_finder.h); the others Hyperscan looks
// for together, in texts that have what they need (sign.h).  A pattern whose words are all there is
// then looked for alone, by Hyperscan as well, where its words are near enough.  What comes out
// only saves work: RE2 decides.  What must hold, and is fuzzed, is that nothing RE2 matches is
// missing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/matcher/literal_finder.h"
#include "detectors/matcher/sign.h"

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
  std::uint16_t texts = 1;  // in which kinds of texts it is wanted: bits
};

// Immutable; thread-safe.
class FirstStage {
 public:
  struct Stats {
    std::size_t gated = 0;    // patterns that are looked for when their words are there
    std::size_t scanned = 0;  // ... that are looked for in every text
    std::size_t always = 0;   // ... that cannot be looked for: candidates in every event
    bool trusted = true;  // false: the library misses matches here, and every pattern is `always`
    std::size_t database_bytes = 0;
    bool from_cache = false;  // all of them
  };

  // The memory of one worker's scans, for any number of databases one after the other.
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
    // Where a key is in the text.
    struct Places {
      std::uint32_t scan = 0;   // the number of the scan that saw it last
      std::uint32_t begin = 0;  // of the first
      std::uint32_t end = 0;    // of the last
    };

    hs_scratch* memory_ = nullptr;
    std::uint64_t owner_ = 0;  // the first stage it was made for
    std::vector<bool> ready_;  // by pattern: large enough for its own database
    LowerText lower_;
    std::vector<std::uint32_t> hits_;   // keys
    std::vector<Places> places_;        // by key
    std::vector<std::uint32_t> seen_;   // by pattern: the number of the scan that saw it last
    std::vector<std::uint32_t> tried_;  // by pattern: ... that looked at its gate last
    std::uint32_t scan_ = 0;
  };

  // Regexes must be valid in RE2.  `cache`: a directory for compiled databases, made when it is not
  // there; empty: none.  A cache that cannot be used costs time, nothing else.  An error means that
  // Hyperscan cannot run here at all, or that memory is out.
  //
  // Compiling a pattern that has a gate takes milliseconds: not before its gate has opened
  // `openings_before` times; until then it is a candidate when it opens.
  static std::expected<std::unique_ptr<const FirstStage>, std::string> compile(
      std::span<const Pattern> patterns, const std::filesystem::path& cache,
      std::uint32_t openings_before = 256);

  FirstStage(const FirstStage&) = delete;
  FirstStage& operator=(const FirstStage&) = delete;
  ~FirstStage();

  // Appends the positions of all patterns wanted in texts of this kind (one bit) that RE2, or a
  // literal search, would find inside any one of the values in `text`; each once, and perhaps
  // others.  Every value has a line feed before and behind it, `separators` in all; valid UTF-8,
  // below 4 GiB.
  void scan(std::string_view text, std::size_t separators, std::uint16_t kind, Scratch& scratch,
            std::vector<std::uint32_t>& candidates) const;

  [[nodiscard]] const Stats& stats() const { return stats_; }
  class Expressions;  // of one database

 private:
  // A pattern's own database, compiled when its gate has opened so often that it is worth the
  // time: of thousands few ever do.
  class Single {
   public:
    Single(std::string pattern, std::uint32_t openings_before)
        : pattern_(std::move(pattern)), openings_before_(openings_before) {}
    Single(const Single&) = delete;
    Single& operator=(const Single&) = delete;
    ~Single();

    // Null: not yet, or Hyperscan would not compile it.
    [[nodiscard]] const hs_database* get() const;

   private:
    std::string pattern_;
    std::uint32_t openings_before_;
    mutable std::atomic<hs_database*> database_{nullptr};
    mutable std::atomic<std::uint32_t> openings_{0};
  };
  struct Gated {
    std::unique_ptr<const Single> single;  // null: it has no gate
    // One key of each of these must be there.
    std::vector<std::vector<std::uint32_t>> groups;
    std::vector<Marks> marks;  // one of each of these as well
    std::uint32_t reach = 0;   // a match has at most so many bytes; 0: no bound
  };
  // A literal that is looked for.
  struct Key {
    std::vector<std::uint32_t> is;     // the patterns that are this literal
    std::vector<std::uint32_t> opens;  // those whose rarest group it is in
  };
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  // What is run over every text of some kinds that has the sign.
  struct Database {
    std::uint16_t texts = 0;
    Sign sign;
    hs_database* database = nullptr;
  };
  class Builder;

  FirstStage();
  std::expected<void, std::string> compile_database(Expressions& expressions,
                                                    const std::filesystem::path& cache);
  void prepare(Scratch& scratch) const;
  void find_keys(std::string_view text, Scratch& scratch) const;
  void run_databases(std::string_view text, TextSigns& signs, std::uint16_t kind, Scratch& scratch,
                     std::vector<std::uint32_t>& candidates) const;
  // Where in a text of so many bytes the pattern can be; nothing: nowhere.
  std::optional<Range> where(std::uint32_t pattern, std::size_t bytes,
                             const Scratch& scratch) const;
  bool found_alone(std::uint32_t pattern, std::string_view text, Scratch& scratch) const;

  std::uint64_t id_;  // unique in the process
  std::vector<Database> databases_;
  std::size_t patterns_ = 0;
  std::vector<std::uint16_t> texts_of_;  // by pattern
  std::vector<std::uint32_t> always_;
  std::vector<Gated> gated_;  // by pattern
  LiteralFinder finder_;
  std::vector<Key> keys_;  // by literal of the finder
  std::vector<std::uint32_t> key_bytes_;
  Stats stats_;
};

}  // namespace tocsin::matcher
