// What the owner of an AI system says about it: `rules/systems/*.yaml`, contracts.md section 5.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/diagnostics.h"
#include "daemon/event.h"
#include "daemon/finding.h"
#include "daemon/profile/effect.h"
#include "daemon/yaml/document.h"

namespace tocsin {

// What a tool's result may carry; several may hold.
struct Returns {
  bool trusted = false;
  bool private_data = false;
  bool untrusted = false;
};

struct ToolProfile {
  std::string name;
  Effect effect = Effect::kRead;
  Returns returns;
  std::vector<std::string> destination;  // parameters that name where something goes
};

struct Owner {
  std::string name;
  std::string contact;
  std::vector<std::string> escalation;
};

enum class Risk : std::uint8_t { kLow, kMedium, kHigh };
inline constexpr std::array<std::string_view, 3> kRiskNames = {"low", "medium", "high"};
constexpr std::string_view name_of(Risk risk) { return kRiskNames[static_cast<std::size_t>(risk)]; }

enum class Decision : std::uint8_t { kAssistive, kConsequential };

struct MisuseCase {
  std::string id;
  std::string actor;
  std::string story;
  std::vector<std::string> rules;  // ids of what would find it
  std::vector<std::string> cases;  // recorded cases that show it
};

// What is asked for when an incident has a finding of this category, as severe or more.
struct ContainmentPolicy {
  Category category = Category::kExfiltration;
  Severity severity = Severity::kCritical;
  ContainmentAction action = ContainmentAction::kKillSession;
};

struct SystemProfile {
  std::string system;
  Owner owner;
  Risk risk = Risk::kMedium;
  Decision decision = Decision::kConsequential;  // undeclared: the stricter reading
  std::map<std::string, ToolProfile, std::less<>> tools;
  std::vector<MisuseCase> misuse_cases;
  std::vector<ContainmentPolicy> containment;

  [[nodiscard]] const ToolProfile* tool(std::string_view name) const;
};

// `owner_needed`: outside of replay a system that nobody answers for is an error.
std::optional<SystemProfile> read_system_profile(const yaml::Document& document, bool owner_needed,
                                                 Diagnostics& diagnostics);

}  // namespace tocsin
