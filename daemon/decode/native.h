// The native event of contracts.md section 1: one JSON object a record, bytes -> Event or a reason.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <expected>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/decode/control.h"
#include "daemon/decode/reject.h"
#include "daemon/event.h"

namespace tocsin {

struct DecodeLimits {
  std::size_t event_bytes_max = std::size_t{1} << 20;
  std::size_t depth_max = 64;        // of arguments, results and schemas
  std::size_t leaves_max = 100'000;  // scalars kept of one event
  std::size_t path_bytes_max = 512;  // of one leaf's path; longer ones are cut
  std::size_t tools_max = 1'000;     // in one tool_definitions event
};

// One a worker; not thread-safe.  Reuses its parser and buffers, so a steady stream allocates
// nothing.
class NativeDecoder {
 public:
  explicit NativeDecoder(DecodeLimits limits = {});

  // The event lives in this decoder until the next call.  A lone surrogate escape (which JavaScript
  // and Python producers write, and simdjson refuses) becomes U+FFFD instead of a blind spot;
  // `repaired` then says so.
  std::expected<const Event*, Reject> decode(std::string_view bytes, const SourcePosition& source);
  [[nodiscard]] bool repaired() const { return repaired_; }

 private:
  // A padded copy of JSON text and the parser over it.
  struct Text {
    std::unique_ptr<simdjson::ondemand::parser> parser;
    std::vector<char> padded;
  };
  using Object = simdjson::ondemand::object;
  using Value = simdjson::ondemand::value;

  simdjson::simdjson_result<simdjson::ondemand::document> parse(Text& text, std::string_view bytes);
  std::expected<void, Reject> decode_once(std::string_view bytes);
  std::expected<void, Reject> read_envelope(Object object);
  std::expected<void, Reject> read_field(std::string_view key, Value value);
  std::expected<void, Reject> read_tool(Value value);
  std::expected<void, Reject> read_arguments(Value value);
  bool read_arguments_text(std::string_view text);
  std::expected<void, Reject> read_definitions(Value value);
  std::expected<void, Reject> read_definition(Value value);
  std::expected<void, Reject> read_guardrail(Value value);
  std::expected<void, Reject> read_verdict(Value value);
  std::expected<void, Reject> check_complete() const;
  std::expected<void, Reject> flatten(Value value, std::size_t depth, std::vector<Leaf>& out);
  std::expected<void, Reject> flatten_members(Object object, std::size_t depth,
                                              std::vector<Leaf>& out);
  std::expected<void, Reject> add_leaf(std::string_view text, LeafKind kind,
                                       std::vector<Leaf>& out);
  void reset();

  DecodeLimits limits_;
  Text document_;
  Text arguments_;  // arguments that came as a string of JSON
  std::vector<std::byte> arena_block_;
  std::pmr::monotonic_buffer_resource arena_;  // leaf paths
  std::string path_;                           // of the leaf being read
  std::size_t leaves_ = 0;
  bool repaired_ = false;
  // What the envelope said so far; a missing one is only known at its end.
  bool has_time_ = false;
  bool has_type_ = false;
  bool has_text_ = false;
  bool has_tools_ = false;
  bool has_verdict_ = false;
  bool bad_verdict_ = false;  // none of the words there are
  ControlReader control_;
  std::string event_id_;  // made up, when the producer gave none
  Event event_;
};

}  // namespace tocsin
