// Tools that are not what they were, or not what they seem: compared with the session's others.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/text.h"
#include "detectors/decoding/chars.h"
#include "detectors/decoding/homoglyphs.h"
#include "detectors/detector.h"
#include "detectors/session/trace.h"
#include "detectors/session/words.h"

namespace tocsin {
namespace {

using decoding::is_any;

constexpr std::array<std::string_view, 5> kTags = {"owasp:ASI04", "owasp:LLM03", "atlas:AML.T0110",
                                                   "atlas:AML.T0011.002", "nist:MS-2.7-001"};
enum Rules : std::size_t {
  kChangedOrders,
  kChanged,
  kShadowsLate,
  kShadows,
  kLooksForeign,
  kLooks,
  kSteers
};
constexpr std::array<DetectorRule, 7> kRules = {{
    {.id = "definition_drift.changed",
     .title = "A tool's definition changed within the session and now gives the model orders",
     .severity = Severity::kHigh,
     .category = Category::kToolPoisoning,
     .tags = kTags},
    {.id = "definition_drift.changed",
     .title = "A tool's definition changed within the session",
     .severity = Severity::kMedium,
     .category = Category::kToolPoisoning,
     .tags = kTags},
    {.id = "definition_drift.shadowed",
     .title = "A tool took the name of another one that was there before",
     .severity = Severity::kMedium,
     .category = Category::kToolPoisoning,
     .tags = kTags},
    {.id = "definition_drift.shadowed",
     .title = "Two servers offer a tool of the same name",
     .severity = Severity::kLow,
     .category = Category::kToolPoisoning,
     .tags = kTags},
    {.id = "definition_drift.look-alike",
     .title = "A tool's name imitates another one's with letters of another script",
     .severity = Severity::kHigh,
     .category = Category::kToolPoisoning,
     .tags = kTags},
    {.id = "definition_drift.look-alike",
     .title = "A tool's name is easily taken for another one's",
     .severity = Severity::kMedium,
     .category = Category::kToolPoisoning,
     .tags = kTags},
    {.id = "definition_drift.steers",
     .title = "A tool's definition gives orders about a tool of another server",
     .severity = Severity::kMedium,
     .category = Category::kToolPoisoning,
     .tags = kTags},
}};

struct Options {
  std::size_t tools_max = 256;  // remembered a session; further ones are not compared
};

constexpr std::size_t kNameBytesMax = 256;

std::uint32_t hash32(std::string_view text) { return static_cast<std::uint32_t>(hash64(text)); }

// "mcp__files__read" is `read` of the server "mcp__files"; so is "files/read" of "files".
struct Name {
  explicit Name(std::string_view name) : full(name.substr(0, kNameBytesMax)) {
    std::size_t at = full.rfind("__");
    std::size_t sign = 2;
    if (at == std::string_view::npos) {
      at = full.rfind('/');
      sign = 1;
    }
    if (at == std::string_view::npos || at == 0 || at + sign >= full.size()) {
      tool = full;
      return;
    }
    server = full.substr(0, at);
    tool = full.substr(at + sign);
  }
  std::string_view full;
  std::string_view server;  // empty: the name carries none
  std::string_view tool;
};

bool is_ascii(std::string_view text) { return std::ranges::all_of(text, decoding::is_ascii); }

// Without what people spell either way: case and separators.
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : ascii_lower(name)) {
    if (c != '_' && c != '-' && c != '.' && c != ' ') out += c;
  }
  return out;
}

// What the eye makes of it: look-alikes are one letter, doubled letters single.
std::string seen(std::string_view name) {
  std::string ascii;
  while (!name.empty()) {
    const CodePoint c = first_code_point(name);
    const char like = c.length > 1 ? decoding::lookalike(c.value) : name.front();
    if (like != 0) ascii += like;
    name.remove_prefix(c.length);
  }
  std::string out;
  for (char c : plain(ascii)) {
    if (c == '0') c = 'o';
    if (c == '1' || c == 'i' || c == '|') c = 'l';
    if (out.empty() || out.back() != c) out += c;
    if (out.ends_with("rn")) out.replace(out.size() - 2, 2, "m");
    if (out.ends_with("vv")) out.replace(out.size() - 2, 2, "w");
  }
  return out;
}

// The letters of each word in alphabetical order: equal for words with two letters swapped.
std::string letters(std::string_view name) {
  std::string out;
  for (std::string& word : identifier_words(name)) {
    std::ranges::sort(word);
    out += word + " ";
  }
  return out;
}

// Invisible, or turns the reading direction.
bool has_hidden(std::string_view text) {
  constexpr std::array<std::string_view, 6> kSigns = {
      "\xE2\x80\xAE", "\xE2\x80\xAD",  // right-to-left and left-to-right override
      "\xE2\x81\xA6", "\xE2\x81\xA7",  // isolates
      "\xE2\x81\xA0",                  // word joiner
      "\xF3\xA0\x81"};                 // tag characters from U+E0040
  return std::ranges::any_of(kSigns, [&](std::string_view sign) { return text.contains(sign); });
}

// Words that tell the model what to do, where a definition should say what the tool does.
bool has_orders(std::string_view text) {
  constexpr std::array<std::string_view, 18> kSigns = {
      "you must",      "you should",     "always ",        "never ",      "do not ",
      "don't ",        "before using",   "before calling", "instead of",  "important:",
      "ignore ",       "must be called", "first call",     "rather than", "do so without",
      "system prompt", ".ssh",           "password"};
  const std::string lower = ascii_lower(text);
  return std::ranges::any_of(kSigns, [&](std::string_view s) { return lower.contains(s); });
}

template <typename Test>
bool any_text(const ToolDefinition& tool, const Test& test) {
  if (test(tool.description)) return true;
  return std::ranges::any_of(tool.parameters, [&](const Leaf& leaf) { return test(leaf.text); });
}

// One definition, as hashes.
struct Known {
  std::uint32_t full = 0;
  std::uint32_t server = 0;  // 0: the name carries none
  std::uint32_t plain = 0;
  std::uint32_t seen = 0;
  std::uint32_t letters = 0;
  std::uint32_t content = 0;
  std::uint16_t list = 0;  // in which list of definitions it came first
  bool ascii = true;
  bool orders = false;
};

class State : public DetectorState {
 public:
  std::vector<Known> tools;
  std::uint64_t last_list = 0;
  std::uint16_t lists = 0;
  session::Mark first;  // the first list

  [[nodiscard]] std::size_t bytes() const override {
    return sizeof(*this) + tools.capacity() * sizeof(Known) + first.heap_bytes();
  }
};

Known known_of(const ToolDefinition& tool) {
  const Name name(tool.name);
  Known known;
  known.full = hash32(name.full);
  known.server = name.server.empty() ? 0 : hash32(name.server);
  known.plain = hash32(plain(name.tool));
  known.seen = hash32(seen(name.tool));
  known.letters = hash32(letters(name.tool));
  known.content = static_cast<std::uint32_t>(
      session::hash_shape(tool.parameters, session::hash_shape(tool.description, 0)));
  known.ascii = is_ascii(name.tool);
  known.orders = any_text(tool, has_orders) || any_text(tool, has_hidden);
  return known;
}

class DefinitionDrift : public Detector {
 public:
  explicit DefinitionDrift(Options options) : options_(options) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    if (event.type != EventType::kToolDefinitions) return;
    auto& state = static_cast<State&>(raw_state);
    // Most producers send the same list with every request.
    const std::uint64_t list = hash_list(event.tools);
    if (list == state.last_list) return;
    state.last_list = list;
    if (state.lists == 0) state.first = session::mark_of(event, context);
    ++state.lists;
    for (const ToolDefinition& tool : event.tools) learn(tool, state, reporter);
    for (const ToolDefinition& tool : event.tools) find_steering(tool, state, reporter);
  }

 private:
  static std::uint64_t hash_list(const std::vector<ToolDefinition>& tools) {
    std::uint64_t hash = 0;
    for (const ToolDefinition& tool : tools) {
      hash =
          session::hash_leaves(tool.parameters, hash64(tool.description, hash64(tool.name, hash)));
    }
    return hash | 1U;
  }

  static void report(Rules rule, std::string_view field, std::string_view text, const State& state,
                     Reporter& reporter) {
    const std::array<EvidenceView, 1> evidence = {
        {{.field = field, .text = text, .origin = state.first.origin()}}};
    reporter.report(rule, evidence);
  }

  void learn(const ToolDefinition& tool, State& state, Reporter& reporter) const {
    Known now = known_of(tool);
    now.list = state.lists;
    const auto same = std::ranges::find(state.tools, now.full, &Known::full);
    if (same != state.tools.end()) {
      changed(tool, now, *same, state, reporter);
      return;
    }
    for (const Known& other : state.tools) compare(tool, now, other, state, reporter);
    if (state.tools.size() < options_.tools_max) state.tools.push_back(now);
  }

  static void changed(const ToolDefinition& tool, const Known& now, Known& before, State& state,
                      Reporter& reporter) {
    if (now.content == before.content) return;
    // Twice in one list, and not the same: the later one stands in for the earlier.
    if (before.list == now.list) {
      report(kShadowsLate, "tool.name", tool.name, state, reporter);
      return;
    }
    const bool orders = now.orders && !before.orders;
    report(orders ? kChangedOrders : kChanged, "tool.name", tool.name, state, reporter);
    before.content = now.content;
    before.orders = now.orders;
  }

  static void compare(const ToolDefinition& tool, const Known& now, const Known& other,
                      State& state, Reporter& reporter) {
    if (now.plain == other.plain) {
      if (now.server == other.server) return;  // spelt both ways by one server
      report(now.list == other.list ? kShadows : kShadowsLate, "tool.name", tool.name, state,
             reporter);
      return;
    }
    if (now.seen != other.seen && now.letters != other.letters) return;
    // One that is honest may come second; that there are two is what is told.
    const bool foreign = !now.ascii || !other.ascii;
    report(foreign ? kLooksForeign : kLooks, "tool.name", tool.name, state, reporter);
  }

  // -- orders about another server's tool --

  static void find_steering(const ToolDefinition& tool, const State& state, Reporter& reporter) {
    const Name name(tool.name);
    if (name.server.empty()) return;
    const std::uint32_t server = hash32(name.server);
    constexpr std::size_t kTextBytesMax = std::size_t{16} << 10;
    const std::string_view text =
        tool.description.substr(0, cut_at_character(tool.description, kTextBytesMax));
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t end = begin;
      while (end < text.size() && in_name(text[end])) ++end;
      const std::string_view word = text.substr(begin, end - begin);
      if (is_telling(word) && names_other(word, server, state) && has_orders(around(text, begin))) {
        report(kSteers, "tool.description", around(text, begin), state, reporter);
        return;
      }
      begin = end + 1;
    }
  }

  static bool in_name(char c) { return is_any(c, decoding::kAlnum) || c == '_' || c == '-'; }

  // A plain word ("search") is no name of a tool.
  static bool is_telling(std::string_view word) {
    return word.size() <= kNameBytesMax && session::NameWords(word).size() > 1;
  }

  static bool names_other(std::string_view word, std::uint32_t server, const State& state) {
    const std::uint32_t full = hash32(word);
    const std::uint32_t tool = hash32(plain(word));
    return std::ranges::any_of(state.tools, [&](const Known& known) {
      if (known.server == 0 || known.server == server) return false;
      return known.full == full || known.plain == tool;
    });
  }

  static std::string_view around(std::string_view text, std::size_t at) {
    constexpr std::size_t kBefore = 80;
    constexpr std::size_t kAll = 160;
    const std::size_t begin = cut_at_character(text, at > kBefore ? at - kBefore : 0);
    return text.substr(begin, cut_at_character(text.substr(begin), kAll));
  }

  Options options_;
};

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("tools_max", 1, 1024, &options.tools_max);
  return std::make_unique<DefinitionDrift>(options);
}

}  // namespace

extern constinit const DetectorSpec definition_drift_spec;
constinit const DetectorSpec definition_drift_spec{
    .id = "definition_drift", .rules = kRules, .make = &make};

}  // namespace tocsin
