#include "daemon/source/oauth_token.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <simdjson.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <optional>
#include <system_error>

namespace tocsin::kafka {
namespace {

// Year 9999: beyond it a time point overflows.
constexpr double kSecondsMax = 253'402'300'799;

std::optional<std::string> decode_base64url(std::string_view text) {
  std::string padded(text);
  for (char& c : padded) {
    if (c == '+' || c == '/' || c == '=') return std::nullopt;
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  const std::size_t padding = (4 - padded.size() % 4) % 4;
  if (padding == 3) return std::nullopt;
  padded.append(padding, '=');
  std::string out(padded.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(padded.data()),
                                   static_cast<int>(padded.size()));
  if (size < 0) return std::nullopt;
  out.resize(static_cast<std::size_t>(size) - padding);  // EVP_DecodeBlock counts the padding
  return out;
}

}  // namespace

std::expected<OAuthToken, std::string> parse_oauth_token(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  if (text.size() > kTokenBytesMax) {
    return std::unexpected(fmt::format("it is longer than {} bytes", kTokenBytesMax));
  }
  const std::size_t first = text.find('.');
  const std::size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos) {
    return std::unexpected("it is no JSON Web Token: three parts with dots between them");
  }
  const auto payload = decode_base64url(text.substr(first + 1, second - first - 1));
  if (!payload) return std::unexpected("the second part of the token is not base64url");
  simdjson::dom::parser parser;
  simdjson::dom::object claims;
  if (parser.parse(*payload).get(claims) != simdjson::SUCCESS) {
    return std::unexpected("the second part of the token is no JSON object");
  }
  double expires = 0;
  if (claims["exp"].get(expires) != simdjson::SUCCESS || expires <= 0 || expires >= kSecondsMax) {
    return std::unexpected("the token does not say when it expires (`exp`)");
  }
  OAuthToken token{.text = std::string(text)};
  std::string_view subject;
  if (claims["sub"].get(subject) == simdjson::SUCCESS) token.principal = subject;
  if (token.principal.empty()) token.principal = "unknown";  // librdkafka wants one, for its logs
  token.expires = std::chrono::system_clock::time_point(
      std::chrono::seconds(static_cast<std::int64_t>(std::floor(expires))));
  return token;
}

std::expected<OAuthToken, std::string> read_oauth_token(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text(kTokenBytesMax + 2, '\0');  // and a line break
  if (stream) stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream && !stream.eof()) {
    return std::unexpected(std::error_code(errno, std::generic_category()).message());
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return parse_oauth_token(text);
}

}  // namespace tocsin::kafka
