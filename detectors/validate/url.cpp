#include "detectors/validate/url.h"

#include <libpsl.h>

#include <algorithm>
#include <iterator>

#include "detectors/validate/compact.h"

namespace tocsin::validate {
namespace {

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// WHATWG's forbidden domain code points, and controls.
bool is_forbidden_in_host(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == 0x7f ||
         std::string_view("#/<>?@[\\]^|%\"`{}").find(c) != std::string_view::npos;
}

// libpsl wants a C string; a host fits, as Url keeps to kHostBytesMax.
struct HostString {
  std::array<char, kHostBytesMax + 1> text{};
  explicit HostString(std::string_view host) {
    std::ranges::copy(host.substr(0, kHostBytesMax), text.begin());
  }
};

constexpr std::string_view kReservedNames[] = {"test",  "example",  "invalid", "localhost",
                                               "local", "internal", "onion"};

bool one_is(const std::vector<std::string>& words, std::string_view value) {
  return std::ranges::find(words, value) != words.end();
}

bool one_holds(const std::vector<std::string>& domains, std::string_view host) {
  return std::ranges::any_of(domains, [&](const std::string& d) { return is_within(host, d); });
}

}  // namespace

bool Url::set_scheme(std::string_view written) {
  if (written.size() > scheme_.size()) return false;
  std::ranges::transform(written, scheme_.begin(), to_lower);
  scheme_size_ = static_cast<std::uint8_t>(written.size());
  return true;
}

bool Url::set_host(std::string_view written) {
  if (written.starts_with('[')) {
    // Kept as written but for case: address_of_host() reads it.
    if (written.size() > 80 || !written.ends_with(']')) return false;
    written = written.substr(1, written.size() - 2);
    if (!parse_address(written, Notation::kHost)) return false;
    std::ranges::transform(written, host_.begin(), to_lower);
    host_size_ = static_cast<std::uint8_t>(written.size());
    return true;
  }
  std::array<char, kHostBytesMax> host{};
  std::size_t size = 0;
  for (std::size_t i = 0; i < written.size(); ++i) {
    char c = written[i];
    if (c == '%') {
      const int high = i + 2 < written.size() ? hex_value(written[i + 1]) : -1;
      const int low = high < 0 ? -1 : hex_value(written[i + 2]);
      if (low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (is_forbidden_in_host(c) || size == host.size()) return false;
    host[size++] = to_lower(c);
  }
  while (size > 0 && host[size - 1] == '.') --size;
  if (size == 0) return false;
  host_ = host;
  host_size_ = static_cast<std::uint8_t>(size);
  return true;
}

bool has_public_suffix(std::string_view host) {
  const std::string_view label = host.substr(host.rfind('.') + 1);  // all of it without a dot
  if (label.empty() || host.size() > kHostBytesMax) return false;
  if (std::ranges::find(kReservedNames, label) != std::end(kReservedNames)) return true;
  if (std::ranges::all_of(label, is_digit)) return false;
  const psl_ctx_t* const list = psl_builtin();
  return list != nullptr && psl_is_public_suffix2(list, HostString(label).text.data(),
                                                  PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE) == 1;
}

std::string_view registrable_domain(std::string_view host) {
  if (host.empty() || host.size() > kHostBytesMax || address_of_host(host)) return {};
  const HostString text(host);
  const psl_ctx_t* const list = psl_builtin();
  if (list != nullptr) {
    // Into `text`, so its distance from there is the one in `host`.
    const char* const domain = psl_registrable_domain(list, text.text.data());
    if (domain == nullptr) return {};
    return host.substr(static_cast<std::size_t>(domain - text.text.data()));
  }
  const std::size_t last = host.rfind('.');
  if (last == std::string_view::npos || last == 0) return {};
  return host.substr(host.rfind('.', last - 1) + 1);
}

bool is_within(std::string_view host, std::string_view domain) {
  return host.ends_with(domain) && !domain.empty() &&
         (host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.');
}

std::optional<Address> address_in(std::string_view value) {
  constexpr std::string_view kSpaces = " \t\r\n";
  value.remove_prefix(std::min(value.find_first_not_of(kSpaces), value.size()));
  value = value.substr(0, value.find_last_not_of(kSpaces) + 1);
  if (value.size() > kUrlBytesMax) return std::nullopt;
  if (const auto address = parse_address(value, Notation::kWritten)) return address;
  const std::size_t colon = value.rfind(':');
  if (colon != std::string_view::npos && colon + 1 < value.size() && value.size() - colon <= 6 &&
      std::ranges::all_of(value.substr(colon + 1), is_digit)) {
    const std::string_view host = value.substr(0, colon);
    const bool one_colon = host.find(':') == std::string_view::npos || host.starts_with('[');
    const auto address = one_colon ? parse_address(host, Notation::kWritten) : std::nullopt;
    if (address) return address;
  }
  UrlFinder finder(value, 1);
  const std::optional<Url> url = finder.next();
  if (!url || url->text.data() != value.data()) return std::nullopt;
  return address_of_host(url->host());
}

bool UrlCondition::matches(const Url& url) const {
  const std::string_view name = url.host();
  if (!scheme.empty() && !one_is(scheme, url.scheme())) return false;
  if (!host.empty() && !one_is(host, name)) return false;
  if (!domain.empty() && !one_holds(domain, name)) return false;
  if (!not_domain.empty() && (name.empty() || one_holds(not_domain, name))) return false;
  if (!port.empty() && std::ranges::find(port, url.port) == port.end()) return false;
  return !address || address->contains_host(name);
}

bool UrlCondition::matches_any(std::string_view text) const {
  UrlFinder finder(text);
  while (const std::optional<Url> url = finder.next()) {
    if (matches(*url)) return true;
  }
  return false;
}

}  // namespace tocsin::validate
