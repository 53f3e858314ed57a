#include "daemon/cli/explain.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/text.h"
#include "detectors/flow/describe.h"
#include "detectors/flow/tracker.h"

namespace tocsin::cli {
namespace {

constexpr std::size_t kTextBytes = 600;
constexpr std::size_t kValueBytes = 200;
constexpr std::size_t kLeavesMax = 24;
constexpr std::string_view kIndent = "           ";

constexpr std::string_view kBold = "1";
constexpr std::string_view kDim = "2";
constexpr std::string_view kRed = "1;31";
constexpr std::string_view kYellow = "33";
constexpr std::string_view kCyan = "36";

std::string_view colour_of(Severity severity) {
  return severity >= Severity::kHigh ? kRed : severity == Severity::kMedium ? kYellow : kDim;
}

}  // namespace

std::string Explainer::paint(std::string_view code, std::string_view text) const {
  return coloured_ ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string(text);
}

void Explainer::on_event(const Event& event, const EventContext& context) {
  if (event.session_id != session_) return;
  ++events_;
  head(event, context);
  body(event);
  if (context.flow == nullptr) return;
  if (event.type == EventType::kUserMessage) explain_user(context);
  if (event.type == EventType::kToolCall) explain_call(context);
  if (event.type == EventType::kToolResult) explain_result(context);
}

void Explainer::head(const Event& event, const EventContext& context) {
  std::string title(name_of(event.type));
  if (!event.tool.name.empty()) {
    title += fmt::format(" {} ({}{})", printable(event.tool.name), name_of(context.tool.effect),
                         context.tool.inferred ? ", inferred" : "");
  }
  if (!event.tool.error.empty()) title += " failed: " + printable(event.tool.error, kValueBytes);
  out_ << fmt::format("{:>5}  {}  {}\n", context.seq, paint(kDim, format_time(event.time)),
                      paint(kBold, title));
}

void Explainer::body(const Event& event) {
  if (!event.text.empty()) out_ << kIndent << printable(event.text, kTextBytes) << '\n';
  leaves("", event.tool.arguments);
  leaves("", event.tool.result);
  for (const ToolDefinition& tool : event.tools) {
    out_ << kIndent << printable(tool.name) << ": " << printable(tool.description, kValueBytes)
         << '\n';
  }
}

void Explainer::leaves(std::string_view name, const std::vector<Leaf>& leaves) {
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (i == kLeavesMax) {
      out_ << kIndent << fmt::format("... and {} more\n", leaves.size() - i);
      return;
    }
    const std::string path = std::string(name) + printable(leaves[i].path);
    out_ << kIndent << (path.empty() ? "" : paint(kCyan, path) + " = ")
         << printable(leaves[i].text, kTextBytes) << '\n';
  }
}

void Explainer::note(std::string_view what, std::string_view text) {
  out_ << kIndent << paint(kDim, fmt::format("· {}: ", what)) << text << '\n';
}

void Explainer::explain_user(const EventContext& context) {
  const flow::UserWishes& wishes = context.flow->memory->wishes;
  std::string text = "acts " + flow::acts_text(wishes.acts);
  if (wishes.unnamed) text += ", something else";
  if (wishes.only_informs()) text = "only to be told something";
  if (wishes.delegated != 0) {
    text += wishes.delegated == flow::kAllActs
                ? std::string(", what a text says")
                : ", as a text says: " + flow::acts_text(wishes.delegated);
  }
  if (wishes.material) text += ", from a text";
  note("wants so far", text);
}

void Explainer::explain_call(const EventContext& context) {
  for (const flow::Carried& carried : context.flow->carried) {
    note(carried.destination ? "destination from" : "value from",
         fmt::format("{} in {} = {}", carried.source->mark.origin().seq, printable(carried.path),
                     printable(carried.value, kValueBytes)));
  }
  if (!context.flow->obeying) return;
  const flow::Obeying& obeying = *context.flow->obeying;
  if (!obeying.origin && obeying.instruction == nullptr) {
    note("nobody asked",
         fmt::format("{} ({:.1f} points)", flow::asked_text(obeying.asked), obeying.points));
    return;
  }
  note(obeying.instruction != nullptr ? "obeys" : "acts on",
       fmt::format(
           "{} ({:.1f} points): {} = {}: {}",
           obeying.origin ? std::to_string(obeying.origin->seq) : "a result that is forgotten",
           obeying.points, printable(obeying.path), printable(obeying.value, kValueBytes),
           flow::link_text(obeying.link)));
  std::string why(flow::asked_text(obeying.asked));
  if (obeying.delegation == flow::Delegation::kActs) why += "; and handed over what it says";
  if (obeying.delegation == flow::Delegation::kMaterial) why += "; and named it as material";
  if (obeying.frames != 0) why += "; the text " + flow::frames_text(obeying.frames);
  note("why", why);
}

void Explainer::explain_result(const EventContext& context) {
  if (context.flow->asking.empty()) return;
  note("asks", printable(context.flow->asking, kTextBytes));
  if (context.flow->asking_frames != 0) note("how", flow::frames_text(context.flow->asking_frames));
}

void Explainer::on_finding(const Finding& finding) {
  if (finding.session_id != session_) return;
  out_ << kIndent
       << paint(colour_of(finding.severity),
                fmt::format("{} {}", name_of(finding.severity), finding.rule))
       << "  " << finding.title;
  if (finding.repeats.count > 1) out_ << fmt::format(" ({} times)", finding.repeats.count);
  out_ << '\n';
  for (const Evidence& evidence : finding.evidence) {
    out_ << kIndent << "  " << evidence.field << " = " << evidence.excerpt;
    if (!evidence.decoded.empty()) out_ << " through " << evidence.decoded;
    if (evidence.origin) out_ << fmt::format(", from {}", evidence.origin->seq);
    out_ << '\n';
  }
}

}  // namespace tocsin::cli
