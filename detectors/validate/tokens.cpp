#include "detectors/validate/tokens.h"

#include <openssl/sha.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

#include "detectors/validate/compact.h"

namespace tocsin::validate {
namespace {

// CRC-32 as in zlib and IEEE 802.3; bit by bit, since a token is short.
std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

bool is_base62(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return is_digit(c) || is_letter(c); });
}

// `body` ends in six base62 digits that are the CRC-32 of what stands before them.
bool base62_crc_holds(std::string_view body) {
  if (body.size() != 36 || !is_base62(body)) return false;
  std::uint64_t value = 0;
  for (const char c : body.substr(30)) {
    const int digit = is_digit(c) ? c - '0' : (is_upper(c) ? c - 'A' + 10 : c - 'a' + 36);
    value = value * 62 + static_cast<unsigned>(digit);
  }
  return value == crc32(body.substr(0, 30));
}

int base64url_value(char c) {
  if (is_upper(c)) return c - 'A';
  if (is_lower(c)) return c - 'a' + 26;
  if (is_digit(c)) return c - '0' + 52;
  if (c == '-') return 62;
  return c == '_' ? 63 : -1;
}

// Bytes written to `out`, which must hold three quarters of `text`; nullopt if it is not base64url.
std::optional<std::size_t> decode_base64url(std::string_view text, char* out) {
  if (text.size() % 4 == 1) return std::nullopt;
  unsigned bits = 0;
  int held = 0;
  std::size_t size = 0;
  for (const char c : text) {
    const int value = base64url_value(c);
    if (value < 0) return std::nullopt;
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffffU;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[size++] = static_cast<char>(bits >> held & 0xffU);
    }
  }
  return size;
}

constexpr std::string_view kBase58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::size_t kBase58BytesMax = 86;        // an extended key has 82 with its checksum
constexpr std::size_t kBase58CharactersMax = 117;  // what 86 bytes take

struct Bytes {
  std::array<unsigned char, kBase58BytesMax> bytes{};
  std::size_t size = 0;
};

// The payload without its checksum, which holds; nullopt otherwise.  Quadratic in at most 117
// characters.
std::optional<Bytes> decode_base58check(std::string_view text) {
  if (text.size() < 25 || text.size() > kBase58CharactersMax) return std::nullopt;
  std::array<unsigned char, kBase58BytesMax> little_endian{};
  std::size_t size = 0;
  for (const char c : text) {
    const std::size_t digit = kBase58.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    auto carry = static_cast<unsigned>(digit);
    for (std::size_t i = 0; i < size; ++i) {
      carry += little_endian[i] * 58U;
      little_endian[i] = static_cast<unsigned char>(carry & 0xffU);
      carry >>= 8;
    }
    if (carry > 0) {
      if (size == little_endian.size()) return std::nullopt;
      little_endian[size++] = static_cast<unsigned char>(carry);
    }
  }
  const std::size_t zeros = std::min(text.find_first_not_of('1'), text.size());
  if (zeros + size < 25 || zeros + size > kBase58BytesMax) return std::nullopt;
  Bytes out;
  std::reverse_copy(little_endian.begin(),
                    little_endian.begin() + static_cast<std::ptrdiff_t>(size),
                    out.bytes.begin() + static_cast<std::ptrdiff_t>(zeros));
  out.size = zeros + size - 4;
  std::array<unsigned char, SHA256_DIGEST_LENGTH> once{};
  std::array<unsigned char, SHA256_DIGEST_LENGTH> twice{};
  SHA256(out.bytes.data(), out.size, once.data());
  SHA256(once.data(), once.size(), twice.data());
  if (std::memcmp(twice.data(), out.bytes.data() + out.size, 4) != 0) return std::nullopt;
  return out;
}

enum class Bech32Kind : std::uint8_t { kNeither, kBech32, kBech32m };
struct Bech32 {
  Bech32Kind kind = Bech32Kind::kNeither;
  std::size_t separator = 0;
  std::string_view data;  // without the checksum, as written
};
constexpr std::string_view kBech32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

Bech32 decode_bech32(std::string_view text) {
  if (text.size() < 8 || text.size() > 90) return {};
  if (std::ranges::any_of(text, is_lower) && std::ranges::any_of(text, is_upper)) return {};
  const std::size_t separator = text.rfind('1');
  if (separator == 0 || separator == std::string_view::npos || separator + 7 > text.size()) {
    return {};
  }
  std::uint32_t check = 1;
  const auto add = [&check](unsigned value) {
    constexpr std::uint32_t kGenerator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                            0x2a1462b3};
    const std::uint32_t top = check >> 25;
    check = (check & 0x1ffffffU) << 5 ^ value;
    for (unsigned i = 0; i < 5; ++i) check ^= (top >> i & 1U) != 0 ? kGenerator[i] : 0;
  };
  const std::string_view prefix = text.substr(0, separator);
  for (const char c : prefix) {
    if (c < 33 || c > 126) return {};
    add(static_cast<unsigned>(to_lower(c)) >> 5);
  }
  add(0);
  for (const char c : prefix) add(static_cast<unsigned>(to_lower(c)) & 31U);
  for (const char c : text.substr(separator + 1)) {
    const std::size_t value = kBech32.find(to_lower(c));
    if (value == std::string_view::npos) return {};
    add(static_cast<unsigned>(value));
  }
  Bech32 out;
  if (check == 1) out.kind = Bech32Kind::kBech32;
  if (check == 0x2bc830a3) out.kind = Bech32Kind::kBech32m;
  out.separator = separator;
  out.data = text.substr(separator + 1, text.size() - separator - 7);
  return out;
}

bool is_witness_address(std::string_view text) {
  const Bech32 decoded = decode_bech32(text);
  if (decoded.kind == Bech32Kind::kNeither || decoded.data.empty()) return false;
  const std::string_view prefix = text.substr(0, decoded.separator);
  const auto is_prefix = [&](std::string_view network) {
    return std::ranges::equal(prefix, network, {}, to_lower);
  };
  if (!is_prefix("bc") && !is_prefix("tb") && !is_prefix("bcrt")) return false;
  const std::size_t version = kBech32.find(to_lower(decoded.data[0]));
  const std::size_t bits = (decoded.data.size() - 1) * 5;
  const std::size_t bytes = bits / 8;
  const std::size_t last = kBech32.find(to_lower(decoded.data.back()));
  if (version > 16 || bytes < 2 || bytes > 40 || bits % 8 > 4) return false;
  if ((last & ((1U << bits % 8) - 1)) != 0) return false;  // padding must be zero
  if (version == 0) return decoded.kind == Bech32Kind::kBech32 && (bytes == 20 || bytes == 32);
  return decoded.kind == Bech32Kind::kBech32m;
}

}  // namespace

bool github_checksum(std::string_view capture) {
  constexpr std::string_view kFineGrained = "github_pat_";
  if (capture.starts_with(kFineGrained)) {
    const std::string_view body = capture.substr(kFineGrained.size());
    return body.size() == 82 && body[22] == '_' && is_base62(body.substr(0, 22)) &&
           is_base62(body.substr(23));
  }
  if (capture.size() < 40 || !capture.starts_with("gh") || capture[3] != '_' ||
      std::string_view("pousr").find(capture[2]) == std::string_view::npos) {
    return false;
  }
  const std::string_view body = capture.substr(4);
  if (body.size() == 36) return base62_crc_holds(body);
  const std::size_t underscore = body.find('_');
  return capture[2] == 's' && underscore != std::string_view::npos && underscore > 0 &&
         std::ranges::all_of(body.substr(0, underscore), is_digit) &&
         jwt(body.substr(underscore + 1));
}

bool npm_checksum(std::string_view capture) {
  return capture.starts_with("npm_") && base62_crc_holds(capture.substr(4));
}

bool grafana_checksum(std::string_view capture) {
  constexpr std::size_t kSigned = 5 + 32;
  if (!capture.starts_with("glsa_") || capture.size() != kSigned + 9 || capture[kSigned] != '_' ||
      !is_base62(capture.substr(5, 32))) {
    return false;
  }
  const std::uint32_t crc = crc32(capture.substr(0, kSigned));
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned byte = crc >> (i / 2 * 8) & 0xffU;
    const unsigned nibble = i % 2 == 0 ? byte >> 4 : byte & 0xfU;
    if (to_lower(capture[kSigned + 1 + i]) != "0123456789abcdef"[nibble]) return false;
  }
  return true;
}

bool jwt(std::string_view capture) {
  if (capture.size() > kJwtBytesMax) return false;
  const std::size_t first = capture.find('.');
  if (first == std::string_view::npos || first == 0) return false;
  const std::size_t second = capture.find('.', first + 1);
  if (second == std::string_view::npos) return false;
  const std::string_view signature = capture.substr(second + 1);
  if (std::ranges::any_of(signature, [](char c) { return base64url_value(c) < 0; })) return false;

  // Once a thread, then reused.
  thread_local simdjson::dom::parser parser(kJwtBytesMax);
  thread_local std::array<char, kJwtBytesMax + simdjson::SIMDJSON_PADDING> buffer;
  const auto object = [&](std::string_view part, simdjson::dom::object& out) {
    const std::optional<std::size_t> size = decode_base64url(part, buffer.data());
    return size &&
           parser.parse(buffer.data(), *size, false).get_object().get(out) == simdjson::SUCCESS;
  };
  simdjson::dom::object parsed;
  if (!object(capture.substr(0, first), parsed)) return false;
  std::string_view algorithm;
  if (parsed["alg"].get_string().get(algorithm) != simdjson::SUCCESS || algorithm.empty()) {
    return false;
  }
  if (signature.empty() != std::ranges::equal(algorithm, std::string_view("none"), {}, to_lower)) {
    return false;
  }
  return object(capture.substr(first + 1, second - first - 1), parsed);
}

bool btc_address(std::string_view capture) {
  if (is_witness_address(capture)) return true;
  if (capture.size() > 35) return false;
  const std::optional<Bytes> decoded = decode_base58check(capture);
  if (!decoded || decoded->size != 21) return false;
  const unsigned char version = decoded->bytes[0];  // main network, then the test networks
  return version == 0x00 || version == 0x05 || version == 0x6f || version == 0xc4;
}

bool base58check(std::string_view capture) { return decode_base58check(capture).has_value(); }

bool bech32(std::string_view capture) {
  return decode_bech32(capture).kind != Bech32Kind::kNeither;
}

}  // namespace tocsin::validate
