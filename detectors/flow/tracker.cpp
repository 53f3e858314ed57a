#include "detectors/flow/tracker.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/invisible.h"
#include "daemon/text.h"
#include "detectors/detector.h"
#include "detectors/lexical/word_hash.h"
#include "detectors/session/recent.h"

namespace tocsin::flow {
namespace {

constexpr std::size_t kNamingReach = 60;      // tokens around a passage that say whose it is
constexpr double kEchoShare = 0.8;            // of a passage's words that the agent wrote itself
constexpr std::size_t kEncodedBytesMin = 24;  // of a run without a space that is decoded
constexpr std::size_t kTailBytes = kTextBytesMax / 4;

// Calls `read` with the text, or, of one that is too long, with its beginning and its end.  False:
// something was left out.
template <typename Read>
bool for_each_part(std::string_view text, const Read& read) {
  if (text.size() <= kTextBytesMax) {
    read(text);
    return true;
  }
  read(text.substr(0, cut_at_character(text, kTextBytesMax - kTailBytes)));
  read(text.substr(cut_at_character(text, text.size() - kTailBytes)));
  return false;
}

// How many bytes stand before the first beyond ASCII, or a few less; one at least, when that is the
// first.
std::size_t ascii_in_front(std::string_view text) {
  std::size_t at = 1;
  std::uint64_t chunk = 0;
  for (; at + sizeof chunk <= text.size(); at += sizeof chunk) {
    std::memcpy(&chunk, text.data() + at, sizeof chunk);
    if ((chunk & lexical::kHighBits) != 0) break;
  }
  return at;
}

// Characters that nobody sees: they part a word for whoever reads bytes, and the reader of the
// decoded text sees it whole.
bool hides_characters(std::string_view text) {
  constexpr unsigned char kAsciiMax = 0x7F;
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) <= kAsciiMax) {
      at += ascii_in_front(text.substr(at));
      continue;
    }
    const CodePoint c = first_code_point(text.substr(at));
    if (is_invisible(c.value)) return true;
    at += c.length;
  }
  return false;
}

}  // namespace

const Flow& Tracker::follow(const Event& event, const EventContext& context,
                            SessionMemory& memory) {
  flow_ = {.memory = &memory, .carried = std::exchange(flow_.carried, {})};
  flow_.carried.clear();
  switch (event.type) {
    case EventType::kSystemMessage: on_system(event, memory); break;
    case EventType::kUserMessage: on_user(event, memory); break;
    case EventType::kToolCall: on_call(event, context, memory); break;
    case EventType::kToolResult: on_result(event, context, memory); break;
    default: break;
  }
  return flow_;
}

// ------------------------------------------------------------------ principals

void Tracker::on_system(const Event& event, SessionMemory& memory) {
  const auto learn = [&](std::string_view part) {
    reading_.tokens.clear();
    tokenize_identifiers(part, reading_.tokens);
    for (const Token& token : reading_.tokens) {
      memory.limited |= !memory.said.add(memory.mixed(token.hash), kBySystem, kUserTokensMax);
    }
  };
  memory.limited |= !for_each_part(event.text, learn);
}

void Tracker::on_user(const Event& event, SessionMemory& memory) {
  const auto learn = [&](std::string_view part) {
    read_text(part, reading_);
    learn_user_words(memory);
    read_wishes(reading_, memory.wishes);
  };
  memory.limited |= !for_each_part(event.text, learn);
  if (!memory.wishes.agrees) return;
  for (Instruction& instruction : memory.instructions) instruction.agreed = true;
}

void Tracker::learn_user_words(SessionMemory& memory) {
  std::uint32_t clause = 0;
  for (std::uint32_t i = 0; i < reading_.tokens.size(); ++i) {
    while (clause + 1 < reading_.clauses.size() && reading_.clauses[clause].last <= i) ++clause;
    const Token& token = reading_.tokens[i];
    const std::uint32_t hash = memory.mixed(token.hash);
    memory.limited |= !memory.said.add(hash, kByUser, kUserTokensMax);
    if (is_identifier(token.kind) || is_name(i, reading_.clauses[clause])) {
      memory.limited |= !memory.said.add(hash, kNamed, kUserTokensMax);
    }
  }
}

// A word that stands for one thing: it begins with a capital within its sentence, or is quoted.
bool Tracker::is_name(std::uint32_t index, const Clause& clause) const {
  const Token& token = reading_.tokens[index];
  const std::string_view text = reading_.text;
  if (token.end - token.begin < 2) return false;
  const char before = token.begin > 0 ? text[token.begin - 1] : ' ';
  if (before != ' ') {
    const auto behind = [&](std::string_view quote) {
      return text.substr(0, token.begin).ends_with(quote);
    };
    // In "user's" the mark is no quote.
    const bool apostrophe =
        token.begin > 1 && std::isalnum(static_cast<unsigned char>(text[token.begin - 2])) != 0;
    if (before == '"' || before == '`' || behind("\u201C") || behind("\u2018")) return true;
    if (before == '\'') return !apostrophe;
  }
  const Signs signs = reading_.meanings[index].signs;
  return token.capital && index > clause.first && (signs & (kStop | kSpeaker | kYou)) == 0;
}

// ------------------------------------------------------------------ calls

void Tracker::on_call(const Event& event, const EventContext& context, SessionMemory& memory) {
  const Call call = calls_.read(event, context, memory);
  memory.limited |= call.limited;
  flow_.sink = call.is_sink();
  flow_.asked = Judge::asked(call, memory);
  flow_.unrequested = call.is_act() && flow_.asked == Asked::kNothing;
  carry(call);
  if (flow_.sink) flow_.obeying = judge_.judge(call, flow_.asked, memory);
  remember(call, event, memory);
}

// What the call's result will be read with, and what the agent wrote itself.
void Tracker::remember(const Call& call, const Event& event, SessionMemory& memory) {
  PendingCall pending{.call = memory.mixed(hash64(event.tool.call_id)),
                      .runs = call.effect == Effect::kExecute && !call.shows};
  if (flow_.obeying) pending.points = static_cast<float>(flow_.obeying->points);
  for (const CallToken& token : call.tokens) {
    pending.named |=
        memory.said.by(token.hash, kNamed) || (token.users && is_content(token.meaning));
    memory.limited |= !memory.said.add(token.hash, kByAgent, kOwnTokensMax);
    if (token.users || !is_identifier(token.token.kind)) continue;
    const Source* source = token.source;
    pending.near_named |= source != nullptr && (source->named || source->near_named);
    if (pending.parent == 0) pending.parent = instruction_with(token.hash, memory);
  }
  for (const std::uint64_t noun : call.nouns) {
    pending.named |= memory.said.by(memory.mixed(noun), kByUser);
  }
  for (const Argument& argument : call.arguments) {
    const bool named = std::ranges::any_of(argument.tokens, [](const CallToken& token) {
      return token.users && is_identifier(token.token.kind);
    });
    if (named && memory.filled.size() < kFilledMax &&
        std::ranges::find(memory.filled, argument.slot) == memory.filled.end()) {
      memory.filled.push_back(argument.slot);
    }
  }
  if (memory.pending.size() >= kPendingCallsMax) memory.pending.erase(memory.pending.begin());
  memory.pending.push_back(pending);
}

// 1 + the first instruction that has the identifier; 0: none has.
std::uint16_t Tracker::instruction_with(std::uint32_t hash, const SessionMemory& memory) {
  for (std::size_t i = 0; i < memory.instructions.size(); ++i) {
    const std::vector<std::uint32_t>& tokens = memory.instructions[i].tokens;
    if (std::ranges::find(tokens, hash | 1U) != tokens.end()) {
      return static_cast<std::uint16_t>(i + 1);
    }
  }
  return 0;
}

// Which values came from results and not from the user.
void Tracker::carry(const Call& call) {
  for (const Argument& argument : call.arguments) {
    for (const CallToken& token : argument.tokens) {
      if (token.source == nullptr || !is_identifier(token.token.kind)) continue;
      if (flow_.carried.size() >= kCarriedMax) return;
      flow_.carried.push_back({.path = argument.leaf->path,
                               .value = argument.text_of(token),
                               .source = token.source,
                               .destination = argument.destination,
                               .kind = token.token.kind,
                               .where = token.seen->where});
    }
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
  session::make_room(memory.sources);
  Source& source = memory.sources.emplace_back();
  const std::uint32_t index =
      memory.sources_forgotten + static_cast<std::uint32_t>(memory.sources.size() - 1);
  source.mark = {event.event_id, context.seq, event.tool.name};
  source.parent = answered.parent;
  source.named = answered.named;
  source.near_named = answered.near_named;
  source.ran = answered.runs;
  const ToolProfile* declared = context.tool.declared;
  const bool reads =
      context.tool.effect == Effect::kRead || context.tool.effect == Effect::kExecute;
  source.untrusted = declared != nullptr ? declared->returns.untrusted : reads;
  source.private_data = declared != nullptr ? declared->returns.private_data : reads;
  flow_.source = &source;
  for (std::size_t leaf = 0; leaf < event.tool.result.size(); ++leaf) {
    const LeafKind kind = event.tool.result[leaf].kind;
    if (kind == LeafKind::kNull || kind == LeafKind::kBoolean) continue;
    read_long(event.tool.result[leaf].text, event, leaf, index, memory);
  }
  // "Not here; pass the data to ...": an error speaks to the agent like any result.
  read_long(event.tool.error, event, event.tool.result.size(), index, memory);
  memory.limited |= memory.sightings.forgot();
}

void Tracker::read_long(std::string_view text, const Event& event, std::size_t leaf,
                        std::uint32_t source_index, SessionMemory& memory) {
  if (text.empty()) return;
  const auto read = [&](std::string_view part) {
    read_value(part, event, leaf, source_index, memory);
  };
  memory.limited |= !for_each_part(text, read);
}

void Tracker::read_value(std::string_view text, const Event& event, std::size_t leaf,
                         std::uint32_t source_index, SessionMemory& memory) {
  named_around_.reset();
  const auto read = [&](std::string_view part) {
    read_text(part, reading_);
    in_passage_.assign(reading_.tokens.size(), 0);
    for (const Passage& passage : reading_.passages) {
      keep(passage, event, leaf, source_index, memory);
    }
    for (std::size_t i = 0; i < reading_.tokens.size(); ++i) {
      const Token& token = reading_.tokens[i];
      const bool personal = token.kind == TokenKind::kAccount || token.kind == TokenKind::kEmail;
      if (personal && part.data() == text.data() && leaf < event.tool.result.size()) {
        flow_.personal_end = std::min(flow_.personal_end, token.end);
      }
      // Of somebody who only wants to be told something any word that returns in an act counts.
      const bool counts = is_identifier(token.kind) ||
                          (memory.wishes.only_informs() &&
                           (token.kind == TokenKind::kNumber || is_content(reading_.meanings[i])));
      if (!counts) continue;
      const std::uint32_t hash = memory.mixed(token.hash);
      if (memory.said.by(hash, kByAgent | kByUser | kBySystem)) continue;
      memory.sightings.at(hash).see(source_index,
                                    in_passage_[i] != 0 ? Sighting::kAsked : Sighting::kAmbient);
    }
  };
  read(text);
  const bool encoded = std::ranges::any_of(reading_.tokens, [](const Token& token) {
    return token.end - token.begin >= kEncodedBytesMin && token.kind != TokenKind::kUrl;
  });
  if (!encoded && !hides_characters(text)) return;
  views_.clear();
  decoder_.begin_event();
  decoder_.decode(text, views_);
  for (const decoding::View& view : views_) memory.limited |= !for_each_part(view.text, read);
}

// Whether the user named what a passage stands in: the words before it, or the other fields of the
// same object ("from": "Camille").
bool Tracker::is_named(const Passage& passage, const Event& event, std::size_t leaf,
                       const SessionMemory& memory) {
  const std::uint32_t begin =
      passage.first > kNamingReach ? passage.first - static_cast<std::uint32_t>(kNamingReach) : 0;
  for (std::uint32_t i = begin; i < passage.first; ++i) {
    if (memory.said.by(memory.mixed(reading_.tokens[i].hash), kNamed)) return true;
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
      if (memory.said.by(memory.mixed(token.hash), kNamed)) return true;
    }
  }
  return false;
}

void Tracker::keep(const Passage& passage, const Event& event, std::size_t leaf,
                   std::uint32_t source_index, SessionMemory& memory) {
  Instruction made{.source = source_index, .frames = passage.frames, .acts = passage.acts};
  std::size_t content = 0;
  std::size_t own = 0;
  for (std::uint32_t i = passage.first; i < passage.last; ++i) {
    const Token& token = reading_.tokens[i];
    const std::uint32_t hash = memory.mixed(token.hash);
    const bool theirs = is_identifier(token.kind) && !memory.said.by(hash, kByAgent);
    made.tokens.push_back(hash | (theirs ? 1U : 0U));
    if (token.kind == TokenKind::kWord && !is_content(reading_.meanings[i])) continue;
    ++content;
    if (memory.said.by(hash, kByAgent | kByUser)) ++own;
  }
  if (content > 0 && static_cast<double>(own) >= kEchoShare * static_cast<double>(content)) return;
  std::fill(in_passage_.begin() + passage.first, in_passage_.begin() + passage.last, 1);
  made.named = is_named(passage, event, leaf, memory);
  if (flow_.asking.empty() || strong_frames(passage.frames) > strong_frames(flow_.asking_frames)) {
    asking_ = reading_.text_of(passage);
    flow_.asking = asking_;
    flow_.asking_frames = passage.frames;
  }
  made.tokens.shrink_to_fit();
  if (memory.instructions.size() < kInstructionsMax) {
    memory.instructions.push_back(std::move(made));
    return;
  }
  make_room(std::move(made), memory);
}

// Full: the plainest, and of those the oldest, makes room for one that is more framed.
void Tracker::make_room(Instruction made, SessionMemory& memory) {
  memory.limited = true;
  const auto plainest = std::ranges::min_element(memory.instructions, {}, [](const Instruction& i) {
    return std::pair(strong_frames(i.frames), i.source);
  });
  if (strong_frames(plainest->frames) > strong_frames(made.frames)) return;
  *plainest = std::move(made);
  // What the forgotten one led to was not led to by the new one.
  const auto number = static_cast<std::uint16_t>(plainest - memory.instructions.begin() + 1);
  for (Source& source : memory.sources) {
    if (source.parent == number) source.parent = 0;
  }
  for (PendingCall& pending : memory.pending) {
    if (pending.parent == number) pending.parent = 0;
  }
}

}  // namespace tocsin::flow
