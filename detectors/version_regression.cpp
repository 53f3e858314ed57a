// Sessions of one version of a system end in findings more often than those of the one before.

#include <algorithm>
#include <array>
#include <bitset>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "daemon/text.h"
#include "detectors/detector.h"
#include "detectors/session/trace.h"
#include "detectors/statistics/higher_rate.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 3> kTags = {"owasp:ASI04", "nist:MS-2.7-009",
                                                   "nist:MS-2.6-007"};
enum Rules : std::size_t { kSuspected };
constexpr std::array<DetectorRule, 1> kRules = {{
    {.id = "version_regression.suspected",
     .title = "More of a version's sessions have findings than of the version before it",
     .severity = Severity::kMedium,
     .category = Category::kRegression,
     .tags = kTags},
}};

enum Metrics : std::size_t { kSuspectedGauge };
constexpr std::array<DetectorMetric, 1> kMetrics = {{
    {.kind = DetectorMetric::Kind::kGauge,
     .name = "tocsin_regression_suspected",
     .help = "1: more sessions of this release have findings at medium or above than of the one "
             "before it; 0: not shown. Of the releases seen last.",
     .label = "release",
     .labels_max = 256},
}};

constexpr double kPerMille = 1000;

struct Options {
  std::uint32_t alpha_per_mille = 10;  // chance that a version no worse is ever suspected
  std::uint32_t settle_seconds = 600;  // of event time from a session's start to its outcome
  std::uint32_t reference_sessions_min = 50;

  [[nodiscard]] double log_threshold() const { return std::log(kPerMille / alpha_per_mille); }
};

// The latest outcomes of a version, numbered from 0 as they came.
class Outcomes {
 public:
  static constexpr std::size_t kKept = 2048;

  void add(bool bad) {
    bits_[count_ % kKept] = bad;
    ++count_;
    if (bad) ++bad_;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t bad() const { return bad_; }
  [[nodiscard]] std::uint64_t first_kept() const { return count_ > kKept ? count_ - kKept : 0; }
  [[nodiscard]] bool at(std::uint64_t number) const { return bits_[number % kKept]; }

 private:
  std::bitset<kKept> bits_;
  std::uint64_t count_ = 0;
  std::uint64_t bad_ = 0;
};

// What was counted of one version, and how it compares to the one before it.
struct Version {
  std::uint64_t hash = 0;
  std::uint64_t ordinal = 0;    // from 1, in the order of appearance
  std::uint64_t last_used = 0;  // by the number of the session
  std::string release;          // or what stands in for it
  Outcomes outcomes;
  std::uint64_t next = 0;            // of its outcomes, to be tested
  std::uint64_t reference = 0;       // ordinal; 0: none yet
  std::uint64_t reference_next = 0;  // of the reference's outcomes
  statistics::HigherRate test;
  bool suspected = false;
  bool said = false;
};

class System : public SystemState {
 public:
  static constexpr std::size_t kVersionsMax = 16;
  static constexpr std::size_t kOpenMax = 256;  // sessions whose outcome is not settled
  // A block takes a 64th of the reference's unused outcomes, so that a long history counts for
  // much and a short one lasts; more than 8 to 1 adds next to nothing.
  static constexpr std::uint64_t kReferenceShare = 64;
  static constexpr std::uint64_t kBlockMax = 8;

  // The session's number.
  std::uint64_t enter(const Event& event, const Options& options) {
    if (open_.size() >= kOpenMax) settle_first(options);
    open_.push_back({.version = version_of(event), .start = event.time, .bad = false});
    return first_open_ + open_.size() - 1;
  }

  void violated(std::uint64_t session) {
    if (session >= first_open_) open_[session - first_open_].bad = true;
  }

  void settle(EventTime now, const Options& options) {
    const std::chrono::seconds wait(options.settle_seconds);
    while (!open_.empty() && now - open_.front().start >= wait) settle_first(options);
  }

  // One that is suspected and was not said to be; null: none.
  Version* take_suspected() {
    if (!unsaid_) return nullptr;
    const auto found = std::ranges::find_if(
        versions_, [](const Version& version) { return version.suspected && !version.said; });
    unsaid_ = found != versions_.end();
    if (!unsaid_) return nullptr;
    found->said = true;
    return &*found;
  }

  // Null: forgotten, or none.
  [[nodiscard]] const Version* by_ordinal(std::uint64_t ordinal) const {
    const auto found = std::ranges::find(versions_, ordinal, &Version::ordinal);
    return found == versions_.end() ? nullptr : &*found;
  }

  void gauges(const GaugeSink& sink) const override {
    for (const Version& version : versions_) {
      sink(kSuspectedGauge, version.release, version.suspected ? 1 : 0);
    }
  }

  [[nodiscard]] std::size_t bytes() const override {
    std::size_t total =
        sizeof(*this) + versions_.capacity() * sizeof(Version) + open_.capacity() * sizeof(Open);
    for (const Version& version : versions_) total += version.release.capacity();
    return total;
  }

 private:
  static constexpr std::size_t kNameBytesMax = 64;

  struct Open {
    std::uint64_t version = 0;  // ordinal
    EventTime start{};
    bool bad = false;
  };

  static std::string name_of(const Event& event) {
    if (!event.release.empty()) return session::kept(event.release, kNameBytesMax);
    if (!event.prompt_version.empty()) {
      return session::kept("prompt " + std::string(event.prompt_version), kNameBytesMax);
    }
    return session::kept("model " + std::string(event.model), kNameBytesMax);
  }

  std::uint64_t version_of(const Event& event) {
    const std::uint64_t hash =
        hash64(event.prompt_version, hash64(event.model, hash64(event.release)));
    auto found = std::ranges::find(versions_, hash, &Version::hash);
    if (found == versions_.end()) {
      if (versions_.size() >= kVersionsMax) {
        versions_.erase(std::ranges::min_element(versions_, {}, &Version::last_used));
      }
      found = versions_.insert(versions_.end(), Version{});
      found->hash = hash;
      found->ordinal = ++last_ordinal_;
      found->release = name_of(event);
    }
    found->last_used = first_open_ + open_.size();
    return found->ordinal;
  }

  // Outcomes count in the order in which their sessions began, whatever became of them: were those
  // with findings counted as soon as there is one, they would come first and look frequent.
  void settle_first(const Options& options) {
    const Open settled = open_.front();
    open_.erase(open_.begin());
    ++first_open_;
    const auto version = std::ranges::find(versions_, settled.version, &Version::ordinal);
    if (version == versions_.end()) return;
    version->outcomes.add(settled.bad);
    for (Version& tested : versions_) test(tested, options);
  }

  // Once suspected, a version stays so: more evidence says nothing new.
  void test(Version& version, const Options& options) {
    if (version.suspected) return;
    const Version* reference = reference_of(version, options);
    if (reference == nullptr) return;
    version.next = std::max(version.next, version.outcomes.first_kept());
    version.reference_next = std::max(version.reference_next, reference->outcomes.first_kept());
    while (version.next < version.outcomes.count() &&
           version.reference_next < reference->outcomes.count()) {
      const std::uint64_t unused = reference->outcomes.count() - version.reference_next;
      const std::uint64_t count = std::clamp<std::uint64_t>(unused / kReferenceShare, 1, kBlockMax);
      std::size_t bad = 0;
      for (std::uint64_t i = 0; i < count; ++i) {
        bad += reference->outcomes.at(version.reference_next++) ? 1 : 0;
      }
      version.test.add(count, bad, version.outcomes.at(version.next++));
      if (version.test.log_evidence() < options.log_threshold()) continue;
      version.suspected = unsaid_ = true;
      return;
    }
  }

  // The version in use last among those that came before and are known well enough.  A reference
  // that is forgotten is replaced, and the evidence goes on: it then speaks against "no worse than
  // any of them".
  const Version* reference_of(Version& version, const Options& options) {
    if (const Version* known = by_ordinal(version.reference)) return known;
    const Version* best = nullptr;
    for (const Version& other : versions_) {
      if (other.ordinal >= version.ordinal || other.suspected) continue;
      if (other.outcomes.count() < options.reference_sessions_min) continue;
      if (best == nullptr || other.last_used > best->last_used) best = &other;
    }
    if (best == nullptr) return nullptr;
    version.reference = best->ordinal;
    version.reference_next = 0;
    return best;
  }

  std::vector<Version> versions_;
  std::vector<Open> open_;  // in the order of their start
  std::uint64_t first_open_ = 1;
  std::uint64_t last_ordinal_ = 0;
  bool unsaid_ = false;
};

// Where the session stands among those of its system.
struct State : public DetectorState {
  std::uint64_t session = 0;  // its number; 0: its version is not known yet

  [[nodiscard]] std::size_t bytes() const override { return sizeof(*this); }
};

class VersionRegression : public Detector {
 public:
  explicit VersionRegression(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }
  [[nodiscard]] std::unique_ptr<SystemState> new_system_state() const override {
    return std::make_unique<System>();
  }

  void on_event(const Event& /*event*/, const EventContext& /*context*/, DetectorState& /*state*/,
                Reporter& /*reporter*/) const override {}

  void on_findings(const Event& event, const EventContext& context,
                   std::span<const FoundRule> findings, DetectorState& raw_state,
                   Reporter& reporter) const override {
    auto& state = static_cast<State&>(raw_state);
    auto& system = static_cast<System&>(*context.system_state);
    system.settle(event.time, options_);
    if (state.session == 0) {
      if (event.release.empty() && event.model.empty() && event.prompt_version.empty()) return;
      state.session = system.enter(event, options_);
    }
    const bool violated = std::ranges::any_of(
        findings, [](const FoundRule& found) { return found.severity >= Severity::kMedium; });
    if (violated) system.violated(state.session);
    if (const Version* version = system.take_suspected()) report(*version, system, reporter);
  }

 private:
  static void report(const Version& version, const System& system, Reporter& reporter) {
    const auto counts = [](const Version& of) {
      return std::to_string(of.outcomes.bad()) + " of " + std::to_string(of.outcomes.count()) +
             " sessions";
    };
    std::string text = counts(version);
    if (const Version* reference = system.by_ordinal(version.reference)) {
      text += ", before " + counts(*reference);
    }
    const std::array<EvidenceView, 2> evidence = {
        {{.field = "release", .text = version.release}, {.field = "findings", .text = text}}};
    // Told in clear: which version it is is the point, and the gauge's label says it anyway.
    const std::array<MessageView, 3> message = {
        {{.text = version.release}, {.text = ": findings in "}, {.text = text}}};
    reporter.report(kSuspected, evidence, message);
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("alpha_per_mille", 1, 200, &options.alpha_per_mille);
  reader.number("settle_seconds", 1, 86'400, &options.settle_seconds);
  reader.number("reference_sessions_min", 10, 2'000, &options.reference_sessions_min);
  return std::make_unique<VersionRegression>(options);
}

}  // namespace

extern constinit const DetectorSpec version_regression_spec;
constinit const DetectorSpec version_regression_spec{
    .id = "version_regression", .rules = kRules, .metrics = kMetrics, .make = &make};

}  // namespace tocsin
