// What the tracker knows, in words for a person.  None of it comes from an event.
#pragma once

#include <string>
#include <string_view>

#include "detectors/flow/tracker.h"

namespace tocsin::flow {

// "speaks to an assistant, asks for silence"; empty for none.
std::string frames_text(Frames frames);
// "send/pay"; "nothing known" for none.
std::string acts_text(Acts acts);
// "names what only it names, word for word".
std::string link_text(const Link& link);
// "the user only asked to be told something".
std::string_view asked_text(Asked asked);

}  // namespace tocsin::flow
