#include "detectors/flow/tracker.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/text.h"
#include "detectors/detector.h"

namespace tocsin::flow {
namespace {

constexpr std::size_t kSensesMax = 4096;         // tools whose names were looked at, a worker
constexpr std::size_t kNameBytesMax = 256;       // of a tool's or parameter's name
constexpr std::size_t kOriginBytesMax = 64;      // of an id or name kept as origin
constexpr std::size_t kCallTokensMax = 4096;     // of a call's arguments together
constexpr std::size_t kNamingReach = 60;         // tokens around a passage that say whose it is
constexpr double kEchoShare = 0.8;               // of a passage's words that the agent wrote itself
constexpr std::size_t kEncodedBytesMin = 24;     // of a run without a space that is decoded
constexpr std::size_t kResultTailBytes = kTextBytesMax / 4;

bool is_content(const Meaning& meaning) {
  return meaning.acts == 0 && (meaning.signs & (kStop | kOpener | kPolite | kModal | kYou | kSpeaker |
                                               kNegation | kContainer)) == 0;
}

bool is_strong(TokenKind kind) { return is_identifier(kind); }

// Parameters that say where something goes, when nobody declared which do.
bool names_destination(std::string_view path) {
  static const std::array<std::uint64_t, 34> kWords = [] {
    std::array<std::uint64_t, 34> hashes{};
    constexpr std::string_view kNames[] = {
        "to",      "recipient", "cc",     "bcc",      "email",     "address",  "url",
        "uri",     "host",      "domain", "endpoint", "webhook",   "channel",  "account",
        "iban",    "payee",     "phone",  "number",   "user",      "username", "participant",
        "invitee", "attendee",  "member", "link",     "website",   "site",     "destination",
        "target",  "receiver",  "contact", "server",  "beneficiary", "handle"};
    static_assert(std::size(kNames) == 34);
    for (std::size_t i = 0; i < hashes.size(); ++i) hashes[i] = token_hash(kNames[i]);
    return hashes;
  }();
  for (const std::string& word : identifier_words(path.substr(0, kNameBytesMax))) {
    if (std::ranges::find(kWords, token_hash(word)) != kWords.end()) return true;
  }
  return false;
}

bool is_noun_of(std::string_view word, std::string_view nouns) {
  while (!nouns.empty()) {
    const std::size_t end = std::min(nouns.find(' '), nouns.size());
    if (nouns.substr(0, end) == word) return true;
    nouns.remove_prefix(std::min(end + 1, nouns.size()));
  }
  return false;
}

// Acts that the things a tool works on stand for.
Acts acts_of_noun(std::string_view word) {
  if (is_noun_of(word, "money payment transaction transactions fund funds invoice bill")) return kPay;
  if (is_noun_of(word, "email mail message sms notification dm")) return kSend;
  if (is_noun_of(word, "permission permissions access member members collaborator role participants "
                       "participant user")) {
    return kGrant;
  }
  if (is_noun_of(word, "webpage url page web http")) return kFetch;
  if (is_noun_of(word, "command shell bash terminal python code script")) return kRun;
  if (is_noun_of(word, "hotel flight restaurant car ticket reservation booking")) return kBook;
  return 0;
}

std::uint32_t share_of_triples(const std::vector<std::uint32_t>& words,
                               const std::vector<std::uint32_t>& within) {
  if (words.size() < 3) return 0;
  // Most triples begin with a word that does not stand there at all.
  constexpr std::size_t kBits = 1024;
  std::bitset<kBits> begins;
  for (const std::uint32_t token : within) begins.set((token >> 1U) % kBits);
  std::uint32_t found = 0;
  for (std::size_t i = 0; i + 3 <= words.size(); ++i) {
    if (!begins.test((words[i] >> 1U) % kBits)) continue;
    for (std::size_t k = 0; k + 3 <= within.size(); ++k) {
      if ((within[k] & ~1U) == words[i] && (within[k + 1] & ~1U) == words[i + 1] &&
          (within[k + 2] & ~1U) == words[i + 2]) {
        ++found;
        break;
      }
    }
  }
  return static_cast<std::uint32_t>(100 * found / (words.size() - 2));
}

bool stands_in(const std::vector<std::uint32_t>& words, const std::vector<std::uint32_t>& within) {
  return !words.empty() && words.size() <= within.size() &&
         std::search(within.begin(), within.end(), words.begin(), words.end(),
                     [](std::uint32_t a, std::uint32_t b) { return (a & ~1U) == b; }) !=
             within.end();
}

// As detectors/hijack.cpp has them: from 3 on a ticket, from 5 on a page.
constexpr double kObeysPoints = 5;
constexpr double kHandedOverPointsMax = 4.5;
constexpr double kHandedOverQuiet = 2.5;

constexpr double kUnrequestedPoints = 2;       // nobody asked for it
constexpr double kUnrequestedValuePoints = 5;  // ... and what it acts on was read

double points_for(Asked asked) {
  switch (asked) {
    case Asked::kThis:
      return -2;
    case Asked::kMaybe:
      return -1;
    case Asked::kOther:
      return 1;
    case Asked::kNothing:
      return 3;
  }
  return 0;
}

int strong_frames(Frames frames) {
  return std::popcount(static_cast<unsigned>(frames & kStrongFrames));
}
int weak_frames(Frames frames) {
  return std::popcount(static_cast<unsigned>(frames & ~kStrongFrames));
}

}  // namespace

const Flow& Tracker::follow(const Event& event, const EventContext& context,
                            SessionMemory& memory) {
  flow_ = {.memory = &memory, .carried = std::exchange(flow_.carried, {})};
  flow_.carried.clear();
  switch (event.type) {
    case EventType::kSystemMessage:
      on_system(event, memory);
      break;
    case EventType::kUserMessage:
      on_user(event, memory);
      break;
    case EventType::kToolCall:
      on_call(event, context, memory);
      break;
    case EventType::kToolResult:
      on_result(event, context, memory);
      break;
    default:
      break;
  }
  return flow_;
}

// ------------------------------------------------------------------ principals

void Tracker::on_system(const Event& event, SessionMemory& memory) {
  reading_.tokens.clear();
  tokenize(event.text.substr(0, kTextBytesMax), reading_.tokens);
  for (const Token& token : reading_.tokens) {
    if (!is_identifier(token.kind)) continue;
    memory.limited |= !memory.system.insert(memory.mixed(token.hash));
  }
}

void Tracker::on_user(const Event& event, SessionMemory& memory) {
  read_text(event.text.substr(0, kTextBytesMax), reading_);
  learn_user_words(event, memory);
  read_wishes(reading_, memory.wishes);
  if (!memory.wishes.agrees) return;
  for (Instruction& instruction : memory.instructions) instruction.agreed = true;
}

void Tracker::learn_user_words(const Event& event, SessionMemory& memory) {
  std::uint32_t clause = 0;
  for (std::uint32_t i = 0; i < reading_.tokens.size(); ++i) {
    while (clause + 1 < reading_.clauses.size() && reading_.clauses[clause].last <= i) ++clause;
    const Token& token = reading_.tokens[i];
    const std::uint32_t hash = memory.mixed(token.hash);
    memory.limited |= !memory.user.insert(hash);
    const char before = token.begin > 0 ? event.text[token.begin - 1] : ' ';
    const bool quoted = before == '"' || before == '\'' || before == '`';
    const bool name = token.capital && i > reading_.clauses[clause].first;
    if (is_identifier(token.kind) || quoted || name) {
      memory.limited |= !memory.names.insert(hash);
    }
  }
}

// ------------------------------------------------------------------ calls

const Tracker::ToolSense& Tracker::sense_of(std::string_view tool) {
  const std::uint64_t key = hash64(tool);
  if (const auto found = senses_.find(key); found != senses_.end()) return found->second;
  if (senses_.size() >= kSensesMax) senses_.clear();
  ToolSense sense;
  bool looks_up = false;
  for (const std::string& word : identifier_words(tool.substr(0, kNameBytesMax))) {
    const std::uint64_t hash = token_hash(word);
    const Meaning meaning = meaning_of(hash);
    const bool verb = meaning.acts != 0 && sense.acts == 0;
    looks_up |= (meaning.signs & kInforms) != 0;
    if (verb) sense.acts |= meaning.acts;
    sense.acts |= acts_of_noun(word);
    if (!verb && (meaning.signs & kStop) == 0 && hash != 0) sense.nouns.push_back(hash);
  }
  // "find_store", "order_status_check": what else looks like a verb is a noun.
  if (looks_up) sense.acts = kFetch;
  return senses_.emplace(key, std::move(sense)).first->second;
}

bool Tracker::is_destination(std::string_view path) {
  const std::uint64_t key = hash64(path) | 1U;
  std::uint64_t& known = destinations_[(key >> 1U) % destinations_.size()];
  if ((known | 1U) != key) {
    known = names_destination(path) ? key : key & ~std::uint64_t{1};
  }
  return known == key;
}

void Tracker::cut_arguments(const Event& event, const EventContext& context,
                            const SessionMemory& memory) {
  call_tokens_.clear();
  arguments_.clear();
  for (const Leaf& leaf : event.tool.arguments) {
    if (leaf.kind == LeafKind::kNull || leaf.kind == LeafKind::kBoolean) continue;
    reading_.tokens.clear();
    tokenize(leaf.text.substr(0, kTextBytesMax), reading_.tokens);
    Argument argument{.leaf = &leaf,
                      .first = call_tokens_.size(),
                      .slot = memory.mixed(hash64(leaf.path, hash64(event.tool.name)))};
    if (context.tool.declared != nullptr) {
      const std::string_view root = leaf.path.substr(0, leaf.path.find('.'));
      argument.destination = std::ranges::find(context.tool.declared->destination, root) !=
                             context.tool.declared->destination.end();
    } else {
      argument.destination = is_destination(leaf.path);
    }
    for (const Token& token : reading_.tokens) {
      if (call_tokens_.size() >= kCallTokensMax) break;
      const std::uint32_t hash = memory.mixed(token.hash);
      call_tokens_.push_back(
          {.hash = hash,
           .token = token,
           .meaning = token.kind == TokenKind::kWord ? meaning_of(token.hash) : Meaning{},
           .users = memory.said_by_principal(hash)});
    }
    argument.last = call_tokens_.size();
    if (argument.last > argument.first) arguments_.push_back(argument);
  }
}

// A read is one, too, when it names the place it contacts.
bool Tracker::is_sink(const EventContext& context) const {
  if (context.tool.effect != Effect::kRead) return true;
  return std::ranges::any_of(arguments_, [this](const Argument& argument) {
    return std::any_of(call_tokens_.begin() + static_cast<std::ptrdiff_t>(argument.first),
                       call_tokens_.begin() + static_cast<std::ptrdiff_t>(argument.last),
                       [&argument](const CallToken& token) {
                         return token.token.kind == TokenKind::kUrl ||
                                (argument.destination && token.token.kind == TokenKind::kName);
                       });
  });
}

// Whether the call does something that a person who wants to be told something did not mean.  What
// an executor runs to find out is no such act, and a tool of which nothing is known may be anything.
bool Tracker::is_act(const ToolSense& tool, const EventContext& context) {
  switch (context.tool.effect) {
    case Effect::kRead:
      return false;
    case Effect::kExecute:
      return (tool.acts & (kDelete | kGrant | kPay | kInstall)) != 0;
    case Effect::kWrite:
    case Effect::kEgress:
      return !context.tool.inferred || (tool.acts & ~kFetch) != 0;
  }
  return false;
}

// What a command or statement does: the words that begin it and its parts.
Acts Tracker::acts_of_arguments() const {
  Acts acts = 0;
  for (const Argument& argument : arguments_) {
    for (std::size_t i = argument.first; i < argument.last; ++i) {
      const CallToken& token = call_tokens_[i];
      Acts verb = token.token.inflected ? Acts{0} : token.meaning.acts;
      if (token.token.kind >= TokenKind::kName) {  // ".venv/bin/pip"
        const std::string_view path = argument.leaf->text.substr(
            token.token.begin, token.token.end - token.token.begin);
        verb = meaning_of(token_hash(path.substr(path.rfind('/') + 1))).acts;
      }
      if (verb == 0) continue;
      const std::string_view before = argument.leaf->text.substr(0, token.token.begin);
      const std::size_t at = before.find_last_not_of(" .\"'");
      const bool begins = at == std::string_view::npos || before[at] == ';' || before[at] == '|' ||
                          before[at] == '&' || before[at] == '\n' || before[at] == '(';
      if (begins) acts |= verb;
    }
  }
  return acts;
}

void Tracker::on_call(const Event& event, const EventContext& context, SessionMemory& memory) {
  ToolSense tool = sense_of(event.tool.name);
  cut_arguments(event, context, memory);
  if (context.tool.effect == Effect::kExecute) tool.acts = acts_of_arguments();
  flow_.sink = is_sink(context);
  flow_.asked = asked(tool, memory);
  flow_.unrequested = is_act(tool, context) && flow_.asked == Asked::kNothing;
  carry(memory);
  if (flow_.sink) {
    judge(tool, context, memory);
    judge_values(tool, context, memory);
  }

  PendingCall pending{.call = memory.mixed(hash64(event.tool.call_id))};
  if (flow_.obeying) pending.points = static_cast<float>(flow_.obeying->points);
  for (const CallToken& token : call_tokens_) {
    pending.named |= memory.names.contains(token.hash) ||
                     (token.users && is_content(token.meaning));
    memory.limited |= !memory.own.insert(token.hash);
    if (!token.users && !pending.named && is_strong(token.token.kind)) {
      const Sighting* seen = memory.sightings.find(token.hash);
      const Source* source = seen == nullptr ? nullptr : memory.source(seen->source);
      pending.near_named |= source != nullptr && (source->named || source->near_named);
    }
    if (token.users || !is_strong(token.token.kind)) continue;
    for (std::size_t i = 0; i < memory.instructions.size() && pending.parent == 0; ++i) {
      if (std::ranges::find(memory.instructions[i].tokens, token.hash | 1U) !=
          memory.instructions[i].tokens.end()) {
        pending.parent = static_cast<std::uint16_t>(i + 1);
      }
    }
  }
  for (const Argument& argument : arguments_) {
    const bool named = std::any_of(
        call_tokens_.begin() + static_cast<std::ptrdiff_t>(argument.first),
        call_tokens_.begin() + static_cast<std::ptrdiff_t>(argument.last), [](const CallToken& token) {
          return token.users && is_strong(token.token.kind);
        });
    if (named && memory.filled.size() < kFilledMax &&
        std::ranges::find(memory.filled, argument.slot) == memory.filled.end()) {
      memory.filled.push_back(argument.slot);
    }
  }
  for (const std::uint64_t noun : tool.nouns) {
    pending.named |= memory.user.contains(memory.mixed(noun));
  }
  if (memory.pending.size() >= kPendingCallsMax) memory.pending.erase(memory.pending.begin());
  memory.pending.push_back(pending);
}

// Which values came from results and not from the user.
void Tracker::carry(const SessionMemory& memory) {
  for (const Argument& argument : arguments_) {
    for (std::size_t i = argument.first; i < argument.last; ++i) {
      const CallToken& token = call_tokens_[i];
      if (token.users || !is_strong(token.token.kind)) continue;
      const Sighting* seen = memory.sightings.find(token.hash);
      const Source* source = seen == nullptr ? nullptr : memory.source(seen->source);
      if (source == nullptr) continue;
      if (flow_.carried.size() >= kCarriedMax) return;
      flow_.carried.push_back(
          {.path = argument.leaf->path,
           .value = argument.leaf->text.substr(token.token.begin,
                                               token.token.end - token.token.begin),
           .source = source,
           .destination = argument.destination,
           .kind = token.token.kind,
           .where = seen->where});
    }
  }
}

Link Tracker::link(const Instruction& instruction, std::size_t index, const SessionMemory& memory,
                   Obeying& best) {
  Link link;
  std::vector<std::uint32_t>& words = words_;
  int strength = -1;
  for (const Argument& argument : arguments_) {
    words.clear();
    bool foreign = false;
    for (std::size_t i = argument.first; i < argument.last; ++i) {
      const CallToken& token = call_tokens_[i];
      words.push_back(token.hash);
      foreign |= !token.users && (token.token.kind != TokenKind::kWord || is_content(token.meaning));
      if (token.users || token.token.kind == TokenKind::kWord) continue;
      // What the agent had written itself before the instruction was read is not the instruction's.
      const std::uint32_t wanted = is_strong(token.token.kind) ? token.hash | 1U : token.hash;
      const bool within =
          std::ranges::find(instruction.tokens, wanted) != instruction.tokens.end();
      const Sighting* seen = memory.sightings.find(token.hash);
      const Source* first = seen == nullptr ? nullptr : memory.source(seen->source);
      const bool derived = !within && first != nullptr &&
                           (seen->where & Sighting::kDerived) != 0 && first->parent == index + 1;
      if (!within && !derived) continue;
      int here = 0;
      if (!is_strong(token.token.kind)) {
        link.short_value = true;
      } else if (derived) {
        link.derived = true;
        here = 2;
      } else if (seen != nullptr && (seen->where & Sighting::kAmbient) != 0) {
        link.shared = true;
        here = 2;
      } else {
        link.identifier = true;
        link.destination |= argument.destination;
        link.replaces |= std::ranges::find(memory.filled, argument.slot) != memory.filled.end();
        here = 3;
      }
      if (here > strength) {
        strength = here;
        best.path = argument.leaf->path;
        best.value =
            argument.leaf->text.substr(token.token.begin, token.token.end - token.token.begin);
      }
    }
    if (!foreign) continue;
    if (tells_apart(argument) && stands_in(words, instruction.tokens)) {
      link.whole_value = true;
      if (strength < 1) {
        strength = 1;
        best.path = argument.leaf->path;
        best.value = argument.leaf->text;
      }
    }
    const unsigned percent = share_of_triples(words, instruction.tokens);
    if (percent > link.prose_percent) {
      link.prose_percent = percent;
      if (strength < 1) {
        best.path = argument.leaf->path;
        best.value = argument.leaf->text;
      }
    }
  }
  return link;
}

Delegation Tracker::delegation(const Instruction& instruction, const ToolSense& tool,
                               const SessionMemory& memory) {
  const Source* source = memory.source(instruction.source);
  const bool named = instruction.named || (source != nullptr && source->named);
  const bool near = named || (source != nullptr && source->near_named);
  const UserWishes& wishes = memory.wishes;
  const bool in_scope = wishes.delegated == kAllActs || (tool.acts & wishes.delegated) != 0;
  const bool everything = wishes.delegated == kAllActs;
  if (instruction.agreed || (named && in_scope) || (near && everything)) return Delegation::kActs;
  if (in_scope || (near && wishes.material)) return Delegation::kMaterial;
  return Delegation::kNone;
}

Asked Tracker::asked(const ToolSense& tool, const SessionMemory& memory) {
  const UserWishes& wishes = memory.wishes;
  if ((tool.acts & wishes.acts) != 0) return Asked::kThis;
  // A yes is for something that the agent proposed.
  if (wishes.only_informs()) return wishes.agrees ? Asked::kMaybe : Asked::kNothing;
  if (wishes.unnamed || wishes.delegated != 0 || tool.acts == 0) return Asked::kMaybe;
  // Nothing is known of what the user wants: an agent that works by itself.
  if (!wishes.informs && wishes.acts == 0) return Asked::kMaybe;
  return Asked::kOther;
}

// Values alone: the user only asked to be told something, and the call acts with what it read.
void Tracker::judge_values(const ToolSense& tool, const EventContext& context,
                           const SessionMemory& memory) {
  if (!flow_.unrequested) return;
  // What is installed is a name from somewhere; only a place is more than a coincidence.
  const bool installs =
      context.tool.effect == Effect::kExecute && (tool.acts & (kDelete | kGrant | kPay)) == 0;
  Obeying found{.points = kUnrequestedPoints, .asked = Asked::kNothing};
  for (const Argument& argument : arguments_) {
    for (std::size_t i = argument.first; i < argument.last && found.origin == nullptr; ++i) {
      const CallToken& token = call_tokens_[i];
      if (token.users || (token.token.kind == TokenKind::kWord && !is_content(token.meaning))) {
        continue;
      }
      if (installs && token.token.kind != TokenKind::kUrl) continue;
      const Sighting* seen = memory.sightings.find(token.hash);
      const Source* source = seen == nullptr ? nullptr : memory.source(seen->source);
      if (source == nullptr) continue;
      found.points = kUnrequestedValuePoints;
      found.link.shared = true;
      found.origin = &source->origin;
      found.path = argument.leaf->path;
      found.value =
          argument.leaf->text.substr(token.token.begin, token.token.end - token.token.begin);
    }
  }
  if (!flow_.obeying || found.points > flow_.obeying->points) flow_.obeying = found;
}

// A value that would hardly stand in a text by chance: not a lone short number, not "yes".
bool Tracker::tells_apart(const Argument& argument) const {
  constexpr std::size_t kWordBytesMin = 4;
  const CallToken& first = call_tokens_[argument.first];
  if (argument.last - argument.first > 1) return true;
  return first.token.kind != TokenKind::kNumber &&
         first.token.end - first.token.begin >= kWordBytesMin;
}

void Tracker::judge(const ToolSense& tool, const EventContext& context,
                    const SessionMemory& memory) {
  const bool all_users = std::ranges::all_of(call_tokens_, [](const CallToken& token) {
    return token.users || (token.token.kind == TokenKind::kWord && !is_content(token.meaning));
  });
  const bool named_destination = std::ranges::all_of(arguments_, [this](const Argument& argument) {
    return !argument.destination ||
           std::all_of(call_tokens_.begin() + static_cast<std::ptrdiff_t>(argument.first),
                       call_tokens_.begin() + static_cast<std::ptrdiff_t>(argument.last),
                       [](const CallToken& token) { return token.users; });
  });
  const bool has_destination =
      std::ranges::any_of(arguments_, [](const Argument& argument) { return argument.destination; });
  const bool noun_asked = std::ranges::any_of(tool.nouns, [&](std::uint64_t noun) {
    return memory.user.contains(memory.mixed(noun));
  });
  const Asked asked = flow_.asked;

  for (std::size_t i = 0; i < memory.instructions.size(); ++i) {
    const Instruction& instruction = memory.instructions[i];
    Obeying found{.instruction = &instruction, .frames = instruction.frames};
    found.link = link(instruction, i, memory, found);
    const Source* source = memory.source(instruction.source);
    found.delegation = delegation(instruction, tool, memory);
    // Who hands an act over knows of a text that speaks of tasks and users; but not of one that
    // overrides the user.
    constexpr Frames kUsurping = kOverrides | kOrdersWork | kCovertly;
    const bool usurps = (instruction.frames & kUsurping) != 0;
    const bool strong = found.delegation == Delegation::kActs
                            ? usurps
                            : strong_frames(instruction.frames) >= 2;
    const bool act = (tool.acts & instruction.acts) != 0;
    const bool noun = std::ranges::any_of(tool.nouns, [&](std::uint64_t wanted) {
      return std::ranges::find_if(instruction.tokens, [&](std::uint32_t token) {
               return (token & ~1U) == memory.mixed(wanted);
             }) != instruction.tokens.end();
    });

    double points = 0;
    int kinds = 0;
    const auto bind = [&](bool holds, double worth) {
      if (!holds) return;
      points = std::max(points, worth);
      ++kinds;
    };
    bind(found.link.identifier, 4);
    bind(found.link.shared, 2);
    bind(found.link.whole_value, 2);
    bind(found.link.derived, 2);
    bind(found.link.prose_percent >= 30, 2);
    bind(found.link.prose_percent >= 15 && found.link.prose_percent < 30, 1);
    // "Delete the file with ID 13": the act, the kind of thing and its number.
    bind(found.link.short_value, act && noun ? 2 : 1);
    bind(strong && act && noun, 1);
    if (points == 0 || (all_users && !(strong && act && noun))) continue;
    if (kinds > 1) points += 1;
    if (act) points += 1;
    if (noun) points += 1;
    if (found.link.destination) points += 1;
    if (found.link.replaces) points += 2;
    points += std::min(3.0, 1.5 * std::min(2, strong_frames(instruction.frames)) +
                                0.5 * std::min(2, weak_frames(instruction.frames)));
    // What an executor does is in its arguments, and mostly cannot be told.
    const bool general = context.tool.effect == Effect::kExecute && (tool.acts & ~kFetch) == 0;
    if (!general) {
      points += points_for(asked);
      if (!noun_asked && asked > Asked::kMaybe) points += 1;
    } else if (asked == Asked::kNothing) {
      points += 1;
    }
    if (has_destination && named_destination) points -= found.link.identifier && strong ? 1 : 3;
    if (!strong) {
      if (context.tool.effect == Effect::kRead) points -= 2;
      if (general) points -= 1;
      if (found.delegation == Delegation::kActs) points -= 3;
      if (found.delegation == Delegation::kMaterial) points -= asked == Asked::kMaybe ? 2 : 1;
    }
    // A user who handed the act over gets what the text says, unless the text speaks as if it were
    // the user.
    if (!strong && found.delegation == Delegation::kActs) points = std::min(points, kHandedOverPointsMax);
    // Who asks for such an act with this text at hand mostly gets what it names from the text.
    if (!strong && asked == Asked::kThis && found.delegation != Delegation::kNone &&
        points < kObeysPoints) {
      points = std::min(points, kHandedOverQuiet);
    }
    found.points = points;
    found.asked = asked;
    found.origin = source == nullptr ? nullptr : &source->origin;
    if (!flow_.obeying || found.points > flow_.obeying->points) flow_.obeying = found;
  }
}

// ------------------------------------------------------------------ results

void Tracker::on_result(const Event& event, const EventContext& context, SessionMemory& memory) {
  const std::uint32_t call = memory.mixed(hash64(event.tool.call_id));
  auto pending = std::ranges::find(memory.pending, call, &PendingCall::call);
  PendingCall answered{.call = call};
  if (pending != memory.pending.end()) {
    answered = *pending;
    memory.pending.erase(pending);
  }
  if (answered.points > 0 && event.tool.error.empty()) flow_.carried_out = answered.points;
  if (event.tool.result.empty() && event.tool.error.empty()) return;
  if (memory.sources.size() >= kSourcesMax) {
    memory.limited = true;
    memory.sources.erase(memory.sources.begin());
    ++memory.sources_forgotten;
  }
  // Most sessions read little: room for what is read, not for twice as much.
  if (memory.sources.size() == memory.sources.capacity()) {
    memory.sources.reserve(memory.sources.size() + memory.sources.size() / 4 + 1);
  }
  Source& source = memory.sources.emplace_back();
  const auto index =
      static_cast<std::uint16_t>(memory.sources_forgotten + memory.sources.size() - 1);
  source.origin = {.event_id = std::string(event.event_id.substr(0, kOriginBytesMax)),
                   .seq = context.seq,
                   .tool = std::string(event.tool.name.substr(0, kOriginBytesMax))};
  source.call = call;
  source.parent = answered.parent;
  source.named = answered.named;
  source.near_named = answered.near_named;
  const ToolProfile* declared = context.tool.declared;
  const bool reads = context.tool.effect == Effect::kRead || context.tool.effect == Effect::kExecute;
  source.untrusted = declared != nullptr ? declared->returns.untrusted : reads;
  source.private_data = declared != nullptr ? declared->returns.private_data : reads;
  flow_.source = &source;
  for (std::size_t leaf = 0; leaf < event.tool.result.size(); ++leaf) {
    const LeafKind kind = event.tool.result[leaf].kind;
    if (kind == LeafKind::kNull || kind == LeafKind::kBoolean) continue;
    read_leaf(event, leaf, index, memory);
  }
  // "Not here; pass the data to ...": an error speaks to the agent like any result.
  if (!event.tool.error.empty()) {
    read_value(event.tool.error.substr(0, kTextBytesMax), event, event.tool.result.size(), index,
               memory);
  }
  memory.limited |= memory.sightings.forgot();
}

void Tracker::read_leaf(const Event& event, std::size_t leaf_index, std::uint16_t source_index,
                        SessionMemory& memory) {
  const std::string_view text = event.tool.result[leaf_index].text;
  if (text.size() <= kTextBytesMax) return read_value(text, event, leaf_index, source_index, memory);
  memory.limited = true;
  const std::size_t head = cut_at_character(text, kTextBytesMax - kResultTailBytes);
  const std::size_t tail = cut_at_character(text, text.size() - kResultTailBytes);
  read_value(text.substr(0, head), event, leaf_index, source_index, memory);
  read_value(text.substr(tail), event, leaf_index, source_index, memory);
}

void Tracker::read_value(std::string_view text, const Event& event, std::size_t leaf,
                         std::uint16_t source_index, SessionMemory& memory) {
  named_around_.reset();
  const Source& source = memory.sources.back();
  const auto read = [&](std::string_view part) {
    read_text(part, reading_);
    in_passage_.assign(reading_.tokens.size(), 0);
    for (const Passage& passage : reading_.passages) {
      keep(passage, event, leaf, source_index, memory);
    }
    for (std::size_t i = 0; i < reading_.tokens.size(); ++i) {
      const Token& token = reading_.tokens[i];
      // Of somebody who only wants to be told something any word that returns in an act counts.
      const bool counts = is_strong(token.kind) ||
                          (memory.wishes.only_informs() &&
                           (token.kind == TokenKind::kNumber || is_content(meaning_of(token.hash))));
      if (!counts) continue;
      const std::uint32_t hash = memory.mixed(token.hash);
      if (memory.own.contains(hash) || memory.said_by_principal(hash)) continue;
      Sighting& seen = memory.sightings.at(hash);
      if (seen.where == 0) {
        seen.source = source_index;
        if (source.parent != 0) seen.where |= Sighting::kDerived;
      }
      seen.where |= in_passage_[i] != 0 ? Sighting::kAsked : Sighting::kAmbient;
    }
  };
  read(text);
  const bool encoded = std::ranges::any_of(reading_.tokens, [](const Token& token) {
    return token.end - token.begin >= kEncodedBytesMin && token.kind != TokenKind::kUrl;
  });
  if (!encoded) return;
  views_.clear();
  decoder_.begin_event();
  decoder_.decode(text, views_);
  for (const decoding::View& view : views_) read(view.text.substr(0, kTextBytesMax));
}

// Whether the user named what a passage stands in: the words before it, or the other fields of the
// same object ("from": "Camille").
bool Tracker::is_named(const Passage& passage, const Event& event, std::size_t leaf,
                       const SessionMemory& memory) {
  const std::uint32_t begin =
      passage.first > kNamingReach ? passage.first - static_cast<std::uint32_t>(kNamingReach) : 0;
  for (std::uint32_t i = begin; i < passage.first; ++i) {
    if (memory.names.contains(memory.mixed(reading_.tokens[i].hash))) return true;
  }
  if (!named_around_) named_around_ = is_named_around(event, leaf, memory);
  return *named_around_;
}

bool Tracker::is_named_around(const Event& event, std::size_t leaf, const SessionMemory& memory) {
  constexpr std::size_t kFieldsAround = 8;
  constexpr std::size_t kFieldBytes = 128;
  const std::vector<Leaf>& leaves = event.tool.result;
  if (leaf >= leaves.size()) return false;
  const auto parent = [&](std::size_t i) {
    const std::size_t dot = leaves[i].path.rfind('.');
    return leaves[i].path.substr(0, dot == std::string_view::npos ? 0 : dot);
  };
  const std::size_t first = leaf > kFieldsAround ? leaf - kFieldsAround : 0;
  for (std::size_t i = first; i < std::min(leaves.size(), leaf + kFieldsAround); ++i) {
    if (i == leaf || parent(i) != parent(leaf)) continue;
    around_.clear();
    tokenize(leaves[i].text.substr(0, kFieldBytes), around_);
    for (const Token& token : around_) {
      if (memory.names.contains(memory.mixed(token.hash))) return true;
    }
  }
  return false;
}

void Tracker::keep(const Passage& passage, const Event& event, std::size_t leaf,
                   std::uint16_t source_index, SessionMemory& memory) {
  Instruction made{.source = source_index, .frames = passage.frames, .acts = passage.acts};
  std::size_t content = 0;
  std::size_t own = 0;
  for (std::uint32_t i = passage.first; i < passage.last; ++i) {
    const Token& token = reading_.tokens[i];
    const std::uint32_t hash = memory.mixed(token.hash);
    const bool theirs = is_strong(token.kind) && !memory.own.contains(hash);
    made.tokens.push_back(hash | (theirs ? 1U : 0U));
    if (token.kind == TokenKind::kWord && !is_content(meaning_of(token.hash))) continue;
    ++content;
    if (memory.own.contains(hash) || memory.user.contains(hash)) ++own;
  }
  if (content > 0 && static_cast<double>(own) >= kEchoShare * static_cast<double>(content)) return;
  std::fill(in_passage_.begin() + passage.first, in_passage_.begin() + passage.last, 1);
  made.named = is_named(passage, event, leaf, memory);
  if (flow_.asking.empty() ||
      strong_frames(passage.frames) > strong_frames(flow_.asking_frames)) {
    asking_ = reading_.text_of(passage);
    flow_.asking = asking_;
    flow_.asking_frames = passage.frames;
  }
  made.tokens.shrink_to_fit();
  if (memory.instructions.size() < MemoryLimits{}.instructions_max) {
    memory.instructions.push_back(std::move(made));
    return;
  }
  memory.limited = true;
  // Full: the plainest, and of those the oldest, makes room for one that is more framed.
  const auto rank = [source_index](const Instruction& i) {
    // The age of what was read last is 0; numbers of results wrap.
    const auto age = static_cast<std::uint16_t>(source_index - i.source);
    return std::pair(strong_frames(i.frames), -static_cast<int>(age));
  };
  const auto plainest = std::ranges::min_element(memory.instructions, {}, rank);
  if (strong_frames(plainest->frames) <= strong_frames(made.frames)) *plainest = std::move(made);
}

}  // namespace tocsin::flow
