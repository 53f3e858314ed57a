// What a call does that matters in a sequence of calls, as far as its words say: reads a secret,
// sends something out, opens an access, deletes, switches a control off or on.
//
// Shell commands are taken apart into simple commands; other tools are read by the words of their
// name and by their arguments.  Read, not interpreted: variables, loops and functions are not
// followed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/event.h"

namespace tocsin {
struct EventContext;
}

namespace tocsin::session {

enum class ActKind : std::uint8_t { kReadsSecret, kSends, kOpens, kDeletes, kDisables, kEnables };

// The object's view leads into the event; empty when the call names none.
struct Act {
  ActKind kind;
  std::string_view object;
};

class Acts {
 public:
  static constexpr std::size_t kMax = 16;  // of a call; what is beyond is left out

  void add(ActKind kind, std::string_view object) {
    if (size_ < kMax) acts_[size_++] = {kind, object};
  }
  [[nodiscard]] const Act* begin() const { return acts_.data(); }
  [[nodiscard]] const Act* end() const { return acts_.data() + size_; }
  [[nodiscard]] bool has(ActKind kind) const;

 private:
  std::array<Act, kMax> acts_{};
  std::size_t size_ = 0;
};

// Those of the context's event, read when somebody first asks.  A copy is for another event and
// starts empty.
class ActsOnce {
 public:
  ActsOnce() = default;
  ActsOnce(const ActsOnce& /*other*/) {}
  ActsOnce& operator=(const ActsOnce& /*other*/) {
    acts_.reset();
    return *this;
  }

 private:
  friend const Acts& acts_of(const Event& call, const EventContext& context);
  mutable std::optional<Acts> acts_;
};

// Lives as long as the context, which is that of this call.
const Acts& acts_of(const Event& call, const EventContext& context);

// A file or folder that holds credentials by convention.
bool is_secret_path(std::string_view path);

// A service, setting or feature that watches or guards.
bool is_control(std::string_view name);

}  // namespace tocsin::session
