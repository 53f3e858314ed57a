// What expect.txt asks of the sessions of a recorded case; cases.h has the format.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/finding.h"

namespace tocsin {

class CaseExpectations {
 public:
  // An error names the line: "expect.txt:3: ...".
  static std::expected<CaseExpectations, std::string> read(std::string_view text);

  // An event of this session was played.
  void on_event(std::string_view session_id);
  void on_finding(const Finding& finding);

  // A session nobody expects anything of, or the other way round: both are slips of the pen that
  // would hide a result.  Empty: neither.
  [[nodiscard]] std::string mismatch() const;
  // A line a session, in the order of expect.txt; equal where all that was asked for holds.
  [[nodiscard]] std::string expected() const;
  [[nodiscard]] std::string found() const;

 private:
  struct Expectation {
    std::string session_id;
    Severity severity = Severity::kHigh;
    std::optional<std::uint64_t> by;  // none: the session stays below `severity`
    bool played = false;
    bool in_time = false;    // a finding as severe as `severity`, on event `by` at the latest
    std::string worst_rule;  // of the first among the most severe findings; empty: none
    Severity worst = Severity::kInfo;
    std::uint64_t worst_seq = 0;

    [[nodiscard]] bool holds() const;
    [[nodiscard]] std::string asked() const;
  };

  static std::optional<Expectation> read_line(std::string_view line);
  Expectation* find(std::string_view session_id);

  std::vector<Expectation> expectations_;
  std::string unexpected_;  // the first session without a line
};

}  // namespace tocsin
