// What is remembered of a policy that loaded: its patterns are RE2's and its examples came out
// right.
//
// Trying thousands of examples takes most of a start, and what they say depends on the files and
// on this program alone.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace tocsin {

class PolicyProof {
 public:
  // `directory` empty: nothing is remembered.  `digests`: of all that the rules were read from.
  PolicyProof(const std::filesystem::path& directory, std::string_view digests);

  // This very program has loaded these rules before.
  [[nodiscard]] bool is_kept() const;
  // Failure to write is no failure: the next start tries the examples again.
  void keep() const;

 private:
  std::filesystem::path file_;  // empty: nothing is remembered
  std::string content_;
};

}  // namespace tocsin
