// Refused, tried otherwise, refused, tried otherwise - and let in.

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/text.h"
#include "detectors/detector.h"
#include "detectors/session/recent.h"
#include "detectors/session/trace.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 4> kTags = {"owasp:ASI03", "owasp:ASI02", "atlas:AML.T0053",
                                                   "nist:MS-2.7-001"};
enum Rules : std::size_t { kFound, kRetried, kRefused, kRefusedShell };
constexpr std::array<DetectorRule, 4> kRules = {{
    {.id = "failure_probing.found-a-way",
     .title = "A call was refused in several variations until one of them was let in",
     .severity = Severity::kMedium,
     .category = Category::kUnsafeTool,
     .tags = kTags},
    {.id = "failure_probing.found-a-way",
     .title = "A command, or a lookup, failed in several variations until one of them worked",
     .severity = Severity::kLow,
     .category = Category::kUnsafeTool,
     .tags = kTags},
    {.id = "failure_probing.refused",
     .title = "A call was refused in many variations",
     .severity = Severity::kMedium,
     .category = Category::kUnsafeTool,
     .tags = kTags},
    {.id = "failure_probing.refused",
     .title = "Commands were refused many times",
     .severity = Severity::kLow,
     .category = Category::kUnsafeTool,
     .tags = kTags},
}};

struct Options {
  std::uint32_t refusals_min = 3;    // variations refused before one was let in
  std::uint32_t refusals_long = 10;  // variations refused, none let in
  std::uint32_t failures_min = 6;    // variations that failed otherwise before one worked
  std::size_t tools_max = 8;         // remembered a session
};

enum class Outcome : std::uint8_t { kDone, kFailed, kRefused };

bool has_any(std::string_view text, std::span<const std::string_view> signs) {
  return std::ranges::any_of(signs, [&](std::string_view sign) { return text.contains(sign); });
}

Outcome outcome_of_message(std::string_view message) {
  constexpr std::array<std::string_view, 16> kRefusals = {
      "denied",         "forbidden",        "unauthorized",   "unauthorised",
      "not authorized", "not authorised",   "not permitted",  "not allowed",
      "no permission",  "lacks permission", "insufficient p", "access control",
      "no access",      "not entitled",     "blocked by",     "requires admin"};
  constexpr std::array<std::string_view, 7> kFailures = {
      "error", "failed", "failure", "not found", "invalid", "no such", "does not exist"};
  const std::string lower = ascii_lower(message);
  if (has_any(lower, kRefusals)) return Outcome::kRefused;
  return has_any(lower, kFailures) ? Outcome::kFailed : Outcome::kDone;
}

// What came back says so only when it is short: a long one is content, which may speak of anything.
Outcome outcome_of(const ToolUse& result) {
  constexpr std::size_t kMessageBytesMax = 240;
  if (!result.error.empty()) {
    const Outcome said = outcome_of_message(result.error.substr(0, kMessageBytesMax));
    return said == Outcome::kRefused ? said : Outcome::kFailed;
  }
  std::size_t bytes = 0;
  for (const Leaf& leaf : result.result) bytes += leaf.text.size();
  if (bytes > kMessageBytesMax) return Outcome::kDone;
  Outcome outcome = Outcome::kDone;
  for (const Leaf& leaf : result.result) {
    if (leaf.kind != LeafKind::kString) continue;
    outcome = std::max(outcome, outcome_of_message(leaf.text));
  }
  return outcome;
}

// A call as the hashes of its arguments: a variation has some of them and not others.
struct Shape {
  static constexpr std::size_t kLeavesMax = 4;

  std::array<std::uint32_t, kLeavesMax> leaves{};
  std::uint32_t all = 0;
  std::uint8_t size = 0;

  Shape() = default;
  explicit Shape(const std::vector<Leaf>& arguments)
      : all(static_cast<std::uint32_t>(session::hash_leaves(arguments, 0))) {
    for (const Leaf& leaf : arguments) {
      if (size == kLeavesMax) break;
      leaves[size++] = static_cast<std::uint32_t>(hash64(leaf.text, hash64(leaf.path)));
    }
  }

  [[nodiscard]] bool varies(const Shape& other) const {
    if (all == other.all) return false;
    // With one argument there is nothing that could stay.
    if (size <= 1 && other.size <= 1) return true;
    return std::find_first_of(leaves.begin(), leaves.begin() + size, other.leaves.begin(),
                              other.leaves.begin() + other.size) != leaves.begin() + size;
  }
};

class State : public DetectorState {
 public:
  // Calls that vary each other and came to nothing.
  struct Series {
    Shape latest;
    std::uint32_t refusals = 0;
    std::uint32_t failures = 0;
    session::Mark first;
  };
  struct Tool {
    std::uint64_t tool = 0;
    std::uint64_t call_id = 0;  // of the latest call, to find its result
    Shape latest;
    std::unique_ptr<Series> series;  // null: the latest did not fail
  };

  Tool& touch(std::uint64_t tool, std::size_t tools_max) {
    return session::touch(tools_, &Tool::tool, tool, tools_max);
  }

  Tool* answered(std::uint64_t tool, std::uint64_t call_id) {
    const auto found = std::ranges::find_if(tools_, [&](const Tool& known) {
      return known.tool == tool && (call_id == 0 || known.call_id == call_id);
    });
    return found == tools_.end() ? nullptr : &*found;
  }

  [[nodiscard]] std::size_t bytes() const override {
    std::size_t total = sizeof(*this) + tools_.capacity() * sizeof(Tool);
    for (const Tool& tool : tools_) {
      if (tool.series) total += sizeof(Series) + tool.series->first.heap_bytes();
    }
    return total;
  }

 private:
  std::vector<Tool> tools_;
};

class FailureProbing : public Detector {
 public:
  explicit FailureProbing(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    auto& state = static_cast<State&>(raw_state);
    if (event.type == EventType::kToolCall) {
      if (!event.tool.has_arguments) return;
      State::Tool& tool = state.touch(hash64(event.tool.name), options_.tools_max);
      tool.latest = Shape(event.tool.arguments);
      tool.call_id = session::call_key(event.tool.call_id);
    } else if (event.type == EventType::kToolResult) {
      State::Tool* tool =
          state.answered(hash64(event.tool.name), session::call_key(event.tool.call_id));
      if (tool != nullptr) on_result(event, context, *tool, reporter);
    }
  }

 private:
  void on_result(const Event& event, const EventContext& context, State::Tool& tool,
                 Reporter& reporter) const {
    const Outcome outcome = outcome_of(event.tool);
    if (outcome == Outcome::kDone) return on_done(event, context, tool, reporter);
    // Once more the same is a retry; something else begins anew.
    if (tool.series && tool.latest.all == tool.series->latest.all) return;
    if (!tool.series || !tool.latest.varies(tool.series->latest)) {
      tool.series = std::make_unique<State::Series>();
      tool.series->first = session::mark_of(event, context);
    }
    State::Series& series = *tool.series;
    series.latest = tool.latest;
    if (outcome == Outcome::kFailed) {
      ++series.failures;
      return;
    }
    if (++series.refusals != options_.refusals_long) return;
    report(is_shell(context) ? kRefusedShell : kRefused, series.refusals, "refused", event, series,
           reporter);
  }

  void on_done(const Event& event, const EventContext& context, State::Tool& tool,
               Reporter& reporter) const {
    if (!tool.series || !tool.latest.varies(tool.series->latest)) return;
    const State::Series& series = *tool.series;
    if (series.refusals >= options_.refusals_min) {
      report(is_shell(context) ? kRetried : kFound, series.refusals, "refused", event, series,
             reporter);
    } else if (series.refusals + series.failures >= options_.failures_min) {
      report(kRetried, series.refusals + series.failures, "failed", event, series, reporter);
    }
    tool.series.reset();
  }

  // Commands are tried until they work; that is how they are written.
  static bool is_shell(const EventContext& context) {
    return context.tool.effect == Effect::kExecute;
  }

  static void report(Rules rule, std::uint32_t count, std::string_view what, const Event& event,
                     const State::Series& series, Reporter& reporter) {
    const std::string text = std::to_string(count) + " variations " + std::string(what);
    const OriginView origin = series.first.origin(event.tool.name);
    const std::array<EvidenceView, 1> evidence = {
        {{.field = "tool.result", .text = text, .origin = origin}}};
    reporter.report(rule, evidence);
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("refusals_min", 2, 1000, &options.refusals_min);
  reader.number("refusals_long", 2, 1000, &options.refusals_long);
  reader.number("failures_min", 2, 1000, &options.failures_min);
  reader.number("tools_max", 1, 64, &options.tools_max);
  return std::make_unique<FailureProbing>(options);
}

}  // namespace

extern constinit const DetectorSpec failure_probing_spec;
constinit const DetectorSpec failure_probing_spec{
    .id = "failure_probing", .rules = kRules, .make = &make};

}  // namespace tocsin
