#include <fmt/format.h>

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/decode/native.h"
#include "daemon/decode/rfc3339.h"
#include "daemon/text.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

constexpr SourcePosition kSource{.topic = "agent.events", .partition = 3, .offset = 42};
constexpr std::string_view kEnvelope =
    R"("time":"2026-11-23T08:15:30.123Z","system":"bot","session_id":"s1")";

// An event of the type with these further members.
std::string event(std::string_view type, std::string_view members) {
  return fmt::format(R"({{{},"type":"{}"{}{}}})", kEnvelope, type, members.empty() ? "" : ",",
                     members);
}
std::string message(std::string_view members) { return event("user_message", members); }
std::string call(std::string_view arguments) {
  return event("tool_call", fmt::format(R"("tool":{{"name":"t","arguments":{}}})", arguments));
}
std::string result(std::string_view value) {
  return event("tool_result", fmt::format(R"("tool":{{"name":"t","result":{}}})", value));
}

// What every control event asks for, together.
constexpr std::string_view kControlMembers =
    R"("containment":{"action":"kill_session","by":"soc","outcome":"done"},)"
    R"("incident_id":"i1","by":"ann","verdict":"true_positive",)"
    R"("break_glass":{"id":"b1","by":"ann","reason":"r","state":"opened"},)"
    R"("release_decision":{"version":"v1","decision":"allowed"},)"
    R"("selftest":{"id":"t1","sent_at":"2026-11-23T08:15:30Z"})";

// "accepted", or the reason's name.
std::string outcome(NativeDecoder& decoder, std::string_view bytes) {
  const auto decoded = decoder.decode(bytes, kSource);
  return decoded ? "accepted" : std::string(name_of(decoded.error()));
}
std::string outcome(std::string_view bytes, DecodeLimits limits = {}) {
  NativeDecoder decoder(limits);
  return outcome(decoder, bytes);
}

// "path=text" of each, with a letter for what is no string.
std::vector<std::string> briefly(const std::vector<Leaf>& leaves) {
  std::vector<std::string> out;
  for (const Leaf& leaf : leaves) {
    constexpr std::string_view kKinds[] = {"", "#", "?", "0"};
    out.push_back(
        fmt::format("{}{}={}", kKinds[static_cast<std::size_t>(leaf.kind)], leaf.path, leaf.text));
  }
  return out;
}

using Strings = std::vector<std::string>;

std::string nested(std::size_t levels) {
  return std::string(levels, '[') + "1" + std::string(levels, ']');
}

TEST_CASE("every field of an event") {
  NativeDecoder decoder;
  const auto decoded = decoder.decode(
      R"( {"event_id":"e1","time":"2026-11-23T08:15:30.123Z","system":"bot","session_id":"s1",)"
      R"("seq":18446744073709551615,"type":"tool_call","model":"m","release":"r",)"
      R"("prompt_version":"17","tenant":"acme","trace_id":"t1",)"
      R"("tool":{"name":"send","call_id":"c1","arguments":{"to":"a","n":1,"b":true,"z":null}}} )"
      "\r\n",
      kSource);
  REQUIRE(decoded.has_value());
  const Event& got = **decoded;
  CHECK(got.event_id == "e1");
  CHECK(got.time == parse_rfc3339("2026-11-23T08:15:30.123Z"));
  CHECK(got.system == "bot");
  CHECK(got.session_id == "s1");
  CHECK(got.seq == 18446744073709551615ULL);
  CHECK(got.type == EventType::kToolCall);
  CHECK(got.model == "m");
  CHECK(got.release == "r");
  CHECK(got.prompt_version == "17");
  CHECK(got.tenant == "acme");
  CHECK(got.trace_id == "t1");
  CHECK(got.tool.name == "send");
  CHECK(got.tool.call_id == "c1");
  CHECK(got.tool.has_arguments);
  CHECK(got.tool.arguments_parsed);
  CHECK(briefly(got.tool.arguments) == Strings{"to=a", "#n=1", "?b=true", "0z=null"});
  CHECK(got.source.topic == "agent.events");
  CHECK(got.source.partition == 3);
  CHECK(got.source.offset == 42);
  CHECK_FALSE(decoder.repaired());
}

TEST_CASE("every reason to reject") {
  struct Row {
    std::string_view what;
    std::string bytes;
    Reject reason;
  };
  const Row rows[] = {
      {"no bytes", "", Reject::kEmpty},
      {"one byte too many", std::string(1025, ' '), Reject::kTooLarge},
      {"a byte that is not UTF-8", message("\"text\":\"\xff\""), Reject::kInvalidUtf8},
      {"a raw surrogate", message("\"text\":\"\xed\xa0\x80\""), Reject::kInvalidUtf8},
      {"an overlong slash", message("\"text\":\"\xc0\xaf\""), Reject::kInvalidUtf8},
      {"words", "hello", Reject::kNotAnObject},
      {"cut", R"({"time":"2026-11-23T08:15:30Z","syst)", Reject::kMalformedJson},
      {"no comma", R"({"time":"2026-11-23T08:15:30Z" "system":"bot"})", Reject::kMalformedJson},
      {"a bad escape", message(R"("text":"\q")"), Reject::kMalformedJson},
      {"a raw newline in a string", message("\"text\":\"a\nb\""), Reject::kMalformedJson},
      {"a number nobody can read", call(R"({"n":1x})"), Reject::kMalformedJson},
      {"two objects", message(R"("text":"a")") + message(R"("text":"b")"),
       Reject::kTrailingContent},
      {"one brace too many", message(R"("text":"a")") + "}", Reject::kTrailingContent},
      {"a word behind", message(R"("text":"a")") + " x", Reject::kMalformedJson},
      {"a list behind", message(R"("text":"a")") + " []", Reject::kMalformedJson},
      {"an object behind", message(R"("text":"a")") + "\n{}", Reject::kTrailingContent},
      {"an array", "[1]", Reject::kNotAnObject},
      {"a string", R"("text")", Reject::kNotAnObject},
      {"a number", "12", Reject::kNotAnObject},
      {"null", "null", Reject::kNotAnObject},
      {"too deep", call(nested(5)), Reject::kTooDeep},
      {"too many values", call("[1,2,3,4,5,6]"), Reject::kTooManyValues},
      {"too many tools", event("tool_definitions", R"("tools":[{},{},{}])"),
       Reject::kTooManyValues},
      {"no time", R"({"system":"bot","session_id":"s","type":"user_message","text":"a"})",
       Reject::kMissingTime},
      {"time null",
       R"({"time":null,"system":"bot","session_id":"s","type":"user_message","text":"a"})",
       Reject::kMissingTime},
      {"no system",
       R"({"time":"2026-11-23T08:15:30Z","session_id":"s","type":"user_message","text":"a"})",
       Reject::kMissingSystem},
      {"an empty system",
       R"({"time":"2026-11-23T08:15:30Z","system":"","session_id":"s","type":"user_message","text":"a"})",
       Reject::kMissingSystem},
      {"no session",
       R"({"time":"2026-11-23T08:15:30Z","system":"bot","type":"user_message","text":"a"})",
       Reject::kMissingSession},
      {"an empty session",
       R"({"time":"2026-11-23T08:15:30Z","system":"bot","session_id":"","type":"guardrail"})",
       Reject::kMissingSession},
      {"no type", R"({"time":"2026-11-23T08:15:30Z","system":"bot","session_id":"s","text":"a"})",
       Reject::kMissingType},
      {"nothing at all", "{}", Reject::kMissingType},
      {"an unknown type", event("tool_calls", ""), Reject::kUnknownType},
      {"a type in capitals", event("TOOL_CALL", ""), Reject::kUnknownType},
      {"a day that is none",
       R"({"time":"2026-02-30T08:15:30Z","system":"bot","session_id":"s","type":"selftest"})",
       Reject::kBadTime},
      {"no text", message(""), Reject::kMissingPayload},
      {"a tool instead of a text", message(R"("tool":{"name":"t"})"), Reject::kMissingPayload},
      {"no tool", event("tool_call", ""), Reject::kMissingPayload},
      {"a text instead of a tool", event("tool_call", R"("text":"a")"), Reject::kMissingPayload},
      {"a tool without a name", event("tool_result", R"("tool":{"result":"x"})"),
       Reject::kMissingPayload},
      {"a tool with an empty name", event("tool_call", R"("tool":{"name":""})"),
       Reject::kMissingPayload},
      {"a tool that is null", event("tool_call", R"("tool":null)"), Reject::kMissingPayload},
      {"no tools", event("tool_definitions", ""), Reject::kMissingPayload},
      {"tools that are null", event("tool_definitions", R"("tools":null)"),
       Reject::kMissingPayload},
      {"a text instead of tools", event("tool_definitions", R"("text":"a")"),
       Reject::kMissingPayload},
      {"no guardrail", event("guardrail", ""), Reject::kMissingPayload},
      {"a guardrail that is null", event("guardrail", R"("guardrail":null)"),
       Reject::kMissingPayload},
      {"a guardrail without a name", event("guardrail", R"("guardrail":{"verdict":"allow"})"),
       Reject::kMissingPayload},
      {"a guardrail without a verdict", event("guardrail", R"("guardrail":{"name":"g"})"),
       Reject::kMissingPayload},
      {"a verdict that is none",
       event("guardrail", R"("guardrail":{"name":"g","verdict":"allowed"})"), Reject::kBadVerdict},
      {"a verdict in capitals", event("guardrail", R"("guardrail":{"name":"g","verdict":"ALLOW"})"),
       Reject::kBadVerdict},
      {"a verdict that is none, before the type",
       R"({"guardrail":{"name":"g","verdict":"x"},"time":"2026-11-23T08:15:30Z","system":"bot",)"
       R"("session_id":"s","type":"guardrail"})",
       Reject::kBadVerdict},
      {"a good verdict, then one that is none",
       event("guardrail", R"("guardrail":{"name":"g","verdict":"allow","verdict":"x"})"),
       Reject::kBadVerdict},
      {"a containment's action that is none",
       event("containment", R"("containment":{"action":"unplug","by":"soc","outcome":"done"})"),
       Reject::kBadControl},
  };
  const DecodeLimits limits{.event_bytes_max = 1024,
                            .depth_max = 4,
                            .leaves_max = 5,
                            .path_bytes_max = 64,
                            .tools_max = 2};
  std::set<Reject> seen;
  NativeDecoder decoder(limits);
  for (const Row& row : rows) {
    CAPTURE(row.what, row.bytes);
    CHECK(outcome(decoder, row.bytes) == name_of(row.reason));
    seen.insert(row.reason);
  }
  seen.insert(Reject::kWrongType);  // has a table of its own
  CHECK(seen.size() == kRejectCount);
}

TEST_CASE("a known field with the wrong kind of value") {
  const std::string rows[] = {
      R"({"time":1795421730})",
      R"({"time":["2026-11-23T08:15:30Z"]})",
      R"({"type":5})",
      R"({"type":{}})",
      R"({"system":7})",
      R"({"system":["bot"]})",
      R"({"session_id":7})",
      R"({"event_id":true})",
      R"({"model":{}})",
      R"({"release":1.5})",
      R"({"prompt_version":17})",
      R"({"tenant":[]})",
      R"({"trace_id":0})",
      R"({"text":5})",
      R"({"text":["a"]})",
      R"({"text":{"a":"b"}})",
      R"({"seq":"7"})",
      R"({"seq":-1})",
      R"({"seq":1.5})",
      R"({"seq":18446744073709551616})",
      R"({"seq":{}})",
      R"({"seq":true})",
      R"({"tool":"send"})",
      R"({"tool":["send"]})",
      R"({"tool":5})",
      R"({"tool":{"name":5}})",
      R"({"tool":{"name":{}}})",
      R"({"tool":{"call_id":5}})",
      R"({"tools":{}})",
      R"({"tools":"x"})",
      R"({"tools":["x"]})",
      R"({"tools":[null]})",
      R"({"tools":[{"name":5}]})",
      R"({"tools":[{"description":["x"]}]})",
      R"({"guardrail":"g"})",
      R"({"guardrail":["g"]})",
      R"({"guardrail":{"name":5}})",
      R"({"guardrail":{"target_call_id":5}})",
      R"({"guardrail":{"verdict":true}})",
  };
  for (const std::string& row : rows) {
    CAPTURE(row);
    CHECK(outcome(row) == "wrong_type");
  }
}

TEST_CASE("a guardrail's word") {
  struct Row {
    std::string_view members;
    std::string_view name;
    std::string_view target;
    Verdict verdict;
  };
  const Row rows[] = {
      {R"("name":"g","target_call_id":"c1","verdict":"allow")", "g", "c1", Verdict::kAllow},
      {R"("verdict":"deny","name":"g","target_call_id":null)", "g", "", Verdict::kDeny},
      {R"("name":"g","verdict":"modify","score":0.5)", "g", "", Verdict::kModify},
      {R"("name":"g","verdict":"warn")", "g", "", Verdict::kWarn},
      {R"("name":"x","name":"g","verdict":"allow","verdict":"escalate")", "g", "",
       Verdict::kEscalate},
      {R"("name":"g","verdict":"no word","verdict":"deny")", "g", "", Verdict::kDeny},
  };
  NativeDecoder decoder;
  for (const Row& row : rows) {
    CAPTURE(row.members);
    const auto decoded = decoder.decode(
        event("guardrail", fmt::format(R"("guardrail":{{{}}})", row.members)), kSource);
    REQUIRE(decoded.has_value());
    CHECK((*decoded)->guardrail.name == row.name);
    CHECK((*decoded)->guardrail.target_call_id == row.target);
    CHECK((*decoded)->guardrail.verdict == row.verdict);
  }
  // Of a key that stands twice the last one counts, all of it.
  CHECK(outcome(decoder, event("guardrail", R"("guardrail":{"name":"g","verdict":"deny"},)"
                                            R"("guardrail":{"name":"g"})")) == "missing_payload");
  REQUIRE(decoder.decode(message(R"("text":"a")"), kSource).has_value());
  CHECK((*decoder.decode(message(R"("text":"a")"), kSource))->guardrail.name.empty());
}

TEST_CASE("an unknown verdict is nothing to an event of another type") {
  struct Row {
    std::string_view what;
    std::string bytes;
  };
  const std::string bad = R"("guardrail":{"name":"g","verdict":"x"})";
  const Row rows[] = {
      {"a control event",
       event("selftest", R"("selftest":{"id":"a","sent_at":"2026-11-23T08:15:30Z"},)" + bad)},
      {"a call", event("tool_call", R"("tool":{"name":"t"},)" + bad)},
      {"a message", message(R"("text":"a",)" + bad)},
      {"before the type", "{" + bad +
                              R"(,"time":"2026-11-23T08:15:30Z","system":"bot","session_id":"s",)"
                              R"("type":"user_message","text":"a"})"},
  };
  NativeDecoder decoder;
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(outcome(decoder, row.bytes) == "accepted");
  }
  // And it does not stay.
  CHECK(outcome(decoder, event("guardrail", R"("guardrail":{"name":"g","verdict":"deny"})")) ==
        "accepted");
}

TEST_CASE("what may be null or missing") {
  NativeDecoder decoder;
  const auto decoded = decoder.decode(
      message(R"("text":null,"event_id":null,"seq":null,"model":null,"release":null,)"
              R"("prompt_version":null,"tenant":null,"trace_id":null,"tool":null,"tools":null)"),
      kSource);
  REQUIRE(decoded.has_value());
  const Event& got = **decoded;
  CHECK(got.text.empty());
  CHECK(got.event_id == "agent.events/3/42");  // made up from where it stood
  CHECK_FALSE(got.seq.has_value());
  CHECK(got.model.empty());

  const auto bare = decoder.decode(
      event("tool_call", R"("tool":{"name":"t","call_id":null,"arguments":null,"error":null})"),
      kSource);
  REQUIRE(bare.has_value());
  CHECK_FALSE((*bare)->tool.has_arguments);
  CHECK((*bare)->tool.arguments.empty());
  CHECK((*bare)->tool.error.empty());

  const auto empty = decoder.decode(call("{}"), kSource);
  REQUIRE(empty.has_value());
  CHECK((*empty)->tool.has_arguments);  // captured, and there were none
  CHECK((*empty)->tool.arguments_parsed);
  CHECK((*empty)->tool.arguments.empty());

  const auto no_result = decoder.decode(result("null"), kSource);
  REQUIRE(no_result.has_value());
  CHECK((*no_result)->tool.result.empty());
}

TEST_CASE("control events need no session, the others do") {
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const auto type = static_cast<EventType>(i);
    CAPTURE(name_of(type));
    const std::string without =
        fmt::format(R"({{"time":"2026-11-23T08:15:30Z","system":"bot","type":"{}","text":"a",)"
                    R"("tool":{{"name":"t"}},"tools":[],{}}})",
                    name_of(type), kControlMembers);
    const bool control = i >= static_cast<std::size_t>(EventType::kContainment);
    CHECK(outcome(without) == (control ? "accepted" : "missing_session_id"));
  }
}

TEST_CASE("escapes are undone, in keys as in values") {
  NativeDecoder decoder;
  const auto decoded = decoder.decode(
      R"({"\u0074ime":"2026-11-23T08:15:30\u005a","sys\u0074em":"b\u006ft","session_id":"s\/1",)"
      R"("type":"tool\u005fcall","tool":{"n\u0061me":"s\u0065nd","argument\u0073":)"
      R"({"c\u006dd":"\u0063url\t\"x\" \u2028\ud83d\ude42"}}})",
      kSource);
  REQUIRE(decoded.has_value());
  const Event& got = **decoded;
  CHECK(got.system == "bot");
  CHECK(got.session_id == "s/1");
  CHECK(got.tool.name == "send");
  CHECK(briefly(got.tool.arguments) == Strings{"cmd=curl\t\"x\" \u2028🙂"});
  CHECK_FALSE(decoder.repaired());
}

TEST_CASE("of a key that stands twice the last one counts") {
  NativeDecoder decoder;
  const auto decoded = decoder.decode(
      R"({"time":"2020-01-01T00:00:00Z","system":"x","session_id":"x","type":"selftest","seq":1,)"
      R"("tool":{"name":"x","call_id":"x","error":"x","arguments":{"x":1},"result":"x"},)"
      R"("time":"2026-11-23T08:15:30.123Z","system":"bot","session_id":"s1","type":"tool_call",)"
      R"("seq":2,"tool":{"name":"y","name":"send","error":"boom","error":false,)"
      R"("arguments":{"y":1},"arguments":{"a":1,"a":2}}})",
      kSource);
  REQUIRE(decoded.has_value());
  const Event& got = **decoded;
  CHECK(got.time == parse_rfc3339("2026-11-23T08:15:30.123Z"));
  CHECK(got.system == "bot");
  CHECK(got.session_id == "s1");
  CHECK(got.type == EventType::kToolCall);
  CHECK(got.seq == 2);
  CHECK(got.tool.name == "send");
  CHECK(got.tool.call_id.empty());  // the second tool says nothing of it
  CHECK(got.tool.error.empty());
  CHECK(got.tool.result.empty());
  // Within arguments both are looked at: who knows which one the tool takes.
  CHECK(briefly(got.tool.arguments) == Strings{"#a=1", "#a=2"});

  const auto tools = decoder.decode(
      event("tool_definitions", R"("tools":[{"name":"x"},{"name":"y"}],"tools":[{"name":"z",)"
                                R"("parameters":{"a":1},"parameters":{"b":2}}])"),
      kSource);
  REQUIRE(tools.has_value());
  REQUIRE((*tools)->tools.size() == 1);
  CHECK((*tools)->tools[0].name == "z");
  CHECK(briefly((*tools)->tools[0].parameters) == Strings{"#b=2"});
}

TEST_CASE("arguments in every shape producers send") {
  struct Row {
    std::string_view what;
    std::string_view arguments;
    bool parsed;
    Strings leaves;
  };
  const Row rows[] = {
      {"an object", R"({"to":"a"})", true, {"to=a"}},
      {"an array", R"(["a",["b"],{"c":"d"}])", true, {"0=a", "1.0=b", "2.c=d"}},
      {"a number", "7", true, {"#=7"}},
      {"a string of JSON", R"("{\"to\":\"a\",\"n\":[1]}")", true, {"to=a", "#n.0=1"}},
      {"a string of JSON with escapes", R"("{\"c\\u006dd\":\"\\u0063url\"}")", true, {"cmd=curl"}},
      {"a string of JSON with blanks around", R"(" \n [\"a\"] \t")", true, {"0=a"}},
      {"a string of an empty object", R"("{}")", true, {}},
      {"a string of a cut object", R"("{\"to\":\"a\"")", false, {R"(={"to":"a")"}},
      {"a string of JSON and more", R"("{\"to\":1} rm -rf /")", false, {R"(={"to":1} rm -rf /)"}},
      {"a string of bad JSON inside", R"("{\"a\":{\"b\":tru}}")", false, {R"(={"a":{"b":tru}})"}},
      {"a string that is no JSON", R"("ls -la")", false, {"=ls -la"}},
      {"a string of a JSON string", R"("\"a\"")", false, {"=\"a\""}},
      {"an empty string", R"("")", false, {"="}},
  };
  NativeDecoder decoder;
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const auto decoded = decoder.decode(call(row.arguments), kSource);
    REQUIRE(decoded.has_value());
    CHECK((*decoded)->tool.has_arguments);
    CHECK((*decoded)->tool.arguments_parsed == row.parsed);
    CHECK(briefly((*decoded)->tool.arguments) == row.leaves);
  }
}

TEST_CASE("results in every shape") {
  struct Row {
    std::string_view result;
    Strings leaves;
  };
  const Row rows[] = {
      {R"("plain")", {"=plain"}},
      {R"("{\"a\":1}")", {R"(={"a":1})"}},  // text that a model reads: kept as such
      {R"({"items":[{"name":"x"},{"name":"y"}],"ok":true})",
       {"items.0.name=x", "items.1.name=y", "?ok=true"}},
      {R"([[["deep"]]])", {"0.0.0=deep"}},
      {R"({"a":{"b":{"c":null}}})", {"0a.b.c=null"}},
      {R"({"a.b":{"c":1}})", {"#a.b.c=1"}},
      {R"({"":"empty"})", {"=empty"}},
      {R"({"a":{"":"x"}})", {"a.=x"}},
      {"[]", {}},
      {R"({"a":[],"b":{}})", {}},
      {"false", {"?=false"}},
  };
  NativeDecoder decoder;
  for (const Row& row : rows) {
    CAPTURE(row.result);
    const auto decoded = decoder.decode(result(row.result), kSource);
    REQUIRE(decoded.has_value());
    CHECK(briefly((*decoded)->tool.result) == row.leaves);
  }
}

TEST_CASE("numbers stay as they were written") {
  const std::string_view rows[] = {"0",
                                   "-0",
                                   "9007199254740993",
                                   "18446744073709551616",
                                   "123456789012345678901234567890",
                                   "0.1",
                                   "1.0",
                                   "1e400",
                                   "-1.5E-7",
                                   "3.141592653589793238462643383279"};
  NativeDecoder decoder;
  for (const std::string_view row : rows) {
    CAPTURE(row);
    for (const char* form : {R"({{"id":{}}})", "{{\"id\": {} }}", "{{\"id\":{}\n}}"}) {
      const auto decoded = decoder.decode(call(fmt::format(fmt::runtime(form), row)), kSource);
      REQUIRE(decoded.has_value());
      CHECK(briefly((*decoded)->tool.arguments) == Strings{fmt::format("#id={}", row)});
    }
  }
}

TEST_CASE("a failed tool") {
  struct Row {
    std::string_view error;
    std::string_view expected;
  };
  const Row rows[] = {
      {R"("timeout")", "timeout"},
      {R"("")", ""},
      {"null", ""},
      {"false", ""},
      {"true", "error"},
      {R"({"code":5})", "error"},
      {"[1]", "error"},
      {"500", "error"},
  };
  NativeDecoder decoder;
  for (const Row& row : rows) {
    CAPTURE(row.error);
    const auto decoded = decoder.decode(
        event("tool_result",
              fmt::format(R"("tool":{{"name":"t","error":{},"result":"r"}})", row.error)),
        kSource);
    REQUIRE(decoded.has_value());
    CHECK((*decoded)->tool.error == row.expected);
    CHECK(briefly((*decoded)->tool.result) == Strings{"=r"});  // and what follows is still read
  }
}

TEST_CASE("tool definitions") {
  NativeDecoder decoder;
  const auto decoded = decoder.decode(
      event("tool_definitions",
            R"("tools":[{"name":"a","description":"does a","strict":true,"parameters":)"
            R"({"type":"object","properties":{"to":{"type":"string","description":"who"}}}},)"
            R"({"name":"b","description":null,"parameters":null}])"),
      kSource);
  REQUIRE(decoded.has_value());
  const auto& tools = (*decoded)->tools;
  REQUIRE(tools.size() == 2);
  CHECK(tools[0].name == "a");
  CHECK(tools[0].description == "does a");
  CHECK(briefly(tools[0].parameters) ==
        Strings{"type=object", "properties.to.type=string", "properties.to.description=who"});
  CHECK(tools[1].name == "b");
  CHECK(tools[1].description.empty());
  CHECK(tools[1].parameters.empty());
  CHECK(outcome(event("tool_definitions", R"("tools":[])")) == "accepted");
}

TEST_CASE("lone surrogates are repaired, pairs are not touched") {
  struct Row {
    std::string_view what;
    std::string_view text;  // as in JSON
    std::string_view expected;
    bool repaired;
  };
  const Row rows[] = {
      {"a pair", R"(a\ud83d\ude42b)", "a🙂b", false},
      {"capitals", R"(\uD83D\uDE42)", "🙂", false},
      {"a lone high one", R"(a\ud83db)", "a\ufffdb", true},
      {"a lone low one", R"(a\ude42b)", "a\ufffdb", true},
      {"a low one at the end", R"(a\udfff)", "a\ufffd", true},
      {"the wrong order", R"(\ude42\ud83d)", "\ufffd\ufffd", true},
      {"two high ones", R"(\ud83d\ud83d)", "\ufffd\ufffd", true},
      {"a high one before a pair", R"(\ud83d\ud83d\ude42)", "\ufffd🙂", true},
      {"a high one before another escape", R"(\ud83d\u0041\n)", "\ufffdA\n", true},
      {"a high one at the end", R"(x\ud800)", "x\ufffd", true},
      {"an escaped backslash before u", R"(\\ud800)", R"(\ud800)", false},
      {"both", R"(\\ud800 \ud800)", "\\ud800 \ufffd", true},
  };
  NativeDecoder decoder;
  for (const Row& row : rows) {
    CAPTURE(row.what, row.text);
    const auto decoded = decoder.decode(message(fmt::format(R"("text":"{}")", row.text)), kSource);
    REQUIRE(decoded.has_value());
    CHECK((*decoded)->text == row.expected);
    CHECK(is_valid_utf8((*decoded)->text));
    CHECK(decoder.repaired() == row.repaired);
  }
}

TEST_CASE("lone surrogates are repaired wherever they stand") {
  NativeDecoder decoder;
  const auto key = decoder.decode(call(R"({"a\ud800b":"c"})"), kSource);
  REQUIRE(key.has_value());
  CHECK(briefly((*key)->tool.arguments) == Strings{"a\ufffdb=c"});
  CHECK(decoder.repaired());

  // In arguments that are a string of JSON: one of them must not keep the rest from being undone.
  const auto inner =
      decoder.decode(call(R"("{\"cmd\":\"c\\u0075rl\",\"x\":\"\\ud800\"}")"), kSource);
  REQUIRE(inner.has_value());
  CHECK((*inner)->tool.arguments_parsed);
  CHECK(briefly((*inner)->tool.arguments) == Strings{"cmd=curl", "x=\ufffd"});
  CHECK(decoder.repaired());

  const auto both = decoder.decode(call(R"("\udc00{\"x\":\"\\ud800\"}")"), kSource);
  REQUIRE(both.has_value());
  CHECK_FALSE((*both)->tool.arguments_parsed);

  const auto clean = decoder.decode(message(R"("text":"a")"), kSource);
  REQUIRE(clean.has_value());
  CHECK_FALSE(decoder.repaired());
  // What is broken beyond surrogates stays refused.
  CHECK(outcome(decoder, message(R"("text":"\ud800\q")")) == "malformed_json");
  CHECK_FALSE(decoder.repaired());
}

TEST_CASE("unknown fields are skipped, however deep") {
  const std::string rows[] = {
      R"("extra":null)",
      R"("extra":{"time":"not ours","tool":{"name":"x"}})",
      R"("extra":[1,"}",{"a":["]"]}])",
      fmt::format(R"("extra":{})", nested(500)),
      fmt::format(R"("extra":{})", nested(20'000)),
      R"("":1,"TEXT":"no","Time":5)",
  };
  NativeDecoder decoder;
  for (const std::string& row : rows) {
    CAPTURE(row.substr(0, 60));
    for (const std::string& bytes :
         {message(row + R"(,"text":"kept")"), message(R"("text":"kept",)" + row)}) {
      const auto decoded = decoder.decode(bytes, kSource);
      REQUIRE(decoded.has_value());
      CHECK((*decoded)->text == "kept");
    }
  }
  const auto inside = decoder.decode(
      event("tool_call",
            fmt::format(R"("tool":{{"extra":{},"name":"t","more":{{}}}})", nested(99))),
      kSource);
  REQUIRE(inside.has_value());
  CHECK((*inside)->tool.name == "t");
}

TEST_CASE("limits hold exactly") {
  const auto bytes_of = [](std::size_t size) {
    const std::string around = message(R"("text":"")");
    return message(fmt::format(R"("text":"{}")", std::string(size - around.size(), 'x')));
  };
  const auto list_of = [](std::size_t values) {
    std::string list;
    for (std::size_t i = 0; i < values; ++i) list += i == 0 ? "1" : ",1";
    return "[" + list + "]";
  };
  const auto tools_of = [](std::size_t tools) {
    std::string list;
    for (std::size_t i = 0; i < tools; ++i) list += i == 0 ? "{}" : ",{}";
    return event("tool_definitions", R"("tools":[)" + list + "]");
  };
  const DecodeLimits limits{
      .event_bytes_max = 600, .depth_max = 8, .leaves_max = 20, .tools_max = 3};
  struct Row {
    std::string_view what;
    std::string bytes;
    std::string_view outcome;
  };
  const Row rows[] = {
      {"bytes at the limit", bytes_of(600), "accepted"},
      {"bytes past it", bytes_of(601), "too_large"},
      {"depth at the limit", call(nested(8)), "accepted"},
      {"depth past it", call(nested(9)), "too_deep"},
      {"depth of a result", result(nested(8)), "accepted"},
      {"depth of a result past it", result(nested(9)), "too_deep"},
      {"depth of a schema past it",
       event("tool_definitions", fmt::format(R"("tools":[{{"parameters":{}}}])", nested(9))),
       "too_deep"},
      {"values at the limit", call(list_of(20)), "accepted"},
      {"values past it", call(list_of(21)), "too_many_values"},
      {"values of arguments and result together",
       event("tool_call", fmt::format(R"("tool":{{"name":"t","arguments":{},"result":{}}})",
                                      list_of(10), list_of(11))),
       "too_many_values"},
      {"tools at the limit", tools_of(3), "accepted"},
      {"tools past it", tools_of(4), "too_many_values"},
  };
  NativeDecoder decoder(limits);  // one for all: a limit reached once must not stay reached
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(outcome(decoder, row.bytes) == row.outcome);
  }
}

TEST_CASE("nesting beyond all measure is refused, not followed") {
  CHECK(outcome(call(nested(100'000))) == "too_deep");
  const DecodeLimits deep{.depth_max = 512};
  CHECK(outcome(call(nested(512)), deep) == "accepted");
  CHECK(outcome(call(nested(513)), deep) == "too_deep");
}

TEST_CASE("paths are cut at a character") {
  NativeDecoder decoder({.path_bytes_max = 10});
  struct Row {
    std::string_view arguments;
    Strings leaves;
  };
  const Row rows[] = {
      {R"({"abcdefghij":1})", {"#abcdefghij=1"}},
      {R"({"abcdefghijk":1})", {"#abcdefghij=1"}},
      {R"({"ééééé":1})", {"#ééééé=1"}},
      {R"({"aééééé":1})", {"#aéééé=1"}},
      {R"({"abcdefgh":{"ij":{"kl":1}}})", {"#abcdefgh.i=1"}},
      {R"({"abcdefghijk":{"l":1},"m":2})", {"#abcdefghij=1", "#m=2"}},  // and the next one is whole
  };
  for (const Row& row : rows) {
    CAPTURE(row.arguments);
    const auto decoded = decoder.decode(call(row.arguments), kSource);
    REQUIRE(decoded.has_value());
    CHECK(briefly((*decoded)->tool.arguments) == row.leaves);
  }
}

TEST_CASE("a decoder used again remembers nothing") {
  NativeDecoder decoder;
  const std::string full = fmt::format(
      R"({{{},"event_id":"e","seq":7,"type":"tool_call","text":"secret","model":"m","release":"r",)"
      R"("prompt_version":"p","tenant":"t","trace_id":"x","tool":{{"name":"n","call_id":"c",)"
      R"("error":"e","arguments":"{{\"a\":\"b\"}}","result":["r"]}},"tools":[{{"name":"d"}}]}})",
      kEnvelope);
  const std::string rejected = full.substr(0, full.size() - 1);
  for (const std::string& before :
       {full, rejected, std::string(), std::string("{\"text\":\"x\"}")}) {
    CAPTURE(before);
    static_cast<void>(decoder.decode(before, kSource));
    const auto decoded =
        decoder.decode(R"({"time":"2026-11-23T08:15:30Z","system":"bot","type":"selftest",)"
                       R"("selftest":{"id":"t","sent_at":"2026-11-23T08:15:30Z"}})",
                       {.topic = "other", .partition = 0, .offset = 1});
    REQUIRE(decoded.has_value());
    const Event& got = **decoded;
    CHECK(got.event_id == "other/0/1");
    CHECK(got.session_id.empty());
    CHECK_FALSE(got.seq.has_value());
    for (const std::string_view field :
         {got.text, got.model, got.release, got.prompt_version, got.tenant, got.trace_id,
          got.tool.name, got.tool.call_id, got.tool.error}) {
      CHECK(field.empty());
    }
    CHECK_FALSE(got.tool.has_arguments);
    CHECK_FALSE(got.tool.arguments_parsed);
    CHECK(got.tool.arguments.empty());
    CHECK(got.tool.result.empty());
    CHECK(got.tools.empty());
    // Nor does it take what an earlier event had for what this one lacks.
    static_cast<void>(decoder.decode(before, kSource));
    CHECK(outcome(decoder, message("")) == "missing_payload");
    CHECK(outcome(decoder, R"({"system":"bot","type":"selftest"})") == "missing_time");
  }
}

TEST_CASE("a larger event after a smaller one finds its room") {
  NativeDecoder decoder;
  for (const std::size_t size : {10U, 100'000U, 50U, 900'000U, 1000U}) {
    const std::string text(size, 'x');
    const auto decoded = decoder.decode(message(fmt::format(R"("text":"{}")", text)), kSource);
    REQUIRE(decoded.has_value());
    CHECK((*decoded)->text == text);
    const auto inner = decoder.decode(call(fmt::format(R"("{{\"a\":\"{}\"}}")", text)), kSource);
    REQUIRE(inner.has_value());
    REQUIRE((*inner)->tool.arguments.size() == 1);
    CHECK((*inner)->tool.arguments[0].text == text);
  }
}

TEST_CASE("every cut of an event is refused or the same event") {
  const std::string whole = event(
      "tool_call", R"("tool":{"name":"t\u0061","arguments":"{\"a\":[1,\"\\ud83d\\ude42\"]}"})");
  NativeDecoder decoder;
  REQUIRE(outcome(decoder, whole) == "accepted");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK(outcome(decoder, whole.substr(0, length)) != "accepted");
  }
}

TEST_CASE("names of reasons and types are all there and all different") {
  std::set<std::string_view> reasons;
  for (std::size_t i = 0; i < kRejectCount; ++i) reasons.insert(name_of(static_cast<Reject>(i)));
  CHECK(reasons.size() == kRejectCount);
  CHECK(name_of(Reject::kMissingSession) == "missing_session_id");
  CHECK(name_of(Reject::kBadTime) == "bad_time");
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const auto type = static_cast<EventType>(i);
    CHECK(event_type_named(name_of(type)) == type);
  }
  CHECK_FALSE(event_type_named("").has_value());
  CHECK_FALSE(event_type_named("tool_cal").has_value());
}

}  // namespace
}  // namespace tocsin
