#include "daemon/sink/webhook_signature.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <utility>

#include "daemon/check.h"

namespace tocsin {
namespace {

constexpr std::string_view kPrefix = "whsec_";

const auto* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());  // NOLINT: OpenSSL's bytes
}

std::string base64(std::string_view raw) {
  std::string out(4 * ((raw.size() + 2) / 3) + 1, '\0');  // and the zero that OpenSSL appends
  auto* const to = reinterpret_cast<unsigned char*>(out.data());  // NOLINT: likewise
  out.resize(
      static_cast<std::size_t>(EVP_EncodeBlock(to, bytes(raw), static_cast<int>(raw.size()))));
  return out;
}

// OpenSSL's decoder takes blanks and padding wherever they stand; nobody else's does.
std::expected<std::string, std::string> from_base64(std::string_view text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const std::string_view digits = text.substr(0, text.size() - padding);
  if (text.size() % 4 != 0 || digits.find_first_not_of(kAlphabet) != std::string_view::npos) {
    return std::unexpected("what follows `whsec_` is not base64");
  }
  std::string out(text.size(), '\0');
  auto* const to = reinterpret_cast<unsigned char*>(out.data());  // NOLINT: likewise
  const int size = EVP_DecodeBlock(to, bytes(text), static_cast<int>(text.size()));
  CHECK(size >= static_cast<int>(padding));
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

}  // namespace

std::expected<std::string, std::string> webhook_key(std::string_view secret) {
  if (secret.size() > 2 * kWebhookSecretBytesMax) return std::unexpected("it is too long");
  std::string key(secret);
  if (secret.starts_with(kPrefix)) {
    auto decoded = from_base64(secret.substr(kPrefix.size()));
    if (!decoded) return std::unexpected(decoded.error());
    key = std::move(*decoded);
  }
  if (key.size() < kWebhookSecretBytesMin || key.size() > kWebhookSecretBytesMax) {
    return std::unexpected(fmt::format("it has {} bytes", key.size()));
  }
  return key;
}

std::string webhook_signature(std::string_view key, std::string_view id, std::int64_t timestamp,
                              std::string_view body) {
  CHECK(id.find('.') == std::string_view::npos);
  const std::string text = fmt::format("{}.{}.{}", id, timestamp, body);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(text), text.size(),
             digest.data(), &size) != nullptr);
  return "v1," + base64({reinterpret_cast<const char*>(digest.data()), size});  // NOLINT: likewise
}

}  // namespace tocsin
