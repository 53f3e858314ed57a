// A tool call, cut up: what its name says it does, and its arguments' words and identifiers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/event.h"
#include "daemon/profile/effect.h"
#include "detectors/flow/memory.h"

namespace tocsin {
struct EventContext;
}

namespace tocsin::flow {

// A word that says what something is about, and not how it is said.
bool is_content(const Meaning& meaning);

// A parameter of this name says where something goes, when nobody declared which do.
bool names_destination(std::string_view path);

// The user spoke of what lets somebody in: passwords, PINs.
bool said_credentials(const SessionMemory& memory);
// ... of money: paying, rent, invoices.
bool said_money(const SessionMemory& memory);

struct CallToken {
  std::uint32_t hash = 0;  // as the session keeps it
  Token token;
  Meaning meaning;
  bool users = false;  // the user or the system prompt has it
  // Where a value that is not the user's was seen, and the result it was first seen in; null:
  // nowhere, or that result is forgotten.
  const Sighting* seen = nullptr;
  const Source* source = nullptr;

  // Neither the user's nor a word that says nothing.
  [[nodiscard]] bool is_foreign() const {
    return !users && (token.kind != TokenKind::kWord || is_content(meaning));
  }
};

struct Argument {
  const Leaf* leaf = nullptr;
  std::span<const CallToken> tokens;
  bool destination = false;  // says where something goes
  bool credential = false;   // sets anew what lets somebody in
  std::uint32_t slot = 0;    // of its tool and name, as SessionMemory::filled has it

  [[nodiscard]] std::string_view text_of(const CallToken& token) const {
    return leaf->text.substr(token.token.begin, token.token.end - token.token.begin);
  }
};

// Views into the event and the reader; until its next `read`.
struct Call {
  Effect effect = Effect::kRead;
  bool inferred = true;   // the effect
  bool limited = false;   // arguments were longer than what is read of them
  bool shows = false;     // an executor that prints what somebody wrote: "cat", "curl", "git log"
  bool familiar = false;  // an executor that starts only programs which the agent wrote of before
  Acts acts = 0;          // by the tool's name; of an executor by its arguments
  std::span<const std::uint64_t> nouns;  // what the tool works on: token hashes
  std::span<const CallToken> tokens;
  std::span<const Argument> arguments;

  // It changes, sends or runs something, or contacts a place.
  [[nodiscard]] bool is_sink() const;
  // It does something that a person who wants to be told something did not mean.  What an executor
  // runs to find out is no such act, and a tool of which nothing is known may be anything.
  [[nodiscard]] bool is_act() const;
};

// One a worker; not thread-safe.
class CallReader {
 public:
  // Of a call's arguments together.  Destinations are read first: no length of what is sent hides
  // where it goes.
  static constexpr std::size_t kTokensMax = 4096;

  Call read(const Event& event, const EventContext& context, const SessionMemory& memory);

 private:
  // What a tool's name says.
  struct Sense {
    Acts acts = 0;
    bool looks_up = false;  // "find_store", "order_status_check"
    std::vector<std::uint64_t> nouns;
  };

  const Sense& sense_of(std::string_view tool);
  void read_argument(const Leaf& leaf, bool destination, const Event& event, const Sense& sense,
                     const SessionMemory& memory);
  void cut(const Leaf& leaf, const SessionMemory& memory);
  // Of an executor: what its arguments say that it does.
  void read_commands(const SessionMemory& memory, Call& call) const;

  std::vector<Token> cut_;
  std::vector<CallToken> tokens_;
  std::vector<Argument> arguments_;
  bool limited_ = false;
  std::unordered_map<std::uint64_t, Sense> senses_;
};

}  // namespace tocsin::flow
