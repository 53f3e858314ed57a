// Text that orders an agent about: in what a tool returned, or in what a user writes.

#include <array>
#include <string>

#include "detectors/detector.h"
#include "detectors/lexical/model.h"

namespace tocsin {
namespace {

using lexical::Channel;
using lexical::Head;
using lexical::Window;

constexpr std::array<std::string_view, 5> kResultTags = {
    "owasp:ASI01", "owasp:LLM01", "atlas:AML.T0051.001", "atlas:AML.T0068", "nist:MS-2.7-001"};
constexpr std::array<std::string_view, 4> kUserTags = {"owasp:LLM01", "atlas:AML.T0051.000",
                                                       "atlas:AML.T0054", "nist:MS-2.7-001"};
enum Rules : std::size_t { kInResult, kInUserMessage };
constexpr std::array<DetectorRule, 2> kRules = {{
    {.id = "instruction.in-result",
     .title = "A tool result reads like an instruction to the agent",
     .severity = Severity::kMedium,
     .category = Category::kPromptInjection,
     .tags = kResultTags},
    {.id = "instruction.in-user-message",
     .title = "A user message reads like a jailbreak or an injection",
     .severity = Severity::kMedium,
     .category = Category::kJailbreak,
     .tags = kUserTags},
}};

struct Options {
  // Added to the score that the model's training chose; a step is about a hundredth of what a
  // single word can weigh.
  std::int32_t result_margin = 0;
  std::int32_t user_margin = 0;
};

// Each event stands for itself: nothing is remembered.
class State : public DetectorState {
 public:
  [[nodiscard]] std::size_t bytes() const override { return sizeof(*this); }
};

class Instruction : public Detector {
 public:
  explicit Instruction(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& /*context*/, DetectorState& /*state*/,
                Reporter& reporter) const override {
    if (event.type == EventType::kUserMessage) {
      on_message(event, reporter);
    } else if (event.type == EventType::kToolResult) {
      on_result(event, reporter);
    }
  }

 private:
  // The window that speaks most, of several texts.
  struct Best {
    std::string_view field;  // "tool.result", "tool.error", "text"
    std::string_view path;   // within it
    std::string_view text;
    Window window;
  };

  static const Head& head(Channel channel) { return lexical::Model::embedded().head(channel); }

  static void look(lexical::Scanner& scanner, Best candidate, Best& best) {
    candidate.window = scanner.best_window(candidate.text);
    if (candidate.window.words == 0) return;
    if (best.window.words == 0 || candidate.window.score > best.window.score) best = candidate;
  }

  // Reports the best window when its score is enough.
  static void judge(Channel channel, std::size_t rule, std::int32_t margin, const Best& best,
                    Reporter& reporter) {
    if (best.window.words == 0) return;
    if (best.window.score < head(channel).threshold + margin) return;
    std::string field(best.field);
    if (!best.path.empty()) field.append(".").append(best.path);
    const std::array<EvidenceView, 1> evidence = {
        {{.field = field, .text = lexical::telling_part(head(channel), best.text, best.window)}}};
    reporter.report(rule, evidence);
  }

  void on_message(const Event& event, Reporter& reporter) const {
    lexical::Scanner scanner(head(Channel::kUserMessage));
    Best best;
    look(scanner, {.field = "text", .text = event.text}, best);
    judge(Channel::kUserMessage, kInUserMessage, options_.user_margin, best, reporter);
  }

  void on_result(const Event& event, Reporter& reporter) const {
    lexical::Scanner scanner(head(Channel::kToolResult));
    Best best;
    for (const Leaf& leaf : event.tool.result) {
      if (leaf.kind != LeafKind::kString) continue;
      look(scanner, {.field = "tool.result", .path = leaf.path, .text = leaf.text}, best);
    }
    look(scanner, {.field = "tool.error", .text = event.tool.error}, best);
    judge(Channel::kToolResult, kInResult, options_.result_margin, best, reporter);
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("result_margin", -10'000, 1'000'000, &options.result_margin);
  reader.number("user_margin", -10'000, 1'000'000, &options.user_margin);
  return std::make_unique<Instruction>(options);
}

}  // namespace

extern constinit const DetectorSpec instruction_spec;
constinit const DetectorSpec instruction_spec{.id = "instruction", .rules = kRules, .make = &make};

}  // namespace tocsin
