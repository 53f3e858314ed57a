#include "daemon/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/temp_dir.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

std::string rule(std::string_view id, std::string_view regex = "evil") {
  return fmt::format(
      "  - id: {}\n    title: t\n    severity: high\n    category: jailbreak\n"
      "    on: [user_message]\n    where: {{field: text, regex: '{}'}}\n    match: ['{}']\n",
      id, regex, regex);
}
std::string pack(std::initializer_list<std::string_view> ids) {
  std::string text = "rules:\n";
  for (const std::string_view id : ids) text += rule(id);
  return text;
}
std::string profile(std::string_view system, std::string_view more = "") {
  return fmt::format("system: {}\nowner: {{name: o}}\ntools: {{}}\n{}", system, more);
}

struct Loaded {
  explicit Loaded(const PolicySources& sources) : policy(Policy::load(sources, diagnostics)) {
    for (const Diagnostic& d : diagnostics.all()) {
      complaints.push_back(fmt::format("{}:{}:{} {}", fs::path(d.file).filename().string(), d.line,
                                       d.column, d.message));
    }
  }
  Diagnostics diagnostics;
  std::shared_ptr<const Policy> policy;
  Strings complaints;
};

TEST_CASE("a policy of packs, profiles and detectors") {
  const testing::TempDir dir;
  dir.write("packs/b.yml", pack({"b.one"}));
  dir.write("packs/a.yaml", pack({"a.two", "a.one"}));
  dir.write("packs/.hidden.yaml", "not: a pack");
  dir.write("packs/..data/a.yaml", "not: a pack");  // as Kubernetes mounts a ConfigMap
  dir.write("packs/README.md", "not a pack");
  dir.write("packs/inner/c.yaml", "not: a pack");  // directories are not walked
  const auto single = dir.write("single.yaml", pack({"s.one"}));
  dir.write("systems/x.yaml", profile("x"));
  dir.write("systems/y.yaml", profile("y"));
  const Loaded loaded(
      {.packs = {dir.path() / "packs", single}, .systems = {dir.path() / "systems"}});
  REQUIRE(loaded.complaints == Strings{});
  REQUIRE(loaded.policy != nullptr);
  const Policy& policy = *loaded.policy;

  Strings ids;
  for (const Rule& each : policy.rules().rules()) ids.push_back(each.info.id);
  CHECK(ids == Strings{"a.two", "a.one", "b.one", "s.one"});  // files by name, rules as written
  REQUIRE(policy.systems().size() == 2);
  CHECK(policy.system_index("x") == 0);
  CHECK(policy.system_index("y") == 1);
  CHECK(policy.system_index("z") == 2);
  CHECK(policy.system_index("") == 2);

  // Behind the packs' rules stand the detectors', each where its detector says.
  REQUIRE(policy.detectors().size() == detector_specs().size());
  std::size_t expected = 4;
  for (const Policy::LoadedDetector& detector : policy.detectors()) {
    CAPTURE(detector.spec->id);
    CHECK(detector.detector != nullptr);
    CHECK(detector.first_rule == expected);
    for (const DetectorRule& each : detector.spec->rules) {
      const RuleInfo& info = policy.reportable()[expected++];
      CHECK(info.id == each.id);
      CHECK(info.detector == detector.spec->id);
      CHECK(info.severity == each.severity);
    }
  }
  CHECK(policy.reportable().size() == expected);
  CHECK(policy.reportable()[0].id == "a.two");
  CHECK(policy.reportable()[0].detector == "rules");
}

TEST_CASE("the digest is of names and contents, not of where files stand") {
  const testing::TempDir dir;
  const auto digest = [&](std::string_view folder, std::string_view file, const std::string& text) {
    dir.write(fmt::format("{}/{}", folder, file), text);
    const Loaded loaded({.packs = {dir.path() / folder}});
    REQUIRE(loaded.policy != nullptr);
    CHECK(loaded.policy->sha256().size() == 64);
    return loaded.policy->sha256();
  };
  const std::string first = digest("one", "p.yaml", pack({"a.b"}));
  CHECK(digest("two", "p.yaml", pack({"a.b"})) == first);
  CHECK(digest("three", "q.yaml", pack({"a.b"})) != first);
  CHECK(digest("four", "p.yaml", pack({"a.b"}) + "# one more byte\n") != first);
}

TEST_CASE("what loaded before is believed where that is enough, and only the same files") {
  const testing::TempDir dir;
  const std::filesystem::path cache = dir.path() / "cache";
  const auto examples_tried = [&](bool proof_is_enough) {
    const Loaded loaded(
        {.packs = {dir.path() / "packs"}, .cache = cache, .proof_is_enough = proof_is_enough});
    REQUIRE(loaded.policy != nullptr);
    return !loaded.policy->rules().patterns().proven();
  };
  dir.write("packs/p.yaml", pack({"a.b"}));
  CHECK(examples_tried(true));  // nothing is known yet
  CHECK_FALSE(examples_tried(true));
  CHECK(examples_tried(false));
  dir.write("packs/p.yaml", pack({"a.b"}) + "# changed\n");
  CHECK(examples_tried(true));
  dir.write("packs/q.yaml", pack({"a.c"}));
  CHECK(examples_tried(true));
  CHECK_FALSE(examples_tried(true));
  for (const auto& entry : std::filesystem::directory_iterator(cache)) {
    if (entry.path().extension() == ".ok") std::ofstream(entry.path()) << "damaged";
  }
  CHECK(examples_tried(true));
}

TEST_CASE("rules that do not load are not remembered") {
  const testing::TempDir dir;
  std::string wrong = pack({"a.b"});
  wrong.replace(wrong.find("match: ['evil']"), 15, "match: ['good']");  // only trying it can tell
  dir.write("packs/p.yaml", wrong);
  for (int i = 0; i < 2; ++i) {
    const Loaded loaded(
        {.packs = {dir.path() / "packs"}, .cache = dir.path() / "cache", .proof_is_enough = true});
    CHECK(loaded.policy == nullptr);
    CHECK_FALSE(loaded.complaints.empty());
  }
}

TEST_CASE("a file that is not there is an error") {
  const testing::TempDir dir;
  const Loaded loaded({.packs = {dir.path() / "none.yaml"}, .systems = {dir.path() / "nowhere"}});
  CHECK(loaded.policy == nullptr);
  CHECK(loaded.complaints == Strings{"none.yaml:0:0 no such file", "nowhere:0:0 no such file"});
}

TEST_CASE("errors of all files are gathered, and there is no policy") {
  const testing::TempDir dir;
  dir.write("packs/a.yaml", "rules:\n" + rule("no_dot"));
  dir.write("packs/b.yaml", "rules: [\n");
  dir.write("packs/c.yaml", pack({"fine.one"}));
  dir.write("systems/s.yaml", "system: s\ntools: {}\n");
  const Loaded loaded({.packs = {dir.path() / "packs"}, .systems = {dir.path() / "systems"}});
  CHECK(loaded.policy == nullptr);
  REQUIRE(loaded.complaints.size() == 3);
  CHECK(loaded.complaints[0] == "a.yaml:2:9 `no_dot` is not a rule id");
  CHECK(loaded.complaints[1].starts_with("b.yaml:2:1 not YAML"));
  CHECK(loaded.complaints[2] == "s.yaml:1:1 `owner` is missing");
}

TEST_CASE("a rule id is taken across packs") {
  const testing::TempDir dir;
  dir.write("packs/a.yaml", pack({"x.one"}));
  dir.write("packs/b.yaml", pack({"x.two", "x.one"}));
  const Loaded loaded({.packs = {dir.path() / "packs"}});
  CHECK(loaded.policy == nullptr);
  CHECK(loaded.complaints == Strings{"b.yaml:9:9 the rule id `x.one` is taken"});
}

TEST_CASE("one system has one profile") {
  const testing::TempDir dir;
  dir.write("systems/a.yaml", profile("same"));
  dir.write("systems/b.yaml", profile("same"));
  const Loaded loaded({.systems = {dir.path() / "systems"}});
  CHECK(loaded.policy == nullptr);
  CHECK(loaded.complaints == Strings{"b.yaml:1:9 the system `same` has a profile already"});
}

TEST_CASE("a misuse case that names what nobody finds is warned about") {
  struct Row {
    std::string_view rules;
    Strings complaints;
    std::string_view hint;
  };
  const Row rows[] = {
      {"[x.one, loop.reading]", {}, ""},
      {"x.one", {}, ""},
      {"[]", {}, ""},
      {"[x.one, x.on]",
       {"s.yaml:5:20 no rule or detector reports `x.on`"},
       "did you mean `x.one`?"},
      {"x.on", {"s.yaml:5:12 no rule or detector reports `x.on`"}, "did you mean `x.one`?"},
      {"[completely.different-thing]",
       {"s.yaml:5:13 no rule or detector reports `completely.different-thing`"},
       "`tocsin check` lists what is loaded"},
  };
  const std::string known(detector_specs()[0]->rules[0].id);
  for (const Row& row : rows) {
    std::string rules(row.rules);
    if (const std::size_t at = rules.find("loop.reading"); at != std::string::npos) {
      rules.replace(at, std::string_view("loop.reading").size(), known);
    }
    CAPTURE(rules);
    const testing::TempDir dir;
    dir.write("packs/a.yaml", pack({"x.one"}));
    dir.write("systems/s.yaml",
              profile("s", fmt::format("misuse_cases: [{{id: m,\n    rules: {}}}]\n", rules)));
    const Loaded loaded({.packs = {dir.path() / "packs"}, .systems = {dir.path() / "systems"}});
    CHECK(loaded.complaints == row.complaints);
    // A warning: the policy is good, only a story in it is not told.
    CHECK(loaded.policy != nullptr);
    if (!row.hint.empty()) CHECK(loaded.diagnostics.all()[0].hint == row.hint);
  }
}

TEST_CASE("an owner is needed unless it is not") {
  const testing::TempDir dir;
  const auto file = dir.write("s.yaml", "system: s\ntools: {}\n");
  CHECK(Loaded({.systems = {file}}).policy == nullptr);
  CHECK(Loaded({.systems = {file}, .owner_needed = false}).policy != nullptr);
}

TEST_CASE("detectors take their options, and can be switched off") {
  const std::string first(detector_specs()[0]->id);
  const auto load = [&](const std::string& options) {
    Diagnostics diagnostics;
    const auto document = yaml::parse("tocsin.yaml", options, diagnostics);
    REQUIRE(document.has_value());
    return Loaded({.detector_options = document->root.get()});
  };
  const Loaded off = load(fmt::format("{}: {{enabled: false}}", first));
  REQUIRE(off.policy != nullptr);
  CHECK(off.policy->detectors().size() == detector_specs().size() - 1);
  for (const RuleInfo& info : off.policy->reportable()) CHECK(info.detector != first);

  CHECK(load(fmt::format("{}: {{bogus: 1}}", first)).complaints ==
        Strings{fmt::format("tocsin.yaml:1:{} unknown key `detectors.{}.bogus`", first.size() + 4,
                            first)});
  CHECK(load("no_such_detector: {}").complaints ==
        Strings{"tocsin.yaml:1:1 unknown key `detectors.no_such_detector`"});
  // A detector that is off is still held to its options.
  CHECK(load(fmt::format("{}: {{enabled: false, bogus: 1}}", first)).policy == nullptr);
}

TEST_CASE("the rules that come with tocsin load without a word") {
  const fs::path shipped = fs::path(TOCSIN_SOURCE_DIR) / "rules";
  const Loaded loaded({.packs = {shipped / "packs"}, .systems = {shipped / "systems"}});
  CHECK(loaded.complaints == Strings{});
  REQUIRE(loaded.policy != nullptr);
  CHECK(loaded.policy->rules().rules().size() > 20);
  CHECK(loaded.policy->systems().size() >= 3);
}

}  // namespace
}  // namespace tocsin
