#include "detectors/session/trace.h"

#include <algorithm>
#include <array>

#include "daemon/text.h"
#include "detectors/decoding/chars.h"

namespace tocsin::session {

std::string kept(std::string_view text, std::size_t bytes_max) {
  return std::string(text.substr(0, cut_at_character(text, bytes_max)));
}

std::string field_of(std::string_view base, std::string_view path) {
  std::string field(base);
  if (!path.empty()) field.append(".").append(path);
  return field;
}

Mark mark_of(const Event& event, const EventContext& context) {
  return {event.event_id, context.seq};
}

Mark mark_with_tool(const Event& event, const EventContext& context) {
  return {event.event_id, context.seq, event.tool.name};
}

std::size_t heap_bytes(const std::string& text) {
  static const std::size_t within = std::string().capacity();
  return text.capacity() > within ? text.capacity() + 1 : 0;
}

std::uint64_t call_key(std::string_view call_id) {
  return call_id.empty() ? 0 : hash64(call_id) | 1U;
}

std::uint64_t hash_leaves(std::span<const Leaf> leaves, std::uint64_t seed) {
  std::uint64_t hash = seed;
  for (const Leaf& leaf : leaves) {
    hash = hash64(leaf.path, hash);
    hash = hash64(leaf.text, hash + static_cast<std::uint64_t>(leaf.kind) + 1);
  }
  return hash;
}

std::uint64_t hash_shape(std::string_view text, std::uint64_t seed) {
  // By pieces, so that no copy of the whole text is needed.
  std::array<char, 256> piece;
  std::size_t size = 0;
  std::uint64_t hash = seed;
  bool digits = false;
  for (const char c : text) {
    const bool digit = decoding::is_any(c, decoding::kDigit);
    if (digit && digits) continue;
    digits = digit;
    piece[size++] = digit ? '0' : c;
    if (size < piece.size()) continue;
    hash = hash64({piece.data(), size}, hash);
    size = 0;
  }
  return hash64({piece.data(), size}, hash);
}

std::uint64_t hash_shape(std::span<const Leaf> leaves, std::uint64_t seed) {
  std::uint64_t sum = seed;
  for (const Leaf& leaf : leaves) sum += hash_shape(leaf.text, hash64(leaf.path));
  return sum;
}

}  // namespace tocsin::session
