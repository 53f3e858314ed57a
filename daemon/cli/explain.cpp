#include "daemon/cli/explain.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/text.h"
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

std::string frames_text(flow::Frames frames) {
  static constexpr std::pair<flow::Frames, std::string_view> kNames[] = {
      {flow::kToAssistant, "speaks to an assistant"},
      {flow::kAboutTask, "speaks of its task"},
      {flow::kOverrides, "overrides what was said"},
      {flow::kOrdersWork, "puts itself before the work"},
      {flow::kOfTheUser, "speaks of the user"},
      {flow::kCovertly, "asks for silence"},
      {flow::kRoleMark, "carries a role mark"},
      {flow::kModalFrame, "must"},
      {flow::kUrgentFrame, "urges"},
      {flow::kAuthorityFrame, "claims authority"},
      {flow::kShouted, "shouts"},
  };
  std::string text;
  for (const auto& [frame, name] : kNames) {
    if ((frames & frame) == 0) continue;
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

std::string acts_text(flow::Acts acts) {
  static constexpr std::string_view kNames[] = {"send", "pay",   "create", "change", "delete",
                                                "run",  "fetch", "grant",  "book",
                                                "install"};
  std::string text;
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if ((acts & (1U << i)) == 0) continue;
    if (!text.empty()) text += "/";
    text += kNames[i];
  }
  return text.empty() ? "nothing known" : text;
}

std::string link_text(const flow::Link& link) {
  std::vector<std::string> parts;
  if (link.identifier) parts.emplace_back("names what only it names");
  if (link.replaces) parts.emplace_back("in the place of what the user named");
  if (link.shared) parts.emplace_back("a value that stands elsewhere, too");
  if (link.derived) parts.emplace_back("a value that it led to");
  if (link.whole_value) parts.emplace_back("word for word");
  if (link.short_value) parts.emplace_back("a short value");
  if (link.prose_percent > 0) parts.push_back(fmt::format("{} % of the words", link.prose_percent));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string_view asked_text(flow::Asked asked) {
  switch (asked) {
    case flow::Asked::kThis:
      return "the user asked for such acts";
    case flow::Asked::kMaybe:
      return "the user may have asked for it";
    case flow::Asked::kOther:
      return "the user asked for other acts";
    case flow::Asked::kNothing:
      return "the user only asked to be told something";
  }
  return {};
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
                         context.tool.inferred ? ", by its name" : "");
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
  std::string text = "acts " + acts_text(wishes.acts);
  if (wishes.unnamed) text += ", something else";
  if (wishes.only_informs()) text = "only to be told something";
  if (wishes.delegated != 0) {
    text += wishes.delegated == flow::kAllActs ? std::string(", what a text says")
                                               : ", as a text says: " + acts_text(wishes.delegated);
  }
  if (wishes.material) text += ", from a text";
  note("wants so far", text);
}

void Explainer::explain_call(const EventContext& context) {
  for (const flow::Carried& carried : context.flow->carried) {
    note(carried.destination ? "destination from" : "value from",
         fmt::format("{} in {} = {}", carried.source->origin.seq, printable(carried.path),
                     printable(carried.value, kValueBytes)));
  }
  if (!context.flow->obeying) return;
  const flow::Obeying& obeying = *context.flow->obeying;
  const std::string where =
      obeying.origin == nullptr ? "?" : fmt::format("{}", obeying.origin->seq);
  note("obeys", fmt::format("{} ({:.1f} points): {} = {}: {}", where, obeying.points,
                            printable(obeying.path), printable(obeying.value, kValueBytes),
                            link_text(obeying.link)));
  std::string why(asked_text(obeying.asked));
  if (obeying.delegation == flow::Delegation::kActs) why += "; and handed over what it says";
  if (obeying.delegation == flow::Delegation::kMaterial) why += "; and named it as material";
  if (obeying.frames != 0) why += "; the text " + frames_text(obeying.frames);
  note("why", why);
}

void Explainer::explain_result(const EventContext& context) {
  if (context.flow->asking.empty()) return;
  note("asks", printable(context.flow->asking, kTextBytes));
  if (context.flow->asking_frames != 0) note("how", frames_text(context.flow->asking_frames));
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
