// Tokens of services, and whether somebody only wrote where one would stand.
#include <simdjson.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "daemon/redact.h"
#include "detectors/validate/checks.h"

namespace tocsin::validate {
namespace {

constexpr std::string_view kBase62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kJwtPartBytesMax = 8192;

// The last six characters are the CRC32 of what stands between them and the prefix, in base 62,
// padded with zeros: GitHub's description of its token format (2021), which npm took over.
bool crc32_suffix_holds(std::string_view text) {
  constexpr std::size_t kSuffix = 6;
  const std::size_t mark = text.rfind('_');
  const std::string_view body = mark == std::string_view::npos ? text : text.substr(mark + 1);
  if (body.size() <= kSuffix) return false;
  const std::string_view random = body.substr(0, body.size() - kSuffix);
  std::uint64_t wanted =
      ::crc32(0, reinterpret_cast<const Bytef*>(random.data()), static_cast<uInt>(random.size()));
  std::array<char, kSuffix> digits{};
  for (std::size_t i = kSuffix; i-- > 0;) {
    digits[i] = kBase62[wanted % kBase62.size()];
    wanted /= kBase62.size();
  }
  return wanted == 0 &&
         body.substr(body.size() - kSuffix) == std::string_view(digits.data(), kSuffix);
}

int base64_value(char c) {
  if (c == '-') return 62;
  if (c == '_') return 63;
  const std::size_t at = kBase64.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// Standard or URL alphabet, padding optional; nothing when it is neither.
bool decode(std::string_view text, std::string& out) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) return false;
    bits = bits << 6U | static_cast<unsigned>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held & 0xFFU);
  }
  return text.size() % 4 != 1;
}

bool is_json_object(std::string_view text, std::string_view needed) {
  simdjson::ondemand::parser parser;
  const simdjson::padded_string padded(text);
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS) return false;
  if (document.get_object().get(object) != simdjson::SUCCESS) return false;
  if (needed.empty()) return true;
  simdjson::ondemand::value value;
  return object.find_field_unordered(needed).get(value) == simdjson::SUCCESS;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool contains_word(std::string_view text, std::string_view word) {
  return !std::ranges::search(text, word, {}, lower).empty();
}

// How many of the text's characters carry its longest stretch of one repeated character, or of a
// plain count up or down ("abcdef", "987654").
std::size_t longest_stretch(std::string_view text) {
  std::size_t longest = 1;
  for (const int step : {0, 1, -1}) {
    std::size_t length = 1;
    for (std::size_t i = 1; i < text.size(); ++i) {
      length = lower(text[i]) - lower(text[i - 1]) == step ? length + 1 : 1;
      longest = std::max(longest, length);
    }
  }
  return longest;
}

}  // namespace

bool github_checksum(std::string_view text) { return crc32_suffix_holds(text); }

bool npm_checksum(std::string_view text) { return crc32_suffix_holds(text); }

// RFC 7519: a JSON header with `alg`, a JSON payload.
bool jwt(std::string_view text) {
  const std::size_t first = text.find('.');
  if (first == std::string_view::npos) return false;
  const std::size_t second = text.find('.', first + 1);
  if (second == std::string_view::npos) return false;
  const std::string_view header = text.substr(0, first);
  const std::string_view payload = text.substr(first + 1, second - first - 1);
  if (header.size() > kJwtPartBytesMax || payload.size() > kJwtPartBytesMax) return false;
  std::string header_json;
  std::string payload_json;
  return decode(header, header_json) && is_json_object(header_json, "alg") &&
         decode(payload, payload_json) && is_json_object(payload_json, {});
}

bool base64(std::string_view text) {
  std::string bytes;
  return text.size() >= 4 && decode(text, bytes);
}

// Base58Check (Bitcoin wiki): version, payload, four bytes of a double SHA-256.  Bech32 addresses
// (BIP 173) carry a polynomial checksum.
bool btc_address(std::string_view text) {
  constexpr std::string_view kBase58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  constexpr std::string_view kBech32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  if (text.starts_with("bc1") && text.size() >= 14 && text.size() <= 74) {
    constexpr std::array<std::uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
                                                         0x3d4233dd, 0x2a1462b3};
    std::uint32_t check = 1;
    const auto feed = [&](std::uint32_t value) {
      const std::uint32_t top = check >> 25U;
      check = (check & 0x1ffffffU) << 5U ^ value;
      for (unsigned i = 0; i < 5; ++i) check ^= (top >> i & 1U) != 0 ? kGenerator[i] : 0;
    };
    for (const std::uint32_t value : {3U, 3U, 0U, 2U, 3U}) feed(value);  // "bc", expanded
    for (const char c : text.substr(3)) {
      const std::size_t at = kBech32.find(c);
      if (at == std::string_view::npos) return false;
      feed(static_cast<std::uint32_t>(at));
    }
    return check == 1 || check == 0x2bc830a3;  // bech32, bech32m
  }
  if (text.size() < 26 || text.size() > 35 || (text[0] != '1' && text[0] != '3')) return false;
  std::array<std::uint8_t, 25> bytes{};
  for (const char c : text) {
    const std::size_t at = kBase58.find(c);
    if (at == std::string_view::npos) return false;
    auto carry = static_cast<unsigned>(at);
    for (std::size_t i = bytes.size(); i-- > 0;) {
      carry += 58U * bytes[i];
      bytes[i] = static_cast<std::uint8_t>(carry & 0xFFU);
      carry >>= 8U;
    }
    if (carry != 0) return false;
  }
  // sha256_hex twice: bytes from hex digits in between.
  const auto sha256 = [](std::string_view data) {
    const std::string hex = sha256_hex(data);
    std::string raw;
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
      raw += static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
    }
    return raw;
  };
  const std::string_view payload(reinterpret_cast<const char*>(bytes.data()), 21);
  const std::string_view checksum(reinterpret_cast<const char*>(bytes.data()) + 21, 4);
  return sha256(sha256(payload)).substr(0, 4) == checksum;
}

// A random token of 20 characters holds a given word of four letters with odds of about one in
// 400,000 (letters of either case out of 62), so words of four and more are safe to ask for; "xxx"
// is not, but four of a kind in a row is (one in 14,000).
bool not_placeholder(std::string_view text) {
  constexpr std::array<std::string_view, 30> kWords = {
      "example", "sample",    "placeholder", "changeme",   "change_me", "your_",
      "your-",   "yourkey",   "yourtoken",   "yoursecret", "yourpass",  "yourapi",
      "insert",  "redacted",  "dummy",       "foobar",     "replace",   "todo",
      "<",       "${",        "{{",          "$(",         "%(",        "***",
      "...",     "my_secret", "my-secret",   "mysecret",   "fake",      "notreal"};
  if (text.size() < 4) return false;
  if (std::ranges::any_of(kWords,
                          [&](std::string_view word) { return contains_word(text, word); })) {
    return false;
  }
  const std::size_t stretch = longest_stretch(text);
  if (stretch >= 6 || stretch * 3 >= text.size()) return false;
  std::array<bool, 256> seen{};
  std::size_t distinct = 0;
  for (const char c : text) {
    bool& slot = seen[static_cast<unsigned char>(c)];
    distinct += slot ? 0 : 1;
    slot = true;
  }
  return distinct >= std::min<std::size_t>(5, text.size() / 2);
}

}  // namespace tocsin::validate
