// Signatures of webhooks, as the Standard Webhooks specification 1.0.0 has them
// (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tocsin {

inline constexpr std::size_t kWebhookSecretBytesMin = 24;  // the specification's
inline constexpr std::size_t kWebhookSecretBytesMax = 512;

// The key in what an operator wrote: `whsec_` and base64, else the text as it is.  The error says
// what is wrong, without quoting it.
std::expected<std::string, std::string> webhook_key(std::string_view secret);

// The value of the header `webhook-signature`: "v1," and the HMAC-SHA256 of "id.timestamp.body" in
// base64.  `id` holds no full stop; `timestamp` is Unix seconds.
std::string webhook_signature(std::string_view key, std::string_view id, std::int64_t timestamp,
                              std::string_view body);

}  // namespace tocsin
