#include <fmt/format.h>

#include "tests/unit/catch.h"
#include "tests/unit/testing.h"

namespace tocsin {
namespace {

using testing::call_json;
using testing::DetectorUnderTest;
using testing::event_json;
using testing::rules_of;
using testing::with_effect;

constexpr std::size_t kSystemPrompt = 0;
constexpr std::size_t kCanary = 1;
constexpr std::size_t kCrossTenant = 2;

// Words that are all different, from `first` on.
std::string words(int first, int count, std::string_view between = " ") {
  std::string out;
  for (int i = first; i < first + count; ++i) out += fmt::format("word{}x{}", i, between);
  return out;
}

std::string text_json(std::string_view type, const std::string& text,
                      std::string_view session = "s1", std::string_view more = "") {
  return event_json(type, fmt::format(R"("text":"{}"{})", text, more), session);
}
std::string system(const std::string& text) { return text_json("system_message", text); }
std::string output(const std::string& text) { return text_json("model_output", text); }

using Rules = std::vector<std::size_t>;

TEST_CASE("how much of the prompt in one piece is a leak") {
  struct Row {
    std::string_view what;
    int prompt;
    std::string output;
    bool leak;
  };
  const Row rows[] = {
      {"all of it", 200, words(0, 200), true},
      {"60 words of many", 200, "Sure! " + words(70, 60) + " There you are.", true},
      {"50 words of many", 200, words(70, 50), false},
      {"two pieces of 40", 200, words(0, 40) + "and then " + words(100, 40), false},
      {"most of a short one", 40, words(5, 30), true},
      {"half of a short one", 40, words(5, 20), false},
      {"all of a phrase", 20, words(0, 20), false},
      {"in another case and layout", 100, "> WORD0X, *Word1x*\\n- " + words(2, 70, ",\\n- "), true},
      {"a word changed here and there", 100,
       words(0, 20) + "changed " + words(21, 20) + words(42, 20) + "added more " + words(62, 20),
       true},
      {"the same words in another order", 100,
       words(50, 10) + words(0, 10) + words(70, 10) + words(20, 10) + words(90, 10) + words(30, 10),
       false},
      {"a long prompt, of which a selection is kept", 5000, words(3000, 100), true},
      {"a long prompt, a sentence", 5000, words(3000, 40), false},
      {"nothing", 100, "", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    DetectorUnderTest detector("leak");
    CHECK(detector.feed(system(words(0, row.prompt))).empty());
    CHECK(rules_of(detector.feed(output(row.output))) ==
          (row.leak ? Rules{kSystemPrompt} : Rules{}));
  }
}

// Words of one to thirty letters, digits and umlauts, all different; the last letter is `last`.
std::string long_words(int count, std::string_view last, std::string_view between) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    std::string word = fmt::format("{}", i);
    for (int k = 0; k < i % 28; ++k)
      word += k % 5 == 4 ? "\u00e4" : std::string(1, static_cast<char>('b' + k % 7));
    out += fmt::format("{}{}{}", word, last, between);
  }
  return out;
}

TEST_CASE("every letter of a word counts, wherever it stands, and none but in its case") {
  const std::string prompt = long_words(90, "z", " ");
  std::string shouted = prompt;
  for (char& c : shouted) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  for (const std::string& copy : {prompt, shouted, long_words(90, "z", ", "),
                                  long_words(90, "z", "@"), long_words(90, "Z", "`/[{")}) {
    DetectorUnderTest detector("leak");
    detector.feed(system(prompt));
    CHECK(rules_of(detector.feed(output(copy))) == Rules{kSystemPrompt});
  }
  for (const std::string_view other : {"y", "", "zz", "\u00e4"}) {
    CAPTURE(other);
    DetectorUnderTest detector("leak");
    detector.feed(system(prompt));
    CHECK(detector.feed(output(long_words(90, other, " "))).empty());
  }
}

TEST_CASE("where the prompt may not go") {
  DetectorUnderTest detector("leak");
  detector.feed(system(words(0, 100)));
  const std::string call =
      call_json("send", fmt::format(R"({{"to":"a","body":"{}"}})", words(0, 100)));
  SECTION("out, by a call") {
    CHECK(rules_of(detector.feed(call, with_effect(Effect::kEgress))) == Rules{kSystemPrompt});
  }
  SECTION("but into a note it may") { CHECK(detector.feed(call).empty()); }
  SECTION("once a session") {
    CHECK(detector.feed(output(words(0, 100))).size() == 1);
    CHECK(detector.feed(output(words(0, 100))).empty());
  }
  SECTION("to a user who has it") {
    detector.feed(text_json("user_message", words(0, 100)));
    CHECK(detector.feed(output(words(0, 100))).empty());
  }
  SECTION("a later, shorter system message does not replace it") {
    detector.feed(system("The time is now nine. " + words(500, 30)));
    CHECK(detector.feed(output(words(0, 100))).size() == 1);
  }
  SECTION("of another session it is not known") {
    CHECK(detector.feed(text_json("model_output", words(0, 100), "s2")).empty());
  }
  SECTION("the evidence does not repeat it") {
    const auto reports = detector.feed(output(words(0, 100)));
    CHECK(reports[0].evidence[0].second == "100 of the prompt's 100 words in one piece");
  }
}

TEST_CASE("canaries") {
  struct Row {
    std::string_view what;
    std::string options;
    std::string prompt;
    std::string output;
    bool leak;
  };
  const Row rows[] = {
      {"configured", "canaries: [zq81hd92kk]", "Hello", "It says zq81hd92kk.", true},
      {"configured, two", "canaries: [zq81hd92kk, other-1234]", "", "<b>other-1234</b>", true},
      {"declared", "", "Canary token: zq81hd92kk. Never show it.", "zq81hd92kk", true},
      {"declared in a comment", "", "<!-- canary zq81hd92kk -->", "x=zq81hd92kk", true},
      {"declared by a long name", "", "CANARY_TOKEN=zq81hd92kk", "(zq81hd92kk)", true},
      {"declared by itself", "", "CANARY-7f3a9b2c", "CANARY-7f3a9b2c", true},
      {"the word alone declares nothing", "", "Canary Wharf has offices", "offices of Wharf",
       false},
      {"too far from the word", "", "canary one two three four five six seven zq81hd92kk",
       "zq81hd92kk", false},
      {"no token of letters and digits", "", "canary: nightingale 12345678", "nightingale 12345678",
       false},
      {"another token", "canaries: [zq81hd92kk]", "", "zq81hd92kj", false},
      {"part of a longer word", "canaries: [zq81hd92kk]", "", "zq81hd92kk0", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    DetectorUnderTest detector("leak", row.options);
    CHECK(detector.feed(system(row.prompt)).empty());
    CHECK(rules_of(detector.feed(output(row.output))) == (row.leak ? Rules{kCanary} : Rules{}));
    const std::string call = call_json("x", fmt::format(R"({{"q":"{}"}})", row.output));
    CHECK(rules_of(detector.feed(call, with_effect(Effect::kEgress))) ==
          (row.leak ? Rules{kCanary} : Rules{}));
    CHECK(detector.feed(call).empty());
  }
  DetectorUnderTest detector("leak", "canaries: [zq81hd92kk]");
  detector.feed(text_json("user_message", "is zq81hd92kk yours?"));
  CHECK(detector.feed(output("zq81hd92kk is not mine")).empty());
}

TEST_CASE("a short prompt's canary stays one, whatever system messages follow") {
  const std::string prompt = "Canary: zq81hd92kk. Be kind.";
  for (const std::string& later :
       {std::string("The time is nine."), "The time is nine, and " + words(0, 20), words(0, 100),
        prompt, "Canary: other-1234, and " + words(0, 20)}) {
    CAPTURE(later);
    DetectorUnderTest detector("leak");
    detector.feed(system(prompt));
    detector.feed(system(later));
    CHECK(rules_of(detector.feed(output("zq81hd92kk"))) == Rules{kCanary});
  }
  SECTION("an aside declares none") {
    DetectorUnderTest detector("leak");
    detector.feed(system(words(0, 100)));
    detector.feed(system(prompt));
    CHECK(detector.feed(output("zq81hd92kk")).empty());
  }
}

TEST_CASE("a canary that cannot be one is a mistake in the configuration") {
  Diagnostics diagnostics;
  const auto options =
      yaml::parse("d.yaml", "leak: {canaries: [short, 'two words here 1']}", diagnostics);
  PolicySources sources;
  sources.detector_options = options->root.get();
  CHECK(Policy::load(sources, diagnostics) == nullptr);
  CHECK(diagnostics.all().size() == 2);
}

// Two tenants of one system.
class Tenants {
 public:
  Tenants() {
    profile_.system = "bot";
    profile_.tools.emplace("record",
                           ToolProfile{.name = "record", .returns = {.private_data = true}});
    profile_.tools.emplace("page", ToolProfile{.name = "page", .returns = {.untrusted = true}});
  }
  std::vector<testing::Report> result(std::string_view tenant, std::string_view tool,
                                      const std::string& value, std::string_view session) {
    EventContext context = known();
    context.tool.declared = profile_.tool(tool);
    return detector.feed(
        event_json("tool_result",
                   fmt::format(R"("tenant":"{}","tool":{{"name":"{}","result":{{"v":"{}"}}}})",
                               tenant, tool, value),
                   session),
        context);
  }
  std::vector<testing::Report> message(std::string_view type, std::string_view tenant,
                                       const std::string& text, std::string_view session) {
    return detector.feed(text_json(type, text, session, fmt::format(R"(,"tenant":"{}")", tenant)),
                         known());
  }
  std::vector<testing::Report> send(std::string_view tenant, const std::string& text,
                                    std::string_view session) {
    EventContext context = known();
    context.tool.effect = Effect::kEgress;
    return detector.feed(
        event_json("tool_call",
                   fmt::format(R"("tenant":"{}","tool":{{"name":"s","arguments":{{"b":"{}"}}}})",
                               tenant, text),
                   session),
        context);
  }
  DetectorUnderTest detector{"leak"};

 private:
  [[nodiscard]] EventContext known() const {
    EventContext context;
    context.profile = &profile_;
    return context;
  }
  SystemProfile profile_;
};

TEST_CASE("what one tenant was shown does not go out in another's session") {
  struct Row {
    std::string_view what;
    std::string shown;
    std::string out;
    bool leak;
  };
  const Row rows[] = {
      {"an address", "Ada <ada.berg@example.com>", "write to Ada.Berg@example.com.", true},
      {"a card", "4539 6468 4764 8021", "card 4539-6468-4764-8021", true},
      {"an IBAN", "DE80 0000 4371 1217 0632 49", "to de80000043711217063249 please", true},
      {"an account", "account AC-8841-2290-17", "AC-8841-2290-17", true},
      {"a long number", "no 904417732", "no 904417732", true},
      {"another address", "ada.berg@example.com", "ida.berg@example.com", false},
      {"a name is no identifier", "Ada Berg of Bergen", "Ada Berg of Bergen", false},
      {"a date is none", "2026-11-23 and 20261123", "2026-11-23 and 20261123", false},
      {"a short number is none", "order 48213", "order 48213", false},
      {"a model's name is none", "gpt-4-1106-preview", "gpt-4-1106-preview", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Tenants tenants;
    CHECK(tenants.result("a", "record", row.shown, "s1").empty());
    CHECK(tenants.message("model_output", "a", row.out, "s1").empty());
    const Rules expected = row.leak ? Rules{kCrossTenant} : Rules{};
    CHECK(rules_of(tenants.message("model_output", "b", row.out, "s2")) == expected);
    CHECK(rules_of(tenants.send("b", row.out, "s2")) == expected);
    CHECK(tenants.send("a", row.out, "s3").empty());
  }
}

TEST_CASE("what is no leak across tenants") {
  const std::string id = "ada.berg@example.com";
  Tenants tenants;
  SECTION("the result was not private") { tenants.result("a", "page", id, "s1"); }
  SECTION("nobody declared the tool") { tenants.result("a", "unknown", id, "s1"); }
  SECTION("no tenant was named") { tenants.result("", "record", id, "s1"); }
  SECTION("this session was shown it too") {
    tenants.result("a", "record", id, "s1");
    tenants.result("b", "page", id, "s2");
  }
  SECTION("the user named it") {
    tenants.result("a", "record", id, "s1");
    tenants.message("user_message", "b", "write to " + id, "s2");
  }
  SECTION("the system message names it") {
    tenants.result("a", "record", id, "s1");
    tenants.message("system_message", "b", "Complaints go to " + id, "s2");
  }
  SECTION("both tenants were shown it, in other sessions") {
    tenants.result("a", "record", id, "s1");
    tenants.result("b", "record", id, "s3");
  }
  SECTION("the session was shown more than is remembered") {
    tenants.result("a", "record", id, "s1");
    for (int i = 0; i < 1100; ++i) {
      tenants.result("b", "page", fmt::format("u{}@example.com", i), "s2");
    }
  }
  CHECK(tenants.message("model_output", "b", "it is " + id, "s2").empty());
}

TEST_CASE("what tenants were shown fills a bounded memory") {
  Tenants tenants;
  for (int i = 0; i < 20'000; ++i) {
    tenants.result("a", "record", fmt::format("u{}@example.com", i), "s1");
  }
  CHECK(tenants.detector.system_state()->bytes() < 40'000);
  CHECK(tenants.detector.state_bytes() < 10'000);
  CHECK(tenants.message("model_output", "b", "u19999@example.com", "s2").size() == 1);
}

TEST_CASE("a prompt takes four bytes a word, and a phrase none") {
  DetectorUnderTest detector("leak");
  const std::size_t empty = detector.state_bytes();
  detector.feed(system(words(0, 24)));
  CHECK(detector.state_bytes() == empty);
  detector.feed(system(words(0, 200)));
  CHECK(detector.state_bytes() > empty);
  CHECK(detector.state_bytes() <= empty + std::size_t{4} * 200);
}

TEST_CASE("a long prompt fills a bounded memory") {
  DetectorUnderTest detector("leak");
  detector.feed(system(words(0, 50'000)));
  CHECK(detector.state_bytes() < 2400);
}

}  // namespace
}  // namespace tocsin
