// An earlier event as sessions remember it for evidence, in little memory: its id, its place and,
// where it is not known otherwise, its tool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "daemon/finding.h"

namespace tocsin::session {

class Mark {
 public:
  static constexpr std::size_t kTextBytesMax = 128;  // of the id, and of the tool's name

  Mark() = default;  // of no event
  Mark(std::string_view event_id, std::uint64_t seq, std::string_view tool = {});
  explicit Mark(const OriginView& of) : Mark(of.event_id, of.seq, of.tool) {}

  [[nodiscard]] bool empty() const { return text_ == nullptr; }
  // Views into the mark, as long as it lives.
  [[nodiscard]] OriginView origin() const;
  // The same with the tool, which whoever asks knows.
  [[nodiscard]] OriginView origin(std::string_view tool) const;
  // Memory held beside itself.
  [[nodiscard]] std::size_t heap_bytes() const;

 private:
  // One byte that says how long the id is, one for the tool, the id, the tool.
  std::unique_ptr<const char[]> text_;
  std::uint64_t seq_ = 0;
};

}  // namespace tocsin::session
