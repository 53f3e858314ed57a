// Steps that are ordinary one by one and an attack in their order: a secret read and then sent, an
// access opened and then used, something sent and then deleted, a control switched off and then
// the act.

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "detectors/decoding/decoder.h"
#include "detectors/detector.h"
#include "detectors/session/acts.h"
#include "detectors/session/secret_text.h"
#include "detectors/session/shell.h"
#include "detectors/session/trace.h"
#include "detectors/session/words.h"

namespace tocsin {
namespace {

using session::Act;
using session::ActKind;
using session::Acts;

constexpr std::array<std::string_view, 5> kSecretTags = {
    "owasp:ASI02", "owasp:LLM02", "atlas:AML.T0086", "cwe:CWE-201", "nist:MS-2.7-001"};
constexpr std::array<std::string_view, 4> kAccessTags = {"owasp:ASI03", "owasp:LLM06",
                                                         "cwe:CWE-732", "nist:MS-2.7-001"};
constexpr std::array<std::string_view, 4> kTracesTags = {"owasp:ASI10", "owasp:ASI02",
                                                         "atlas:AML.T0101", "nist:MS-2.7-001"};
constexpr std::array<std::string_view, 4> kControlTags = {"owasp:ASI10", "owasp:ASI03",
                                                          "cwe:CWE-778", "nist:MS-2.7-009"};

enum Rules : std::size_t {
  kSecretOut,
  kSecretOutNamed,
  kSecretThenOut,
  kOpened,
  kTraces,
  kControl
};
constexpr std::array<DetectorRule, 6> kRules = {{
    {.id = "sequence.secret-sent",
     .title = "A secret that an earlier step read was sent out",
     .severity = Severity::kHigh,
     .category = Category::kExfiltration,
     .tags = kSecretTags},
    {.id = "sequence.secret-sent",
     .title = "A secret, or the file that holds it, was read and sent to a place the user named",
     .severity = Severity::kMedium,
     .category = Category::kExfiltration,
     .tags = kSecretTags},
    {.id = "sequence.secret-sent",
     .title = "A secret was read, and later something was sent out",
     .severity = Severity::kLow,
     .category = Category::kExfiltration,
     .tags = kSecretTags},
    {.id = "sequence.opened-then-used",
     .title = "An access was opened wide and then used",
     .severity = Severity::kMedium,
     .category = Category::kUnsafeTool,
     .tags = kAccessTags},
    {.id = "sequence.sent-then-deleted",
     .title = "What was sent out was then deleted",
     .severity = Severity::kMedium,
     .category = Category::kExfiltration,
     .tags = kTracesTags},
    {.id = "sequence.control-disabled",
     .title = "A control was switched off, and then what it guards was acted upon",
     .severity = Severity::kMedium,
     .category = Category::kUnsafeTool,
     .tags = kControlTags},
}};

struct Options {
  std::size_t secrets_max = 32;  // texts remembered a session
  std::size_t named_max = 32;    // values of the user remembered a session
};

// One thing done that a later one may complete.
struct Step {
  static constexpr std::size_t kObjectsMax = 4;

  ActKind kind = ActKind::kSends;
  bool reported = false;
  std::uint8_t objects_size = 0;
  std::array<std::uint32_t, kObjectsMax> objects{};
  std::uint32_t number = 0;
  std::uint32_t tool = 0;  // hash of the name
  std::uint64_t call_id = 0;
  session::Mark mark;

  void add(std::uint32_t object) {
    if (objects_size < kObjectsMax) objects[objects_size++] = object;
  }
  [[nodiscard]] bool has(std::uint32_t object) const {
    return std::find(objects.begin(), objects.begin() + objects_size, object) !=
           objects.begin() + objects_size;
  }
};

class State : public DetectorState {
 public:
  static constexpr std::size_t kStepsOfAKindMax = 3;  // the oldest is forgotten

  struct Secret {
    std::uint32_t hash = 0;
    std::uint32_t step = 0;
  };

  Step& add_step(ActKind kind, const Event& event, const EventContext& context) {
    if (std::ranges::count(steps_, kind, &Step::kind) >= std::ptrdiff_t{kStepsOfAKindMax}) {
      const auto oldest = std::ranges::find(steps_, kind, &Step::kind);
      std::erase_if(secrets_, [&](const Secret& s) { return s.step == oldest->number; });
      steps_.erase(oldest);
    }
    Step& step = steps_.emplace_back();
    step.kind = kind;
    step.number = ++last_number_;
    step.tool = session::value_hash(event.tool.name);
    step.call_id = session::call_key(event.tool.call_id);
    step.mark = session::mark_with_tool(event, context);
    return step;
  }

  void add_secret(std::string_view token, const Step& step, std::size_t secrets_max) {
    const std::uint32_t hash = session::value_hash(token);
    if (secrets_.size() >= secrets_max || secret(hash) != nullptr) return;
    secrets_.push_back({.hash = hash, .step = step.number});
  }

  // The step that read it; null: not a secret that is known.
  Step* secret(std::uint32_t hash) {
    const auto found = std::ranges::find(secrets_, hash, &Secret::hash);
    if (found == secrets_.end()) return nullptr;
    const auto step = std::ranges::find(steps_, found->step, &Step::number);
    return step == steps_.end() ? nullptr : &*step;
  }

  [[nodiscard]] bool knows_secrets() const { return !secrets_.empty(); }
  std::vector<Step>& steps() { return steps_; }
  session::NamedValues named;

  [[nodiscard]] std::size_t bytes() const override {
    std::size_t total = sizeof(*this) + steps_.capacity() * sizeof(Step) +
                        secrets_.capacity() * sizeof(Secret) + named.heap_bytes();
    for (const Step& step : steps_) total += step.mark.heap_bytes();
    return total;
  }

 private:
  std::vector<Step> steps_;  // in the order they were made
  std::vector<Secret> secrets_;
  std::uint32_t last_number_ = 0;
};

// What a call speaks of, hashed once for all the steps it may complete.
class Objects {
 public:
  static constexpr std::size_t kMax = 96;  // of a call

  void add(std::string_view written) {
    if (!written.empty()) add_hash(session::object_hash(written));
  }
  void add_values(std::string_view text) {
    session::ValueFinder finder(text);
    while (const auto value = finder.next()) add_hash(session::value_hash(*value));
  }
  [[nodiscard]] bool meets(const Step& step) const {
    return std::any_of(hashes_.begin(), hashes_.begin() + size_,
                       [&](std::uint32_t hash) { return step.has(hash); });
  }

 private:
  void add_hash(std::uint32_t hash) {
    if (size_ < kMax) hashes_[size_++] = hash;
  }

  std::array<std::uint32_t, kMax> hashes_;
  std::size_t size_ = 0;
};

// Shows or changes what a file is, without using what is in it.
bool only_looks(std::string_view program) {
  constexpr std::array<std::string_view, 18> kPrograms = {
      "ls",    "stat", "find", "test",    "[",      "getfacl", "id",   "groups", "chmod",
      "chown", "echo", "file", "usermod", "passwd", "rm",      "grep", "cat",    "setfacl"};
  return std::ranges::find(kPrograms, program) != kPrograms.end();
}

// Whom or what a call acts upon, or as.  Whom a message goes to is not it: an admin may be told.
Objects used_objects(const Event& event, const EventContext& context) {
  Objects objects;
  for (const Leaf& leaf : event.tool.arguments) {
    if (context.tool.effect != Effect::kExecute) {
      const bool message = context.tool.effect == Effect::kEgress;
      if (message && session::is_destination(leaf, context.tool)) continue;
      objects.add(leaf.text);
      objects.add_values(leaf.text);
      continue;
    }
    session::ShellReader reader(leaf.text);
    while (const session::SimpleCommand* command = reader.next()) {
      if (only_looks(command->program)) continue;
      objects.add(command->program);
      for (const std::string_view word : *command) {
        objects.add(word);
        if (const std::size_t at = word.find('@'); at != std::string_view::npos) {
          objects.add(word.substr(0, at));  // bob@host
        }
      }
    }
  }
  return objects;
}

Objects objects_of(const Acts& acts, ActKind kind) {
  Objects objects;
  for (const Act& act : acts) {
    if (act.kind == kind) objects.add(act.object);
  }
  return objects;
}

// Where everybody's writing does harm: opening a folder of one's own does not.
bool is_guarded(std::string_view path) {
  constexpr std::array<std::string_view, 10> kFolders = {
      "/etc", "/usr", "/bin", "/sbin", "/boot", "/root", "/lib", "/opt", "/var/spool", "/var/log"};
  return session::is_secret_path(path) || path.contains(".ssh") ||
         std::ranges::any_of(kFolders, [&](std::string_view f) { return path.starts_with(f); });
}

// An address in the arguments: a call of a reading tool goes out with it.
bool has_address(std::string_view text) { return text.contains("://"); }

class Sequence : public Detector {
 public:
  explicit Sequence(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    auto& state = static_cast<State&>(raw_state);
    if (event.type == EventType::kUserMessage) {
      state.named.add(event.text, options_.named_max);
      // What is deleted after this the user may have asked for.
      std::erase_if(state.steps(), [](const Step& s) { return s.kind == ActKind::kSends; });
    } else if (event.type == EventType::kToolCall) {
      on_call(event, context, state, reporter);
    } else if (event.type == EventType::kToolResult) {
      on_result(event, context, state);
    }
  }

 private:
  static void report(Rules rule, std::string_view field, std::string_view text, Step& step,
                     Reporter& reporter) {
    const std::array<EvidenceView, 1> evidence = {
        {{.field = field, .text = text, .origin = step.mark.origin()}}};
    reporter.report(rule, evidence);
    step.reported = true;
  }

  void on_call(const Event& event, const EventContext& context, State& state,
               Reporter& reporter) const {
    const Acts& acts = session::acts_of(event, context);
    if (!state.steps().empty()) {
      check_secrets(event, context, acts, state, reporter);
      check_opened(event, context, acts, state, reporter);
      check_deleted(acts, state, reporter);
      check_control(event, context, acts, state, reporter);
    }
    remember(event, context, acts, state);
  }

  // -- a secret goes out --

  static bool goes_out(const Acts& acts, std::string_view text) {
    return acts.has(ActKind::kSends) || has_address(text);
  }

  void check_secrets(const Event& event, const EventContext& context, const Acts& acts,
                     State& state, Reporter& reporter) const {
    if (state.knows_secrets()) {
      for (const Leaf& leaf : event.tool.arguments) {
        if (!goes_out(acts, leaf.text)) continue;
        if (secret_in(leaf, context, event, state, reporter)) return;
      }
    }
    if (!acts.has(ActKind::kSends)) return;
    const Objects sent = objects_of(acts, ActKind::kSends);
    for (Step& step : state.steps()) {
      if (step.kind != ActKind::kReadsSecret || step.reported) continue;
      const Rules rule = sent.meets(step) ? kSecretOutNamed : kSecretThenOut;
      return report(rule, "tool.name", event.tool.name, step, reporter);
    }
  }

  static bool secret_in(const Leaf& leaf, const EventContext& context, const Event& event,
                        State& state, Reporter& reporter) {
    if (const auto found = known_secret(leaf.text, leaf.path, state)) {
      tell_secret(*found->first, found->second, context, event, state, reporter);
      return true;
    }
    constexpr std::size_t kDecodedBytesMax = std::size_t{64} << 10;  // of an argument
    // Of the thread: detectors are shared by the workers.
    thread_local decoding::Decoder decoder({.bytes_max = kDecodedBytesMax});
    thread_local std::vector<decoding::View> views;
    decoder.begin_event();
    views.clear();
    decoder.decode(leaf.text, views);
    for (const decoding::View& view : views) {
      if (const auto found = known_secret(view.text, leaf.path, state)) {
        tell_secret(*found->first, found->second, context, event, state, reporter);
        return true;
      }
    }
    return false;
  }

  static std::optional<std::pair<Step*, std::string_view>> known_secret(std::string_view text,
                                                                        std::string_view path,
                                                                        State& state) {
    session::TokenFinder tokens(text);
    while (const auto token = tokens.next()) {
      Step* step = state.secret(session::value_hash(*token));
      if (step == nullptr) continue;
      if (session::is_presented(tokens.before(), session::parameter_of(path))) continue;
      return std::pair(step, *token);
    }
    return std::nullopt;
  }

  static void tell_secret(Step& step, std::string_view token, const EventContext& context,
                          const Event& event, const State& state, Reporter& reporter) {
    const bool named = std::ranges::any_of(event.tool.arguments, [&](const Leaf& leaf) {
      const bool destination = session::is_destination(leaf, context.tool);
      return (destination || has_address(leaf.text)) && state.named.has_any(leaf.text);
    });
    report(named ? kSecretOutNamed : kSecretOut, "tool.arguments", token, step, reporter);
  }

  // -- opened, then used --

  static void check_opened(const Event& event, const EventContext& context, const Acts& acts,
                           State& state, Reporter& reporter) {
    const auto opened = [](const Step& s) { return s.kind == ActKind::kOpens && !s.reported; };
    if (context.tool.effect == Effect::kRead || acts.has(ActKind::kOpens)) return;
    if (std::ranges::none_of(state.steps(), opened)) return;
    const Objects used = used_objects(event, context);
    const Objects read = objects_of(acts, ActKind::kReadsSecret);
    for (Step& step : state.steps()) {
      if (opened(step) && (used.meets(step) || read.meets(step))) {
        return report(kOpened, "tool.name", event.tool.name, step, reporter);
      }
    }
  }

  // -- sent, then deleted --

  static void check_deleted(const Acts& acts, State& state, Reporter& reporter) {
    for (const Act& act : acts) {
      if (act.kind != ActKind::kDeletes || act.object.empty()) continue;
      Objects deleted;
      deleted.add(act.object);
      if (state.named.has_any(act.object)) continue;
      for (Step& step : state.steps()) {
        if (step.kind != ActKind::kSends || !deleted.meets(step)) continue;
        return report(kTraces, "tool.arguments", act.object, step, reporter);
      }
    }
  }

  // -- a control off, then the act --

  static void check_control(const Event& event, const EventContext& context, const Acts& acts,
                            State& state, Reporter& reporter) {
    if (acts.has(ActKind::kDisables)) return;
    if (acts.has(ActKind::kEnables)) return enabled(event, acts, state);
    const auto off = [](const Step& s) { return s.kind == ActKind::kDisables && !s.reported; };
    if (context.tool.effect == Effect::kRead || std::ranges::none_of(state.steps(), off)) return;
    const Objects used = used_objects(event, context);
    const bool harm = acts.has(ActKind::kReadsSecret) || acts.has(ActKind::kSends) ||
                      acts.has(ActKind::kOpens) || deletes_logs(acts);
    for (Step& step : state.steps()) {
      if (!off(step)) continue;
      // A command that stops a service names no object but the host, which is the tool's.
      const bool same_host =
          step.objects_size == 0 && harm && step.tool == session::value_hash(event.tool.name);
      if (!same_host && !used.meets(step)) continue;
      return report(kControl, "tool.name", event.tool.name, step, reporter);
    }
  }

  static void enabled(const Event& event, const Acts& acts, State& state) {
    const Objects objects = objects_of(acts, ActKind::kEnables);
    std::erase_if(state.steps(), [&](const Step& step) {
      if (step.kind != ActKind::kDisables) return false;
      return step.objects_size == 0 ? step.tool == session::value_hash(event.tool.name)
                                    : objects.meets(step);
    });
  }

  static bool deletes_logs(const Acts& acts) {
    return std::any_of(acts.begin(), acts.end(), [](const Act& act) {
      return act.kind == ActKind::kDeletes && act.object.starts_with("/var/log");
    });
  }

  // -- what is kept --

  static void remember(const Event& event, const EventContext& context, const Acts& acts,
                       State& state) {
    constexpr std::array<ActKind, 4> kKept = {ActKind::kReadsSecret, ActKind::kSends,
                                              ActKind::kOpens, ActKind::kDisables};
    const bool shell = context.tool.effect == Effect::kExecute;
    for (const ActKind kind : kKept) {
      Step* step = nullptr;
      for (const Act& act : acts) {
        if (act.kind != kind || !is_kept(act, shell, state)) continue;
        if (step == nullptr) step = &state.add_step(kind, event, context);
        if (act.object.empty() || (shell && kind == ActKind::kDisables)) continue;
        // Whom it went to is not what went.
        if (kind == ActKind::kSends && is_recipient(act.object, event, context)) continue;
        step->add(session::object_hash(act.object));
      }
    }
  }

  static bool is_recipient(std::string_view object, const Event& event,
                           const EventContext& context) {
    return std::ranges::any_of(event.tool.arguments, [&](const Leaf& leaf) {
      return leaf.text.data() == object.data() && session::is_destination(leaf, context.tool);
    });
  }

  // What the user named is the user's to open, to switch off and to clear away.
  static bool is_kept(const Act& act, bool shell, const State& state) {
    if (act.kind == ActKind::kReadsSecret || act.kind == ActKind::kSends) return true;
    if (state.named.has_any(act.object)) return false;
    if (act.kind != ActKind::kOpens || !shell) return true;
    const bool path = act.object.contains('/') || act.object.contains('.');
    return !path || is_guarded(act.object);
  }

  void on_result(const Event& event, const EventContext& context, State& state) const {
    const std::uint64_t call_id = session::call_key(event.tool.call_id);
    const auto of_call = [&](const Step& step) { return call_id != 0 && step.call_id == call_id; };
    if (!event.tool.error.empty()) {
      // What failed was not done; of a secret that was looked for, a later step may find the text.
      std::erase_if(state.steps(), of_call);
      return;
    }
    note_sent(event, of_call, state);
    const auto found = std::ranges::find_if(state.steps(), [&](const Step& step) {
      return of_call(step) && step.kind == ActKind::kReadsSecret;
    });
    // By number: adding a step may move the others.
    std::uint32_t reading = found == state.steps().end() ? 0 : found->number;
    const bool from_store = reading != 0;
    for (const Leaf& leaf : event.tool.result) {
      if (leaf.kind != LeafKind::kString) continue;
      session::TokenFinder tokens(leaf.text);
      const std::string_view member = session::parameter_of(leaf.path);
      while (const auto token = tokens.next()) {
        const bool whole = token->size() == leaf.text.size();
        const std::string_view label = whole ? member : tokens.before();
        const bool secret =
            from_store ? session::may_be_secret(*token) : session::is_secret(*token, label);
        if (!secret) continue;
        if (reading == 0) {
          reading = state.add_step(ActKind::kReadsSecret, event, context).number;
        }
        state.add_secret(*token, *std::ranges::find(state.steps(), reading, &Step::number),
                         options_.secrets_max);
      }
    }
  }

  // A message is deleted by the id that sending it gave.
  template <typename OfCall>
  static void note_sent(const Event& event, const OfCall& of_call, State& state) {
    for (Step& step : state.steps()) {
      if (step.kind != ActKind::kSends || !of_call(step)) continue;
      for (const Leaf& leaf : event.tool.result) {
        if (session::NameWords(session::parameter_of(leaf.path)).has("id")) {
          step.add(session::object_hash(leaf.text));
        }
      }
    }
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("secrets_max", 1, 256, &options.secrets_max);
  reader.number("named_max", 1, 256, &options.named_max);
  return std::make_unique<Sequence>(options);
}

}  // namespace

extern constinit const DetectorSpec sequence_spec;
constinit const DetectorSpec sequence_spec{.id = "sequence", .rules = kRules, .make = &make};

}  // namespace tocsin
