// URLs inside texts, as lax clients would read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/validate/address.h"

namespace tocsin::validate {

// Parts are views into the text.
struct Url {
  std::size_t begin = 0;  // of the text
  std::size_t end = 0;
  std::string_view scheme;            // "https"; empty for `//host/path`
  std::string_view userinfo;          // what stands before an @
  std::string_view host;              // without brackets and without a dot at its end
  std::optional<std::uint16_t> port;  // written, or the scheme's own
  std::string_view path;              // and what follows
};

// The next URL with an authority at or after `from`.  Backslashes count as slashes, userinfo ends
// at the last @: what WHATWG clients do.
std::optional<Url> next_url(std::string_view text, std::size_t from);

// The part of a host that somebody registered ("a.b.co.uk" -> "b.co.uk"), by the public suffix
// list; the last two labels when no suffix is known; empty for addresses and single labels.
std::string registrable_domain(std::string_view host);

// `url:` of a rule.  Lists are lower case; empty ones hold for every URL.
struct UrlCondition {
  static constexpr std::size_t kUrlsMax = 1'000;  // of one text

  std::vector<std::string> schemes;
  std::vector<std::string> hosts;        // exactly
  std::vector<std::string> domains;      // and their subdomains
  std::vector<std::string> not_domains;  // nor their subdomains
  std::vector<std::uint16_t> ports;
  AddressClasses addresses = 0;
  bool disguised = false;  // an address not plainly written
  std::vector<Network> networks;

  std::expected<void, std::string> add_port(std::string_view text);
  // A class ("private"), a network ("10.0.0.0/8"), or "disguised".
  std::expected<void, std::string> add_address(std::string_view text);

  [[nodiscard]] bool holds(const Url& url) const;
  // The first URL of the text that passes.
  [[nodiscard]] std::optional<Url> find(std::string_view text) const;
};

}  // namespace tocsin::validate
