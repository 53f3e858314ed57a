#include "detectors/session/mark.h"

#include <algorithm>

#include "daemon/text.h"

namespace tocsin::session {
namespace {

constexpr std::size_t kSizes = 2;
static_assert(Mark::kTextBytesMax <= UINT8_MAX);

std::string_view beginning(std::string_view text) {
  return text.substr(0, cut_at_character(text, Mark::kTextBytesMax));
}
std::size_t size_at(const char* byte) { return static_cast<unsigned char>(*byte); }

}  // namespace

Mark::Mark(std::string_view event_id, std::uint64_t seq, std::string_view tool) : seq_(seq) {
  const std::string_view id = beginning(event_id);
  const std::string_view name = beginning(tool);
  auto text = std::make_unique_for_overwrite<char[]>(kSizes + id.size() + name.size());
  text[0] = static_cast<char>(id.size());
  text[1] = static_cast<char>(name.size());
  std::ranges::copy(name, std::ranges::copy(id, text.get() + kSizes).out);
  text_ = std::move(text);
}

OriginView Mark::origin() const {
  if (text_ == nullptr) return {};
  const std::size_t id = size_at(&text_[0]);
  const char* const text = text_.get() + kSizes;
  return {.event_id = {text, id}, .seq = seq_, .tool = {text + id, size_at(&text_[1])}};
}

OriginView Mark::origin(std::string_view tool) const {
  OriginView of = origin();
  of.tool = beginning(tool);
  return of;
}

std::size_t Mark::heap_bytes() const {
  return text_ == nullptr ? 0 : kSizes + size_at(&text_[0]) + size_at(&text_[1]);
}

}  // namespace tocsin::session
