// IP addresses in every notation that HTTP clients take, and what kind of place they name.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tocsin::validate {

// Sixteen bytes; an IPv4 address as its IPv6-mapped form.
struct Address {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] bool is_v4() const;
  bool operator==(const Address&) const = default;
};

// A host as it stands in a URL: "10.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]",
// "fe80::1%eth0", "::ffff:10.0.0.1".  WHATWG URL's IPv4 parser, and RFC 4291.
std::optional<Address> parse_address(std::string_view host);
// Whether the usual way of writing it (four decimal numbers, or IPv6) was used.
bool plainly_written(std::string_view host);
// The address that `text` is, or that is the host of the URL or `host:port` that it is.
std::optional<Address> address_in(std::string_view text);

// What an address is for; several may hold.
using AddressClasses = unsigned;
inline constexpr AddressClasses kLoopback = 1;   // 127.0.0.0/8, ::1, and 0.0.0.0, which ends there
inline constexpr AddressClasses kPrivate = 2;    // RFC 1918, RFC 6598, RFC 4193
inline constexpr AddressClasses kLinkLocal = 4;  // 169.254.0.0/16, fe80::/10
inline constexpr AddressClasses kMetadata = 8;   // where clouds answer with credentials
inline constexpr AddressClasses kReserved = 16;  // multicast, documentation, future use
inline constexpr AddressClasses kPublic = 32;    // none of these
AddressClasses classes_of(const Address& address);
// Names that clouds give their metadata service.
bool is_metadata_host(std::string_view host);
std::span<const std::string_view> address_class_names();
std::optional<AddressClasses> address_class_named(std::string_view name);

// 10.0.0.0/8, fd00::/8, or one address.
class Network {
 public:
  static std::optional<Network> parse(std::string_view text);
  [[nodiscard]] bool contains(const Address& address) const;

 private:
  Address base_;
  unsigned bits_ = 128;
};

}  // namespace tocsin::validate
