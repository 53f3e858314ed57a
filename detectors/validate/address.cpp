#include "detectors/validate/address.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "detectors/validate/compact.h"

namespace tocsin::validate {
namespace {

constexpr std::size_t kTextMax = 80;  // the longest notation: 45 characters, brackets and a zone

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::optional<std::uint64_t> parse_in_base(std::string_view text, unsigned base) {
  std::uint64_t value = 0;
  for (const char c : text) {
    const int digit = hex_value(c);
    if (digit < 0 || static_cast<unsigned>(digit) >= base) return std::nullopt;
    value = value * base + static_cast<unsigned>(digit);
    if (value > 0xffffffffU) return std::nullopt;
  }
  return value;
}

std::optional<std::uint64_t> parse_v4_part(std::string_view part) {
  if (part.empty()) return std::nullopt;
  if (part.size() >= 2 && part[0] == '0' && to_lower(part[1]) == 'x') {
    return parse_in_base(part.substr(2), 16);  // "0x" is 0, as browsers read it
  }
  if (!std::ranges::all_of(part, is_digit)) return std::nullopt;
  const bool octal =
      part.size() > 1 && part[0] == '0' && part.find_first_of("89") == std::string_view::npos;
  return parse_in_base(part, octal ? 8 : 10);
}

std::optional<std::uint32_t> parse_v4(std::string_view text, Notation notation) {
  if (text.ends_with('.')) text.remove_suffix(1);
  std::array<std::uint64_t, 4> parts{};
  std::size_t count = 0;
  std::string_view rest = text;
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::optional<std::uint64_t> part = parse_v4_part(rest.substr(0, dot));
    if (!part || count == parts.size()) return std::nullopt;
    parts[count++] = *part;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (notation == Notation::kWritten && count != 4) return std::nullopt;
  std::uint64_t value = parts[count - 1];
  if (value >= std::uint64_t{1} << 8 * (5 - count)) return std::nullopt;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    if (parts[i] > 255) return std::nullopt;
    value |= parts[i] << 8 * (3 - i);
  }
  return static_cast<std::uint32_t>(value);
}

// Four decimal parts without leading zeros: what stands at the end of an IPv6 address, or in a
// CIDR.
std::optional<std::uint32_t> parse_dotted_decimal(std::string_view text) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const std::size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos || dot == 0 || dot > 3) return std::nullopt;
    const std::string_view part = text.substr(0, dot);
    if (!std::ranges::all_of(part, is_digit) || (dot > 1 && part[0] == '0')) return std::nullopt;
    const std::optional<std::uint64_t> byte = parse_in_base(part, 10);
    if (!byte || *byte > 255) return std::nullopt;
    value = value << 8 | static_cast<std::uint32_t>(*byte);
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return text.empty() ? std::optional(value) : std::nullopt;
}

std::optional<Address> parse_v6(std::string_view text) {
  std::array<std::uint16_t, 8> groups{};
  std::size_t count = 0;
  std::optional<std::size_t> gap;  // where the :: stands
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
      const std::optional<std::uint32_t> v4 = parse_dotted_decimal(group);
      if (!v4 || count > 6) return std::nullopt;
      groups[count++] = static_cast<std::uint16_t>(*v4 >> 16);
      groups[count++] = static_cast<std::uint16_t>(*v4 & 0xffffU);
      break;
    }
    const std::optional<std::uint64_t> value = parse_in_base(group, 16);
    if (!value || group.empty() || group.size() > 4 || count == 8) return std::nullopt;
    groups[count++] = static_cast<std::uint16_t>(*value);
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.starts_with(':')) {
      if (gap) return std::nullopt;
      gap = count;
      text.remove_prefix(1);
    } else if (text.empty()) {
      return std::nullopt;  // a single colon at the end
    }
  }
  if (gap ? count == 8 : count != 8) return std::nullopt;
  if (gap) {
    const auto begin = groups.begin() + static_cast<std::ptrdiff_t>(*gap);
    const auto end = groups.begin() + static_cast<std::ptrdiff_t>(count);
    std::move_backward(begin, end, groups.end());
    std::fill(begin, groups.end() - (end - begin), std::uint16_t{0});
  }
  Address out;
  for (std::size_t i = 0; i < 8; ++i) {
    out.bytes[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8);
    out.bytes[2 * i + 1] = static_cast<std::uint8_t>(groups[i] & 0xffU);
  }
  return out;
}

constexpr std::uint32_t v4_of(unsigned a, unsigned b, unsigned c, unsigned d) {
  return a << 24 | b << 16 | c << 8 | d;
}

}  // namespace

bool Address::is_v4() const {
  return std::ranges::all_of(std::span(bytes).first(10), [](auto b) { return b == 0; }) &&
         bytes[10] == 0xff && bytes[11] == 0xff;
}

std::uint32_t Address::v4() const { return v4_of(bytes[12], bytes[13], bytes[14], bytes[15]); }

Address address_of_v4(std::uint32_t value) {
  Address out;
  out.bytes[10] = out.bytes[11] = 0xff;
  for (unsigned i = 0; i < 4; ++i) {
    out.bytes[12 + i] = static_cast<std::uint8_t>(value >> 8 * (3 - i) & 0xffU);
  }
  return out;
}

std::optional<Address> parse_address(std::string_view text, Notation notation) {
  if (text.size() > kTextMax) return std::nullopt;
  if (text.starts_with('[')) {
    if (!text.ends_with(']')) return std::nullopt;
    text = text.substr(1, text.size() - 2);
    if (text.find(':') == std::string_view::npos) return std::nullopt;
  }
  if (text.empty()) return std::nullopt;
  if (text.find(':') != std::string_view::npos) {
    const std::size_t zone = text.find('%');
    if (zone != std::string_view::npos && zone + 1 == text.size()) return std::nullopt;
    return parse_v6(text.substr(0, zone));
  }
  const std::optional<std::uint32_t> value = parse_v4(text, notation);
  return value ? std::optional(address_of_v4(*value)) : std::nullopt;
}

bool Cidr::contains(const Address& address) const {
  const std::size_t whole = prefix / 8;
  if (!std::equal(network.bytes.begin(), network.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                  address.bytes.begin())) {
    return false;
  }
  const unsigned rest = prefix % 8;
  return rest == 0 || (network.bytes[whole] ^ address.bytes[whole]) >> (8 - rest) == 0;
}

std::expected<Cidr, std::string> parse_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  Cidr out;
  const std::optional<std::uint32_t> dotted = parse_dotted_decimal(host);
  if (dotted) {
    out.network = address_of_v4(*dotted);
  } else if (const auto v6 = host.size() <= kTextMax ? parse_v6(host) : std::nullopt) {
    out.network = *v6;
  } else {
    return std::unexpected(fmt::format(
        "`{}` is not a network; write 10.0.0.0/8, fd00::/8 or one address", text.substr(0, 80)));
  }
  const unsigned bits = dotted ? 32 : 128;
  unsigned prefix = bits;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const bool is_number =
        !digits.empty() && digits.size() <= 3 && std::ranges::all_of(digits, is_digit);
    const std::optional<std::uint64_t> number =
        is_number ? parse_in_base(digits, 10) : std::nullopt;
    if (!number || *number > bits) {
      return std::unexpected(
          fmt::format("the prefix length in `{}` must be 0 to {}", text.substr(0, 80), bits));
    }
    prefix = static_cast<unsigned>(*number);
  }
  out.prefix = prefix + (128 - bits);
  Address masked = out.network;
  for (unsigned i = out.prefix; i < 128; ++i) {
    masked.bytes[i / 8] &= static_cast<std::uint8_t>(~(0x80U >> i % 8));
  }
  if (masked != out.network) {
    return std::unexpected(fmt::format("`{}` has bits beyond its prefix of {}", text, prefix));
  }
  return out;
}

}  // namespace tocsin::validate
