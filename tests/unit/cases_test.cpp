// Recorded cases: events in, findings out, through the shipped rules and profiles.
//
// A case is a folder of tests/cases with `events.jsonl` and `findings.txt`, a line a finding.
// UPDATE_CASES=1 rewrites the latter; read the difference before you commit it.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/source/file_source.h"
#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<const Policy> shipped_policy() {
  const fs::path rules = fs::path(TOCSIN_SOURCE_DIR) / "rules";
  Diagnostics diagnostics;
  auto policy =
      Policy::load({.packs = {rules / "packs"}, .systems = {rules / "systems"}}, diagnostics);
  std::ostringstream mistakes;
  print(mistakes, diagnostics, false);
  INFO(mistakes.str());
  REQUIRE(policy != nullptr);
  CHECK(diagnostics.all().empty());  // no warnings either
  return policy;
}

std::string findings_of(const fs::path& events, const std::shared_ptr<const Policy>& policy) {
  testing::PipelineUnderTest test(policy);
  auto source = FileSource::open(events.string(), 1 << 20);
  REQUIRE(source.has_value());
  for (std::string_view line; source->next(line) == FileSource::Status::kLine;) {
    test.run({std::string(line)});
  }
  CHECK(test.rejected.empty());
  std::string out;
  for (const Finding& finding : test.findings) {
    REQUIRE_FALSE(finding.evidence.empty());
    out += fmt::format("{:<8} {} {} seq {}: {} = {}\n", name_of(finding.severity), finding.rule,
                       finding.system, finding.seq, finding.evidence[0].field,
                       finding.evidence[0].excerpt);
  }
  return out;
}

std::string read(const fs::path& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST_CASE("recorded cases give the findings recorded with them") {
  const auto policy = shipped_policy();
  const bool update = std::getenv("UPDATE_CASES") != nullptr;
  std::size_t cases = 0;
  for (const auto& folder :
       fs::directory_iterator(fs::path(TOCSIN_SOURCE_DIR) / "tests" / "cases")) {
    CAPTURE(folder.path().filename().string());
    const std::string found = findings_of(folder.path() / "events.jsonl", policy);
    const fs::path expected = folder.path() / "findings.txt";
    if (update) std::ofstream(expected) << found;
    REQUIRE(fs::exists(expected));
    CHECK(found == read(expected));
    ++cases;
  }
  CHECK(cases >= 6);
}

}  // namespace
}  // namespace tocsin
