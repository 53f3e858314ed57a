// URLs inside a text: found, taken apart, and compared as the programs would that fetch them.  What
// is ambiguous between programs is given in every reading, so that a test on "some URL" sees each.
// Single-threaded objects; functions are pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/validate/address.h"

namespace tocsin::validate {

inline constexpr std::size_t kUrlBytesMax = 4096;  // what is longer is cut there
inline constexpr std::size_t kHostBytesMax = 253;  // RFC 1035; a longer host cannot be reached

// One URL.  The views lead into the text it was found in (or into the finder, see UrlFinder).
class Url {
 public:
  std::string_view text;      // as it stands, to its end
  std::string_view userinfo;  // before the last @ of the authority, as it stands
  std::string_view path;      // from the first / on, as it stands
  std::string_view query;     // without the ?
  std::string_view fragment;  // without the #
  std::uint16_t port = 0;     // as given, or the scheme's own, or 0

  // Lower case; empty for //host and www.host.
  [[nodiscard]] std::string_view scheme() const { return {scheme_.data(), scheme_size_}; }
  // Lower case, percent signs decoded, without brackets and trailing dots; not ASCII stays UTF-8,
  // punycode stays punycode.  Empty for schemes that have none (data:, file:///).
  [[nodiscard]] std::string_view host() const { return {host_.data(), host_size_}; }

  // False, and nothing changes, when no program would take it: too long, or a forbidden character.
  bool set_scheme(std::string_view written);
  bool set_host(std::string_view written);

 private:
  std::array<char, 32> scheme_{};
  std::array<char, kHostBytesMax> host_{};
  std::uint8_t scheme_size_ = 0;
  std::uint8_t host_size_ = 0;
};

// Goes over the URLs of a text, in order:
//  * scheme://host, any scheme; for http, https, ws, wss and ftp also with one slash, more than
//  two,
//    or backslashes (WHATWG URL 4.4); data:, javascript:, vbscript:, mailto:, file:/path
//  * //host and \\host right after a quote, a parenthesis, =, <, or at the start, when the host
//  ends in a
//    public suffix or is an address
//  * www.host; an IPv4 address in four parts with a port or a path
//  * a text that is nothing but host/path or host:port/path, the host with a public suffix
//  * URLs in the path or query of another one, after that one
// Read twice: a backslash in the authority with an @ behind it (browsers stop at it, others go on
// to the
// @), and a text without spaces whose tabs and line breaks browsers would drop.
// Linear in the text, however hostile.  After `limit` URLs it stops and limited() says so.
class UrlFinder {
 public:
  static constexpr std::size_t kMax = 1000;

  // `text` must outlive the finder, the finder its URLs.
  explicit UrlFinder(std::string_view text, std::size_t limit = kMax);
  UrlFinder(const UrlFinder&) = delete;
  UrlFinder& operator=(const UrlFinder&) = delete;

  std::optional<Url> next();
  [[nodiscard]] bool limited() const { return limited_; }

 private:
  struct Start {
    std::string_view scheme;  // as written
    std::size_t begin;        // of the URL in text_
    std::size_t authority;    // where the authority, or the path of an opaque URL, begins
    bool has_authority;
  };

  std::optional<Url> next_in_text();
  std::optional<Url> at_colon(std::size_t colon);
  std::optional<Url> at_slash(std::size_t slash);
  std::optional<Url> at_www(std::size_t at);
  std::optional<Url> whole_text();
  std::optional<Url> finish(const Start& start);
  std::optional<Url> finish_authority(const Start& start, std::size_t begin, std::size_t hard_end);
  std::size_t url_end(std::size_t from);

  std::string_view text_;
  std::size_t limit_;
  std::size_t found_ = 0;
  bool limited_ = false;
  std::size_t position_ = 0;
  std::size_t end_known_until_ = 0;  // url_end() of any place before this one is this one
  std::size_t lookups_ = 0;          // of public suffixes
  bool plausible_ = false;           // a host with a public suffix, or an address, was found
  bool cleaned_ = false;             // the second reading, without tabs and line breaks
  std::string cleaned_text_;
  std::optional<Start> second_reading_;
};

// The last labels that someone can register (public suffix list, private section included):
// a.b.example.co.uk gives example.co.uk; a host that is itself a suffix gives nothing, an unknown
// suffix its last two labels, an address nothing.  `host` is lower case; the view leads into it.
std::string_view registrable_domain(std::string_view host);
// Whether the last label is a top-level domain, or one reserved for use within (RFC 6761: test,
// example, invalid, localhost; local, internal, onion).
bool has_public_suffix(std::string_view host);
// `host` is `domain` or ends in .`domain`; both lower case.
bool is_within(std::string_view host, std::string_view domain);

// The address that a value stands for: an address as one writes it, with a port or not, or a URL
// whose host is an address in any notation.  Spaces around are ignored.
std::optional<Address> address_in(std::string_view value);

// The test `url: {scheme, host, domain, not_domain, port, address}`: what is empty asks nothing,
// what is not must hold, by one of its words.  Words are lower case.
struct UrlCondition {
  std::vector<std::string> scheme;
  std::vector<std::string> host;    // exactly
  std::vector<std::string> domain;  // or within it
  std::vector<std::string>
      not_domain;  // the URL has a host, and it is none of these nor within them
  std::vector<std::uint16_t> port;
  std::optional<AddressSet> address;

  [[nodiscard]] bool matches(const Url& url) const;
  // Whether one of the first UrlFinder::kMax URLs in `text` matches.
  [[nodiscard]] bool matches_any(std::string_view text) const;
};

}  // namespace tocsin::validate
