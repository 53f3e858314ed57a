#include "detectors/validate/url.h"

#include <fmt/format.h>
#include <libpsl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "daemon/diagnostics.h"
#include "daemon/text.h"

namespace tocsin::validate {
namespace {

constexpr std::size_t kSchemeBytesMax = 32;
constexpr std::size_t kHostBytesMax = 255;

constexpr std::array<std::pair<std::string_view, std::uint16_t>, 12> kPorts = {{
    {"http", 80},
    {"https", 443},
    {"ws", 80},
    {"wss", 443},
    {"ftp", 21},
    {"ssh", 22},
    {"gopher", 70},
    {"ldap", 389},
    {"ldaps", 636},
    {"tftp", 69},
    {"dict", 2628},
    {"telnet", 23},
}};

bool is_slash(char c) { return c == '/' || c == '\\'; }
bool is_scheme_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '-' || c == '.';
}
bool ends_url(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>' ||
         c == '`' || c == '|' || c == '{' || c == '}' || c == '^';
}

bool under(std::string_view host, const std::vector<std::string>& domains) {
  return std::ranges::any_of(domains, [&](const std::string& domain) {
    return host == domain || (host.size() > domain.size() && host.ends_with(domain) &&
                              host[host.size() - domain.size() - 1] == '.');
  });
}

void split_authority(std::string_view authority, Url& url) {
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    url.userinfo = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    url.host = authority.substr(1, close == std::string_view::npos ? close : close - 1);
    if (close != std::string_view::npos && authority.substr(close + 1).starts_with(':')) {
      port = authority.substr(close + 2);
    }
  } else {
    const std::size_t colon = authority.rfind(':');
    url.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
  }
  while (url.host.ends_with('.')) url.host.remove_suffix(1);
  std::uint16_t number = 0;
  const char* const end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data(), end, number);
  if (!port.empty() && error == std::errc{} && stop == end) {
    url.port = number;
    return;
  }
  const std::string scheme = ascii_lower(url.scheme);
  const auto* known =
      std::ranges::find(kPorts, scheme, &std::pair<std::string_view, std::uint16_t>::first);
  if (known != kPorts.end()) url.port = known->second;
}

}  // namespace

std::optional<Url> next_url(std::string_view text, std::size_t from) {
  for (std::size_t at = from; at + 2 < text.size(); ++at) {
    at = text.find_first_of("/\\", at);
    if (at == std::string_view::npos || at + 2 >= text.size()) return std::nullopt;
    if (!is_slash(text[at + 1])) continue;
    std::size_t host = at + 2;
    while (host < text.size() && is_slash(text[host])) ++host;
    Url url;
    url.begin = at;
    if (at > from && text[at - 1] == ':') {
      std::size_t scheme = at - 1;
      while (scheme > from && at - 1 - scheme < kSchemeBytesMax &&
             is_scheme_character(text[scheme - 1])) {
        --scheme;
      }
      url.scheme = text.substr(scheme, at - 1 - scheme);
      url.begin = scheme;
    }
    std::size_t authority_end = host;
    while (authority_end < text.size() && !ends_url(text[authority_end]) &&
           !is_slash(text[authority_end]) && text[authority_end] != '?' &&
           text[authority_end] != '#') {
      ++authority_end;
    }
    split_authority(text.substr(host, authority_end - host), url);
    url.end = authority_end;
    while (url.end < text.size() && !ends_url(text[url.end])) ++url.end;
    url.path = text.substr(authority_end, url.end - authority_end);
    // "file:///etc/passwd" has a scheme and no host; "//" alone is a comment.
    const bool file = !url.scheme.empty() && host > at + 2;
    if (file && ascii_lower(url.scheme) == "file") {
      url.host = {};
      url.path = text.substr(at + 2, url.end - at - 2);
      return url;
    }
    if (!url.host.empty() && url.host.size() <= kHostBytesMax) return url;
    at = std::max(at, authority_end) - 1;
  }
  return std::nullopt;
}

std::string registrable_domain(std::string_view host) {
  const std::string lowered = ascii_lower(host);
  if (lowered.find('.') == std::string::npos || parse_address(lowered)) return {};
  const psl_ctx_t* suffixes = psl_builtin();
  if (suffixes != nullptr) {
    const char* domain = psl_registrable_domain(suffixes, lowered.c_str());
    if (domain != nullptr) return domain;
  }
  const std::size_t last = lowered.rfind('.');
  const std::size_t before = last == 0 ? std::string::npos : lowered.rfind('.', last - 1);
  return before == std::string::npos ? lowered : lowered.substr(before + 1);
}

std::expected<void, std::string> UrlCondition::add_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end || port == 0) {
    return std::unexpected("a port is a number from 1 to 65535");
  }
  ports.push_back(port);
  return {};
}

std::expected<void, std::string> UrlCondition::add_address(std::string_view text) {
  if (text == "disguised") {
    disguised = true;
    return {};
  }
  if (const auto named = address_class_named(text)) {
    addresses |= *named;
    return {};
  }
  if (const auto network = Network::parse(text)) {
    networks.push_back(*network);
    return {};
  }
  return std::unexpected(
      fmt::format("{}, disguised, or a network such as 10.0.0.0/8", one_of(address_class_names())));
}

bool UrlCondition::holds(const Url& url) const {
  const std::string host = ascii_lower(url.host);
  const auto lists = [](const std::vector<std::string>& list, const std::string& value) {
    return list.empty() || std::ranges::find(list, value) != list.end();
  };
  if (!lists(schemes, ascii_lower(url.scheme)) || !lists(hosts, host)) return false;
  if (!domains.empty() && !under(host, domains)) return false;
  if (!not_domains.empty() && under(host, not_domains)) return false;
  if (!ports.empty() && (!url.port || std::ranges::find(ports, *url.port) == ports.end())) {
    return false;
  }
  if (addresses == 0 && networks.empty() && !disguised) return true;
  if ((addresses & kMetadata) != 0 && is_metadata_host(host)) return true;
  if ((addresses & kLoopback) != 0 && (host == "localhost" || host.ends_with(".localhost"))) {
    return true;
  }
  const auto address = parse_address(host);
  if (!address) return false;
  return (classes_of(*address) & addresses) != 0 || (disguised && !plainly_written(host)) ||
         std::ranges::any_of(networks,
                             [&](const Network& network) { return network.contains(*address); });
}

std::optional<Url> UrlCondition::find(std::string_view text) const {
  std::size_t from = 0;
  for (std::size_t count = 0; count < kUrlsMax; ++count) {
    const auto url = next_url(text, from);
    if (!url) return std::nullopt;
    if (holds(*url)) return url;
    from = url->end;
  }
  return std::nullopt;
}

}  // namespace tocsin::validate
