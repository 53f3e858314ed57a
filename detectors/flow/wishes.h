// What the user of a session wants, as far as words tell: which kinds of acts, only information, or
// that what some text says be done.
#pragma once

#include "detectors/flow/lexicon.h"
#include "detectors/flow/passage.h"

namespace tocsin::flow {

struct UserWishes {
  Acts acts = 0;           // kinds of acts asked for, in any message
  bool unnamed = false;    // an act that the lexicon does not know: "queue D-9921"
  bool informs = false;    // asked to be told something
  bool delegates = false;  // asked for what a text says: "do what it says", "the tasks on"
  bool material = false;   // asked for an act with a text as material: "pay the bill in a.txt"
  bool agrees = false;     // the last message was a mere yes

  // Everything asked for was information.
  [[nodiscard]] bool only_informs() const { return informs && acts == 0 && !unnamed && !delegates; }
};

// Adds what a message of the user, read, asks for.
void read_wishes(const Reading& reading, UserWishes& wishes);

}  // namespace tocsin::flow
