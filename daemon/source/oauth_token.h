// The token of SASL/OAUTHBEARER, from a file that somebody else renews, as a kubelet does with a
// projected service account's.
//
// Nothing is verified: that is the broker's part.  No error holds any of the token.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

namespace tocsin::kafka {

inline constexpr std::size_t kTokenBytesMax = std::size_t{64} << 10;

struct OAuthToken {
  std::string text;
  std::string principal;  // its `sub`; who we are is the broker's to say
  std::chrono::system_clock::time_point expires;
};

// A JSON Web Token in its compact form, line breaks at its end cut off.  An expired one is taken.
// The error says what is wrong with it.
std::expected<OAuthToken, std::string> parse_oauth_token(std::string_view text);
std::expected<OAuthToken, std::string> read_oauth_token(const std::filesystem::path& path);

}  // namespace tocsin::kafka
