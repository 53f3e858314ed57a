// Decode before match: the texts an attacker may have hidden in a value.
//
// A value is decoded in a line, one step that rewrites the whole text behind the other for as long
// as one of them changes something, and each text of the line is a view: "url", "url+html", ...
// Texts found in a part of any of these (base64, hex, tags) are views, too, and begin a line of
// their own.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "detectors/decoding/chain.h"
#include "detectors/decoding/look.h"
#include "detectors/decoding/rewrite.h"
#include "detectors/decoding/steps.h"

namespace tocsin::decoding {

// One way to read a value.  Valid UTF-8.  Where a step that rewrites the whole text gives more than
// Rewrite::kWholeBytesMax, only what is around its changes is here, with a newline in the place of
// what is left out (so nothing that is left out touches the view's beginning or end).
struct View {
  std::string_view text;
  Chain chain;
};

struct Limits {
  std::size_t depth_max = 6;                           // steps of a chain, Chain::kStepsMax at most
  std::size_t bytes_max = std::size_t{256} << 10;      // of an event's views together
  std::size_t views_max = 64;                          // of an event
  std::size_t value_bytes_max = std::size_t{4} << 20;  // of a value; the rest is not looked at
};

// One a worker; not thread-safe.  Keeps `bytes_max` and about three times the longest value so far.
// Time is linear in the value: depth_max + 1 passes over it at most.
class Decoder {
 public:
  explicit Decoder(Limits limits = {});

  // Views of the event before end here; the budget is whole again.
  void begin_event();

  // Appends the views of `text`, which must be valid UTF-8: never `text` itself, no two equal ones,
  // none empty; the order is that of decoding.  The views live until the next `begin_event`.
  void decode(std::string_view text, std::vector<View>& out);

  // Since `begin_event`, something was left out at one of the limits.
  [[nodiscard]] bool exhausted() const { return exhausted_; }

 private:
  // The views one `decode` adds to: those from `first` on, and the text they are of.
  struct Views {
    std::string_view text;
    std::vector<View>& out;
    std::size_t first;
  };

  void follow_line(std::string_view text, Chain chain, Views& views);
  bool apply(Step step, std::string_view text, Rewrite& out);
  void find_hidden(std::string_view text, Chain chain, Views& views);
  [[nodiscard]] bool full();
  void add_text(std::string_view text, Chain chain, Views& views);
  void add_rewrite(const Rewrite& rewrite, Chain chain, Views& views);
  void add(std::size_t size, Chain chain, Views& views);

  Limits limits_;
  std::unique_ptr<char[]> arena_;  // the views' texts; made when first needed
  std::size_t arena_used_ = 0;
  std::size_t views_ = 0;
  bool exhausted_ = false;
  Look look_;
  Scratch scratch_;
  std::array<Rewrite, 2> rewrites_;  // a text of the line, and the next
};

}  // namespace tocsin::decoding
