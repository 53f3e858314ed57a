#include <fmt/chrono.h>
#include <fmt/format.h>

#include <random>

#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::DetectorUnderTest;
using testing::event_json;

// Sessions of one event, a minute apart.
class Traffic {
 public:
  explicit Traffic(std::string options = "", std::uint32_t seed = 1)
      : detector("version_regression", std::move(options)), dice_(seed) {}

  // The number of the session, from 1, at which a finding came; 0: none did.
  int sessions(std::string_view version, double rate, int count,
               Severity severity = Severity::kMedium) {
    const std::vector<FoundRule> bad = {
        {.id = "some.rule", .severity = severity, .category = Category::kOutputPolicy}};
    int first = 0;
    for (int i = 1; i <= count; ++i) {
      const bool violated = static_cast<double>(dice_()) < rate * 4294967296.0;
      const auto found =
          detector.feed(next(version), {},
                        violated ? std::span<const FoundRule>(bad) : std::span<const FoundRule>());
      if (found.empty()) continue;
      ++reports;
      last = found[0];
      if (first == 0) first = i;
    }
    return first;
  }

  DetectorUnderTest detector;
  int reports = 0;
  testing::Report last;

 private:
  std::string next(std::string_view version) {
    ++minute_;
    const std::string time = fmt::format("2026-01-{:02}T{:02}:{:02}:00Z", 1 + minute_ / 1440,
                                         minute_ / 60 % 24, minute_ % 60);
    return event_json("model_output", fmt::format(R"("text":"x",{})", version),
                      fmt::format("s{}", minute_), time);
  }

  std::mt19937 dice_;
  int minute_ = 0;
};

constexpr std::string_view kOld = R"("release":"1")";
constexpr std::string_view kNew = R"("release":"2")";

TEST_CASE("a version with more findings than the one before is suspected, once") {
  Traffic traffic;
  CHECK(traffic.sessions(kOld, 0.02, 800) == 0);
  const int at = traffic.sessions(kNew, 0.2, 400);
  CHECK(at > 10);
  CHECK(at < 120);
  CHECK(traffic.reports == 1);
  REQUIRE(traffic.last.evidence.size() == 2);
  CHECK(traffic.last.evidence[0] == std::pair<std::string, std::string>("release", "2"));
  CHECK(traffic.last.evidence[1].second.find(" of ") != std::string::npos);
  CHECK(traffic.detector.gauges() == std::vector<std::string>{"1=0", "2=1"});
}

TEST_CASE("what is no regression") {
  Traffic traffic;
  SECTION("the same rate") {
    traffic.sessions(kOld, 0.1, 500);
    traffic.sessions(kNew, 0.1, 1000);
  }
  SECTION("a better version") {
    traffic.sessions(kOld, 0.3, 500);
    traffic.sessions(kNew, 0.05, 1000);
  }
  SECTION("the first version, however bad") { traffic.sessions(kOld, 0.9, 1000); }
  SECTION("too little known of the version before") {
    traffic.sessions(kOld, 0, 45);
    traffic.sessions(kNew, 0.9, 500);
  }
  SECTION("findings below medium") {
    traffic.sessions(kOld, 0, 500);
    traffic.sessions(kNew, 0.9, 500, Severity::kLow);
  }
  SECTION("no version in the events") {
    traffic.sessions(R"("tenant":"a")", 0, 500);
    traffic.sessions(R"("tenant":"a")", 0.9, 500);
    CHECK(traffic.detector.gauges().empty());
  }
  CHECK(traffic.reports == 0);
}

TEST_CASE("a model and a prompt version make a version too, also side by side") {
  struct Row {
    std::string_view before;
    std::string_view after;
    std::string label;
  };
  const Row rows[] = {
      {R"("model":"a")", R"("model":"b")", "model b"},
      {R"("prompt_version":"7")", R"("prompt_version":"8")", "prompt 8"},
      {R"("release":"1","model":"a")", R"("release":"1","model":"b")", "1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.after);
    Traffic traffic;
    traffic.sessions(row.before, 0.02, 300);
    for (int i = 0; i < 30 && traffic.reports == 0; ++i) {
      traffic.sessions(row.before, 0.02, 10);
      traffic.sessions(row.after, 0.3, 10);
    }
    REQUIRE(traffic.reports == 1);
    CHECK(traffic.last.evidence[0].second == row.label);
  }
}

TEST_CASE("a version after a bad one is compared with the good one before") {
  Traffic traffic;
  traffic.sessions(kOld, 0.02, 800);
  traffic.sessions(kNew, 0.3, 300);
  CHECK(traffic.reports == 1);
  traffic.sessions(R"("release":"3")", 0.3, 300);
  CHECK(traffic.reports == 2);
  CHECK(traffic.last.evidence[0].second == "3");
}

TEST_CASE("several findings in one session count once, and late ones do not count") {
  const std::vector<FoundRule> bad = {
      {.id = "some.rule", .severity = Severity::kHigh, .category = Category::kOutputPolicy}};
  Traffic traffic;
  traffic.sessions(kOld, 0.02, 800);
  // One session with hundreds of findings.
  for (int i = 0; i < 500; ++i) {
    CHECK(traffic.detector
              .feed(event_json("model_output", R"("text":"x","release":"2")", "loud",
                               "2026-01-02T00:00:00Z"),
                    {}, bad)
              .empty());
  }
  CHECK(traffic.sessions(kNew, 0, 300) == 0);
  // As many findings, each in a session of its own.
  Traffic spread;
  spread.sessions(kOld, 0.02, 800);
  CHECK(spread.sessions(kNew, 1, 300) > 0);
}

TEST_CASE("equal rates are suspected in no more than alpha of the releases") {
  constexpr int kReleases = 200;
  int suspected = 0;
  for (int run = 0; run < kReleases; ++run) {
    Traffic traffic("alpha_per_mille: 50", static_cast<std::uint32_t>(run + 1));
    traffic.sessions(kOld, 0.1, 200);
    traffic.sessions(kNew, 0.1, 200);
    suspected += traffic.reports;
  }
  CHECK(suspected <= kReleases * 50 / 1000);
}

TEST_CASE("a higher rate is suspected in nearly all of the releases") {
  constexpr int kReleases = 100;
  int suspected = 0;
  for (int run = 0; run < kReleases; ++run) {
    Traffic traffic("", static_cast<std::uint32_t>(run + 1));
    traffic.sessions(kOld, 0.05, 400);
    traffic.sessions(kNew, 0.25, 200);
    suspected += traffic.reports;
  }
  CHECK(suspected >= 95);
}

TEST_CASE("made-up versions fill a bounded memory, those used last are kept") {
  Traffic traffic;
  for (int i = 0; i < 3000; ++i) {
    traffic.sessions(fmt::format(R"("release":"{}{}")", i, std::string(200, 'x')), 0.5, 1);
  }
  CHECK(traffic.detector.system_state()->bytes() < 32'768);
  CHECK(traffic.detector.gauges().size() == 16);
  CHECK(traffic.reports == 0);
}

}  // namespace
}  // namespace tocsin
