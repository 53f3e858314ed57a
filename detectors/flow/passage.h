// Finds, in a text the agent was given, the passages that ask for something to be done.
//
// A text is cut into fields (lines of the form `key: value`, as YAML and e-mail headers have them)
// and clauses.  A clause asks when it begins with a verb in its base form, or says that somebody
// must, should or is asked to do something; a passage is an asking clause and what follows it.  How
// much a passage looks like an instruction meant for the agent, rather than for a person, is in its
// frames.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "detectors/flow/lexicon.h"
#include "detectors/flow/token.h"

namespace tocsin::flow {

// Ways in which a text speaks as if it were the agent's principal.  The first ones are strong:
// people seldom write so to each other.
using Frames = std::uint16_t;
inline constexpr Frames kToAssistant = 1U << 0U;  // speaks to an assistant, agent or model
inline constexpr Frames kAboutTask = 1U << 1U;    // speaks of the reader's task or instructions
inline constexpr Frames kOverrides = 1U << 2U;    // ignore what was said before
inline constexpr Frames kOrdersWork = 1U << 3U;   // first this, before you go on with your task
inline constexpr Frames kOfTheUser = 1U << 4U;    // speaks of "the user"
inline constexpr Frames kCovertly = 1U << 5U;     // without telling anybody
inline constexpr Frames kRoleMark = 1U << 6U;     // <system>, [INST], "system:"
inline constexpr Frames kStrongFrames = (1U << 7U) - 1;
inline constexpr Frames kModalFrame = 1U << 7U;
inline constexpr Frames kUrgentFrame = 1U << 8U;
inline constexpr Frames kAuthorityFrame = 1U << 9U;
inline constexpr Frames kShouted = 1U << 10U;  // !!!, words in capitals

inline int strong_frames(Frames frames) {
  return std::popcount(static_cast<unsigned>(frames & kStrongFrames));
}

struct Clause {
  std::uint32_t first = 0;  // tokens [first, last)
  std::uint32_t last = 0;
  std::uint16_t field = 0;
  Frames frames = 0;
  Acts acts = 0;   // of all its verbs
  Acts asked = 0;  // of the verbs that ask; 0 although it asks: for something unknown
  bool asks = false;
};

struct Passage {
  std::uint32_t first = 0;  // tokens [first, last)
  std::uint32_t last = 0;
  Frames frames = 0;  // its own, and those of the two clauses before it
  Acts acts = 0;
};

// As many as a text of kTextBytesMax can have, or nearly: filling one pushes nothing out.
inline constexpr std::size_t kClausesMax = kTextBytesMax / 3;  // what follows is one clause
inline constexpr std::size_t kPassagesMax = kTextBytesMax / 8;
inline constexpr std::size_t kPassageClausesMax = 12;
inline constexpr std::size_t kPassageTokensMax = 128;

// One text, taken apart.  Reused; keeps its memory.
struct Reading {
  std::string_view text;
  std::vector<Token> tokens;
  std::vector<Meaning> meanings;  // of each token; of what is no word, nothing
  std::vector<Clause> clauses;
  std::vector<Passage> passages;

  [[nodiscard]] std::string_view text_of(const Passage& passage) const;
};

// Of a text of more than kTextBytesMax the end may not be read: read it in parts.
void read_text(std::string_view text, Reading& reading);

}  // namespace tocsin::flow
