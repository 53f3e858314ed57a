// Tokens and keys whose issuers built a check into them.  Functions of the capture alone; nothing
// is skipped, the token must be the whole capture.  None says whether a token is still good.
#pragma once

#include <cstddef>
#include <string_view>

namespace tocsin::validate {

inline constexpr std::size_t kJwtBytesMax = 16384;

// GitHub's tokens (github.blog, "Behind GitHub's new authentication token formats", 2021):
// ghp_ gho_ ghu_ ghs_ ghr_, 30 characters, and CRC-32 of those 30 as six base62 digits (0-9 A-Z
// a-z, zero-padded).  Verified against a token that its owner published after revoking it. Two
// forms carry no checksum that could be verified, so only their structure is asked for:
// github_pat_, 22 characters, _, 59 characters; and ghs_ with an app's number and a JWT
// (docs.github.com, since April 2026).
bool github_checksum(std::string_view capture);

// npm_ and 36 characters built the same way (github.blog, "Announcing npm's new access token
// format").
bool npm_checksum(std::string_view capture);

// Grafana's service account tokens: glsa_, 32 characters, _, and CRC-32 of all before the last _ in
// hexadecimal, lowest byte first.  Verified against the example of Grafana's API description.
bool grafana_checksum(std::string_view capture);

// A JSON Web Token (RFC 7519): header and payload base64url without padding and JSON objects, the
// header with an "alg"; the signature base64url, empty for "none" alone.  At most kJwtBytesMax
// bytes.  Parses with simdjson into a buffer that each thread keeps.
bool jwt(std::string_view capture);

// A Bitcoin address of the main or a test network: Base58Check (P2PKH, P2SH), Bech32 for witness
// version 0 (BIP 173), Bech32m for later ones (BIP 350).
bool btc_address(std::string_view capture);

// Any string in Base58Check (Bitcoin's wallet import format, extended keys, addresses): 21 to 82
// bytes and the first four of their double SHA-256.
bool base58check(std::string_view capture);

// Any string in Bech32 or Bech32m, up to 90 characters (BIP 173, BIP 350): age's secret keys,
// nostr's, addresses.
bool bech32(std::string_view capture);

}  // namespace tocsin::validate
