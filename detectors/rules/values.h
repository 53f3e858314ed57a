// What an event offers to rules: its texts, each with its decoded views, laid out for one pass.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "detectors/decoding/decoder.h"
#include "detectors/rules/field.h"

namespace tocsin {

// One text: a leaf or a whole message as it came, or a decoded view of one.
struct Value {
  FieldClass field = FieldClass::kText;
  std::string_view path;  // of a leaf: "to", "items.0.name"
  std::string_view text;  // valid UTF-8
  decoding::Chain chain;  // empty: as it came
};

// One a worker, reused; not thread-safe.  Values point into the event and into this object and are
// valid until the next `lay_out`.
class EventValues {
 public:
  EventValues() = default;
  explicit EventValues(decoding::Limits limits) : decoder_(limits) {}

  void lay_out(const Event& event);

  [[nodiscard]] const std::vector<Value>& values() const { return values_; }
  // All of them, one after the other, each with a line feed before and behind it.
  [[nodiscard]] std::string_view joined() const { return joined_; }
  // The line feeds between them, and the first and the last.
  [[nodiscard]] std::size_t separators() const { return values_.size() + 1; }
  // Not everything could be decoded: a limit was reached.
  [[nodiscard]] bool exhausted() const { return decoder_.exhausted(); }

 private:
  void add(FieldClass field, std::string_view path, std::string_view text);
  void add_leaves(FieldClass field, const std::vector<Leaf>& leaves);

  decoding::Decoder decoder_;
  std::vector<decoding::View> views_;
  std::vector<Value> values_;
  std::string joined_;
};

}  // namespace tocsin
