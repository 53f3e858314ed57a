// Any record of the topics that stage two reads: a finding, an incident, a rule's judgements or a
// control event.  What
// is read is bounded and reads the same again, and a table that is told of it stays within its
// limits.  What a webhook sends of it is plain ASCII, under an id that a header can carry.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/check.h"
#include "daemon/decode/native.h"
#include "daemon/incident/control.h"
#include "daemon/incident/finding_summary.h"
#include "daemon/incident/incident_json.h"
#include "daemon/incident/incident_table.h"
#include "daemon/incident/judgements.h"
#include "daemon/sink/webhook_message.h"

namespace tocsin::incident {
namespace {

constexpr std::size_t kLinesMax = 64;

class Written final : public Listener {
 public:
  void on_incident(const Incident& incident, const Before& /*before*/) override {
    const std::string json = to_json(incident);
    const auto read = reader_.read(json);
    CHECK(read.has_value());
    CHECK(*read == incident);
  }
  void on_forgotten(const Incident& incident, std::span<const std::string> ids) override {
    CHECK(!incident.incident_id.empty());
    CHECK(!ids.empty());
  }
  void on_containment_failed(const Finding& finding) override {
    const auto read = findings_.read(tocsin::to_json(finding));
    CHECK(read.has_value());
    CHECK(*read == summary_of(finding));
  }

 private:
  IncidentReader reader_;
  FindingReader findings_;
};

class Sent {
 public:
  void send(const Record& record) {
    for (WebhookReader* reader : {&plain_, &ocsf_}) {
      for (const auto topic :
           {WebhookTopic::kFindings, WebhookTopic::kIncidents, WebhookTopic::kRequests}) {
        const auto result = reader->read(topic, record, milestones_);
        CHECK(!result.unreadable || !result.message);
        if (!result.message) continue;
        CHECK(!result.message->id.empty() && result.message->id.size() <= 128);
        CHECK(result.message->id.find_first_of(".\r\n ") == std::string::npos);
        CHECK(std::ranges::all_of(result.message->body,
                                  [](char c) { return c >= ' ' && static_cast<int>(c) < 0x80; }));
      }
    }
  }

 private:
  static WebhookConfig config_for(SinkFormat format) {
    WebhookConfig config;
    config.severity_min = Severity::kInfo;
    config.format = format;
    return config;
  }

  WebhookConfig plain_config_ = config_for(SinkFormat::kTocsin);
  WebhookConfig ocsf_config_ = config_for(SinkFormat::kOcsf);
  WebhookReader plain_{plain_config_};
  WebhookReader ocsf_{ocsf_config_};
  Milestones milestones_;
};

class Told {
 public:
  void tell(std::string_view record) {
    sent_.send({.payload = record, .source = {.topic = "t", .partition = 0, .offset = offset_}});
    if (auto incident = incidents_.read(record)) {
      const auto again = incidents_.read(to_json(*incident));
      CHECK(again.has_value());
      CHECK(*again == *incident);
      table_.restore(*std::move(incident));
    }
    if (const auto told = judged_.read(record)) {
      const auto again = judged_.read(to_json(told->rule, told->judged));
      CHECK(again.has_value());
      CHECK(again->judged == told->judged);
      CHECK(again->judged.size() <= Judgements::kWindow);
    }
    if (const auto finding = findings_.read(record)) {
      CHECK(finding->session_id.size() <= kIdBytesMax);
      CHECK(finding->indicators.size() <= kIndicatorsMax);
      table_.apply(*finding, listener_);
      table_.apply(*finding, listener_);
    }
    const auto event = decoder_.decode(record, {.topic = "t", .partition = 0, .offset = offset_++});
    if (event) {
      CHECK(((*event)->control != nullptr) == is_control((*event)->type));
      if (const auto control = control_of(**event)) table_.apply(*control, listener_);
      table_.advance((*event)->time, listener_);
    }
    CHECK(table_.size() <= kLimits.incidents_max + kLinesMax);
  }

 private:
  static constexpr Limits kLimits{
      .link_sessions_max = 4, .incidents_max = 8, .waiting_max = 4, .requests = RequestMode::kOn};

  IncidentTable table_{kLimits, {}};
  Written listener_;
  FindingReader findings_;
  IncidentReader incidents_;
  JudgedReader judged_;
  NativeDecoder decoder_;
  Sent sent_;
  std::int64_t offset_ = 0;
};

}  // namespace
}  // namespace tocsin::incident

// The name and the type are libFuzzer's.  A record a line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  tocsin::incident::Told told;
  for (std::size_t i = 0; i < tocsin::incident::kLinesMax && !text.empty(); ++i) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    told.tell(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return 0;
}
