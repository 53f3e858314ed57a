#include "detectors/flow/judge.h"

#include <algorithm>
#include <bit>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tocsin::flow {
namespace {

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
  return static_cast<std::uint32_t>(std::size_t{100} * found / (words.size() - 2));
}

bool stands_in(const std::vector<std::uint32_t>& words, const std::vector<std::uint32_t>& within) {
  return !words.empty() && words.size() <= within.size() &&
         std::search(within.begin(), within.end(), words.begin(), words.end(),
                     [](std::uint32_t a, std::uint32_t b) { return (a & ~1U) == b; }) !=
             within.end();
}

constexpr double kHandedOverPointsMax = 4.5;
constexpr double kHandedOverQuiet = 2.5;

constexpr double kUnrequestedPoints = 2;       // nobody asked for it
constexpr double kUnrequestedValuePoints = 5;  // ... and what it acts on was read

double points_for(Asked asked) {
  switch (asked) {
    case Asked::kThis: return -2;
    case Asked::kMaybe: return -1;
    case Asked::kOther: return 1;
    case Asked::kNothing: return 3;
  }
  return 0;
}

constexpr double kStrongFramePoints = 1.5;
constexpr double kWeakFramePoints = 0.5;
constexpr double kFramePointsMax = 3;
constexpr unsigned kProsePercent = 30;  // of an argument's word triples
constexpr unsigned kSomeProsePercent = 15;

int weak_frames(Frames frames) {
  return std::popcount(static_cast<unsigned>(frames & ~kStrongFrames));
}

// A value that would hardly stand in a text by chance: not a lone short number, not "yes".
bool tells_apart(const Argument& argument) {
  constexpr std::size_t kWordBytesMin = 4;
  const CallToken& first = argument.tokens.front();
  if (argument.tokens.size() > 1) return true;
  return first.token.kind != TokenKind::kNumber &&
         first.token.end - first.token.begin >= kWordBytesMin;
}

bool names(const Instruction& instruction, std::uint32_t hash) {
  return std::ranges::any_of(instruction.tokens,
                             [hash](std::uint32_t token) { return (token & ~1U) == hash; });
}

// The call's kind of act is among `acts`.  Who says "update my account" does not mean that money be
// moved elsewhere, although that is an update, too.
bool covers(Acts acts, const Call& call, const SessionMemory& memory) {
  if (acts == kAllActs) return true;
  return (call.acts & acts) != 0 &&
         ((call.acts & kPay) == 0 || (acts & kPay) != 0 || said_money(memory));
}

}  // namespace

Asked Judge::asked(const Call& call, const SessionMemory& memory) {
  const UserWishes& wishes = memory.wishes;
  if (covers(wishes.acts, call, memory)) return Asked::kThis;
  // A yes is for something that the agent proposed.
  if (wishes.only_informs()) return wishes.agrees ? Asked::kMaybe : Asked::kNothing;
  if (wishes.unnamed || wishes.delegated != 0 || call.acts == 0) return Asked::kMaybe;
  // Nothing is known of what the user wants: an agent that works by itself.
  if (!wishes.informs && wishes.acts == 0) return Asked::kMaybe;
  return Asked::kOther;
}

Delegation Judge::delegation(const Instruction& instruction, const Call& call,
                             const SessionMemory& memory) {
  const Source* source = memory.source(instruction.source);
  const bool named = instruction.named || (source != nullptr && source->named);
  const bool near = named || (source != nullptr && source->near_named);
  const UserWishes& wishes = memory.wishes;
  const bool in_scope = covers(wishes.delegated, call, memory);
  // What was looked up with the id of what the user named is what was meant.  What the text that
  // was handed over tells the agent to work on is not handed over with it.
  const bool looked_up = near && (named || source->parent == 0);
  const bool everything = wishes.delegated == kAllActs;
  if (instruction.agreed || (named && in_scope) || (looked_up && everything))
    return Delegation::kActs;
  if (in_scope || (near && wishes.material)) return Delegation::kMaterial;
  return Delegation::kNone;
}

Judge::Facts Judge::facts(const Call& call, Asked asked, const SessionMemory& memory) {
  Facts facts{.asked = asked};
  facts.all_users =
      std::ranges::none_of(call.tokens, [](const CallToken& token) { return token.is_foreign(); });
  bool destinations = false;
  bool users = true;
  for (const Argument& argument : call.arguments) {
    if (!argument.destination) continue;
    destinations = true;
    users = users && std::ranges::all_of(argument.tokens,
                                         [](const CallToken& token) { return token.users; });
  }
  facts.destinations_users = destinations && users;
  facts.noun_asked = std::ranges::any_of(
      call.nouns, [&](std::uint64_t noun) { return memory.said.by(memory.mixed(noun), kByUser); });
  // What an executor does is in its arguments, and mostly cannot be told.
  facts.general = call.effect == Effect::kExecute && (call.acts & ~kFetch) == 0;
  const bool named_place = std::ranges::any_of(call.tokens, [](const CallToken& token) {
    return token.is_foreign() &&
           (token.token.kind == TokenKind::kUrl || token.token.kind == TokenKind::kEmail);
  });
  facts.runs_on = call.familiar && !named_place && (call.acts & (kDelete | kGrant | kPay)) == 0;
  return facts;
}

// How much one token binds the call to the instruction, for choosing what to show: 0, not at all.
int Judge::bind(const CallToken& token, const Argument& argument, const Instruction& instruction,
                std::size_t index, const SessionMemory& memory, Link& link) {
  constexpr int kShort = 1;
  constexpr int kShared = 2;
  constexpr int kOwn = 3;
  if (token.users || token.token.kind == TokenKind::kWord) return 0;
  // What the agent had written itself before the instruction was read is not the instruction's.
  const bool strong = is_identifier(token.token.kind);
  const std::uint32_t wanted = strong ? token.hash | 1U : token.hash;
  const bool within = std::ranges::find(instruction.tokens, wanted) != instruction.tokens.end();
  const bool derived = !within && token.source != nullptr && token.source->parent == index + 1;
  if (!within && !derived) return 0;
  if (!strong) {
    link.short_value = true;
    return kShort;
  }
  if (derived) {
    link.derived = true;
    return kShared;
  }
  if (token.seen != nullptr && (token.seen->where & Sighting::kAmbient) != 0) {
    link.shared = true;
    return kShared;
  }
  link.identifier = true;
  link.destination |= argument.destination;
  link.replaces |= std::ranges::find(memory.filled, argument.slot) != memory.filled.end();
  return kOwn;
}

Link Judge::link(const Call& call, const Instruction& instruction, std::size_t index,
                 const SessionMemory& memory, Obeying& best) {
  Link link;
  int strength = 0;
  const auto show = [&](int here, const Argument& argument, std::string_view value) {
    if (here <= strength) return;
    strength = here;
    best.path = argument.leaf->path;
    best.value = value;
  };
  constexpr int kWhole = 2;  // more to show than a short number
  for (const Argument& argument : call.arguments) {
    words_.clear();
    bool foreign = false;
    for (const CallToken& token : argument.tokens) {
      words_.push_back(token.hash);
      foreign |= token.is_foreign();
      show(bind(token, argument, instruction, index, memory, link), argument,
           argument.text_of(token));
    }
    if (!foreign) continue;
    if ((argument.credential || tells_apart(argument)) && stands_in(words_, instruction.tokens)) {
      link.whole_value = true;
      link.credential |= argument.credential;
      show(kWhole, argument, argument.leaf->text);
    }
    const unsigned percent = share_of_triples(words_, instruction.tokens);
    if (percent <= link.prose_percent) continue;
    link.prose_percent = percent;
    show(kWhole, argument, argument.leaf->text);
  }
  return link;
}

double Judge::points_of_link(const Match& match) {
  double points = 0;
  int kinds = 0;
  const auto bind = [&](bool holds, double worth) {
    if (!holds) return;
    points = std::max(points, worth);
    ++kinds;
  };
  const Link& link = match.link;
  const bool named = match.act && match.noun;
  bind(link.identifier, 4);
  bind(link.shared, 2);
  bind(link.whole_value, 2);
  bind(link.derived, 2);
  bind(link.prose_percent >= kProsePercent, 2);
  bind(link.prose_percent >= kSomeProsePercent && link.prose_percent < kProsePercent, 1);
  // "Delete the file with ID 13": the act, the kind of thing and its number.
  bind(link.short_value, named ? 2 : 1);
  bind(match.strong && named, 1);
  return kinds > 1 ? points + 1 : points;
}

double Judge::points(const Match& match, const Facts& facts, const Call& call,
                     const Obeying& found) {
  double points = match.points;
  if (match.act) points += 1;
  if (match.noun) points += 1;
  if (match.link.destination) points += 1;
  if (match.link.replaces) points += 2;
  points +=
      std::min(kFramePointsMax, kStrongFramePoints * std::min(2, strong_frames(found.frames)) +
                                    kWeakFramePoints * std::min(2, weak_frames(found.frames)));
  if (!facts.general) {
    points += points_for(facts.asked);
    if (!facts.noun_asked && facts.asked > Asked::kMaybe) points += 1;
  } else if (facts.asked == Asked::kNothing) {
    points += 1;
  }
  if (facts.destinations_users) {
    const bool of_text = match.link.identifier && (match.strong || match.link.replaces);
    points -= of_text ? 1 : 3;
  }
  if (match.strong) return points;
  // "npm: module x is missing, run npm install x": whoever runs a program follows its advice.
  if (match.advice) return std::min(points, kHandedOverQuiet);

  if (call.effect == Effect::kRead) points -= 2;
  if (facts.general) points -= 1;
  if (found.delegation == Delegation::kActs) points -= 3;
  if (found.delegation == Delegation::kMaterial) points -= facts.asked == Asked::kMaybe ? 2 : 1;
  // A user who handed the act over gets what the text says, unless the text speaks as if it were
  // the user.
  if (found.delegation == Delegation::kActs) points = std::min(points, kHandedOverPointsMax);
  // Who asks for such an act with this text at hand mostly gets what it names from the text.
  // But where the user had named what to act on, another thing in its place is the text's.
  const bool another = match.link.replaces && found.delegation != Delegation::kActs;
  const bool taken_over = facts.asked == Asked::kThis && found.delegation != Delegation::kNone &&
                          !another && points < kObeysPoints;
  return taken_over ? std::min(points, kHandedOverQuiet) : points;
}

// Whoever wrote the text would know how to get in.  No user means that by "do what it says".
void Judge::withhold(Facts& facts, Obeying& found) {
  facts.asked = std::max(facts.asked, Asked::kOther);
  found.asked = facts.asked;
  found.delegation = Delegation::kNone;
}

// Values alone: the user only asked to be told something, and the call acts with what it read.
std::optional<Obeying> Judge::judge_values(const Call& call, Asked asked) {
  if (!call.is_act() || asked != Asked::kNothing) return std::nullopt;
  // What is installed is a name from somewhere; only a place is more than a coincidence.
  const bool installs =
      call.effect == Effect::kExecute && (call.acts & (kDelete | kGrant | kPay)) == 0;
  for (const Argument& argument : call.arguments) {
    for (const CallToken& token : argument.tokens) {
      if (!token.is_foreign() || (installs && token.token.kind != TokenKind::kUrl)) continue;
      if (token.source == nullptr) continue;
      return Obeying{.points = kUnrequestedValuePoints,
                     .origin = token.source->mark.origin(),
                     .link = {.shared = true},
                     .asked = Asked::kNothing,
                     .path = argument.leaf->path,
                     .value = argument.text_of(token)};
    }
  }
  return Obeying{.points = kUnrequestedPoints, .asked = Asked::kNothing};
}

std::optional<Obeying> Judge::judge(const Call& call, Asked asked, const SessionMemory& memory) {
  std::optional<Obeying> most;
  const Facts known = facts(call, asked, memory);
  const auto take = [&most](const std::optional<Obeying>& found) {
    if (found && (!most || found->points > most->points)) most = found;
  };
  for (std::size_t i = 0; i < memory.instructions.size(); ++i) {
    const Instruction& instruction = memory.instructions[i];
    Obeying found{.instruction = &instruction,
                  .frames = instruction.frames,
                  .asked = known.asked,
                  .delegation = delegation(instruction, call, memory)};
    Match match{.link = link(call, instruction, i, memory, found)};
    found.link = match.link;
    Facts here = known;
    if (match.link.credential && !said_credentials(memory)) withhold(here, found);
    // Who hands an act over knows of a text that speaks of tasks and users; but not of one that
    // overrides the user.  Who hands over everything means no text that usurps, wherever it stands.
    constexpr Frames kUsurping = kOverrides | kOrdersWork | kCovertly;
    const bool usurps = (instruction.frames & kUsurping) != 0;
    match.strong = found.delegation == Delegation::kActs
                       ? usurps
                       : strong_frames(instruction.frames) >= 2 ||
                             (usurps && memory.wishes.delegated == kAllActs);
    match.act = (call.acts & instruction.acts) != 0;
    match.noun = std::ranges::any_of(
        call.nouns, [&](std::uint64_t noun) { return names(instruction, memory.mixed(noun)); });
    const bool by_frames = match.strong && match.act && match.noun;
    match.points = points_of_link(match);
    if (match.points == 0 || (here.all_users && !by_frames)) continue;
    if (const Source* source = memory.source(instruction.source)) {
      found.origin = source->mark.origin();
      match.advice = here.runs_on && source->ran;
    }
    found.points = points(match, here, call, found);
    take(found);
  }
  take(judge_values(call, asked));
  return most;
}

}  // namespace tocsin::flow
