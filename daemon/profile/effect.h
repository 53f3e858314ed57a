// What a tool does to the world, declared or guessed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tocsin {

enum class Effect : std::uint8_t { kRead, kWrite, kEgress, kExecute };
inline constexpr std::size_t kEffectCount = 4;
inline constexpr std::array<std::string_view, kEffectCount> kEffectNames = {"read", "write",
                                                                            "egress", "execute"};
constexpr std::string_view name_of(Effect effect) {
  return kEffectNames[static_cast<std::size_t>(effect)];
}

// For a tool nobody declared: from the verb in its name ("send_email", "getUserInfo"), else from
// its nouns
// ("bash"), else from the first words of its description.  A tool nothing is known about counts as
// `write`: calling an acting tool harmless would be the worse mistake.
Effect infer_effect(std::string_view tool_name, std::string_view description = {});

}  // namespace tocsin
