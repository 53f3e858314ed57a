#include "daemon/case_expectations.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>
#include <utility>

namespace tocsin {
namespace {

constexpr std::string_view kBelow = "below ";
constexpr std::string_view kBy = " by ";

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<CaseExpectations::Expectation> CaseExpectations::read_line(std::string_view line) {
  const std::size_t colon = line.rfind(": ");
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  Expectation out;
  out.session_id = line.substr(0, colon);
  std::string_view asked = line.substr(colon + 2);
  if (asked.starts_with(kBelow)) {
    asked.remove_prefix(kBelow.size());
  } else {
    const std::size_t by = asked.find(kBy);
    if (by == std::string_view::npos) return std::nullopt;
    out.by = number_of(asked.substr(by + kBy.size()));
    if (!out.by) return std::nullopt;
    asked = asked.substr(0, by);
  }
  const auto severity = severity_named(asked);
  if (!severity) return std::nullopt;
  out.severity = *severity;
  return out;
}

std::expected<CaseExpectations, std::string> CaseExpectations::read(std::string_view text) {
  CaseExpectations out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    auto expectation = read_line(line);
    if (!expectation) {
      return std::unexpected(fmt::format(
          "expect.txt:{}: neither `<session>: below <severity>` nor `<session>: <severity> by "
          "<seq>`",
          number));
    }
    if (out.find(expectation->session_id) != nullptr) {
      return std::unexpected(
          fmt::format("expect.txt:{}: a second line for {}", number, expectation->session_id));
    }
    out.expectations_.push_back(*std::move(expectation));
  }
  return out;
}

CaseExpectations::Expectation* CaseExpectations::find(std::string_view session_id) {
  const auto found = std::ranges::find(expectations_, session_id, &Expectation::session_id);
  return found == expectations_.end() ? nullptr : &*found;
}

void CaseExpectations::on_event(std::string_view session_id) {
  if (Expectation* expectation = find(session_id)) {
    expectation->played = true;
  } else if (unexpected_.empty()) {
    unexpected_ = session_id;
  }
}

void CaseExpectations::on_finding(const Finding& finding) {
  Expectation* expectation = find(finding.session_id);
  if (expectation == nullptr) return;
  if (expectation->worst_rule.empty() || finding.severity > expectation->worst) {
    expectation->worst_rule = finding.rule;
    expectation->worst = finding.severity;
    expectation->worst_seq = finding.seq;
  }
  expectation->in_time |= expectation->by && finding.seq <= *expectation->by &&
                          finding.severity >= expectation->severity;
}

std::string CaseExpectations::mismatch() const {
  if (!unexpected_.empty()) return fmt::format("expect.txt: no line for session {}", unexpected_);
  for (const Expectation& each : expectations_) {
    if (!each.played) return fmt::format("expect.txt: no events of session {}", each.session_id);
  }
  return {};
}

bool CaseExpectations::Expectation::holds() const {
  return by ? in_time : worst_rule.empty() || worst < severity;
}

std::string CaseExpectations::Expectation::asked() const {
  return by ? fmt::format("{}: {} by {}\n", session_id, name_of(severity), *by)
            : fmt::format("{}: below {}\n", session_id, name_of(severity));
}

std::string CaseExpectations::expected() const {
  std::string out;
  for (const Expectation& each : expectations_) out += each.asked();
  return out;
}

std::string CaseExpectations::found() const {
  std::string out;
  for (const Expectation& each : expectations_) {
    if (each.holds()) {
      out += each.asked();
    } else if (each.worst_rule.empty()) {
      out += fmt::format("{}: nothing found\n", each.session_id);
    } else {
      out += fmt::format("{}: {} by {}, {}\n", each.session_id, name_of(each.worst), each.worst_seq,
                         each.worst_rule);
    }
  }
  return out;
}

}  // namespace tocsin
