// Recorded cases: a folder with `events.jsonl` (or .gz), in the native format, and what a policy is
// to say about them, in one of two ways:
//
//   findings.txt   every finding, a line each
//   expect.txt     how far each session may or must go, a line each: `<session>: below <severity>`,
//                  or `<session>: <severity> by <seq>`: a finding as severe as that, or more, on
//                  that event or an earlier one.  `#` starts a comment line.
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
  std::string found;             // a line a finding, as findings.txt has them
  std::string expected;          // findings.txt
  std::string_view recorded_in;  // "findings.txt" or "expect.txt"; empty: neither is there
  // What kept the events from being played: a file cannot be read, an event is rejected, too many
  // findings, a wrong line in expect.txt, a session that has no line.  Empty: nothing did.
  std::string error;

  [[nodiscard]] bool passed() const {
    return error.empty() && !recorded_in.empty() && found == expected;
  }
};

// expect.txt is compared in findings.txt's stead: `expected` holds its lines, and `found` the same
// ones, but where a session did otherwise the line says what it did ("a: high by 4, x.rule").
// Plays the events in the order they stand in, one a batch, in the events' own time.
CaseResult play_case(const std::filesystem::path& folder,
                     const std::shared_ptr<const Policy>& policy, const DecodeLimits& decode = {},
                     const SessionLimits& sessions = {});

// Writes what was found as what is expected from now on; false when that cannot be written, or the
// case has an expect.txt: what that asks for is a person's decision.
bool record_case(const std::filesystem::path& folder, std::string_view found);

// "- " and a line for what was expected and is missing, "+ " for what came instead, in order.  Two
// texts too long to compare line by line (4 million pairs) are shown from their first difference.
std::vector<std::string> line_differences(std::string_view expected, std::string_view found);

}  // namespace tocsin
