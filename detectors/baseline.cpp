// Something this system has never done before.

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <string>
#include <vector>

#include "daemon/text.h"
#include "detectors/detector.h"
#include "detectors/validate/url.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 4> kToolTags = {"owasp:ASI02", "owasp:ASI10",
                                                       "atlas:AML.T0053", "nist:MS-2.7-001"};
constexpr std::array<std::string_view, 4> kDestinationTags = {"owasp:ASI01", "owasp:ASI02",
                                                              "atlas:AML.T0086", "nist:MS-2.7-001"};
enum Rules : std::size_t { kTool, kStableDestination, kDestination, kShape, kOrder };
constexpr std::array<DetectorRule, 5> kRules = {{
    {.id = "baseline.first-tool",
     .title = "A tool was called that this system has not called before",
     .severity = Severity::kLow,
     .category = Category::kUnsafeTool,
     .tags = kToolTags},
    {.id = "baseline.first-destination",
     .title = "A system that has long sent to the same few destinations sends to a new one",
     .severity = Severity::kMedium,
     .category = Category::kExfiltration,
     .tags = kDestinationTags},
    {.id = "baseline.first-destination",
     .title = "A tool call goes to a destination that is new to this system",
     .severity = Severity::kLow,
     .category = Category::kExfiltration,
     .tags = kDestinationTags},
    {.id = "baseline.first-argument-shape",
     .title = "A tool was called with a set of arguments that is new to this system",
     .severity = Severity::kLow,
     .category = Category::kUnsafeTool,
     .tags = kToolTags},
    {.id = "baseline.first-order",
     .title = "Two tools were called one after the other that never were in this system",
     .severity = Severity::kLow,
     .category = Category::kUnsafeTool,
     .tags = kToolTags},
}};

struct Options {
  std::uint32_t learning_sessions = 200;
  std::uint32_t learning_days = 7;    // of event time
  std::uint32_t memory_days = 60;     // without use, after which a thing is new again
  std::uint32_t stable_calls = 1000;  // outward calls that make a long history
};

enum class Kind : std::uint8_t { kTool, kDestination, kOutwardDestination, kShape, kOrder };
constexpr std::size_t kKinds = 5;

// Of a kind in which more than this share of recent uses was new, new ones say nothing.
constexpr double kNoveltyMax = 0.02;
constexpr double kStableNoveltyMax = 0.002;
constexpr double kNoveltyWeight = 0.002;  // of the latest use: the last 500 or so count

// A set of hashes that forgets: two Bloom filters, of which the older is dropped when the newer is
// full or old.  Whatever is met is put into the newer one, so what is in use stays.
class AgeingSet {
 public:
  static constexpr std::size_t kBits = std::size_t{1} << 16;  // of one filter: 8 KiB
  static constexpr std::size_t kProbes = 4;
  // Of 4,000 things in each filter, 1 new one in 400 is taken for a known one:
  // 2 (1 - e^(-4 * 4,000 / 65,536))^4.
  static constexpr std::size_t kThingsMax = 4000;

  // True when it is new.
  bool meet(std::uint64_t hash, EventTime now, std::chrono::microseconds keep) {
    if (newer_.empty()) {
      newer_.resize(kBits / kWordBits);
      older_.resize(kBits / kWordBits);
      since_ = now;
    }
    if (things_ >= kThingsMax || now - since_ > keep) {
      newer_.swap(older_);
      std::ranges::fill(newer_, 0);
      things_ = 0;
      since_ = now;
    }
    if (holds(newer_, hash)) return false;
    const bool known = holds(older_, hash);
    add(hash);
    ++things_;
    return !known;
  }

  [[nodiscard]] std::size_t bytes() const {
    return (newer_.capacity() + older_.capacity()) * sizeof(std::uint64_t);
  }

 private:
  using Filter = std::vector<std::uint64_t>;
  static constexpr std::size_t kWordBits = 64;
  static constexpr unsigned kProbeBits = 16;

  static std::size_t probe(std::uint64_t hash, std::size_t number) {
    return (hash >> (kProbeBits * number)) % kBits;
  }
  static bool holds(const Filter& filter, std::uint64_t hash) {
    for (std::size_t i = 0; i < kProbes; ++i) {
      const std::size_t bit = probe(hash, i);
      if ((filter[bit / kWordBits] >> (bit % kWordBits) & 1U) == 0) return false;
    }
    return true;
  }
  void add(std::uint64_t hash) {
    for (std::size_t i = 0; i < kProbes; ++i) {
      const std::size_t bit = probe(hash, i);
      newer_[bit / kWordBits] |= std::uint64_t{1} << (bit % kWordBits);
    }
  }

  Filter newer_;
  Filter older_;
  std::size_t things_ = 0;  // in the newer
  EventTime since_{};
};

class System : public SystemState {
 public:
  // What a thing is to the system.
  struct Meeting {
    bool is_new = false;  // and worth a word
    bool stable = false;  // of a kind that has hardly changed for long
  };

  void session_begins() {
    if (sessions_ < std::numeric_limits<std::uint32_t>::max()) ++sessions_;
  }

  // Once a call, before anything of it is met.
  void call_at(EventTime now, const Options& options) {
    if (!begun_) first_time_ = now;
    begun_ = true;
    if (learnt_) return;
    learnt_ = sessions_ > options.learning_sessions &&
              now - first_time_ >= std::chrono::days(options.learning_days);
  }
  [[nodiscard]] bool learnt() const { return learnt_; }

  Meeting meet(Kind kind, std::uint64_t hash, EventTime now, const Options& options) {
    Novelty& novelty = novelty_[static_cast<std::size_t>(kind)];
    // An outward destination is a destination: one set, two measures.
    const Kind set = kind == Kind::kOutwardDestination ? Kind::kDestination : kind;
    const bool is_new =
        set_.meet(hash64(std::string_view(), hash + static_cast<std::uint64_t>(set)), now,
                  std::chrono::days(options.memory_days) / 2);
    const Meeting meeting{
        .is_new = is_new && learnt_ && novelty.share <= kNoveltyMax,
        .stable = novelty.uses >= options.stable_calls && novelty.share <= kStableNoveltyMax};
    ++novelty.uses;
    const double weight = std::max(kNoveltyWeight, 1.0 / static_cast<double>(novelty.uses));
    novelty.share += weight * ((is_new ? 1.0 : 0.0) - novelty.share);
    return meeting;
  }

  [[nodiscard]] std::size_t bytes() const override { return sizeof(*this) + set_.bytes(); }

 private:
  struct Novelty {
    double share = 1;  // of recent uses that were new
    std::uint64_t uses = 0;
  };

  AgeingSet set_;
  std::array<Novelty, kKinds> novelty_{};
  EventTime first_time_{};
  std::uint32_t sessions_ = 0;
  bool begun_ = false;
  bool learnt_ = false;
};

// The session's latest call.
struct State : public DetectorState {
  std::uint64_t tool = 0;  // hash; 0: none yet
  std::string name;

  [[nodiscard]] std::size_t bytes() const override { return sizeof(*this) + name.capacity(); }
};

constexpr std::size_t kNameBytesMax = 64;

// The parameter of the tool that a leaf belongs to.
std::string_view parameter_of(std::string_view path) { return path.substr(0, path.find('.')); }

// Calls `visit` with the first leaf of each parameter: the elements of an array count as one.
template <typename Visit>
void each_parameter(const std::vector<Leaf>& leaves, const Visit& visit) {
  std::string_view last;
  for (const Leaf& leaf : leaves) {
    const std::string_view name = parameter_of(leaf.path);
    if (!last.empty() && name == last) continue;
    last = name;
    visit(name, leaf.kind);
  }
}

// Where a value leads: the domain of an e-mail address, the host of a URL, else the value itself
// where it is declared to be a destination.  A text that merely mentions one leads nowhere.
// `whole` keeps what is returned.
std::string_view destination_of(std::string_view value, bool declared, std::string& whole) {
  constexpr std::size_t kValueBytesMax = 256;
  value = value.substr(0, cut_at_character(value, kValueBytesMax));
  const bool one_word = value.find_first_of(" \t\r\n") == std::string_view::npos;
  if (!one_word && !declared) return {};
  validate::UrlFinder urls(value, 1);
  if (const auto url = urls.next(); url && !url->host().empty()) {
    whole = url->host();
    return whole;
  }
  const std::size_t at = value.rfind('@');
  const bool is_address = one_word && at != std::string_view::npos && at > 0 &&
                          value.find('.', at) != std::string_view::npos;
  if (!is_address && !declared) return {};
  whole = ascii_lower(is_address ? value.substr(at + 1) : value);
  return whole;
}

class Baseline : public Detector {
 public:
  explicit Baseline(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }
  [[nodiscard]] std::unique_ptr<SystemState> new_system_state() const override {
    return std::make_unique<System>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    if (event.type != EventType::kToolCall) return;
    auto& state = static_cast<State&>(raw_state);
    auto& system = static_cast<System&>(*context.system_state);
    if (state.tool == 0) system.session_begins();
    system.call_at(event.time, options_);
    const std::uint64_t tool = hash64(event.tool.name) | 1U;
    const bool new_tool = meet_tool(event, tool, system, reporter);
    meet_destinations(event, context, system, reporter);
    // All that a new tool does is new.
    meet_shape(event, tool, new_tool, system, reporter);
    meet_order(event, new_tool, state, system, reporter);
    state.tool = tool;
    state.name = event.tool.name.substr(0, cut_at_character(event.tool.name, kNameBytesMax));
  }

 private:
  static void report(std::size_t rule, std::string_view field, std::string_view text,
                     Reporter& reporter) {
    const std::array<EvidenceView, 1> evidence = {{{.field = field, .text = text}}};
    reporter.report(rule, evidence);
  }

  bool meet_tool(const Event& event, std::uint64_t tool, System& system, Reporter& reporter) const {
    const bool is_new = system.meet(Kind::kTool, tool, event.time, options_).is_new;
    if (is_new) report(kTool, "tool.name", event.tool.name, reporter);
    return is_new;
  }

  void meet_destinations(const Event& event, const EventContext& context, System& system,
                         Reporter& reporter) const {
    constexpr std::size_t kDestinationsMax = 16;  // looked at in one call
    const bool outward = context.tool.effect == Effect::kEgress;
    const ToolProfile* profile = context.tool.declared;
    // What a tool reads or writes at home has no destination, unless its owner says so.
    if (!outward && (profile == nullptr || profile->destination.empty())) return;
    std::string whole;
    std::size_t met = 0;
    const bool declared = profile != nullptr && !profile->destination.empty();
    for (const Leaf& leaf : event.tool.arguments) {
      if (leaf.text.empty() || leaf.kind == LeafKind::kNull) continue;
      if (declared && std::ranges::find(profile->destination, parameter_of(leaf.path)) ==
                          profile->destination.end()) {
        continue;
      }
      const std::string_view destination = destination_of(leaf.text, declared, whole);
      if (destination.empty()) continue;
      if (++met > kDestinationsMax) return;
      const auto [is_new, stable] =
          system.meet(outward ? Kind::kOutwardDestination : Kind::kDestination, hash64(destination),
                      event.time, options_);
      if (!is_new) continue;
      report(outward && stable ? kStableDestination : kDestination, "tool.arguments", destination,
             reporter);
    }
  }

  void meet_shape(const Event& event, std::uint64_t tool, bool new_tool, System& system,
                  Reporter& reporter) const {
    if (!event.tool.has_arguments || !event.tool.arguments_parsed) return;
    // Names in any order, and of each the kind of its value: text, number, truth value.
    std::uint64_t shape = tool;
    each_parameter(event.tool.arguments, [&](std::string_view name, LeafKind kind) {
      shape += hash64(name, static_cast<std::uint64_t>(kind) + 1);
    });
    if (!system.meet(Kind::kShape, shape, event.time, options_).is_new || new_tool) return;
    std::string names;
    each_parameter(event.tool.arguments, [&](std::string_view name, LeafKind) {
      if (names.size() < kNameBytesMax) names.append(names.empty() ? "" : ", ").append(name);
    });
    report(kShape, "tool.arguments", names, reporter);
  }

  void meet_order(const Event& event, bool new_tool, const State& state, System& system,
                  Reporter& reporter) const {
    if (state.tool == 0) return;
    const std::uint64_t order = hash64(event.tool.name, state.tool);
    if (!system.meet(Kind::kOrder, order, event.time, options_).is_new || new_tool) return;
    report(kOrder, "tool.name", state.name + " > " + std::string(event.tool.name), reporter);
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("learning_sessions", 1, 1'000'000, &options.learning_sessions);
  reader.number("learning_days", 0, 365, &options.learning_days);
  reader.number("memory_days", 1, 3650, &options.memory_days);
  reader.number("stable_calls", 1, 100'000'000, &options.stable_calls);
  return std::make_unique<Baseline>(options);
}

}  // namespace

extern constinit const DetectorSpec baseline_spec;
constinit const DetectorSpec baseline_spec{.id = "baseline", .rules = kRules, .make = &make};

}  // namespace tocsin
