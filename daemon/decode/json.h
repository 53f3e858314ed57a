// Reading simdjson's values: what the parts of the native decoder share.
#pragma once

#include <simdjson.h>

#include <expected>
#include <string_view>

#include "daemon/decode/reject.h"

namespace tocsin::json {

using Status = std::expected<void, Reject>;
inline std::unexpected<Reject> because(Reject reason) { return std::unexpected(reason); }

inline Reject reason_for(simdjson::error_code error) {
  switch (error) {
    case simdjson::UTF8_ERROR: return Reject::kInvalidUtf8;
    case simdjson::INCORRECT_TYPE: return Reject::kWrongType;
    case simdjson::DEPTH_ERROR: return Reject::kTooDeep;
    case simdjson::CAPACITY: return Reject::kTooLarge;
    case simdjson::EMPTY: return Reject::kEmpty;
    default: return Reject::kMalformedJson;
  }
}

// A scalar that is not a string, as it stands in the text, without the white space behind it.
inline std::string_view scalar_token(simdjson::ondemand::value& value) {
  const std::string_view token = value.raw_json_token();
  return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
}

inline bool is_null(simdjson::ondemand::value& value) {
  simdjson::ondemand::json_type type{};
  return value.type().get(type) == simdjson::SUCCESS &&
         type == simdjson::ondemand::json_type::null && scalar_token(value) == "null";
}

// A string into `out`; null leaves it alone.
inline Status read_string(simdjson::ondemand::value value, std::string_view& out) {
  if (is_null(value)) return {};
  if (const auto error = value.get_string().get(out)) return because(reason_for(error));
  return {};
}

}  // namespace tocsin::json
