#include "detectors/session/outflow.h"

#include <algorithm>

#include "daemon/text.h"
#include "detectors/decoding/decoder.h"
#include "detectors/flow/token.h"
#include "detectors/session/acts.h"
#include "detectors/session/words.h"
#include "detectors/validate/compact.h"

namespace tocsin::session {
namespace {

using flow::Carried;
using flow::Sighting;
using flow::Source;
using flow::TokenKind;

constexpr std::string_view kScheme = "://";
constexpr std::string_view kReversed = "reversed";
constexpr std::size_t kCodeDigitsMin = 6;  // an id of fewer is a product's, a flight's, a room's
constexpr std::size_t kHiddenArgumentsMax = 32;  // of a call
constexpr decoding::Limits kDecodingLimits = {
    .depth_max = 4, .bytes_max = std::size_t{64} << 10, .views_max = 32};

const Leaf* leaf_of(const Event& call, std::string_view value) {
  const auto found = std::ranges::find_if(call.tool.arguments, [&](const Leaf& leaf) {
    return leaf.text.data() <= value.data() &&
           value.data() + value.size() <= leaf.text.data() + leaf.text.size();
  });
  return found == call.tool.arguments.end() ? nullptr : &*found;
}

// In a command or a text: behind "scheme://" or "user@", which no file name is.
bool is_host_in(const Leaf* leaf, std::string_view value) {
  if (leaf == nullptr) return false;
  const std::string_view before =
      leaf->text.substr(0, static_cast<std::size_t>(value.data() - leaf->text.data()));
  return before.ends_with(kScheme) || before.ends_with('@');
}

bool is_place(const Carried& value, const Event& call, const EventContext& context) {
  if (value.kind == TokenKind::kUrl)
    return value.destination || context.tool.effect != Effect::kRead;
  if (value.destination) return value.kind != TokenKind::kPath;
  if (context.tool.effect != Effect::kExecute) return false;
  if (value.kind == TokenKind::kEmail) return true;
  return value.kind == TokenKind::kName && is_host_in(leaf_of(call, value.value), value.value);
}

// Adds what a text holds of the session's private values.
class Search {
 public:
  Search(const flow::SessionMemory& memory, std::vector<PrivateValue>& found)
      : memory_(memory), found_(found) {}

  // `plain`: where the value is no news.
  void look(std::string_view path, std::string_view text, std::string_view decoded,
            std::string_view plain) {
    tokens_.clear();
    flow::tokenize(text, tokens_);
    for (const flow::Token& token : tokens_) {
      const std::string_view value = text.substr(token.begin, token.end - token.begin);
      if (!is_personal(token.kind, value)) continue;
      const std::uint32_t hash = memory_.mixed(token.hash);
      if (memory_.said_by_principal(hash)) continue;
      const Sighting* seen = memory_.sightings.find(hash);
      if (seen == nullptr || plain.contains(value)) continue;
      add(path, value, decoded, memory_.source(seen->source), seen->where);
    }
  }

  void add(std::string_view path, std::string_view value, std::string_view decoded,
           const Source* source, unsigned where) {
    if (source == nullptr || !source->private_data || (where & Sighting::kAmbient) == 0) return;
    if (found_.size() >= kPrivateValuesMax) return;
    const bool known =
        std::ranges::any_of(found_, [&](const PrivateValue& other) { return other.text == value; });
    if (known) return;
    found_.push_back({.path = std::string(path),
                      .text = std::string(value),
                      .decoded = std::string(decoded),
                      .source = source});
  }

 private:
  const flow::SessionMemory& memory_;
  std::vector<PrivateValue>& found_;
  std::vector<flow::Token> tokens_;
};

// The parts of the URLs in a text, apart from each other: what stands in a query is part of the URL
// to whoever reads it as one.
std::string url_parts(std::string_view text) {
  std::string parts(text);
  for (char& c : parts) {
    if (std::string_view("/?&=#;+,").contains(c)) c = ' ';
  }
  return parts;
}

// A URL that was read as it stands brings nothing of its own.
bool was_read_whole(const Leaf& leaf, const flow::Flow& flow) {
  return std::ranges::any_of(flow.carried, [&](const Carried& value) {
    return value.kind == TokenKind::kUrl && leaf.text.data() <= value.value.data() &&
           value.value.data() < leaf.text.data() + leaf.text.size();
  });
}

void look_for_hidden(const Leaf& leaf, std::string_view text, const flow::Flow& flow,
                     Search& search) {
  thread_local decoding::Decoder decoder(kDecodingLimits);
  thread_local std::vector<decoding::View> views;
  decoder.begin_event();
  views.clear();
  decoder.decode(text, views);
  for (const decoding::View& view : views) {
    const std::string chain = view.chain.to_string();
    search.look(leaf.path, view.text, chain, text);
    if (view.text.contains(kScheme)) search.look(leaf.path, url_parts(view.text), chain, text);
  }
  if (text.contains(kScheme) && !was_read_whole(leaf, flow)) {
    search.look(leaf.path, url_parts(text), kUrlPart, {});
  }
  search.look(leaf.path, std::string(text.rbegin(), text.rend()), kReversed, text);
}

}  // namespace

bool PrivateValue::hidden() const {
  constexpr std::string_view kCiphers[] = {"base64",  "hex",     "tags",
                                           "spacing", "unicode", kReversed};
  return std::ranges::any_of(kCiphers,
                             [this](std::string_view cipher) { return decoded.contains(cipher); });
}

Way way_out(const Event& call, const EventContext& context) {
  switch (context.tool.effect) {
    case Effect::kEgress: return Way::kSend;
    case Effect::kExecute:
      return acts_of(call, context).has(ActKind::kSends) ? Way::kSend : Way::kNone;
    case Effect::kRead: break;
    case Effect::kWrite: return Way::kNone;
  }
  const bool contacts = std::ranges::any_of(call.tool.arguments, [&](const Leaf& leaf) {
    return leaf.text.contains(kScheme) && is_destination(leaf, context.tool);
  });
  return contacts ? Way::kContact : Way::kNone;
}

bool named_by_request_alone(const Carried& value) {
  return value.source->parent != 0 || (value.where & Sighting::kAmbient) == 0;
}

bool pointed_to(const Source& source) { return source.named || source.near_named; }

const Carried* foreign_destination(const Event& call, const EventContext& context) {
  const auto rank = [](const Carried& value) {
    return (named_by_request_alone(value) ? 2 : 0) + (pointed_to(*value.source) ? 0 : 1);
  };
  const Carried* least = nullptr;
  for (const Carried& value : context.flow->carried) {
    if (!value.source->untrusted || !is_place(value, call, context)) continue;
    if (least == nullptr || rank(value) > rank(*least)) least = &value;
  }
  return least;
}

bool is_personal(TokenKind kind, std::string_view text) {
  switch (kind) {
    case TokenKind::kAccount:
    case TokenKind::kEmail: return true;
    case TokenKind::kCode:
      return static_cast<std::size_t>(std::ranges::count_if(text, validate::is_digit)) >=
             kCodeDigitsMin;
    default: return false;
  }
}

std::vector<PrivateValue> private_values(const Event& call, const EventContext& context,
                                         const Carried* destination, std::size_t hidden_bytes_max) {
  std::vector<PrivateValue> found;
  const flow::Flow& flow = *context.flow;
  if (std::ranges::none_of(flow.memory->sources, &Source::private_data)) return found;
  Search search(*flow.memory, found);
  for (const Carried& value : flow.carried) {
    if (value.destination || !is_personal(value.kind, value.value)) continue;
    if (destination != nullptr && value.value == destination->value) continue;
    search.add(value.path, value.value, {}, value.source, value.where);
  }
  std::size_t looked_at = 0;
  for (const Leaf& leaf : call.tool.arguments) {
    if (leaf.kind != LeafKind::kString || looked_at++ >= kHiddenArgumentsMax) continue;
    const std::size_t size =
        cut_at_character(leaf.text, std::min(leaf.text.size(), hidden_bytes_max));
    look_for_hidden(leaf, leaf.text.substr(0, size), flow, search);
  }
  return found;
}

}  // namespace tocsin::session
