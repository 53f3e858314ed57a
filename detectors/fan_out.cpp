// One session that sends to many.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/detector.h"
#include "detectors/flow/token.h"
#include "detectors/flow/tracker.h"
#include "detectors/session/acts.h"
#include "detectors/session/trace.h"
#include "detectors/session/words.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 4> kTags = {"owasp:ASI08", "owasp:LLM06", "atlas:AML.T0046",
                                                   "nist:MS-2.7-001"};
enum Rules : std::size_t { kSome, kMany };
constexpr std::array<DetectorRule, 2> kRules = {{
    {.id = "fan_out.destinations",
     .title = "A session sends to several destinations that the user did not name",
     .severity = Severity::kLow,
     .category = Category::kUnsafeTool,
     .tags = kTags},
    {.id = "fan_out.destinations",
     .title = "A session sends to many destinations that the user did not name",
     .severity = Severity::kMedium,
     .category = Category::kUnsafeTool,
     .tags = kTags},
}};

struct Options {
  std::size_t destinations_min = 10;   // distinct ones that are worth knowing
  std::size_t destinations_many = 25;  // ... that ask a person to look
};

class State : public DetectorState {
 public:
  std::vector<std::uint32_t> destinations;
  session::Mark first;

  [[nodiscard]] std::size_t bytes() const override {
    return sizeof(*this) + destinations.capacity() * sizeof(std::uint32_t) + first.heap_bytes();
  }
};

class FanOut : public Detector {
 public:
  explicit FanOut(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    auto& state = static_cast<State&>(raw_state);
    if (event.type == EventType::kToolCall) on_call(event, context, state, reporter);
  }

 private:
  void on_call(const Event& event, const EventContext& context, State& state,
               Reporter& reporter) const {
    const std::size_t before = state.destinations.size();
    if (context.tool.effect == Effect::kEgress) {
      for (const Leaf& leaf : event.tool.arguments) {
        if (session::is_destination(leaf, context.tool)) add(leaf.text, event, context, state);
      }
    } else if (context.tool.effect == Effect::kExecute) {
      for (const session::Act& act : session::acts_of(event, context)) {
        if (act.kind == session::ActKind::kSends && is_place(act.object)) {
          add(act.object, event, context, state);
        }
      }
    }
    const std::size_t now = state.destinations.size();
    const auto reaches = [&](std::size_t bound) { return before < bound && now >= bound; };
    if (reaches(options_.destinations_many)) {
      report(kMany, event, state, reporter);
    } else if (reaches(options_.destinations_min)) {
      report(kSome, event, state, reporter);
    }
  }

  // Several in one text, "a@x.test, b@x.test", count each.
  void add(std::string_view text, const Event& event, const EventContext& context,
           State& state) const {
    constexpr std::size_t kListBytesMax = 4096;
    text = text.substr(0, kListBytesMax);
    while (!text.empty()) {
      const std::size_t size = std::min(text.find_first_of(",;\n"), text.size());
      add_one(text.substr(0, size), event, context, state);
      text.remove_prefix(std::min(size + 1, text.size()));
    }
  }

  void add_one(std::string_view text, const Event& event, const EventContext& context,
               State& state) const {
    while (text.starts_with(' ')) text.remove_prefix(1);
    if (text.empty() || state.destinations.size() >= options_.destinations_many) return;
    if (is_named(text, *context.flow->memory)) return;
    const std::uint32_t hash = place_hash(text);
    if (std::ranges::find(state.destinations, hash) != state.destinations.end()) return;
    if (state.destinations.empty()) state.first = session::mark_of(event, context);
    state.destinations.push_back(hash);
  }

  // A message of the user has it, or the host that it is at.  The first thing named in it is the
  // place ("me@host:/tmp", "https://host/?of=somebody"), whatever hangs on it.
  static bool is_named(std::string_view text, const flow::SessionMemory& memory) {
    constexpr std::size_t kValueBytesMin = 3;
    std::vector<flow::Token> tokens;
    flow::tokenize(text, tokens);
    const auto names = [](const flow::Token& token) {
      return token.kind != flow::TokenKind::kWord && token.end - token.begin >= kValueBytesMin;
    };
    const auto place = std::ranges::find_if(tokens, names);
    // A URL and its host are two tokens that begin at the same byte.
    return std::any_of(place, tokens.end(), [&](const flow::Token& token) {
      return token.begin == place->begin && memory.said.by(memory.mixed(token.hash), flow::kByUser);
    });
  }

  // A URL, or user@host; "@file" and "form=@file" are what is sent.
  static bool is_place(std::string_view word) {
    if (word.contains("://")) return true;
    const std::size_t at = word.find('@');
    return at != std::string_view::npos && at > 0 && word[at - 1] != '=';
  }

  // A URL goes to its host; a page more there is no other place.
  static std::uint32_t place_hash(std::string_view text) {
    if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
      text = text.substr(scheme + 3);
      text = text.substr(0, text.find_first_of("/?#"));
    }
    return session::object_hash(text);
  }

  static void report(Rules rule, const Event& event, const State& state, Reporter& reporter) {
    const std::string text = std::to_string(state.destinations.size()) + " destinations";
    const OriginView origin = state.first.origin(event.tool.name);
    const std::array<EvidenceView, 1> evidence = {
        {{.field = "tool.arguments", .text = text, .origin = origin}}};
    reporter.report(rule, evidence);
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("destinations_min", 2, 4096, &options.destinations_min);
  reader.number("destinations_many", 2, 4096, &options.destinations_many);
  return std::make_unique<FanOut>(options);
}

}  // namespace

extern constinit const DetectorSpec fan_out_spec;
constinit const DetectorSpec fan_out_spec{.id = "fan_out", .rules = kRules, .make = &make};

}  // namespace tocsin
