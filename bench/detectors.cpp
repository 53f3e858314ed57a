#include "bench/detectors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

#include "bench/pipeline_run.h"
#include "daemon/decode/native.h"
#include "daemon/session/session_table.h"
#include "daemon/session/system_table.h"
#include "detectors/flow/tracker.h"
#include "detectors/session/tool_context.h"

namespace tocsin::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kMedian = 0.5;
constexpr double k95th = 0.95;

double ns_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::nano>(to - from).count();
}

// What reading the clock twice costs, which is in every interval.
double clock_ns() {
  constexpr int kReadings = 10'000;
  std::vector<double> all;
  for (int i = 0; i < kReadings; ++i) {
    const auto before = Clock::now();
    all.push_back(ns_between(before, Clock::now()));
  }
  std::ranges::nth_element(all, all.begin() + kReadings / 2);
  return all[kReadings / 2];
}

double quantile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
  return values[at];
}

double mean(const std::vector<double>& values) {
  return values.empty() ? 0
                        : std::accumulate(values.begin(), values.end(), 0.0) /
                              static_cast<double>(values.size());
}

// The shortest time of each event over all passes: a pass that something else interrupted does not
// count for the events it was interrupted in.
class Shortest {
 public:
  explicit Shortest(std::size_t events) : ns_(events, std::numeric_limits<double>::infinity()) {}
  void take(std::size_t event, double ns) { ns_[event] = std::min(ns_[event], ns); }

  [[nodiscard]] std::vector<double> without(double clock) const {
    std::vector<double> out;
    for (const double ns : ns_) out.push_back(std::max(0.0, ns - clock));
    return out;
  }

 private:
  std::vector<double> ns_;
};

// Sessions from their beginning, as the pipeline keeps them, without rules and findings.
class Sessions {
 public:
  explicit Sessions(const Policy& policy) : policy_(policy), sessions_(SessionLimits{}.idle) {}

  Session& session(const Event& event, std::int64_t offset) {
    Session& found = sessions_.touch(event, offset);
    if (found.arrivals == 1) {
      found.states.reserve(policy_.detectors().size());
      for (const auto& loaded : policy_.detectors()) {
        found.states.push_back(loaded.detector->new_state());
      }
    }
    return found;
  }

  SystemStates& system(const Event& event) {
    SystemStates& found = systems_.touch(event.system, false);
    if (found.states.empty()) {
      for (const auto& loaded : policy_.detectors()) {
        found.states.push_back(loaded.detector->new_system_state());
      }
    }
    return found;
  }

  void update_bytes(Session& session) { sessions_.update_bytes(session); }

 private:
  const Policy& policy_;
  SessionTable sessions_;
  SystemTable systems_;
};

class DetectorBench {
 public:
  DetectorBench(const std::shared_ptr<const Policy>& policy, const std::vector<std::string>& events)
      : policy_(*policy),
        whole_(policy),
        events_(events),
        types_(events.size()),
        decode_(events.size()),
        rules_(events.size()),
        pipeline_(events.size()),
        flow_(events.size()),
        together_(events.size()),
        each_(policy->detectors().size(), Shortest(events.size())) {}

  // One pass with a reading of the clock between stages, one of all detectors together, one of the
  // pipeline.
  void pass() {
    run([this](std::size_t i, const Event& event, EventContext& context, Session& session,
               SystemStates& system) { step_each(i, event, context, session, system); });
    run([this](std::size_t i, const Event& event, EventContext& context, Session& session,
               SystemStates& system) {
      const auto start = Clock::now();
      context.flow = &tracker_.follow(event, context, session.memory);
      for (std::size_t d = 0; d < each_.size(); ++d) detect(d, event, context, session, system);
      together_.take(i, ns_between(start, Clock::now()));
    });
    whole_.begin();
    for (std::size_t i = 0; i < events_.size(); ++i) {
      const auto start = Clock::now();
      whole_.run(std::span(events_).subspan(i, 1));
      pipeline_.take(i, ns_between(start, Clock::now()));
    }
  }

  // The bytes of each session at its largest, and what they consist of at its end.
  void weigh() {
    std::map<std::string, double> largest;
    run([&](std::size_t, const Event& event, EventContext& context, Session& session,
            SystemStates& system) {
      context.flow = &tracker_.follow(event, context, session.memory);
      for (std::size_t d = 0; d < each_.size(); ++d) detect(d, event, context, session, system);
      double& bytes = largest[session.key];
      sessions_->update_bytes(session);
      bytes = std::max(bytes, static_cast<double>(session.bytes));
      Parts& parts = parts_[session.key];
      parts.flow = static_cast<double>(sizeof(session.memory) + session.memory.bytes());
      parts.detectors.resize(each_.size());
      for (std::size_t d = 0; d < each_.size(); ++d) {
        parts.detectors[d] = static_cast<double>(session.states[d]->bytes());
      }
    });
    for (const auto& [key, bytes] : largest) session_bytes_.push_back(bytes);
  }

  template <typename Add>
  void report(const Add& add) const {
    const double clock = clock_ns();
    const auto times = [&](std::string_view name, const Shortest& shortest) {
      const std::vector<double> ns = shortest.without(clock);
      add(fmt::format("{}_median_ns", name), quantile(ns, kMedian), "ns");
      add(fmt::format("{}_mean_ns", name), mean(ns), "ns");
    };
    const double whole = mean(pipeline_.without(clock));
    add("pipeline_mean_ns", whole, "ns");
    const double decode = mean(decode_.without(clock));
    add("decode_mean_ns", decode, "ns");
    const double rules = mean(rules_.without(clock));
    add("rules_mean_ns", rules, "ns");
    // Sessions, metrics and findings.
    add("rest_mean_ns", whole - decode - rules - mean(together_.without(clock)), "ns");
    times("detectors", together_);
    const std::vector<double> ns = together_.without(clock);
    for (std::size_t type = 0; type < kEventTypeCount; ++type) {
      std::vector<double> of_type;
      for (std::size_t i = 0; i < ns.size(); ++i) {
        if (static_cast<std::size_t>(types_[i]) == type) of_type.push_back(ns[i]);
      }
      if (of_type.empty()) continue;
      add(fmt::format("detectors_{}_median_ns", name_of(static_cast<EventType>(type))),
          quantile(std::move(of_type), kMedian), "ns");
    }
    times("flow", flow_);
    for (std::size_t d = 0; d < each_.size(); ++d) {
      times(fmt::format("detector_{}", policy_.detectors()[d].spec->id), each_[d]);
    }
    add("session_state_median_bytes", quantile(session_bytes_, kMedian), "bytes");
    add("session_state_p95_bytes", quantile(session_bytes_, k95th), "bytes");
    add("session_state_max_bytes", quantile(session_bytes_, 1), "bytes");
    add("session_state_flow_median_bytes", part([](const Parts& p) { return p.flow; }), "bytes");
    for (std::size_t d = 0; d < each_.size(); ++d) {
      add(fmt::format("session_state_{}_median_bytes", policy_.detectors()[d].spec->id),
          part([d](const Parts& p) { return p.detectors[d]; }), "bytes");
    }
  }

 private:
  struct Parts {
    double flow = 0;
    std::vector<double> detectors;
  };

  template <typename Of>
  [[nodiscard]] double part(const Of& of) const {
    std::vector<double> all;
    for (const auto& [key, parts] : parts_) all.push_back(of(parts));
    return quantile(std::move(all), kMedian);
  }

  template <typename Step>
  void run(const Step& step) {
    sessions_.emplace(policy_);
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < events_.size(); ++i) {
      const auto start = Clock::now();
      const auto decoded =
          decoder_.decode(events_[i], {.topic = "bench", .partition = 0, .offset = offset++});
      decode_.take(i, ns_between(start, Clock::now()));
      if (!decoded || (*decoded)->session_id.empty()) continue;
      const Event& event = **decoded;
      types_[i] = event.type;
      Session& session = sessions_->session(event, offset);
      EventContext context;
      context.seq = event.seq.value_or(session.arrivals);
      context.tool = session::tool_context(event, nullptr);
      step(i, event, context, session, sessions_->system(event));
    }
  }

  void step_each(std::size_t i, const Event& event, EventContext& context, Session& session,
                 SystemStates& system) {
    auto before = Clock::now();
    const auto lap = [&before] {
      const auto now = Clock::now();
      return ns_between(std::exchange(before, now), now);
    };
    policy_.rules().evaluate(event, context, rule_scratch_, silent_);
    rules_.take(i, lap());
    context.flow = &tracker_.follow(event, context, session.memory);
    flow_.take(i, lap());
    for (std::size_t d = 0; d < each_.size(); ++d) {
      detect(d, event, context, session, system);
      each_[d].take(i, lap());
    }
  }

  void detect(std::size_t d, const Event& event, EventContext& context, Session& session,
              const SystemStates& system) {
    const Detector& detector = *policy_.detectors()[d].detector;
    context.system_state = system.states[d].get();
    detector.on_event(event, context, *session.states[d], silent_);
    detector.on_findings(event, context, {}, *session.states[d], silent_);
  }

  const Policy& policy_;
  PipelineRun whole_;
  const std::vector<std::string>& events_;
  std::vector<EventType> types_;
  NativeDecoder decoder_;
  flow::Tracker tracker_;
  RuleSet::Scratch rule_scratch_;
  std::optional<Sessions> sessions_;
  Counting silent_;
  Shortest decode_;
  Shortest rules_;
  Shortest pipeline_;
  Shortest flow_;
  Shortest together_;
  std::vector<Shortest> each_;
  std::vector<double> session_bytes_;
  std::map<std::string, Parts> parts_;
};

}  // namespace

void measure_stages(const Timing& timing, const std::shared_ptr<const Policy>& policy,
                    const std::vector<std::string>& events, std::string_view prefix,
                    const std::function<void(std::string_view, double, std::string_view)>& add) {
  DetectorBench bench(policy, events);
  // Each event's shortest time needs some passes, whatever they take.
  const auto start = Clock::now();
  const std::chrono::duration<double> wanted(timing.seconds);
  for (int pass = 0; pass < timing.rounds || Clock::now() - start < wanted; ++pass) bench.pass();
  bench.weigh();
  bench.report([&](std::string_view name, double value, std::string_view unit) {
    add(fmt::format("{}{}", prefix, name), value, unit);
  });
}

}  // namespace tocsin::bench
