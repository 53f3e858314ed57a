#include "daemon/incident/json_fields.h"

#include <array>
#include <limits>
#include <utility>

#include "daemon/decode/rfc3339.h"
#include "daemon/names.h"

namespace tocsin::incident {
namespace {

constexpr std::array<std::string_view, kRecordRejectCount> kNames = {
    "too_large",  "malformed_json", "not_an_object", "missing_field",
    "wrong_type", "bad_word",       "too_many",
};

}  // namespace

std::string_view name_of(RecordReject reason) { return kNames[std::to_underlying(reason)]; }

std::string_view text_of(const simdjson::dom::element& element,
                         std::optional<RecordReject>& error) {
  std::string_view text;
  if (element.get_string().get(text) != simdjson::SUCCESS && !error) {
    error = RecordReject::kWrongType;
  }
  return text;
}

std::optional<simdjson::dom::element> parse_record(simdjson::dom::parser& parser,
                                                   std::string_view bytes, std::size_t bytes_max,
                                                   std::optional<RecordReject>& error) {
  error = std::nullopt;
  simdjson::dom::element element;
  if (bytes.size() > bytes_max) {
    error = RecordReject::kTooLarge;
  } else if (parser.parse(bytes.data(), bytes.size()).get(element) != simdjson::SUCCESS) {
    error = RecordReject::kMalformedJson;
  } else if (!element.is_object()) {
    error = RecordReject::kNotAnObject;
  }
  return error ? std::nullopt : std::optional(element);
}

Position position_in(JsonFields& fields) {
  Position out{.topic = std::string(fields.text("topic"))};
  const std::int64_t partition = fields.number("partition");
  out.offset = fields.number("offset");
  if (partition < 0 || partition > std::numeric_limits<std::int32_t>::max() || out.offset < 0) {
    fields.fail(RecordReject::kBadWord);
  }
  out.partition = static_cast<std::int32_t>(partition);
  return out;
}

JsonFields::JsonFields(const Element& element, std::optional<RecordReject>& error) : error_(error) {
  if (element.get_object().get(object_) != simdjson::SUCCESS) fail(RecordReject::kWrongType);
}

std::optional<JsonFields::Element> JsonFields::member(std::string_view key, bool needed) {
  if (error_) return std::nullopt;
  Element element;
  if (object_.at_key(key).get(element) == simdjson::SUCCESS && !element.is_null()) return element;
  if (needed) fail(RecordReject::kMissingField);
  return std::nullopt;
}

std::string_view JsonFields::text(std::string_view key, bool needed) {
  const auto element = member(key, needed);
  return element ? text_of(*element, error_) : std::string_view();
}

EventTime JsonFields::time(std::string_view key) {
  const std::string_view written = text(key);
  if (error_) return {};
  const auto time = parse_rfc3339(written);
  if (!time) fail(RecordReject::kBadWord);
  return kept_time(time.value_or(EventTime{}));
}

std::optional<EventTime> JsonFields::optional_time(std::string_view key) {
  if (!has(key)) return std::nullopt;
  return time(key);
}

std::int64_t JsonFields::number(std::string_view key) {
  const auto element = member(key, true);
  std::int64_t number = 0;
  if (element && element->get_int64().get(number) != simdjson::SUCCESS) {
    fail(RecordReject::kWrongType);
  }
  return number;
}

std::uint64_t JsonFields::natural(std::string_view key, bool needed) {
  const auto element = member(key, needed);
  std::uint64_t number = 0;
  if (element && element->get_uint64().get(number) != simdjson::SUCCESS) {
    fail(RecordReject::kWrongType);
  }
  return number;
}

bool JsonFields::flag(std::string_view key) {
  const auto element = member(key, true);
  bool value = false;
  if (element && element->get_bool().get(value) != simdjson::SUCCESS) {
    fail(RecordReject::kWrongType);
  }
  return value;
}

std::size_t JsonFields::word_index(std::string_view word, std::span<const std::string_view> words) {
  const auto index = named<std::size_t>(words, word);
  if (!index) fail(RecordReject::kBadWord);
  return index.value_or(0);
}

void JsonFields::texts(std::string_view key, std::size_t items_max, std::vector<std::string>& out) {
  each(key, items_max, [&](const Element& item) { out.emplace_back(text_of(item, error_)); });
}

}  // namespace tocsin::incident
