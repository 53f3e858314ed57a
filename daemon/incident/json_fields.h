// Members of a JSON object that somebody else may have written, read with one error for all.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "daemon/incident/finding_summary.h"
#include "daemon/incident/record_reject.h"

namespace tocsin::incident {

// The first mistake is kept, and what is read after it is of no use.  Null is the same as missing.
class JsonFields {
 public:
  using Element = simdjson::dom::element;

  JsonFields(const Element& element, std::optional<RecordReject>& error);

  // The member, or nothing; missing and `needed` is a mistake.
  std::optional<Element> member(std::string_view key, bool needed);
  [[nodiscard]] bool has(std::string_view key) { return member(key, false).has_value(); }

  std::string_view text(std::string_view key, bool needed = true);
  EventTime time(std::string_view key);
  std::optional<EventTime> optional_time(std::string_view key);
  std::int64_t number(std::string_view key);
  std::uint64_t natural(std::string_view key, bool needed = true);
  bool flag(std::string_view key);
  // The position of the member's word among `words`.
  template <typename Enum>
  Enum word(std::string_view key, std::span<const std::string_view> words) {
    return static_cast<Enum>(word_index(text(key), words));
  }
  std::size_t word_index(std::string_view word, std::span<const std::string_view> words);
  // Calls `read` with each item of a list; a missing list is an empty one.
  template <typename Read>
  void each(std::string_view key, std::size_t items_max, Read read) {
    const auto list = member(key, false);
    if (!list) return;
    simdjson::dom::array array;
    if (list->get_array().get(array) != simdjson::SUCCESS) return fail(RecordReject::kWrongType);
    std::size_t count = 0;
    for (const Element item : array) {
      if (++count > items_max) return fail(RecordReject::kTooMany);
      if (error_) return;
      read(item);
    }
  }
  void texts(std::string_view key, std::size_t items_max, std::vector<std::string>& out);
  void fail(RecordReject reason) {
    if (!error_) error_ = reason;
  }

 private:
  simdjson::dom::object object_;
  std::optional<RecordReject>& error_;
};

// The text of an element that is a string; else a mistake.
std::string_view text_of(const simdjson::dom::element& element, std::optional<RecordReject>& error);

// The members topic, partition and offset.
Position position_in(JsonFields& fields);

// Parses one record; `parser` owns what is returned until its next use.
std::optional<simdjson::dom::element> parse_record(simdjson::dom::parser& parser,
                                                   std::string_view bytes, std::size_t bytes_max,
                                                   std::optional<RecordReject>& error);

}  // namespace tocsin::incident
