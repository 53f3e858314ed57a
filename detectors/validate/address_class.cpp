#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>

#include "detectors/validate/address.h"
#include "detectors/validate/compact.h"

namespace tocsin::validate {
namespace {

std::uint16_t bit(AddressClass c) {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(c));
}

struct V4Range {
  std::uint32_t network;
  unsigned prefix;
  AddressClass address_class;
};
constexpr std::uint32_t v4(unsigned a, unsigned b, unsigned c, unsigned d) {
  return a << 24 | b << 16 | c << 8 | d;
}
// IANA's IPv4 special-purpose address registry, and the clouds' own documentation for the metadata
// services: AWS, Azure, GCP and others share .169.254; ECS .170.2, EKS .170.23, Tencent .0.23,
// Scaleway .42.42; Alibaba 100.100.100.200; Azure 168.63.129.16; Oracle 192.0.0.192.
constexpr V4Range kV4Ranges[] = {
    {v4(127, 0, 0, 0), 8, AddressClass::kLoopback},
    {v4(10, 0, 0, 0), 8, AddressClass::kPrivate},
    {v4(172, 16, 0, 0), 12, AddressClass::kPrivate},
    {v4(192, 168, 0, 0), 16, AddressClass::kPrivate},
    {v4(169, 254, 0, 0), 16, AddressClass::kLinkLocal},
    {v4(169, 254, 169, 254), 32, AddressClass::kMetadata},
    {v4(169, 254, 170, 2), 32, AddressClass::kMetadata},
    {v4(169, 254, 170, 23), 32, AddressClass::kMetadata},
    {v4(169, 254, 0, 23), 32, AddressClass::kMetadata},
    {v4(169, 254, 42, 42), 32, AddressClass::kMetadata},
    {v4(100, 100, 100, 200), 32, AddressClass::kMetadata},
    {v4(168, 63, 129, 16), 32, AddressClass::kMetadata},
    {v4(192, 0, 0, 192), 32, AddressClass::kMetadata},
    {v4(0, 0, 0, 0), 32, AddressClass::kUnspecified},
    {v4(0, 0, 0, 0), 8, AddressClass::kReserved},
    {v4(100, 64, 0, 0), 10, AddressClass::kReserved},
    {v4(192, 0, 0, 0), 24, AddressClass::kReserved},
    {v4(192, 88, 99, 0), 24, AddressClass::kReserved},
    {v4(198, 18, 0, 0), 15, AddressClass::kReserved},
    {v4(240, 0, 0, 0), 4, AddressClass::kReserved},
    {v4(224, 0, 0, 0), 4, AddressClass::kMulticast},
    {v4(192, 0, 2, 0), 24, AddressClass::kDocumentation},
    {v4(198, 51, 100, 0), 24, AddressClass::kDocumentation},
    {v4(203, 0, 113, 0), 24, AddressClass::kDocumentation},
};

std::uint16_t classes_of_v4(std::uint32_t address) {
  std::uint16_t classes = 0;
  for (const V4Range& range : kV4Ranges) {
    if ((address ^ range.network) >> (32 - range.prefix) == 0) classes |= bit(range.address_class);
  }
  const std::uint16_t documentation = bit(AddressClass::kDocumentation);
  if ((classes & ~documentation) == 0) classes |= bit(AddressClass::kPublic);
  return classes;
}

struct V6Range {
  std::array<std::uint8_t, 16> network;
  unsigned prefix;
  AddressClass address_class;
};
// IANA's IPv6 special-purpose address registry; metadata: AWS fd00:ec2::254 and ::23, GCP
// fd20:ce::254, Scaleway fd00:42::42.
constexpr V6Range kV6Ranges[] = {
    {{}, 128, AddressClass::kUnspecified},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, AddressClass::kLoopback},
    {{0xfc}, 7, AddressClass::kPrivate},
    {{0xfe, 0xc0}, 10, AddressClass::kPrivate},
    {{0xfe, 0x80}, 10, AddressClass::kLinkLocal},
    {{0xff}, 8, AddressClass::kMulticast},
    {{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54}, 128, AddressClass::kMetadata},
    {{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x23}, 128, AddressClass::kMetadata},
    {{0xfd, 0x20, 0, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54}, 128, AddressClass::kMetadata},
    {{0xfd, 0, 0, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x42}, 128, AddressClass::kMetadata},
    {{0x01}, 64, AddressClass::kReserved},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, AddressClass::kReserved},
    {{0x20, 0x01}, 23, AddressClass::kReserved},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, AddressClass::kDocumentation},
    {{0x3f, 0xff}, 20, AddressClass::kDocumentation},
};

// Names that lead to the machine itself or to its metadata service, whoever resolves them.
struct KnownName {
  std::string_view name;
  AddressClass address_class;
  bool subdomains;
};
constexpr KnownName kKnownNames[] = {
    {"localhost", AddressClass::kLoopback, true},
    {"localhost.localdomain", AddressClass::kLoopback, false},
    {"ip6-localhost", AddressClass::kLoopback, false},
    {"ip6-loopback", AddressClass::kLoopback, false},
    {"localtest.me", AddressClass::kLoopback, true},
    {"lvh.me", AddressClass::kLoopback, true},
    {"metadata", AddressClass::kMetadata, false},
    {"metadata.google.internal", AddressClass::kMetadata, false},
    {"metadata.goog", AddressClass::kMetadata, false},
    {"metadata.azure.internal", AddressClass::kMetadata, false},
    {"metadata.azure.com", AddressClass::kMetadata, false},
    {"metadata.tencentyun.com", AddressClass::kMetadata, false},
    {"metadata.packet.net", AddressClass::kMetadata, false},
    {"metadata.platformequinix.com", AddressClass::kMetadata, false},
    {"metadata.oraclecloud.com", AddressClass::kMetadata, false},
    {"api.metadata.cloud.ibm.com", AddressClass::kMetadata, false},
    {"instance-data", AddressClass::kMetadata, false},
    {"instance-data.ec2.internal", AddressClass::kMetadata, false},
};
// Their names carry the address, dotted or dashed, in the labels before.
constexpr std::string_view kCarriers[] = {".nip.io", ".sslip.io", ".xip.io"};

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
  return text.size() >= end.size() &&
         std::ranges::equal(text.substr(text.size() - end.size()), end, {}, to_lower);
}

bool is_name(std::string_view host, const KnownName& known) {
  if (!ends_with_ignoring_case(host, known.name)) return false;
  if (host.size() == known.name.size()) return true;
  return known.subdomains && host[host.size() - known.name.size() - 1] == '.';
}

// The last four numbers before the carrier's own name, in a.b.c.d.nip.io, x-a-b-c-d.nip.io, or
// eight hexadecimal digits.
std::optional<Address> carried_address(std::string_view host) {
  const auto* const carrier = std::ranges::find_if(
      kCarriers, [&](std::string_view name) { return ends_with_ignoring_case(host, name); });
  if (carrier == std::end(kCarriers)) return std::nullopt;
  host.remove_suffix(carrier->size());
  const std::string_view label = host.substr(host.find_last_of(".-") + 1);
  std::uint32_t whole = 0;
  const char* const label_end = label.data() + label.size();
  if (label.size() == 8 && std::from_chars(label.data(), label_end, whole, 16).ptr == label_end) {
    return address_of_v4(whole);
  }
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const std::size_t start = host.find_last_of(".-") + 1;  // 0 when there is none
    const std::string_view part = host.substr(start);
    std::uint8_t byte = 0;
    const char* const end = part.data() + part.size();
    const std::from_chars_result read = std::from_chars(part.data(), end, byte);
    if (read.ptr != end || read.ec != std::errc{} || (start == 0 && i < 3)) return std::nullopt;
    value |= std::uint32_t{byte} << 8 * i;
    host = host.substr(0, start == 0 ? 0 : start - 1);
  }
  return address_of_v4(value);
}

std::string_view without_dot(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

}  // namespace

std::uint16_t address_classes(const Address& address) {
  if (address.is_v4()) return classes_of_v4(address.v4());
  std::uint16_t classes = 0;
  for (const V6Range& range : kV6Ranges) {
    if (Cidr{{range.network}, range.prefix}.contains(address)) {
      classes |= bit(range.address_class);
    }
  }
  constexpr V6Range kNat64 = {{0x00, 0x64, 0xff, 0x9b}, 96, AddressClass::kPublic};
  constexpr V6Range kCompatible = {{}, 96, AddressClass::kPublic};
  std::optional<std::uint32_t> carried;
  if (Cidr{{kNat64.network}, kNat64.prefix}.contains(address) ||
      (Cidr{{kCompatible.network}, kCompatible.prefix}.contains(address) &&
       address.v4() > 0xffff)) {
    carried = address.v4();
  } else if (address.bytes[0] == 0x20 && address.bytes[1] == 0x02) {
    carried = v4(address.bytes[2], address.bytes[3], address.bytes[4], address.bytes[5]);
  }
  if (carried) return classes | classes_of_v4(*carried);
  if ((classes & ~bit(AddressClass::kDocumentation)) == 0) classes |= bit(AddressClass::kPublic);
  return classes;
}

std::optional<Address> address_of_host(std::string_view host) {
  const std::optional<Address> written = parse_address(host, Notation::kHost);
  return written ? written : carried_address(without_dot(host));
}

std::uint16_t host_classes(std::string_view host) {
  if (const std::optional<Address> address = address_of_host(host)) {
    return address_classes(*address);
  }
  host = without_dot(host);
  for (const KnownName& known : kKnownNames) {
    if (is_name(host, known)) return bit(known.address_class);
  }
  return 0;
}

std::expected<AddressSet, std::string> AddressSet::parse(std::span<const std::string> words) {
  AddressSet out;
  for (const std::string& word : words) {
    const auto* const name = std::ranges::find(kAddressClassNames, word);
    if (name != kAddressClassNames.end()) {
      out.classes_ |= static_cast<std::uint16_t>(1U << (name - kAddressClassNames.begin()));
      continue;
    }
    const std::expected<Cidr, std::string> network = parse_cidr(word);
    if (!network) {
      if (word.find_first_of("0123456789:/") != std::string::npos) {
        return std::unexpected(network.error());
      }
      return std::unexpected(fmt::format("`{}` is no class of addresses; write a network or {}",
                                         std::string_view(word).substr(0, 80),
                                         fmt::join(kAddressClassNames, ", ")));
    }
    out.networks_.push_back(*network);
  }
  if (words.empty()) return std::unexpected("the list of addresses is empty");
  return out;
}

bool AddressSet::contains(const Address& address) const {
  return (address_classes(address) & classes_) != 0 ||
         std::ranges::any_of(networks_, [&](const Cidr& c) { return c.contains(address); });
}

bool AddressSet::contains_host(std::string_view host) const {
  if ((host_classes(host) & classes_) != 0) return true;
  if (networks_.empty()) return false;
  const std::optional<Address> address = address_of_host(host);
  return address &&
         std::ranges::any_of(networks_, [&](const Cidr& c) { return c.contains(*address); });
}

}  // namespace tocsin::validate
