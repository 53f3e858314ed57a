#include "detectors/validate/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string>
#include <utility>

#include "daemon/text.h"

namespace tocsin::validate {
namespace {

constexpr std::size_t kHostBytesMax = 128;

constexpr std::array<std::pair<std::string_view, AddressClasses>, 6> kClasses = {{
    {"loopback", kLoopback},
    {"private", kPrivate},
    {"link-local", kLinkLocal},
    {"metadata", kMetadata},
    {"reserved", kReserved},
    {"public", kPublic},
}};
constexpr auto kClassNames = [] {
  std::array<std::string_view, kClasses.size()> names{};
  for (std::size_t i = 0; i < kClasses.size(); ++i) names[i] = kClasses[i].first;
  return names;
}();

// As the providers document them: AWS and most others, AWS over IPv6, AWS ECS and EKS, Alibaba,
// Azure's wire server, Oracle.
constexpr std::array<std::string_view, 8> kMetadataAddresses = {
    "169.254.169.254", "fd00:ec2::254",   "169.254.170.2", "169.254.170.23",
    "fd00:ec2::23",    "100.100.100.200", "168.63.129.16", "192.0.0.192"};
constexpr std::array<std::string_view, 6> kMetadataHosts = {
    "metadata.google.internal",   "metadata.goog",          "metadata", "instance-data",
    "instance-data.ec2.internal", "metadata.azure.internal"};

Address mapped(std::uint32_t v4) {
  Address address;
  address.bytes[10] = address.bytes[11] = 0xFF;
  for (unsigned i = 0; i < 4; ++i) {
    address.bytes[12 + i] = static_cast<std::uint8_t>(v4 >> (24 - 8 * i));
  }
  return address;
}

// One part of an IPv4 address: decimal, octal (0...), hexadecimal (0x...).
std::optional<std::uint64_t> part_of(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
    if (text.empty()) return 0;
  } else if (text.size() > 1 && text[0] == '0') {
    text.remove_prefix(1);
    base = 8;
  }
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::optional<Address> parse_v4(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::array<std::uint64_t, 4> parts{};
  std::size_t count = 0;
  while (true) {
    const std::size_t dot = host.find('.');
    const auto part = part_of(host.substr(0, dot));
    if (!part || count == parts.size()) return std::nullopt;
    parts[count++] = *part;
    if (dot == std::string_view::npos) break;
    host.remove_prefix(dot + 1);
  }
  // The last part fills what the others leave.
  const std::uint64_t last_limit = std::uint64_t{1} << (8 * (5 - count));
  if (parts[count - 1] >= last_limit) return std::nullopt;
  std::uint64_t address = parts[count - 1];
  for (std::size_t i = 0; i + 1 < count; ++i) {
    if (parts[i] > 255) return std::nullopt;
    address |= parts[i] << (24 - 8 * i);
  }
  return mapped(static_cast<std::uint32_t>(address));
}

std::optional<Address> parse_v6(std::string_view host) {
  host = host.substr(0, host.find('%'));  // a zone
  const std::string text(host);
  Address address;
  if (::inet_pton(AF_INET6, text.c_str(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

bool within(const Address& address, std::string_view network) {
  return Network::parse(network)->contains(address);
}

}  // namespace

bool Address::is_v4() const {
  static constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0,    0,
                                                           0, 0, 0, 0, 0xFF, 0xFF};
  return std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) == 0;
}

std::optional<Address> parse_address(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.size() > kHostBytesMax) return std::nullopt;
  return host.find(':') != std::string_view::npos ? parse_v6(host) : parse_v4(host);
}

bool plainly_written(std::string_view host) {
  if (host.find(':') != std::string_view::npos) {
    const auto address = parse_address(host);
    return address && !address->is_v4();  // an IPv4 address has no business in IPv6's clothes
  }
  const std::string text(host.substr(0, kHostBytesMax));
  in_addr ignored{};
  return ::inet_pton(AF_INET, text.c_str(), &ignored) == 1;
}

std::optional<Address> address_in(std::string_view text) {
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    text.remove_prefix(scheme + 3);
    text = text.substr(0, text.find_first_of("/?#"));
    if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
      text.remove_prefix(at + 1);
    }
  }
  if (text.starts_with('[')) return parse_address(text.substr(0, text.find(']') + 1));
  if (auto address = parse_address(text)) return address;
  const std::size_t colon = text.rfind(':');
  return colon == std::string_view::npos ? std::nullopt : parse_address(text.substr(0, colon));
}

AddressClasses classes_of(const Address& address) {
  AddressClasses classes = 0;
  const auto any = [&](std::initializer_list<std::string_view> networks) {
    return std::ranges::any_of(networks,
                               [&](std::string_view each) { return within(address, each); });
  };
  if (std::ranges::any_of(kMetadataAddresses,
                          [&](std::string_view each) { return parse_address(each) == address; })) {
    classes |= kMetadata;
  }
  if (any({"127.0.0.0/8", "::1/128", "0.0.0.0/8", "::/128"})) classes |= kLoopback;
  if (any({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"})) {
    classes |= kPrivate;
  }
  if (any({"169.254.0.0/16", "fe80::/10"})) classes |= kLinkLocal;
  if (any({"224.0.0.0/4", "240.0.0.0/4", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",
           "192.0.0.0/24", "198.18.0.0/15", "ff00::/8", "2001:db8::/32"})) {
    classes |= kReserved;
  }
  return classes == 0 ? kPublic : classes;
}

bool is_metadata_host(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return std::ranges::find(kMetadataHosts, ascii_lower(host)) != kMetadataHosts.end();
}

std::span<const std::string_view> address_class_names() { return kClassNames; }

std::optional<AddressClasses> address_class_named(std::string_view name) {
  const auto* found =
      std::ranges::find(kClasses, name, &std::pair<std::string_view, AddressClasses>::first);
  if (found == kClasses.end()) return std::nullopt;
  return found->second;
}

std::optional<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto base = parse_address(text.substr(0, slash));
  if (!base) return std::nullopt;
  const unsigned width = base->is_v4() ? 32 : 128;
  unsigned bits = width;
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    const char* const end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, bits);
    if (error != std::errc{} || stop != end || bits > width) return std::nullopt;
  }
  Network network;
  network.base_ = *base;
  network.bits_ = bits + (128 - width);
  return network;
}

bool Network::contains(const Address& address) const {
  const std::size_t whole = bits_ / 8;
  if (std::memcmp(base_.bytes.data(), address.bytes.data(), whole) != 0) return false;
  const unsigned rest = bits_ % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<unsigned>(0xFFU << (8 - rest) & 0xFFU);
  return (base_.bytes[whole] & mask) == (address.bytes[whole] & mask);
}

}  // namespace tocsin::validate
