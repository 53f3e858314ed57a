#include "detectors/session/secret_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "daemon/text.h"
#include "detectors/decoding/chars.h"
#include "detectors/session/words.h"
#include "detectors/validate/ascii_set.h"
#include "detectors/validate/text.h"

namespace tocsin::session {
namespace {

using decoding::is_any;

constexpr std::size_t kLabelBytesMax = 48;
constexpr std::size_t kKeyBytesMin = 16;
constexpr double kKeyEntropyMin = 3.0;  // bits a byte

constexpr auto kInToken = [] {
  validate::AsciiSet in("_-+/=.~!$#%^*@");
  for (std::size_t c = 0; c < decoding::kCharKinds.size(); ++c) {
    if ((decoding::kCharKinds[c] & decoding::kAlnum) != 0) in.add(static_cast<unsigned char>(c));
  }
  return in;
}();

bool in_token(char c) { return kInToken.has(c); }

// Where the next run of kTokenBytesMin token bytes begins; the text's end: there is none.  No run
// goes on at `from`.  By blocks: most runs are the words of prose, and a branch at the end of each
// is what reading costs.
std::size_t next_run(std::string_view text, std::size_t from) {
  constexpr std::size_t kBytes = TokenFinder::kTokenBytesMin;
  constexpr std::size_t kStep = validate::AsciiSet::kBlock - (kBytes - 1);
  for (std::size_t at = from; at + kBytes <= text.size(); at += kStep) {
    const std::uint64_t runs = validate::runs_of(kInToken.in(text, at), kBytes);
    if (runs != 0) return at + static_cast<std::size_t>(std::countr_zero(runs));
  }
  return text.size();
}

std::string_view trimmed(std::string_view token) {
  const auto is_end = [](char c) {
    return c == '=' || c == '.' || c == '/' || c == '-' || c == '!';
  };
  while (!token.empty() && is_end(token.back())) token.remove_suffix(1);
  while (!token.empty() && (token.front() == '=' || token.front() == '/')) token.remove_prefix(1);
  return token;
}

bool has_digit_and_letter(std::string_view token) {
  const auto has = [token](std::uint8_t kinds) {
    return std::ranges::any_of(token, [kinds](char c) { return is_any(c, kinds); });
  };
  return has(decoding::kDigit) && has(decoding::kAlpha);
}

// How the keys of well-known services begin.
bool has_known_prefix(std::string_view token) {
  static constexpr std::array<std::string_view, 24> kPrefixes = {
      "AKIA",  "ASIA",  "ghp_",  "gho_", "ghs_",     "ghu_",     "github_pat_", "glpat-",
      "xoxb-", "xoxp-", "xapp-", "sk-",  "sk_live_", "rk_live_", "AIza",        "ya29.",
      "npm_",  "pypi-", "SG.",   "hf_",  "dop_v1_",  "shpat_",   "hvs.",        "eyJhbGci"};
  static constexpr auto kFirst = [] {
    std::array<bool, 256> first{};
    for (const std::string_view prefix : kPrefixes) {
      first[static_cast<unsigned char>(prefix.front())] = true;
    }
    return first;
  }();
  return !token.empty() && kFirst[static_cast<unsigned char>(token.front())] &&
         std::ranges::any_of(kPrefixes, [&](std::string_view p) { return token.starts_with(p); });
}

bool labelled(std::string_view label, std::string_view* which) {
  constexpr std::array<std::string_view, 11> kLabels = {
      "password", "passwd",  "passphrase", "secret",      "token",     "api_key",
      "apikey",   "api-key", "access_key", "private_key", "credential"};
  std::array<char, kLabelBytesMax> lower;
  label = label.substr(label.size() - std::min(label.size(), kLabelBytesMax));
  std::ranges::transform(label, lower.begin(), [](char c) {
    return is_any(c, decoding::kUpper) ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  const std::string_view text(lower.data(), label.size());
  for (const std::string_view name : kLabels) {
    const std::size_t at = text.rfind(name);
    if (at == std::string_view::npos) continue;
    // Nothing but the sign that gives a value may stand between.
    const std::string_view between = text.substr(at + name.size());
    constexpr std::size_t kBetweenMax = 10;
    if (between.size() > kBetweenMax) continue;
    if (between.find_first_not_of(" :=\"'`>s_id") != std::string_view::npos) continue;
    *which = name;
    return true;
  }
  return false;
}

// Ends in the sign that gives a value, or is a member's name.
bool gives_value(std::string_view label) {
  if (label.empty()) return false;
  if (is_any(label.back(), decoding::kAlnum)) return true;
  while (!label.empty() && std::string_view(" \"'`").contains(label.back())) {
    label.remove_suffix(1);
  }
  return !label.empty() && std::string_view(":=>").contains(label.back());
}

}  // namespace

std::optional<std::string_view> TokenFinder::next() {
  while (position_ < text_.size()) {
    begin_ = position_ = next_run(text_, position_);
    while (position_ < text_.size() && in_token(text_[position_])) ++position_;
    std::string_view token = text_.substr(begin_, position_ - begin_);
    // "NAME=value" is a label and a value.
    const std::size_t equals = token.find('=');
    if (equals != std::string_view::npos && equals + kTokenBytesMin < token.size()) {
      token.remove_prefix(equals + 1);
      begin_ += equals + 1;
    }
    token = trimmed(token);
    if (token.size() >= kTokenBytesMin && token.size() <= kTokenBytesMax) return token;
  }
  return std::nullopt;
}

std::string_view TokenFinder::before() const {
  const std::string_view all = text_.substr(0, begin_);
  const std::string_view last = all.substr(all.size() - std::min(all.size(), kLabelBytesMax));
  const std::size_t line = last.rfind('\n');
  return line == std::string_view::npos ? last : last.substr(line + 1);
}

bool may_be_secret(std::string_view token) {
  if (!has_digit_and_letter(token) || token.contains('@')) return false;
  return validate::not_placeholder(token);
}

bool is_secret(std::string_view token, std::string_view label) {
  // The cheap questions first: most tokens of a page are neither.
  const bool known = token.size() >= kKeyBytesMin && has_known_prefix(token);
  std::string_view which;
  if (!known && !(gives_value(label) && labelled(label, &which))) return false;
  if (!may_be_secret(token)) return false;
  if (known) return true;
  if (which.starts_with("pass")) return true;
  return token.size() >= kKeyBytesMin && validate::entropy(token) >= kKeyEntropyMin;
}

bool is_presented(std::string_view before, std::string_view parameter) {
  constexpr std::array<std::string_view, 10> kNames = {
      "token",      "key",           "secret", "password",    "auth",
      "credential", "authorization", "cookie", "credentials", "session"};
  if (NameWords(parameter).has_any(kNames)) return true;
  const std::string lower = ascii_lower(before);
  constexpr std::array<std::string_view, 7> kBefore = {
      "authorization:", "bearer ", "basic ", "-token:", "api-key:", " -u ", "cookie:"};
  return std::ranges::any_of(kBefore, [&](std::string_view sign) { return lower.contains(sign); });
}

}  // namespace tocsin::session
