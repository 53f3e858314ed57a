// Compiled pattern databases kept on disk: compiling thousands takes seconds, reading milliseconds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct hs_database;

namespace tocsin::matcher {

// One database, by all it depends on: its patterns, Hyperscan's version, this processor.  A file
// that is damaged, foreign or cut short is as good as none (Hyperscan checks version, platform and
// a checksum before it believes one).
class DatabaseCache {
 public:
  struct Kept {
    hs_database* database = nullptr;      // the caller's
    std::vector<std::uint32_t> left_out;  // patterns that could not be compiled with the others
  };

  // `directory` empty: nothing is kept.
  DatabaseCache(const std::filesystem::path& directory, std::string_view identity);

  [[nodiscard]] std::optional<Kept> load() const;
  // Failure to write is no failure: the next start compiles again.
  void store(const hs_database* database, std::span<const std::uint32_t> left_out) const;

 private:
  std::filesystem::path file_;  // empty: nothing is kept
};

}  // namespace tocsin::matcher
