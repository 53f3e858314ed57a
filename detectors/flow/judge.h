// Whose wish a call fulfils: points for each instruction that the session remembers.  The table of
// points is in detectors/hijack.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "detectors/flow/call.h"
#include "detectors/flow/memory.h"

namespace tocsin::flow {

// From here on a call is told: as a ticket, and as a page.  What detectors/hijack.cpp starts with.
inline constexpr double kMayObeyPoints = 3;
inline constexpr double kObeysPoints = 5;

// What binds a call to an instruction.
struct Link {
  bool identifier = false;     // of the instruction alone, and not the user's
  bool destination = false;    // ... and says where something goes
  bool replaces = false;       // ... where an earlier call had what the user named
  bool shared = false;         // of the instruction and of other content
  bool derived = false;        // of a result that the instruction led to
  bool whole_value = false;    // an argument stands in it word for word
  bool credential = false;     // ... which lets somebody in from now on
  bool short_value = false;    // a short number or id
  unsigned prose_percent = 0;  // of an argument's word triples
};

// How a call's kind of act stands to what the user asked for.
enum class Asked : std::uint8_t {
  kThis,     // acts of this kind
  kMaybe,    // something that cannot be told from words
  kOther,    // acts of another kind
  kNothing,  // only to be told something
};

// A call that does what an instruction says, as far as the points tell.
struct Obeying {
  double points = 0;
  const Instruction* instruction = nullptr;  // null: no text asked, values alone were taken over
  // The result in which it, or the value, stands; none: forgotten, or no value was read.
  std::optional<OriginView> origin{};
  Frames frames = 0;
  Link link;
  Asked asked = Asked::kOther;
  Delegation delegation = Delegation::kNone;
  std::string_view path;  // of the argument that binds most
  std::string_view value;
};

// One a worker; not thread-safe.
class Judge {
 public:
  static Asked asked(const Call& call, const SessionMemory& memory);

  // The instruction that the call obeys most; nothing when no instruction binds it.  Points below
  // those of a ticket (detectors/hijack.cpp) are returned, too.
  std::optional<Obeying> judge(const Call& call, Asked asked, const SessionMemory& memory);

 private:
  // What does not depend on the instruction.
  struct Facts {
    Asked asked = Asked::kMaybe;
    bool all_users = false;           // every word of the arguments is the user's
    bool destinations_users = false;  // there are destinations, and all of them are
    bool noun_asked = false;          // the user named what the tool works on
    bool general = false;             // an executor of which it is not known what it does
    bool runs_on = false;             // starts what was started before, and names no place
  };
  // What binds the call to one instruction.
  struct Match {
    Link link;
    bool act = false;     // both are of one kind
    bool noun = false;    // the instruction names what the tool works on
    bool strong = false;  // it speaks as if it were the user
    bool advice = false;  // of a program on its next run
    double points = 0;    // of the link
  };

  static Facts facts(const Call& call, Asked asked, const SessionMemory& memory);
  static Delegation delegation(const Instruction& instruction, const Call& call,
                               const SessionMemory& memory);
  Link link(const Call& call, const Instruction& instruction, std::size_t index,
            const SessionMemory& memory, Obeying& best);
  static int bind(const CallToken& token, const Argument& argument, const Instruction& instruction,
                  std::size_t index, const SessionMemory& memory, Link& link);
  // Takes away what the user seems to have asked for and handed over.
  static void withhold(Facts& facts, Obeying& found);
  static double points_of_link(const Match& match);
  static double points(const Match& match, const Facts& facts, const Call& call,
                       const Obeying& found);
  static std::optional<Obeying> judge_values(const Call& call, Asked asked);

  std::vector<std::uint32_t> words_;  // of the argument at hand
};

}  // namespace tocsin::flow
