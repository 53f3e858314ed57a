// Internet addresses in every notation that a program which is handed a host would understand, and
// what they lead to.  Pure functions; no allocation except where a string list is read.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::validate {

// An IPv4 address stands in the last four bytes, after ::ffff:0:0/96 (RFC 4291 2.5.5.2), so that
// 127.0.0.1 and ::ffff:127.0.0.1 are one address.
struct Address {
  std::array<std::uint8_t, 16> bytes{};
  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] std::uint32_t v4() const;  // the last four bytes, whatever the family
  bool operator==(const Address&) const = default;
};
Address address_of_v4(std::uint32_t value);

// Which notations count.
enum class Notation : std::uint8_t {
  kWritten,  // IPv6, and IPv4 in four parts: what stands in a text for an address.  1.5 is a
             // number.
  kHost,     // anything that a program takes for an address where it expects a host
};

// Reads an address as inet_aton (POSIX), browsers (WHATWG URL 3.5), curl and language runtimes do:
//  * one to four parts, each decimal, octal (leading 0) or hexadecimal (0x), the last of which
//  fills
//    the rest: 127.0.0.1, 127.1, 2130706433, 0177.0.0.1, 0x7f000001; one trailing dot is allowed.
//    A part with a leading zero and an 8 or 9 is decimal, as for programs that do not know octal.
//  * IPv6 (RFC 4291) with :: and a dotted end, in brackets or not, with a zone (%eth0) that is
//  dropped.
std::optional<Address> parse_address(std::string_view text, Notation notation);

// A network: 10.0.0.0/8, fd00::/8, or a single address.  For what an operator writes: dotted
// decimal and IPv6 only; bits beyond the prefix are an error.
struct Cidr {
  Address network;
  unsigned prefix = 128;  // counted in the 128-bit form: 10.0.0.0/8 has 104
  [[nodiscard]] bool contains(const Address& address) const;
};
std::expected<Cidr, std::string> parse_cidr(std::string_view text);

enum class AddressClass : std::uint8_t {
  kLoopback,       // 127/8, ::1; localhost and names that always lead there
  kPrivate,        // RFC 1918, unique local fc00::/7, site-local fec0::/10
  kLinkLocal,      // 169.254/16, fe80::/10
  kMetadata,       // where clouds hand out a machine's own credentials, by address or by name
  kUnspecified,    // 0.0.0.0, ::; on many systems they reach the machine itself
  kMulticast,      // 224/4, ff00::/8
  kReserved,       // shared (100.64/10), benchmarks, this network, 240/4, discard, ... (IANA's
                   // special-purpose registries)
  kDocumentation,  // RFC 5737, 3849, 9637: also counted as public, which is what they stand for
  kPublic,         // none of the above
};
inline constexpr std::size_t kAddressClassCount = 9;
inline constexpr std::array<std::string_view, kAddressClassCount> kAddressClassNames = {
    "loopback",  "private",  "link-local",    "metadata", "unspecified",
    "multicast", "reserved", "documentation", "public"};

// The classes of an address as bits (1 << class).  An IPv4 address carried inside an IPv6 one
// (NAT64 64:ff9b::/96, 6to4 2002::/16, compatible ::/96) adds its classes, since a gateway would go
// there.
std::uint16_t address_classes(const Address& address);

// The classes of a host as it stands in a URL: an address in any notation, a name that is known to
// lead somewhere inside (localhost, metadata.google.internal), or a name that carries its address
// (127.0.0.1.nip.io).  0 for every other name.  Case and one trailing dot are ignored.
std::uint16_t host_classes(std::string_view host);
// The address a host stands for without asking anybody: written, or carried in its name.
std::optional<Address> address_of_host(std::string_view host);

// Classes and networks: `address: [private, metadata, 203.0.113.0/24]`.
class AddressSet {
 public:
  // Class names and CIDRs; the error names the bad word and what is allowed.
  static std::expected<AddressSet, std::string> parse(std::span<const std::string> words);

  [[nodiscard]] bool contains(const Address& address) const;
  [[nodiscard]] bool contains_host(std::string_view host) const;

 private:
  std::uint16_t classes_ = 0;
  std::vector<Cidr> networks_;
};

}  // namespace tocsin::validate
