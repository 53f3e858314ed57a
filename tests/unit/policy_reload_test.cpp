#include "daemon/policy_reload.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tests/unit/catch.h"
#include "tests/unit/temp_dir.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;
using testing::call_json;
using testing::make_policy;
using testing::PipelineUnderTest;

std::string pack(std::string_view id, std::string_view word) {
  return fmt::format(
      "rules:\n  - {{id: {}, title: t, severity: high, category: pii, on: [tool_call],\n"
      "     where: {{field: content, contains: [{}]}}, match: [{}]}}\n",
      id, word, word);
}

TEST_CASE("a fingerprint changes with the files, links followed") {
  const testing::TempDir dir;
  dir.write("v1/a.yaml", pack("w.a", "evil"));
  dir.write("v2/a.yaml", pack("w.a", "worse"));
  // As Kubernetes mounts a ConfigMap: files are links through `..data`, which is swapped.
  fs::create_directory_symlink("v1", dir.path() / "..data");
  fs::create_directory(dir.path() / "mount");
  fs::create_symlink("../..data/a.yaml", dir.path() / "mount" / "a.yaml");
  const PolicySources sources{.packs = {dir.path() / "mount"}};
  const std::string before = fingerprint(sources);
  CHECK(fingerprint(sources) == before);
  fs::create_directory_symlink("v2", dir.path() / "..data_tmp");
  fs::rename(dir.path() / "..data_tmp", dir.path() / "..data");
  const std::string swapped = fingerprint(sources);
  CHECK(swapped != before);
  dir.write("mount/b.yaml", pack("w.b", "bad"));
  const std::string more = fingerprint(sources);
  CHECK(more != swapped);
  fs::remove(dir.path() / "mount" / "b.yaml");
  CHECK(fingerprint(sources) == swapped);
}

TEST_CASE("a fingerprint changes with imported files") {
  const testing::TempDir dir;
  dir.write("g.toml", "");
  dir.write("atr/a/1.yaml", "");
  const PolicySources sources{
      .imports = {{.format = ImportFormat::kGitleaks, .path = dir.path() / "g.toml"},
                  {.format = ImportFormat::kAtr, .path = dir.path() / "atr"}}};
  const std::string before = fingerprint(sources);
  CHECK(fingerprint(sources) == before);
  dir.write("g.toml", "title = 'x'");
  const std::string changed = fingerprint(sources);
  CHECK(changed != before);
  dir.write("atr/b/2.yaml", "");
  CHECK(fingerprint(sources) != changed);
}

TEST_CASE("asked, it loads; what is wrong is refused and changes nothing") {
  const testing::TempDir dir;
  dir.write("packs/a.yaml", pack("w.a", "evil"));
  const PolicySources sources{.packs = {dir.path() / "packs"}, .owner_needed = false};
  std::promise<std::shared_ptr<const Policy>> loaded;
  std::promise<std::size_t> refused;
  PolicyReloader reloader(
      sources, fingerprint(sources), false,
      {.on_loaded = [&](const std::shared_ptr<const Policy>& policy) { loaded.set_value(policy); },
       .on_refused = [&](const Diagnostics& mistakes) { refused.set_value(mistakes.errors()); }});
  reloader.request();
  const auto policy = loaded.get_future().get();
  REQUIRE(policy != nullptr);
  CHECK(policy->rules().rules().at(0).info.id == "w.a");
  dir.write("packs/a.yaml", "rules: [\n");
  reloader.request();
  CHECK(refused.get_future().get() >= 1);
}

TEST_CASE("a changed file is loaded once it has stayed the same") {
  const testing::TempDir dir;
  dir.write("packs/a.yaml", pack("w.a", "evil"));
  const PolicySources sources{.packs = {dir.path() / "packs"}, .owner_needed = false};
  std::promise<std::shared_ptr<const Policy>> loaded;
  const std::string before = fingerprint(sources);
  dir.write("packs/b.yaml", pack("w.b", "bad"));
  const PolicyReloader reloader(
      sources, before, true,
      {.on_loaded = [&](const std::shared_ptr<const Policy>& policy) { loaded.set_value(policy); },
       .on_refused = [](const Diagnostics&) {}},
      std::chrono::milliseconds(5));
  CHECK(loaded.get_future().get()->rules().rules().size() == 2);
}

TEST_CASE("sessions go on under another policy") {
  PipelineUnderTest test(make_policy(pack("w.a", "evil")));
  for (int i = 0; i < 4; ++i) test.run({call_json("look", R"({"q":"same evil"})")});
  const std::size_t before = test.findings.size();
  const auto next = make_policy(pack("w.b", "evil"));
  test.pipeline->adopt(
      {.policy = next, .metrics = std::make_shared<const PolicyMetrics>(test.registry, *next)});
  test.findings.clear();
  test.run({call_json("look", R"({"q":"same evil"})")});
  CHECK(before > 0);
  // The new rule speaks, the old one does not, and the loop that began under the old policy is
  // seen.
  const auto said = testing::brief(test.findings);
  CHECK(std::ranges::any_of(said, [](const std::string& f) { return f.starts_with("w.b"); }));
  CHECK(std::ranges::none_of(said, [](const std::string& f) { return f.starts_with("w.a"); }));
  CHECK(std::ranges::any_of(said, [](const std::string& f) { return f.starts_with("loop."); }));
  CHECK(test.metric("tocsin_sessions_live") == 1);
}

}  // namespace
}  // namespace tocsin
