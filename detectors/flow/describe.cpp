#include "detectors/flow/describe.h"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin::flow {

std::string frames_text(Frames frames) {
  static constexpr std::pair<Frames, std::string_view> kNames[] = {
      {kToAssistant, "speaks to an assistant"},
      {kAboutTask, "speaks of its task"},
      {kOverrides, "overrides what was said"},
      {kOrdersWork, "puts itself before the work"},
      {kOfTheUser, "speaks of the user"},
      {kCovertly, "asks for silence"},
      {kRoleMark, "carries a role mark"},
      {kModalFrame, "must"},
      {kUrgentFrame, "urges"},
      {kAuthorityFrame, "claims authority"},
      {kShouted, "shouts"},
  };
  std::string text;
  for (const auto& [frame, name] : kNames) {
    if ((frames & frame) == 0) continue;
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

std::string acts_text(Acts acts) {
  static constexpr std::string_view kNames[] = {"send", "pay",   "create", "change", "delete",
                                                "run",  "fetch", "grant",  "book",   "install"};
  std::string text;
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if ((acts & (1U << i)) == 0) continue;
    if (!text.empty()) text += "/";
    text += kNames[i];
  }
  return text.empty() ? "nothing known" : text;
}

std::string link_text(const Link& link) {
  std::vector<std::string> parts;
  if (link.identifier) parts.emplace_back("names what only it names");
  if (link.replaces) parts.emplace_back("in the place of what the user named");
  if (link.shared) parts.emplace_back("a value that stands elsewhere, too");
  if (link.derived) parts.emplace_back("a value that it led to");
  if (link.whole_value) parts.emplace_back("word for word");
  if (link.credential) parts.emplace_back("a password or the like");
  if (link.short_value) parts.emplace_back("a short value");
  if (link.prose_percent > 0) parts.push_back(fmt::format("{} % of the words", link.prose_percent));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string_view asked_text(Asked asked) {
  switch (asked) {
    case Asked::kThis: return "the user asked for such acts";
    case Asked::kMaybe: return "the user may have asked for it";
    case Asked::kOther: return "the user asked for other acts";
    case Asked::kNothing: return "the user only asked to be told something";
  }
  return {};
}

}  // namespace tocsin::flow
