// Follows what is said and done in a session: takes each event into the session's memory and says
// what it does with what was said before.
//
// The question is always whether a call does what the user wants or what a text that the agent read
// wants.  Word for word the two can be equal; what tells them apart is where the call's values come
// from, whether that place asked for the act, how it asked, and what the user had asked for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/event.h"
#include "detectors/decoding/decoder.h"
#include "detectors/flow/memory.h"

namespace tocsin {
struct EventContext;
}

namespace tocsin::flow {

// What binds a call to an instruction.
struct Link {
  bool identifier = false;     // of the instruction alone, and not the user's
  bool destination = false;    // ... and says where something goes
  bool replaces = false;       // ... where an earlier call had what the user named
  bool shared = false;         // of the instruction and of other content
  bool derived = false;        // of a result that the instruction led to
  bool whole_value = false;    // an argument stands in it word for word
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
  const Origin* origin = nullptr;            // the result in which it, or the value, stands
  Frames frames = 0;
  Link link;
  Asked asked = Asked::kOther;
  Delegation delegation = Delegation::kNone;
  std::string_view path;   // of the argument that binds most
  std::string_view value;
};

// A value of a call that was first seen in a result, and not with the user.
struct Carried {
  std::string_view path;
  std::string_view value;  // the identifier
  const Source* source = nullptr;
  bool destination = false;  // says where something goes
  TokenKind kind = TokenKind::kCode;
  std::uint16_t where = 0;  // Sighting::where
};

// What one event is in its session.  Views and pointers live until the next event of the worker.
struct Flow {
  const SessionMemory* memory = nullptr;
  // Of a tool_call.
  Asked asked = Asked::kMaybe;
  bool unrequested = false;  // it acts, and the user only asked to be told something
  bool sink = false;         // it changes, sends or runs something, or contacts a place
  std::optional<Obeying> obeying;
  std::vector<Carried> carried;  // kCarriedMax at most
  // Of a tool_result.
  const Source* source = nullptr;          // what was read
  std::string_view asking;                 // the most framed passage; empty: none
  Frames asking_frames = 0;
  std::optional<double> carried_out;       // points of the call it answers, which it did not refuse
};

inline constexpr std::size_t kCarriedMax = 32;

// One a worker; not thread-safe.
class Tracker {
 public:
  // To be called once an event of a session, in order, before its detectors.
  const Flow& follow(const Event& event, const EventContext& context, SessionMemory& memory);

 private:
  // What a tool's name says.
  struct ToolSense {
    Acts acts = 0;
    std::vector<std::uint64_t> nouns;  // token hashes
  };
  // An argument of the call at hand, cut up.
  struct Argument {
    const Leaf* leaf = nullptr;
    std::size_t first = 0;  // of call_tokens_
    std::size_t last = 0;
    bool destination = false;
    std::uint32_t slot = 0;  // of its tool and name, as SessionMemory::filled has it
  };
  struct CallToken {
    std::uint32_t hash = 0;
    Token token;
    Meaning meaning;
    bool users = false;  // the user or the system prompt has it
  };

  void on_system(const Event& event, SessionMemory& memory);
  void on_user(const Event& event, SessionMemory& memory);
  void on_call(const Event& event, const EventContext& context, SessionMemory& memory);
  void on_result(const Event& event, const EventContext& context, SessionMemory& memory);

  void learn_user_words(const Event& event, SessionMemory& memory);

  void cut_arguments(const Event& event, const EventContext& context, const SessionMemory& memory);
  [[nodiscard]] bool is_sink(const EventContext& context) const;
  void carry(const SessionMemory& memory);
  void judge(const ToolSense& tool, const EventContext& context, const SessionMemory& memory);
  void judge_values(const ToolSense& tool, const EventContext& context,
                    const SessionMemory& memory);
  [[nodiscard]] static bool is_act(const ToolSense& tool, const EventContext& context);
  [[nodiscard]] static Delegation delegation(const Instruction& instruction, const ToolSense& tool,
                                             const SessionMemory& memory);
  [[nodiscard]] static Asked asked(const ToolSense& tool, const SessionMemory& memory);
  [[nodiscard]] bool tells_apart(const Argument& argument) const;
  [[nodiscard]] Link link(const Instruction& instruction, std::size_t index,
                          const SessionMemory& memory, Obeying& best);

  void read_leaf(const Event& event, std::size_t leaf, std::uint16_t source_index,
                 SessionMemory& memory);
  void keep(const Passage& passage, const Event& event, std::size_t leaf,
            std::uint16_t source_index, SessionMemory& memory);
  [[nodiscard]] bool is_named(const Passage& passage, const Event& event, std::size_t leaf,
                              const SessionMemory& memory);
  [[nodiscard]] bool is_named_around(const Event& event, std::size_t leaf,
                                     const SessionMemory& memory);
  void read_value(std::string_view text, const Event& event, std::size_t leaf,
                  std::uint16_t source_index, SessionMemory& memory);
  [[nodiscard]] Acts acts_of_arguments() const;

  // Few views: an encoded passage is one, and rules look through the rest.
  static constexpr decoding::Limits kDecoded{
      .depth_max = 3, .bytes_max = std::size_t{64} << 10, .views_max = 8};
  const ToolSense& sense_of(std::string_view tool);
  // Whether a parameter of this name says where something goes.
  bool is_destination(std::string_view path);

  Flow flow_;
  Reading reading_;
  decoding::Decoder decoder_{kDecoded};
  std::vector<decoding::View> views_;
  std::string asking_;         // Flow::asking; a decoded text lives no longer than its value
  std::vector<Token> around_;  // of the values around a passage
  std::optional<bool> named_around_;  // is_named_around of the leaf at hand, once it was asked
  std::vector<CallToken> call_tokens_;
  std::vector<Argument> arguments_;
  std::vector<char> in_passage_;      // by token of the reading
  std::vector<std::uint32_t> words_;  // of the argument at hand, for `link`
  std::unordered_map<std::uint64_t, ToolSense> senses_;
  // Names of parameters looked at last, by their hash, whose lowest bit is what was found.
  std::array<std::uint64_t, 256> destinations_{};
};

}  // namespace tocsin::flow
