// What the user of a session wants, as far as words tell: which kinds of acts, only information, or
// that what some text says be done.
#pragma once

#include "detectors/flow/lexicon.h"
#include "detectors/flow/passage.h"

namespace tocsin::flow {

struct UserWishes {
  Acts acts = 0;         // kinds of acts asked for, in any message
  bool unnamed = false;  // an act that the lexicon does not know: "queue D-9921"
  bool informs = false;  // asked to be told something
  // Kinds of acts that were handed over to what a text says: all of them by "do what it says", some
  // by "change my rent accordingly".
  Acts delegated = 0;
  bool material = false;  // asked for an act with a text as material: "pay the bill in a.txt"
  bool agrees = false;    // the last message was a mere yes

  // Everything asked for was information.
  [[nodiscard]] bool only_informs() const {
    return informs && acts == 0 && !unnamed && delegated == 0;
  }
};

// Adds what a message of the user, read, asks for.
void read_wishes(const Reading& reading, UserWishes& wishes);

}  // namespace tocsin::flow
