// Any session: every detector, with the tracker in front, says the same twice, and holds no more
// memory than it may.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "daemon/check.h"
#include "daemon/decode/native.h"
#include "detectors/decoding/utf8.h"
#include "detectors/detector.h"
#include "detectors/flow/tracker.h"
#include "detectors/session/tool_context.h"

namespace tocsin {
namespace {

constexpr std::size_t kEventsMax = 64;
constexpr std::size_t kDetectorBytesMax = std::size_t{64} << 10U;
constexpr std::size_t kFlowBytesMax = std::size_t{192} << 10U;

// "rule, field, text" of each report, by detector.
using Said = std::vector<std::tuple<std::size_t, std::size_t, std::string, std::string>>;

class Listener final : public Reporter {
 public:
  Listener(std::size_t detector, Said& said) : detector_(detector), said_(said) {}
  using Reporter::report;
  void report(std::size_t rule, std::span<const EvidenceView> evidence,
              std::span<const MessageView>) override {
    CHECK(rule < detector_specs()[detector_]->rules.size());
    CHECK(!evidence.empty());
    for (const EvidenceView& item : evidence) {
      said_.emplace_back(detector_, rule, std::string(item.field), std::string(item.text));
    }
  }

 private:
  std::size_t detector_;
  Said& said_;
};

const std::vector<std::unique_ptr<const Detector>>& detectors() {
  static const auto all = [] {
    std::vector<std::unique_ptr<const Detector>> made;
    for (const DetectorSpec* spec : detector_specs()) {
      Diagnostics diagnostics;
      yaml::ReadContext context(diagnostics);
      yaml::MapReader options(nullptr, "", context);
      made.push_back(spec->make(options));
    }
    return made;
  }();
  return all;
}

// One session from its first event on, with a tracker of its own.
class Follower {
 public:
  Follower() {
    for (const auto& detector : detectors()) {
      states_.push_back(detector->new_state());
      systems_.push_back(detector->new_system_state());
    }
  }

  void feed(std::string_view json) {
    const auto event =
        decoder_.decode(json, {.topic = "fuzz", .partition = 0, .offset = offset_++});
    if (!event) return;
    EventContext context;
    context.seq = (*event)->seq.value_or(static_cast<std::uint64_t>(offset_));
    context.tool = session::tool_context(**event, nullptr);
    context.flow = &tracker_.follow(**event, context, memory_);
    for (std::size_t i = 0; i < detectors().size(); ++i) {
      context.system_state = systems_[i].get();
      Listener listener(i, said);
      detectors()[i]->on_event(**event, context, *states_[i], listener);
      detectors()[i]->on_findings(**event, context, {}, *states_[i], listener);
      CHECK(states_[i]->bytes() <= kDetectorBytesMax);
    }
    CHECK(memory_.bytes() <= kFlowBytesMax);
    CHECK(memory_.pending.size() <= flow::kPendingCallsMax);
    CHECK(memory_.sources.size() <= flow::kSourcesMax);
  }

  Said said;

 private:
  NativeDecoder decoder_;
  flow::Tracker tracker_;
  flow::SessionMemory memory_{1};
  std::vector<std::unique_ptr<DetectorState>> states_;
  std::vector<std::unique_ptr<SystemState>> systems_;
  std::int64_t offset_ = 0;
};

void append_quoted(std::string& out, std::string_view bytes) {
  std::string text;
  decoding::append_bytes(text, bytes);
  out += '"';
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') out += '\\';
    if (static_cast<unsigned char>(byte) < 0x20) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      out += "\\u00";
      out += kDigits[static_cast<unsigned char>(byte) >> 4U];
      out += kDigits[static_cast<unsigned char>(byte) & 0xFU];
    } else {
      out += byte;
    }
  }
  out += '"';
}

// Up to the separator, which is taken off, too.
std::string_view take(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

// The values of one event, between tabs: `name=value`, or a value alone.
void append_values(std::string& out, std::string_view line) {
  if (line.find('\t') == std::string_view::npos && line.find('=') == std::string_view::npos) {
    return append_quoted(out, line);
  }
  out += '{';
  for (int i = 0; !line.empty(); ++i) {
    std::string_view value = take(line, '\t');
    const std::string_view name = value.contains('=') ? take(value, '=') : std::string_view("to");
    if (i > 0) out += ',';
    append_quoted(out, name);
    out += ':';
    append_quoted(out, value);
  }
  out += '}';
}

// A line: type, tool, call id, and what it says.
std::string event_of(std::string_view line) {
  constexpr std::string_view kTools[] = {"read_mail",   "send_email",     "open_page", "run_shell",
                                         "delete_file", "transfer_money", "get_user",  "zap"};
  constexpr std::string_view kTypes[] = {"system_message", "user_message",    "model_output",
                                         "tool_call",      "tool_call",       "tool_result",
                                         "tool_result",    "tool_definitions"};
  if (line.size() < 3) return {};
  const std::string_view type = kTypes[static_cast<unsigned char>(line[0]) % std::size(kTypes)];
  const std::string_view tool = kTools[static_cast<unsigned char>(line[1]) % std::size(kTools)];
  const unsigned id = static_cast<unsigned char>(line[2]) % 8U;
  line.remove_prefix(3);
  std::string out = R"({"time":"2026-01-05T08:00:00Z","system":"bot","session_id":"s","type":")";
  out += std::string(type) + '"';
  if (type == "tool_definitions") {
    out += R"(,"tools":[{"name":")" + std::string(tool) + R"(","description":)";
    append_quoted(out, line);
    return out + "}]}";
  }
  if (!type.starts_with("tool")) {
    out += R"(,"text":)";
    append_quoted(out, line);
    return out + "}";
  }
  out += R"(,"tool":{"name":")" + std::string(tool) + '"';
  if (id > 0) out += R"(,"call_id":"c)" + std::to_string(id) + '"';
  if (id == 7) out += R"(,"error":"failed")";
  out += type == "tool_call" ? R"(,"arguments":)" : R"(,"result":)";
  append_values(out, line);
  return out + "}}";
}

void run(std::string_view bytes) {
  std::vector<std::string> events;
  while (!bytes.empty() && events.size() < kEventsMax)
    events.push_back(event_of(take(bytes, '\n')));
  Follower first;
  Follower second;
  for (const std::string& event : events) first.feed(event);
  for (const std::string& event : events) second.feed(event);
  CHECK(first.said == second.said);
}

}  // namespace
}  // namespace tocsin

// The name and the type are libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tocsin::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
