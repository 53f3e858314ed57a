#include "daemon/decode/control.h"

#include <utility>

#include "daemon/decode/json.h"
#include "daemon/decode/rfc3339.h"
#include "daemon/text.h"

namespace tocsin {
namespace {

using namespace json;
using Value = ControlReader::Value;

constexpr std::array<std::string_view, 8> kMembers = {
    "containment", "incident_id", "finding_id",       "by",
    "verdict",     "break_glass", "release_decision", "selftest",
};

// A text that is no JSON, or no UTF-8.
bool is_of_the_text(Reject reason) {
  return reason == Reject::kMalformedJson || reason == Reject::kInvalidUtf8 ||
         reason == Reject::kTooDeep;
}

Status read_bounded(Value value, std::string_view& out) {
  out = {};
  if (const Status read = read_string(value, out); !read) return read;
  out = out.substr(0, cut_at_character(out, ControlReader::kStringBytesMax));
  return {};
}

// One word of a closed list into `out`; `has` tells whether there was one.
template <typename Named, typename Out>
Status read_word(Value value, Named named, Out& out, bool& has) {
  has = false;
  std::string_view text;
  if (const Status read = read_string(value, text); !read) return read;
  if (text.empty()) return {};
  const auto word = named(text);
  if (!word) return because(Reject::kBadControl);
  out = *word;
  has = true;
  return {};
}

std::optional<bool> one_of_two(std::string_view text, std::string_view yes, std::string_view no) {
  if (text == yes) return true;
  if (text == no) return false;
  return std::nullopt;
}

// Calls `read` with each member of the object; false when the value is null.
template <typename Read>
std::expected<bool, Reject> read_object(Value value, Read read) {
  if (is_null(value)) return false;
  simdjson::ondemand::object object;
  if (const auto error = value.get_object().get(object)) return because(reason_for(error));
  for (auto field : object) {
    std::string_view key;
    Value member;
    if (const auto error = field.unescaped_key().get(key)) return because(reason_for(error));
    if (const auto error = field.value().get(member)) return because(reason_for(error));
    if (const Status status = read(key, member); !status) return because(status.error());
  }
  return true;
}

}  // namespace

void ControlReader::reset() {
  if (!std::exchange(used_, false)) return;
  payload_ = {};
  wrong_ = {};
  complete_containment_ = complete_break_glass_ = complete_release_ = complete_selftest_ = false;
  has_verdict_ = false;
}

Status ControlReader::read(std::string_view key, Value value) {
  for (std::size_t i = 0; i < kMembers.size(); ++i) {
    if (kMembers[i] != key) continue;
    used_ = true;
    const Status read = read_member(static_cast<Member>(i), value);
    // Of a member that stands twice the last one counts.
    wrong_[i] = read ? std::nullopt : std::optional(read.error());
    return read || !is_of_the_text(read.error()) ? Status{} : read;
  }
  return {};
}

Status ControlReader::read_member(Member member, Value value) {
  switch (member) {
    case Member::kContainment: return read_containment(value);
    case Member::kIncidentId: return read_bounded(value, payload_.analyst.incident_id);
    case Member::kFindingId: return read_bounded(value, payload_.analyst.finding_id);
    case Member::kBy: return read_bounded(value, payload_.analyst.by);
    case Member::kVerdict: return read_verdict(value);
    case Member::kBreakGlass: return read_break_glass(value);
    case Member::kRelease: return read_release(value);
    case Member::kSelftest: return read_selftest(value);
  }
  return {};
}

Status ControlReader::check(EventType type) const {
  const auto right = [&](Member member, bool complete) -> Status {
    if (const auto& reason = wrong_[std::to_underlying(member)]) return because(*reason);
    return complete ? Status{} : because(Reject::kMissingPayload);
  };
  const AnalystWord& analyst = payload_.analyst;
  switch (type) {
    case EventType::kContainment: return right(Member::kContainment, complete_containment_);
    case EventType::kBreakGlass: return right(Member::kBreakGlass, complete_break_glass_);
    case EventType::kRelease: return right(Member::kRelease, complete_release_);
    case EventType::kSelftest: return right(Member::kSelftest, complete_selftest_);
    case EventType::kAcknowledge:
    case EventType::kVerdict: break;
    default: return {};
  }
  for (const Member member : {Member::kIncidentId, Member::kFindingId, Member::kBy}) {
    if (const Status status = right(member, true); !status) return status;
  }
  if (type == EventType::kVerdict) {
    if (const Status status = right(Member::kVerdict, has_verdict_); !status) return status;
  }
  const bool complete =
      !analyst.by.empty() && !(analyst.incident_id.empty() && analyst.finding_id.empty());
  return complete ? Status{} : because(Reject::kMissingPayload);
}

Status ControlReader::read_containment(Value value) {
  payload_.containment = {};
  words_ = 0;
  const auto read = read_object(value, [&](std::string_view key, Value member) {
    return read_containment_member(key, member);
  });
  complete_containment_ = read && words_ == 3 && !payload_.containment.by.empty();
  return read ? Status{} : because(read.error());
}

Status ControlReader::read_containment_member(std::string_view key, Value value) {
  Containment& out = payload_.containment;
  bool has = false;
  Status read;
  if (key == "action") {
    read = read_word(value, containment_action_named, out.action, has);
    words_ = static_cast<std::uint8_t>(has ? words_ | 1U : words_ & ~1U);
  } else if (key == "outcome") {
    const auto named = [](std::string_view text) { return one_of_two(text, "done", "failed"); };
    read = read_word(value, named, out.done, has);
    words_ = static_cast<std::uint8_t>(has ? words_ | 2U : words_ & ~2U);
  } else if (key == "by") {
    read = read_bounded(value, out.by);
  } else if (key == "incident_id") {
    read = read_bounded(value, out.incident_id);
  }
  return read;
}

Status ControlReader::read_verdict(Value value) {
  return read_word(value, judgement_named, payload_.analyst.judgement, has_verdict_);
}

Status ControlReader::read_break_glass(Value value) {
  payload_.break_glass = {};
  words_ = 0;
  const auto read = read_object(value, [&](std::string_view key, Value member) {
    return read_break_glass_member(key, member);
  });
  const BreakGlass& got = payload_.break_glass;
  complete_break_glass_ = read && words_ == 1 && !got.id.empty() && !got.by.empty();
  return read ? Status{} : because(read.error());
}

Status ControlReader::read_break_glass_member(std::string_view key, Value value) {
  BreakGlass& out = payload_.break_glass;
  if (key == "id") return read_bounded(value, out.id);
  if (key == "by") return read_bounded(value, out.by);
  if (key == "reason") return read_bounded(value, out.reason);
  if (key != "state") return {};
  bool has = false;
  const auto named = [](std::string_view text) { return one_of_two(text, "opened", "closed"); };
  const Status read = read_word(value, named, out.opened, has);
  words_ = has ? 1 : 0;
  return read;
}

Status ControlReader::read_release(Value value) {
  payload_.release = {};
  words_ = 0;
  const auto read = read_object(
      value, [&](std::string_view key, Value member) { return read_release_member(key, member); });
  complete_release_ = read && words_ == 1 && !payload_.release.version.empty();
  return read ? Status{} : because(read.error());
}

Status ControlReader::read_release_member(std::string_view key, Value value) {
  ReleaseDecision& out = payload_.release;
  if (key == "version") return read_bounded(value, out.version);
  if (key == "prompt_version") return read_bounded(value, out.prompt_version);
  if (key == "reasons") return read_reasons(value);
  if (key != "decision") return {};
  bool has = false;
  const Status read = read_word(value, release_outcome_named, out.decision, has);
  words_ = has ? 1 : 0;
  return read;
}

Status ControlReader::read_reasons(Value value) {
  payload_.release.reasons.clear();
  if (is_null(value)) return {};
  simdjson::ondemand::array reasons;
  if (const auto error = value.get_array().get(reasons)) return because(reason_for(error));
  for (auto item : reasons) {
    Value reason;
    std::string_view text;
    if (const auto error = item.get(reason)) return because(reason_for(error));
    if (const Status read = read_bounded(reason, text); !read) return read;
    if (payload_.release.reasons.size() < kReasonsMax) payload_.release.reasons.push_back(text);
  }
  return {};
}

Status ControlReader::read_selftest(Value value) {
  payload_.selftest = {};
  words_ = 0;
  const auto read = read_object(
      value, [&](std::string_view key, Value member) { return read_selftest_member(key, member); });
  complete_selftest_ = read && words_ == 1 && !payload_.selftest.id.empty();
  return read ? Status{} : because(read.error());
}

Status ControlReader::read_selftest_member(std::string_view key, Value value) {
  Selftest& out = payload_.selftest;
  if (key == "id") return read_bounded(value, out.id);
  if (key != "sent_at") return {};
  words_ = 0;
  std::string_view text;
  if (const Status read = read_string(value, text); !read) return read;
  if (text.empty()) return {};
  const auto time = parse_rfc3339(text);
  if (!time) return because(Reject::kBadTime);
  out.sent_at = *time;
  words_ = 1;
  return {};
}

}  // namespace tocsin
