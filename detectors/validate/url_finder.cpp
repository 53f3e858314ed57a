// UrlFinder: where in a text a URL begins and ends, and what its authority says.
#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

#include "detectors/validate/compact.h"
#include "detectors/validate/url.h"

namespace tocsin::validate {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

struct KnownScheme {
  std::string_view name;
  std::uint16_t port;
  bool forgiving;  // WHATWG's special schemes: any number of slashes, either way
  bool opaque;     // no authority
};
constexpr KnownScheme kSchemes[] = {
    {"http", 80, true, false},
    {"https", 443, true, false},
    {"ws", 80, true, false},
    {"wss", 443, true, false},
    {"ftp", 21, true, false},
    {"ftps", 990, false, false},
    {"sftp", 22, false, false},
    {"ssh", 22, false, false},
    {"git", 9418, false, false},
    {"ldap", 389, false, false},
    {"ldaps", 636, false, false},
    {"dict", 2628, false, false},
    {"gopher", 70, false, false},
    {"telnet", 23, false, false},
    {"smtp", 25, false, false},
    {"smb", 445, false, false},
    {"redis", 6379, false, false},
    {"mysql", 3306, false, false},
    {"postgresql", 5432, false, false},
    {"postgres", 5432, false, false},
    {"mongodb", 27017, false, false},
    {"amqp", 5672, false, false},
    {"file", 0, false, false},
    {"data", 0, false, true},
    {"javascript", 0, false, true},
    {"vbscript", 0, false, true},
    {"mailto", 0, false, true},
};

const KnownScheme* known_scheme(std::string_view written) {
  const auto* const found = std::ranges::find_if(kSchemes, [&](const KnownScheme& s) {
    return std::ranges::equal(written, s.name, {}, to_lower);
  });
  return found == std::end(kSchemes) ? nullptr : found;
}

// Bytes at which something may begin, and bytes that end every URL.
constexpr auto table(std::string_view bytes, bool controls) {
  std::array<bool, 256> out{};
  for (const char c : bytes) out[static_cast<unsigned char>(c)] = true;
  for (std::size_t i = 0; controls && i <= ' '; ++i) out[i] = true;
  return out;
}
constexpr std::array<bool, 256> kTriggers = table(":/\\wW", false);
constexpr std::array<bool, 256> kEnds = table("\"<>`{}|\x7f", true);

constexpr std::array<bool, 256> kAuthorityEnds = table("/\\?#", false);

bool is_in(const std::array<bool, 256>& set, char c) { return set[static_cast<unsigned char>(c)]; }
// The first byte of `set` in `text`, or its size.
std::size_t find_in(const std::array<bool, 256>& set, std::string_view text, std::size_t from = 0) {
  while (from < text.size() && !is_in(set, text[from])) ++from;
  return from;
}
bool is_slash(char c) { return c == '/' || c == '\\'; }
bool is_word(char c) { return is_digit(c) || is_letter(c) || c == '_'; }
bool is_scheme_character(char c) {
  return is_digit(c) || is_letter(c) || c == '+' || c == '-' || c == '.';
}
bool is_host_character(char c) {
  return is_digit(c) || is_letter(c) || static_cast<unsigned char>(c) >= 0x80 ||
         std::string_view(".-_~%:").find(c) != kNone;
}

// The scheme that ends before `colon`: at most 32 characters back, from a letter on; when a known
// one is only the end of a longer word, the known one.
std::string_view scheme_before(std::string_view text, std::size_t colon) {
  std::size_t begin = colon;
  while (begin > 0 && colon - begin < 32 && is_scheme_character(text[begin - 1])) --begin;
  while (begin < colon && !is_letter(text[begin])) ++begin;
  const std::string_view scheme = text.substr(begin, colon - begin);
  if (known_scheme(scheme) != nullptr) return scheme;
  for (const std::string_view name : {"https", "http", "wss", "ftp", "file"}) {
    if (scheme.size() > name.size()) {
      const std::string_view end = scheme.substr(scheme.size() - name.size());
      if (std::ranges::equal(end, name, {}, to_lower)) return end;
    }
  }
  return scheme;
}

bool ends_in_opaque_scheme(std::string_view text) {
  return std::ranges::any_of(
      std::array<std::string_view, 4>{"data", "javascript", "vbscript", "mailto"},
      [&](std::string_view name) {
        return text.size() >= name.size() && to_lower(text.back()) == name.back() &&
               std::ranges::equal(text.substr(text.size() - name.size()), name, {}, to_lower);
      });
}

// Punctuation that belongs to the sentence, not to the URL.
std::string_view without_punctuation(std::string_view url) {
  const bool opened = url.find('(') != kNone;
  const bool bracketed = url.find('[') != kNone;
  while (!url.empty()) {
    const char last = url.back();
    const bool closes = (last == ')' && !opened) || (last == ']' && !bracketed);
    if (!closes && std::string_view(".,;:!?'*").find(last) == kNone) break;
    url.remove_suffix(1);
  }
  return url;
}

// The part of a host before the first byte that is not ASCII, if that part is a host by itself:
// text in scripts without spaces goes on right behind a URL.
std::string_view ascii_host(std::string_view host) {
  const auto end =
      std::ranges::find_if(host, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  const std::string_view start = host.substr(0, static_cast<std::size_t>(end - host.begin()));
  if (start.size() == host.size() || start.size() > kHostBytesMax) return host;
  Url probe;
  const bool is_host = start.find('.') != kNone && !start.ends_with('.') && probe.set_host(start) &&
                       (has_public_suffix(probe.host()) || address_of_host(probe.host()));
  return is_host ? start : host;
}

// Digits behind the last colon; 0 when there are none or they are no port.
std::uint16_t parse_port(std::string_view digits) {
  unsigned port = 0;
  if (digits.empty() || digits.size() > 5) return 0;
  for (const char c : digits) {
    if (!is_digit(c)) return 0;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port > 65535 ? 0 : static_cast<std::uint16_t>(port);
}

}  // namespace

UrlFinder::UrlFinder(std::string_view text, std::size_t limit) : text_(text), limit_(limit) {}

std::optional<Url> UrlFinder::next() {
  std::optional<Url> url;
  if (!limited_) url = next_in_text();
  if (!url && !limited_ && !cleaned_ && text_.size() <= kUrlBytesMax) {
    cleaned_ = true;
    constexpr std::string_view kSpaces = " \t\r\n";
    const std::size_t first = text_.find_first_not_of(kSpaces);
    if (first == kNone) return std::nullopt;
    const std::string_view token = text_.substr(first, text_.find_last_not_of(kSpaces) + 1 - first);
    const bool tabs = token.find('\t') != kNone;
    const bool breaks = token.find_first_of("\r\n") != kNone;
    if (token.find(' ') != kNone || (!tabs && !breaks) || (breaks && plausible_)) {
      return std::nullopt;
    }
    std::ranges::copy_if(token, std::back_inserter(cleaned_text_),
                         [](char c) { return c != '\t' && c != '\r' && c != '\n'; });
    text_ = cleaned_text_;
    position_ = end_known_until_ = 0;
    url = next_in_text();
  }
  if (!url) return std::nullopt;
  if (found_ == limit_) {
    limited_ = true;
    return std::nullopt;
  }
  ++found_;
  return url;
}

std::optional<Url> UrlFinder::next_in_text() {
  if (second_reading_) {
    const Start start = *second_reading_;
    second_reading_.reset();
    if (auto url = finish(start)) return url;
  }
  if (position_ == 0) {
    if (auto url = whole_text()) return url;
  }
  for (; position_ < text_.size(); ++position_) {
    const char c = text_[position_];
    if (!is_in(kTriggers, c)) continue;
    const std::size_t at = position_;
    std::optional<Url> url;
    if (c == ':') {
      url = at_colon(at);
    } else if (is_slash(c)) {
      url = at_slash(at);
    } else {
      url = at_www(at);
    }
    if (url) {
      position_ = std::max(position_, at + 1);  // 10.0.0.1/ ends before the slash that told of it
      return url;
    }
    // finish() may have gone on for a candidate that was refused afterwards.
    position_ = at;
    second_reading_.reset();
  }
  return std::nullopt;
}

std::optional<Url> UrlFinder::at_colon(std::size_t colon) {
  // Most colons are none of ours: those with neither a slash behind nor an opaque scheme before.
  if (colon == 0 || colon + 1 == text_.size()) return std::nullopt;
  if (!is_slash(text_[colon + 1]) && !ends_in_opaque_scheme(text_.substr(0, colon))) {
    return at_slash(colon);
  }
  const std::string_view scheme = scheme_before(text_, colon);
  std::size_t slashes = colon + 1;
  while (slashes < text_.size() && is_slash(text_[slashes])) ++slashes;
  const std::size_t count = slashes - colon - 1;
  if (scheme.empty()) return at_slash(colon);
  const KnownScheme* const known = known_scheme(scheme);
  const std::size_t begin = colon - scheme.size();
  if (known != nullptr && known->opaque) {
    if (colon + 1 == text_.size() || is_in(kEnds, text_[colon + 1])) return std::nullopt;
    return finish({scheme, begin, colon + 1, false});
  }
  if (known != nullptr && known->forgiving && count > 0) {
    return finish({scheme, begin, slashes, true});
  }
  if (known != nullptr && known->name == "file" && (count == 1 || count > 2)) {
    return finish({scheme, begin, count == 1 ? colon + 1 : colon + 3, false});
  }
  if (count >= 2 && text_[colon + 1] == '/' && text_[colon + 2] == '/') {
    return finish({scheme, begin, colon + 3, true});
  }
  return at_slash(colon);
}

// //host, and, before a : or a /, an address in four parts.
std::optional<Url> UrlFinder::at_slash(std::size_t slash) {
  if (slash + 1 < text_.size() && is_slash(text_[slash]) && is_slash(text_[slash + 1])) {
    const char before = slash == 0 ? '"' : text_[slash - 1];
    if (std::string_view("\"'`(=<").find(before) == kNone || ++lookups_ > kMax) {
      return std::nullopt;
    }
    const std::optional<Url> url = finish({{}, slash, slash + 2, true});
    if (!url) return std::nullopt;
    const bool dotted = url->host().find('.') != kNone && has_public_suffix(url->host());
    if (dotted || parse_address(url->host(), Notation::kWritten)) return url;
    return std::nullopt;
  }
  if (slash == 0 || slash + 1 == text_.size() || !is_digit(text_[slash - 1])) return std::nullopt;
  std::size_t begin = slash;
  while (begin > 0 && slash - begin < 16 &&
         (is_digit(text_[begin - 1]) || text_[begin - 1] == '.')) {
    --begin;
  }
  if (begin > 0 && (is_word(text_[begin - 1]) || text_[begin - 1] == '.' ||
                    is_slash(text_[begin - 1]) || text_[begin - 1] == '@')) {
    return std::nullopt;
  }
  if (!parse_address(text_.substr(begin, slash - begin), Notation::kWritten)) return std::nullopt;
  std::size_t digits = slash + 1;
  while (digits < text_.size() && is_digit(text_[digits])) ++digits;
  const bool goes_on = digits < text_.size() && is_word(text_[digits]);
  if (text_[slash] == ':' ? digits == slash + 1 : digits > slash + 1 && !goes_on) {
    return std::nullopt;  // no port; or 10.0.0.0/8, which is a network
  }
  return finish({{}, begin, begin, true});
}

std::optional<Url> UrlFinder::at_www(std::size_t at) {
  if (at > 0 &&
      (is_word(text_[at - 1]) || std::string_view(".-@/\\").find(text_[at - 1]) != kNone)) {
    return std::nullopt;
  }
  if (!std::ranges::equal(text_.substr(at, 4), std::string_view("www."), {}, to_lower)) {
    return std::nullopt;
  }
  if (++lookups_ > kMax) return std::nullopt;
  const std::optional<Url> url = finish({{}, at, at, true});
  return url && url->host().size() > 4 && has_public_suffix(url->host()) ? url : std::nullopt;
}

// A text that is nothing but host/path, or host:port/path.
std::optional<Url> UrlFinder::whole_text() {
  const std::size_t first = text_.find_first_not_of(" \t\r\n");
  if (first == kNone || !is_word(text_[first]) || text_.size() > kUrlBytesMax) return std::nullopt;
  const std::string_view token = text_.substr(first, text_.find_last_not_of(" \t\r\n") + 1 - first);
  if (std::ranges::any_of(token, [](char c) { return is_in(kEnds, c); })) return std::nullopt;
  const std::size_t slash = token.find_first_of("/?");
  const std::string_view authority = token.substr(0, slash);
  const std::size_t colon = authority.find(':');
  const std::string_view name = authority.substr(0, colon);
  if (slash == kNone || name.find('.') == kNone || authority.find('@') != kNone ||
      (colon != kNone && parse_port(authority.substr(colon + 1)) == 0)) {
    return std::nullopt;
  }
  Url probe;
  if (!probe.set_host(name) || !has_public_suffix(probe.host())) return std::nullopt;
  return finish({{}, first, first, true});
}

// The end of a URL that holds `from`: the next byte that no URL holds.
std::size_t UrlFinder::url_end(std::size_t from) {
  if (from < end_known_until_) return end_known_until_;
  std::size_t end = from;
  while (end < text_.size() && !is_in(kEnds, text_[end])) ++end;
  end_known_until_ = end;
  return end;
}

std::optional<Url> UrlFinder::finish(const Start& start) {
  const std::size_t end = std::min(url_end(start.authority), start.begin + kUrlBytesMax);
  if (start.authority > end) return std::nullopt;
  if (start.has_authority) return finish_authority(start, start.authority, end);
  Url url;
  if (!url.set_scheme(start.scheme)) return std::nullopt;
  url.text = without_punctuation(text_.substr(start.begin, end - start.begin));
  url.path = url.text.substr(std::min(start.authority - start.begin, url.text.size()));
  position_ = start.authority;
  return url;
}

std::optional<Url> UrlFinder::finish_authority(const Start& start, std::size_t begin,
                                               std::size_t hard_end) {
  const std::string_view rest = text_.substr(begin, hard_end - begin);
  const std::string_view authority = rest.substr(0, find_in(kAuthorityEnds, rest));
  Url url;
  const std::size_t at = authority.rfind('@');
  if (at != kNone) url.userinfo = authority.substr(0, at);
  std::string_view host = at == kNone ? authority : authority.substr(at + 1);
  const auto host_offset = static_cast<std::size_t>(host.data() - text_.data());

  std::string_view port;
  std::size_t host_end = 0;
  if (host.starts_with('[')) {
    const std::size_t bracket = host.find(']');
    if (bracket == kNone) return std::nullopt;
    host_end = bracket + 1;
  } else {
    const auto stop = std::ranges::find_if_not(host, is_host_character);
    host = ascii_host(host.substr(0, static_cast<std::size_t>(stop - host.begin())));
    host_end = std::min(host.find(':'), host.size());
  }
  std::size_t authority_end = host_offset + host_end;
  if (authority_end < hard_end && text_[authority_end] == ':') {
    std::size_t digits = authority_end + 1;
    while (digits < hard_end && is_digit(text_[digits])) ++digits;
    port = text_.substr(authority_end + 1, digits - authority_end - 1);
    authority_end = digits;
  }
  if (!url.set_scheme(start.scheme) || !url.set_host(text_.substr(host_offset, host_end))) {
    return std::nullopt;
  }
  const KnownScheme* const known = known_scheme(start.scheme);
  url.port = parse_port(port);
  if (url.port == 0 && known != nullptr) url.port = known->port;

  // What follows the authority is the URL's only if it can: "(http://a.test)," ends before the
  // bracket.
  std::size_t end = authority_end;
  if (end < hard_end && std::string_view("/\\?#").find(text_[end]) != kNone) end = hard_end;
  url.text = without_punctuation(text_.substr(start.begin, end - start.begin));
  const std::size_t tail = std::min(authority_end - start.begin, url.text.size());
  std::string_view after = url.text.substr(tail);
  const std::size_t hash = after.find('#');
  if (hash != kNone) url.fragment = after.substr(hash + 1);
  after = after.substr(0, hash);
  const std::size_t question = after.find('?');
  if (question != kNone) url.query = after.substr(question + 1);
  url.path = after.substr(0, question);

  // good.test\@evil.test: browsers go to good.test, others to evil.test.
  const std::size_t authority_size = authority.size();
  if (authority_size < rest.size() && rest[authority_size] == '\\') {
    const std::string_view longer = rest.substr(0, rest.find_first_of("/?#", authority_size));
    const std::size_t second = longer.rfind('@');
    if (second != kNone && second > authority_size) {
      second_reading_ = Start{start.scheme, start.begin, begin + second + 1, true};
    }
  }
  plausible_ = plausible_ || address_of_host(url.host()) ||
               (url.host().find('.') != kNone && has_public_suffix(url.host()));
  position_ = authority_end;
  return url;
}

}  // namespace tocsin::validate
