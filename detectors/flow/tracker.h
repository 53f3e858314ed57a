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
#include "detectors/flow/call.h"
#include "detectors/flow/judge.h"
#include "detectors/flow/memory.h"

namespace tocsin {
struct EventContext;
}

namespace tocsin::flow {

// A value of a call that was first seen in a result, and not with the user.
struct Carried {
  std::string_view path;
  std::string_view value;  // the identifier
  const Source* source = nullptr;
  bool destination = false;  // says where something goes
  TokenKind kind = TokenKind::kCode;
  unsigned where = 0;  // Sighting::where
};

// What one event is in its session.  Views and pointers live until the next event of the worker.
struct Flow {
  static constexpr std::uint32_t kNoEnd = UINT32_MAX;

  const SessionMemory* memory = nullptr;
  // Of a tool_call.
  Asked asked = Asked::kMaybe;
  bool unrequested = false;  // it acts, and the user only asked to be told something
  bool sink = false;         // it changes, sends or runs something, or contacts a place
  std::optional<Obeying> obeying;
  std::vector<Carried> carried;  // kCarriedMax at most
  // Of a tool_result.
  const Source* source = nullptr;  // what was read
  std::string_view asking;         // the most framed passage; empty: none
  Frames asking_frames = 0;
  // Where the first address or account number of a value of the result ends, of all values the
  // least: bytes of the value, as it stands; kNoEnd: there is none in what was read of them.
  std::uint32_t personal_end = kNoEnd;
  std::optional<double> carried_out;  // points of the call it answers, which it did not refuse
};

inline constexpr std::size_t kCarriedMax = 32;

// One a worker; not thread-safe.
class Tracker {
 public:
  // To be called once an event of a session, in order, before its detectors.
  const Flow& follow(const Event& event, const EventContext& context, SessionMemory& memory);

 private:
  void on_system(const Event& event, SessionMemory& memory);
  void on_user(const Event& event, SessionMemory& memory);
  void on_call(const Event& event, const EventContext& context, SessionMemory& memory);
  void on_result(const Event& event, const EventContext& context, SessionMemory& memory);

  void learn_user_words(SessionMemory& memory);
  [[nodiscard]] bool is_name(std::uint32_t index, const Clause& clause) const;

  void carry(const Call& call);
  void remember(const Call& call, const Event& event, SessionMemory& memory);
  static std::uint16_t instruction_with(std::uint32_t hash, const SessionMemory& memory);

  void read_long(std::string_view text, const Event& event, std::size_t leaf,
                 std::uint32_t source_index, SessionMemory& memory);
  void keep(const Passage& passage, const Event& event, std::size_t leaf,
            std::uint32_t source_index, SessionMemory& memory);
  static void make_room(Instruction made, SessionMemory& memory);
  [[nodiscard]] bool is_named(const Passage& passage, const Event& event, std::size_t leaf,
                              const SessionMemory& memory);
  [[nodiscard]] bool is_named_around(const Event& event, std::size_t leaf,
                                     const SessionMemory& memory);
  void read_value(std::string_view text, const Event& event, std::size_t leaf,
                  std::uint32_t source_index, SessionMemory& memory);

  // Few views: an encoded passage is one, and rules look through the rest.
  static constexpr decoding::Limits kDecoded{
      .depth_max = 3, .bytes_max = std::size_t{64} << 10, .views_max = 8};

  Flow flow_;
  Reading reading_;
  decoding::Decoder decoder_{kDecoded};
  std::vector<decoding::View> views_;
  std::string asking_;                // Flow::asking; a decoded text lives no longer than its value
  std::vector<Token> around_;         // of the values around a passage
  std::optional<bool> named_around_;  // is_named_around of the leaf at hand, once it was asked
  CallReader calls_;
  Judge judge_;
  std::vector<char> in_passage_;  // by token of the reading
};

}  // namespace tocsin::flow
