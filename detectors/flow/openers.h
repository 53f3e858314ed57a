// Words before a verb that do not keep it from being asked for: what a text that asks and a user
// who wishes have in common.
#pragma once

#include <cstdint>

#include "detectors/flow/lexicon.h"
#include "detectors/flow/passage.h"
#include "detectors/flow/word_hash.h"

namespace tocsin::flow {

// "Don't forget to send": token `i` seems to deny what is asked for.
inline bool is_reminder(const Reading& reading, std::uint32_t i, const Clause& clause) {
  static constexpr std::uint64_t kForget = word_hash("forget");
  return (reading.meanings[i].signs & kNegation) != 0 && i + 1 < clause.last &&
         reading.tokens[i + 1].hash == kForget;
}

// "Be sure to send", "remember to send": token `i` is the "to", and an opener stands before it.
inline bool is_to_verb(const Reading& reading, std::uint32_t i, const Clause& clause) {
  static constexpr std::uint64_t kTo = word_hash("to");
  return i > clause.first && reading.tokens[i].hash == kTo &&
         (reading.meanings[i - 1].signs & kOpener) != 0;
}

}  // namespace tocsin::flow
