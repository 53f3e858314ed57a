// Recorded cases: a folder with `events.jsonl` (or .gz), in the native format, and `findings.txt`,
// a line for each finding that a policy is to give for them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/decode/native.h"
#include "daemon/policy.h"
#include "daemon/session/session_table.h"

namespace tocsin {

inline constexpr std::size_t kCaseFindingsMax = 10'000;  // of one case

// `path` itself when it is a case, else the cases right below it, by name.  Empty when there is
// none, or it is no folder.  A folder is a case when it has events; findings may be missing.
std::vector<std::filesystem::path> case_folders(const std::filesystem::path& path);

struct CaseResult {
  std::string found;      // a line a finding, as findings.txt has them
  std::string expected;   // findings.txt
  bool recorded = false;  // there is a findings.txt
  // What kept the events from being played: a file cannot be read, an event is rejected, too many
  // findings.  Empty: nothing did.
  std::string error;

  [[nodiscard]] bool passed() const { return error.empty() && recorded && found == expected; }
};

// Plays the events in the order they stand in, one a batch, in the events' own time.
CaseResult play_case(const std::filesystem::path& folder,
                     const std::shared_ptr<const Policy>& policy, const DecodeLimits& decode = {},
                     const SessionLimits& sessions = {});

// Writes what was found as what is expected from now on; false when that cannot be written.
bool record_case(const std::filesystem::path& folder, std::string_view found);

// "- " and a line for what was expected and is missing, "+ " for what came instead, in order.  Two
// texts too long to compare line by line (4 million pairs) are shown from their first difference.
std::vector<std::string> line_differences(std::string_view expected, std::string_view found);

}  // namespace tocsin
