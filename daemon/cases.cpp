#include "daemon/cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "daemon/case_expectations.h"
#include "daemon/metrics/policy_metrics.h"
#include "daemon/metrics/registry.h"
#include "daemon/pipeline.h"
#include "daemon/redact.h"
#include "daemon/source/file_source.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kEventFiles = {"events.jsonl", "events.jsonl.gz"};
constexpr std::string_view kFindingsFile = "findings.txt";
constexpr std::string_view kExpectFile = "expect.txt";
constexpr std::size_t kPairsMax = 4'000'000;

std::optional<fs::path> events_of(const fs::path& folder) {
  std::error_code error;
  for (const std::string_view name : kEventFiles) {
    if (fs::is_regular_file(folder / name, error)) return folder / name;
  }
  return std::nullopt;
}

// Writes findings as lines; hashes are left out, since their key is another in every process.
class Lines final : public PipelineOutput {
 public:
  Lines(CaseResult& result, CaseExpectations* expectations)
      : result_(result), expectations_(expectations) {}

  void on_finding(const Finding& finding) override {
    if (++findings_ > kCaseFindingsMax) {
      complain(fmt::format("more than {} findings", kCaseFindingsMax));
      return;
    }
    if (expectations_ != nullptr) {
      expectations_->on_finding(finding);
      return;
    }
    const Evidence none;
    const Evidence& evidence = finding.evidence.empty() ? none : finding.evidence.front();
    result_.found +=
        fmt::format("{:<8} {} {} seq {}: {} = {}\n", name_of(finding.severity), finding.rule,
                    finding.system, finding.seq, evidence.field, evidence.excerpt);
  }
  void on_event(const Event& event, const EventContext& /*context*/) override {
    if (expectations_ != nullptr) expectations_->on_event(event.session_id);
  }
  void on_rejected(const Record& record, Reject reason) override {
    complain(fmt::format("{}:{}: rejected as {}", record.source.topic, record.source.offset,
                         name_of(reason)));
  }

 private:
  void complain(std::string what) {
    if (result_.error.empty()) result_.error = std::move(what);  // the first is enough
  }

  CaseResult& result_;
  CaseExpectations* expectations_;
  std::size_t findings_ = 0;
};

void play(FileSource& source, Pipeline& pipeline, CaseExpectations* expectations,
          CaseResult& result) {
  Lines lines(result, expectations);
  FileSource::Status status = FileSource::Status::kLine;
  for (std::string_view line; (status = source.next(line)) == FileSource::Status::kLine;) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;  // a blank line
    const Record record{
        .payload = line,
        .source = {.topic = source.name(), .partition = 0, .offset = source.line_number()}};
    pipeline.run(std::span(&record, 1), lines);
  }
  if (status == FileSource::Status::kBroken) result.error = source.error();
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return lines;
}

std::optional<std::string> content_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream.is_open()) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

// What the case is compared with; none: findings.txt, if anything.
std::optional<CaseExpectations> expectations_of(const fs::path& folder, CaseResult& result) {
  const auto text = content_of(folder / kExpectFile);
  auto findings = content_of(folder / kFindingsFile);
  if (findings) result.recorded_in = kFindingsFile;
  if (text) result.recorded_in = kExpectFile;
  if (text && findings) {
    result.error = fmt::format("{}: both {} and {}", folder.string(), kExpectFile, kFindingsFile);
    return std::nullopt;
  }
  if (findings) result.expected = *std::move(findings);
  if (!text) return std::nullopt;
  auto read = CaseExpectations::read(*text);
  if (!read) {
    result.error = fmt::format("{}/{}", folder.string(), read.error());
    return std::nullopt;
  }
  return *std::move(read);
}

}  // namespace

std::vector<fs::path> case_folders(const fs::path& path) {
  if (events_of(path)) return {path};
  std::vector<fs::path> cases;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (events_of(it->path())) cases.push_back(it->path());
  }
  std::ranges::sort(cases);
  return cases;
}

CaseResult play_case(const fs::path& folder, const std::shared_ptr<const Policy>& policy,
                     const DecodeLimits& decode, const SessionLimits& sessions) {
  CaseResult result;
  const auto events = events_of(folder);
  if (!events) {
    result.error = fmt::format("{}: there is no {}", folder.string(), kEventFiles[0]);
    return result;
  }
  auto source = FileSource::open(events->string(), decode.event_bytes_max);
  if (!source) {
    result.error = source.error();
    return result;
  }
  auto expectations = expectations_of(folder, result);
  if (!result.error.empty()) return result;
  metrics::Registry registry;
  const PolicySnapshot snapshot{
      .policy = policy, .metrics = std::make_shared<const PolicyMetrics>(registry, *policy)};
  Pipeline pipeline(
      snapshot,
      {.decode = decode, .sessions = sessions, .now = {}, .rule_watch = {}, .topic_label = "case"},
      std::make_shared<const Redactor>(Redactor::random_key()), registry);
  play(*source, pipeline, expectations ? &*expectations : nullptr, result);
  if (expectations) {
    if (result.error.empty()) result.error = expectations->mismatch();
    result.expected = expectations->expected();
    result.found = expectations->found();
  }
  return result;
}

bool record_case(const fs::path& folder, std::string_view found) {
  std::error_code error;
  if (fs::exists(folder / kExpectFile, error)) return false;
  std::ofstream stream(folder / kFindingsFile, std::ios::binary | std::ios::trunc);
  stream << found;
  stream.close();
  return stream.good();
}

std::vector<std::string> line_differences(std::string_view expected, std::string_view found) {
  std::vector<std::string_view> a = lines_of(expected);
  std::vector<std::string_view> b = lines_of(found);
  const auto [a_end, b_end] = std::ranges::mismatch(a, b);
  a.erase(a.begin(), a_end);
  b.erase(b.begin(), b_end);
  std::vector<std::string> out;
  const auto minus = [&](std::string_view line) { out.push_back(fmt::format("- {}", line)); };
  const auto plus = [&](std::string_view line) { out.push_back(fmt::format("+ {}", line)); };
  if ((a.size() + 1) * (b.size() + 1) > kPairsMax) {
    for (const std::string_view line : a) minus(line);
    for (const std::string_view line : b) plus(line);
    return out;
  }
  // The longest common subsequence of the rests; `common[i][j]` is its length from a[i], b[j] on.
  const std::size_t width = b.size() + 1;
  std::vector<std::uint32_t> common((a.size() + 1) * width);
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;) {
      common[i * width + j] =
          a[i] == b[j] ? common[(i + 1) * width + j + 1] + 1
                       : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      ++i;
      ++j;
    } else if (j == b.size() ||
               (i < a.size() && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      minus(a[i++]);
    } else {
      plus(b[j++]);
    }
  }
  return out;
}

}  // namespace tocsin
