#include "daemon/profile/system_profile.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "daemon/finding.h"

namespace tocsin {
namespace {

using yaml::MapReader;
using yaml::Node;

constexpr std::array<std::string_view, 2> kDecisionNames = {"assistive", "consequential"};
constexpr std::array<std::string_view, 3> kReturnsNames = {"trusted", "private", "untrusted"};

void read_returns(MapReader& reader, Returns* out) {
  const Node* node = reader.node("returns");
  if (node == nullptr) return;
  const std::vector<Node> single = {*node};
  for (const Node& item : node->kind == Node::Kind::kSequence ? node->items : single) {
    const auto word = yaml::scalar_of(item, one_of(kReturnsNames), reader.context().diagnostics);
    if (!word) continue;
    if (*word == "trusted") {
      out->trusted = true;
    } else if (*word == "private") {
      out->private_data = true;
    } else if (*word == "untrusted") {
      out->untrusted = true;
    } else {
      const std::string_view near = nearest(*word, kReturnsNames);
      yaml::error_at(item,
                     fmt::format("`{}` is not a value for `{}.returns`", *word, reader.path()),
                     near.empty() ? one_of(kReturnsNames) : fmt::format("did you mean `{}`?", near),
                     reader.context().diagnostics);
    }
  }
}

void read_tools(MapReader tools, SystemProfile* profile) {
  if (tools.self() == nullptr) return;
  for (const auto& [key, value] : tools.self()->entries) {
    MapReader reader = tools.map(key.scalar);
    ToolProfile tool{.name = key.scalar, .effect = Effect::kRead, .returns = {}, .destination = {}};
    auto effect = static_cast<std::size_t>(tool.effect);
    if (reader.require("effect", one_of(kEffectNames))) {
      reader.choice("effect", kEffectNames, &effect);
    }
    tool.effect = static_cast<Effect>(effect);
    read_returns(reader, &tool.returns);
    reader.strings("destination", &tool.destination);
    reader.finish();
    profile->tools.emplace(tool.name, std::move(tool));
  }
}

void read_owner(MapReader reader, Owner* owner) {
  reader.string("name", &owner->name);
  const Node* name = reader.node("name");
  if (name != nullptr && name->kind == Node::Kind::kScalar && name->scalar.empty()) {
    yaml::error_at(*name, "`owner.name` is empty", "one person or team, not a committee",
                   reader.context().diagnostics);
  }
  reader.string("contact", &owner->contact);
  reader.strings("escalation", &owner->escalation);
  reader.finish();
}

// Calls `read` with a reader for every map of the list under `key`.
template <typename Read>
void for_each_map(MapReader& reader, std::string_view key, Read read) {
  const Node* list = reader.node(key);
  if (list == nullptr || list->kind == Node::Kind::kNull) return;
  if (list->kind != Node::Kind::kSequence) {
    yaml::error_at(*list, fmt::format("`{}` must be a list", key), "",
                   reader.context().diagnostics);
    return;
  }
  for (const Node& item : list->items) {
    MapReader each(&item, std::string(key), reader.context());
    if (each.self() == nullptr) continue;
    read(each);
    each.finish();
  }
}

}  // namespace

const ToolProfile* SystemProfile::tool(std::string_view name) const {
  const auto found = tools.find(name);
  return found == tools.end() ? nullptr : &found->second;
}

std::optional<SystemProfile> read_system_profile(const yaml::Document& document, bool owner_needed,
                                                 Diagnostics& diagnostics) {
  const std::size_t errors_before = diagnostics.errors();
  yaml::ReadContext context(diagnostics);
  MapReader reader(document.root.get(), "", context);
  SystemProfile profile;
  if (reader.require("system", "the value of `system` in this system's events")) {
    reader.string("system", &profile.system);
    const Node* name = reader.node("system");
    if (name->kind == Node::Kind::kScalar && name->scalar.empty()) {
      yaml::error_at(*name, "`system` is empty", "the value of `system` in this system's events",
                     diagnostics);
    }
  }
  if (owner_needed) {
    reader.require("owner", "name who answers for this system: owner: {name: ..., contact: ...}");
  }
  MapReader owner = reader.map("owner");
  const Node* owner_node = reader.node("owner");
  const bool owner_read =
      owner.self() != nullptr || (owner_node != nullptr && owner_node->kind == Node::Kind::kNull);
  if (owner_read && owner_needed) {
    owner.require("name", "one person or team, not a committee");
  }
  read_owner(owner, &profile.owner);
  auto risk = static_cast<std::size_t>(profile.risk);
  reader.choice("risk", kRiskNames, &risk);
  profile.risk = static_cast<Risk>(risk);
  auto decision = static_cast<std::size_t>(profile.decision);
  reader.choice("decision", kDecisionNames, &decision);
  profile.decision = static_cast<Decision>(decision);
  if (reader.require("tools",
                     "a map of tool name to {effect, returns, destination}; {} for none")) {
    read_tools(reader.map("tools"), &profile);
  }
  for_each_map(reader, "misuse_cases", [&](MapReader& each) {
    MisuseCase& misuse = profile.misuse_cases.emplace_back();
    each.require("id", "a short name, used in reports");
    each.string("id", &misuse.id);
    each.string("actor", &misuse.actor);
    each.string("story", &misuse.story);
    each.strings("rules", &misuse.rules);
    each.strings("cases", &misuse.cases);
  });
  for_each_map(reader, "containment", [&](MapReader& each) {
    ContainmentPolicy& policy = profile.containment.emplace_back();
    std::size_t category = 0;
    std::size_t severity = 0;
    std::size_t action = 0;
    each.require("category", one_of(category_names()));
    each.require("severity", one_of(severity_names()));
    each.require("action", one_of(containment_action_names()));
    each.choice("category", category_names(), &category);
    each.choice("severity", severity_names(), &severity);
    each.choice("action", containment_action_names(), &action);
    policy = {.category = static_cast<Category>(category),
              .severity = static_cast<Severity>(severity),
              .action = static_cast<ContainmentAction>(action)};
  });
  reader.finish();
  if (diagnostics.errors() > errors_before) return std::nullopt;
  return profile;
}

}  // namespace tocsin
