#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/decode/native.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

constexpr SourcePosition kSource{.topic = "control", .partition = 0, .offset = 7};

std::string control(std::string_view type, std::string_view members) {
  return fmt::format(R"({{"time":"2026-11-23T08:15:30Z","system":"bot","type":"{}",{}}})", type,
                     members);
}

std::string outcome(std::string_view bytes) {
  NativeDecoder decoder;
  const auto decoded = decoder.decode(bytes, kSource);
  return decoded ? "accepted" : std::string(name_of(decoded.error()));
}

// What a control event says, in one line.
std::string said(const Event& event) {
  const ControlPayload& payload = *event.control;
  const Containment& containment = payload.containment;
  const AnalystWord& analyst = payload.analyst;
  switch (event.type) {
    case EventType::kContainment:
      return fmt::format("{} {} by {} of {}", name_of(containment.action),
                         containment.done ? "done" : "failed", containment.by,
                         containment.incident_id);
    case EventType::kAcknowledge:
      return fmt::format("{}/{} by {}", analyst.incident_id, analyst.finding_id, analyst.by);
    case EventType::kVerdict:
      return fmt::format("{}/{} {} by {}", analyst.incident_id, analyst.finding_id,
                         name_of(analyst.judgement), analyst.by);
    case EventType::kBreakGlass:
      return fmt::format("{} {} by {}: {}", payload.break_glass.id,
                         payload.break_glass.opened ? "opened" : "closed", payload.break_glass.by,
                         payload.break_glass.reason);
    case EventType::kRelease: {
      std::string out =
          fmt::format("{} {} {}", payload.release.version, payload.release.prompt_version,
                      name_of(payload.release.decision));
      for (const std::string_view reason : payload.release.reasons) out.append(" ").append(reason);
      return out;
    }
    case EventType::kSelftest:
      return fmt::format("{} {}", payload.selftest.id,
                         payload.selftest.sent_at.time_since_epoch().count());
    default: return "none";
  }
}

TEST_CASE("what control events say") {
  struct Row {
    std::string_view type;
    std::string_view members;
    std::string_view said;
  };
  const Row rows[] = {
      {"containment",
       R"("containment":{"action":"kill_session","by":"soc","incident_id":"i1","outcome":"done"})",
       "kill_session done by soc of i1"},
      {"containment",
       R"("containment":{"outcome":"failed","by":"soc","incident_id":null,"action":"roll_back"})",
       "roll_back failed by soc of "},
      {"containment",
       R"("containment":{"action":"x"},)"
       R"("containment":{"by":"x","by":"soc","action":"block_tool","outcome":"done"})",
       "block_tool done by soc of "},
      {"acknowledge", R"("incident_id":"i1","by":"ann")", "i1/ by ann"},
      {"acknowledge", R"("finding_id":"f1","by":"ann","verdict":"anything")", "/f1 by ann"},
      {"verdict", R"("finding_id":"f1","verdict":"false_positive","by":"ann")",
       "/f1 false_positive by ann"},
      {"verdict", R"("incident_id":"i","finding_id":"f","verdict":"accepted_risk","by":"ann")",
       "i/f accepted_risk by ann"},
      {"break_glass", R"("break_glass":{"id":"b1","by":"ann","reason":"fire","state":"opened"})",
       "b1 opened by ann: fire"},
      {"break_glass", R"("break_glass":{"id":"b1","by":"ann","state":"closed"})",
       "b1 closed by ann: "},
      {"release",
       R"("release_decision":{"version":"7","prompt_version":"3","decision":"blocked",)"
       R"("reasons":["slow","leaky"]})",
       "7 3 blocked slow leaky"},
      {"release", R"("release_decision":{"version":"7","decision":"overridden","reasons":null})",
       "7  overridden"},
      {"selftest", R"("selftest":{"id":"t","sent_at":"1970-01-01T00:00:01Z","n":[1,{}]})",
       "t 1000000"},
  };
  NativeDecoder decoder;
  for (const Row& row : rows) {
    CAPTURE(row.type, row.members);
    const auto decoded = decoder.decode(control(row.type, row.members), kSource);
    REQUIRE(decoded.has_value());
    REQUIRE((*decoded)->control != nullptr);
    CHECK(said(**decoded) == row.said);
  }
}

TEST_CASE("why a control event is refused") {
  struct Row {
    std::string_view type;
    std::string_view members;
    std::string_view reason;
  };
  const Row rows[] = {
      {"containment", R"("x":1)", "missing_payload"},
      {"containment", R"("containment":null)", "missing_payload"},
      {"containment", R"("containment":{})", "missing_payload"},
      {"containment", R"("containment":{"action":"roll_back","by":"a"})", "missing_payload"},
      {"containment", R"("containment":{"outcome":"done","by":"a"})", "missing_payload"},
      {"containment", R"("containment":{"action":"roll_back","outcome":"done"})",
       "missing_payload"},
      {"containment", R"("containment":{"action":"roll_back","outcome":"done","by":""})",
       "missing_payload"},
      {"containment",
       R"("containment":{"action":"roll_back","outcome":"done","by":"a"},"containment":null)",
       "missing_payload"},
      {"containment", R"("containment":{"action":"ROLL_BACK","outcome":"done","by":"a"})",
       "bad_control"},
      {"containment", R"("containment":{"action":"roll_back","outcome":"maybe","by":"a"})",
       "bad_control"},
      {"containment", R"("containment":{"action":5,"outcome":"done","by":"a"})", "wrong_type"},
      {"containment", R"("containment":["roll_back"])", "wrong_type"},
      {"containment", R"("containment":{"action":"roll_back","outcome":"done","by":{}})",
       "wrong_type"},
      {"acknowledge", R"("by":"a")", "missing_payload"},
      {"acknowledge", R"("incident_id":"i")", "missing_payload"},
      {"acknowledge", R"("incident_id":5,"by":"a")", "wrong_type"},
      {"acknowledge", R"("incident_id":"i","by":["a"])", "wrong_type"},
      {"verdict", R"("incident_id":"i","by":"a")", "missing_payload"},
      {"verdict", R"("incident_id":"i","by":"a","verdict":null)", "missing_payload"},
      {"verdict", R"("incident_id":"i","by":"a","verdict":"positive")", "bad_control"},
      {"verdict", R"("incident_id":"i","by":"a","verdict":true)", "wrong_type"},
      {"verdict", R"("by":"a","verdict":"true_positive")", "missing_payload"},
      {"break_glass", R"("break_glass":{"id":"b","by":"a"})", "missing_payload"},
      {"break_glass", R"("break_glass":{"id":"b","state":"opened"})", "missing_payload"},
      {"break_glass", R"("break_glass":{"by":"a","state":"opened"})", "missing_payload"},
      {"break_glass", R"("break_glass":{"id":"b","by":"a","state":"open"})", "bad_control"},
      {"break_glass", R"("break_glass":"b")", "wrong_type"},
      {"release", R"("release_decision":{"decision":"allowed"})", "missing_payload"},
      {"release", R"("release_decision":{"version":"1"})", "missing_payload"},
      {"release", R"("release_decision":{"version":"1","decision":"ok"})", "bad_control"},
      {"release", R"("release_decision":{"version":"1","decision":"allowed","reasons":"x"})",
       "wrong_type"},
      {"release", R"("release_decision":{"version":"1","decision":"allowed","reasons":[1]})",
       "wrong_type"},
      {"selftest", R"("selftest":{"id":"t"})", "missing_payload"},
      {"selftest", R"("selftest":{"sent_at":"2026-11-23T08:15:30Z"})", "missing_payload"},
      {"selftest", R"("selftest":{"id":"t","sent_at":"now"})", "bad_time"},
      {"selftest", R"("selftest":{"id":"t","sent_at":5})", "wrong_type"},
      {"selftest", R"("selftest":{"id":"\q"})", "malformed_json"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.type, row.members);
    CHECK(outcome(control(row.type, row.members)) == row.reason);
  }
}

TEST_CASE("a member of a control event in another event is somebody's own field") {
  const std::string_view members[] = {
      R"("by":{"a":[1,2]})",
      R"("verdict":5)",
      R"("incident_id":[])",
      R"("finding_id":{})",
      R"("containment":"yes")",
      R"("containment":{"action":{"deep":[{"x":1}]},"more":[[1],{"y":2}]})",
      R"("break_glass":{"state":"broken","id":[{}]})",
      R"("release_decision":{"reasons":[1,{"a":2}],"version":"x"})",
      R"("selftest":{"sent_at":"never","id":"t"})",
  };
  NativeDecoder decoder;
  for (const std::string_view member : members) {
    CAPTURE(member);
    const auto decoded =
        decoder.decode(fmt::format(R"({{"session_id":"s","tenant":"t0",{},)"
                                   R"("time":"2026-11-23T08:15:30Z","system":"bot","tenant":"t1",)"
                                   R"("type":"user_message","text":"hello"}})",
                                   member),
                       kSource);
    REQUIRE(decoded.has_value());
    CHECK((*decoded)->text == "hello");
    CHECK((*decoded)->tenant == "t1");
    CHECK((*decoded)->control == nullptr);
  }
}

TEST_CASE("strings and lists of control events are bounded, and nothing is left of the last one") {
  NativeDecoder decoder;
  std::string long_text;
  for (int i = 0; i < 300; ++i) long_text += "é";
  std::string reasons = "\"r\"";
  for (int i = 0; i < 40; ++i) reasons += ",\"r\"";
  const auto decoded = decoder.decode(
      control("release", fmt::format(R"("release_decision":{{"version":"{}","decision":"allowed",)"
                                     R"("reasons":[{}]}})",
                                     long_text, reasons)),
      kSource);
  REQUIRE(decoded.has_value());
  CHECK((*decoded)->control->release.version.size() == ControlReader::kStringBytesMax);
  CHECK((*decoded)->control->release.reasons.size() == ControlReader::kReasonsMax);

  const auto next =
      decoder.decode(control("acknowledge", R"("incident_id":"i","by":"a")"), kSource);
  REQUIRE(next.has_value());
  CHECK((*next)->control->release.version.empty());
  CHECK(outcome(control("release", R"("by":"a")")) == "missing_payload");
}

}  // namespace
}  // namespace tocsin
