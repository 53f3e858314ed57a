#include "daemon/redact.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <ranges>
#include <span>
#include <vector>

#include "daemon/check.h"
#include "daemon/text.h"

namespace tocsin {
namespace {

constexpr std::size_t kTokenLengthMin = 8;     // letters and digits mixed: an id or a key
constexpr std::size_t kWordLengthMax = 24;     // longer "words" are not words
constexpr std::size_t kGroupLengthMax = 15;    // the same, behind a dash in what is already masked
constexpr std::size_t kDigitRunMax = 3;        // longer runs are numbers of something
constexpr std::size_t kSecretPrefixBytes = 4;  // names the kind of token ("ghp_"), not the token
constexpr std::size_t kSecretPrefixFrom = 20;  // shorter secrets show one character

constexpr std::string_view kIntroducesSecret[] = {"password", "passwd", "pwd",    "token",
                                                  "secret",   "key",    "bearer", "authorization",
                                                  "pass",     "auth",   "apikey", "credential"};

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= '0' && byte <= '9') || ((byte | 0x20U) >= 'a' && (byte | 0x20U) <= 'z') ||
         byte == '_' || byte >= 0x80;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const unsigned char byte : bytes) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0xFU];
  }
  return out;
}

// A run of word bytes, or of what stands between words.
struct Run {
  std::string_view text;
  bool word = false;
  bool masked = false;
};

std::vector<Run> split(std::string_view text) {
  std::vector<Run> runs;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin + 1;
    const bool word = is_word_byte(text[begin]);
    while (end < text.size() && is_word_byte(text[end]) == word) ++end;
    runs.push_back({.text = text.substr(begin, end - begin), .word = word, .masked = false});
    begin = end;
  }
  return runs;
}

bool looks_like_identifier(std::string_view word) {
  const auto digits = static_cast<std::size_t>(std::ranges::count_if(word, is_digit));
  if (word.size() > kWordLengthMax) return true;
  if (digits == word.size()) return digits > kDigitRunMax;
  return digits > 0 && word.size() >= kTokenLengthMin;
}

bool all_digits(std::string_view word) { return std::ranges::all_of(word, is_digit); }

bool has_digit(std::string_view word) { return std::ranges::any_of(word, is_digit); }

// Masks the words from `i` on, up to a separator with one of `ends` in it.
void mask_until(std::vector<Run>& runs, std::size_t i, std::string_view ends) {
  for (; i < runs.size(); ++i) {
    if (runs[i].word) {
      runs[i].masked = true;
    } else if (runs[i].text.find_first_of(ends) != std::string_view::npos) {
      return;
    }
  }
}

// The address around the @ behind word `i`.  The local part may have dots and pluses: everything
// back to white space belongs to it; so do all labels of the domain.
void mask_address(std::vector<Run>& runs, std::size_t i) {
  for (std::size_t left = i + 1; left > 0; --left) {
    Run& run = runs[left - 1];
    if (run.text.find_first_of(" \t\r\n\"'<(") != std::string_view::npos) break;
    run.masked = run.masked || run.word;
  }
  for (std::size_t j = i + 2; j < runs.size(); j += 2) {
    runs[j].masked = true;
    if (j + 1 >= runs.size() || (runs[j + 1].text != "." && runs[j + 1].text != "-")) break;
  }
}

// Masks what word `i` announces: "password=…", "--token …", "Authorization: Basic …", "-u name:…".
void mask_announced(std::vector<Run>& runs, std::size_t i) {
  const std::string word = ascii_lower(runs[i].text);
  const std::string_view between = runs[i + 1].text;
  const bool assigned = between.find_first_of(":=") != std::string_view::npos;
  const bool announces = std::ranges::any_of(kIntroducesSecret, [&](std::string_view key) {
    return assigned ? word.find(key) != std::string::npos : word.ends_with(key);
  });
  const bool user_and_password = (word == "u" || word == "user") && i > 0 &&
                                 runs[i - 1].text.ends_with('-') && i + 3 < runs.size() &&
                                 runs[i + 3].text.starts_with(':');
  if (!announces && !user_and_password) return;
  if (!assigned && between.find(' ') == std::string_view::npos) return;
  std::size_t value = i + 2;
  // "sshpass -p …": a flag is not the value.
  while (value + 2 < runs.size() && runs[value].text.size() <= 2 &&
         runs[value - 1].text.ends_with('-') && runs[value + 1].text.starts_with(' ')) {
    value += 2;
  }
  const std::string_view opening = runs[value - 1].text;
  if (opening.ends_with('"') || opening.ends_with('\'')) {
    mask_until(runs, value, opening.substr(opening.size() - 1));
  } else if (word.ends_with("authorization")) {
    mask_until(runs, value, "\r\n\"'");
  } else {
    mask_until(runs, value, " \t\r\n\"'`;|&,<>");
  }
}

// Marks what must not be shown.  Looks at neighbours: an address is two words and an @, a card four
// short numbers.
void mask_identifiers(std::vector<Run>& runs) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Run& run = runs[i];
    if (!run.word) continue;
    if (looks_like_identifier(run.text)) run.masked = true;
    if (i + 2 >= runs.size()) continue;
    const std::string_view between = runs[i + 1].text;
    Run& next = runs[i + 2];
    if (between.find('@') != std::string_view::npos) mask_address(runs, i);
    const bool joined = between == "-" || between == " " || between == "/" || between == ") ";
    if (joined && all_digits(run.text) && all_digits(next.text)) run.masked = next.masked = true;
    if (between == "-" && run.masked && has_digit(run.text) &&
        (has_digit(next.text) || next.text.size() > kGroupLengthMax)) {
      next.masked = true;  // the groups of a UUID, the tail of a token
    }
    mask_announced(runs, i);
  }
  // "555.123.4567": the last group gives the short ones before it away.  An IP address has none so
  // long.
  for (std::size_t i = runs.size(); i-- > 2;) {
    if (runs[i].masked && runs[i - 1].text == "." && all_digits(runs[i].text) &&
        all_digits(runs[i - 2].text)) {
      runs[i - 2].masked = true;
    }
  }
}

std::string first_character(std::string_view text) {
  return std::string(text.substr(0, first_code_point(text).length));
}

}  // namespace

Redactor::Key Redactor::random_key() {
  Key key{};
  CHECK(RAND_bytes(key.data(), static_cast<int>(key.size())) == 1);
  return key;
}

Redactor::Key Redactor::key_from_secret(std::string_view secret) {
  Key key{};
  unsigned size = 0;
  CHECK(EVP_Digest(secret.data(), secret.size(), key.data(), &size, EVP_sha256(), nullptr) == 1);
  CHECK(size == key.size());
  return key;
}

std::string Redactor::excerpt(std::string_view text, Category category) const {
  if (text.empty()) return {};
  if (category == Category::kSecret || category == Category::kPii) {
    const bool prefix = category == Category::kSecret && text.size() >= kSecretPrefixFrom;
    const std::string_view shown =
        text.substr(0, cut_at_character(text, prefix ? kSecretPrefixBytes : 0));
    return fmt::format("{}… ({} bytes)", printable(shown.empty() ? first_character(text) : shown),
                       text.size());
  }
  // Twice the bound is shown at most, since masking shortens; twice that is read, so that what the
  // cut goes through is seen whole.
  std::vector<Run> runs = split(text.substr(0, cut_at_character(text, 4 * kExcerptBytesMax)));
  mask_identifiers(runs);
  std::string out;
  for (const Run& run : runs) {
    if (run.text.data() - text.data() >= static_cast<std::ptrdiff_t>(2 * kExcerptBytesMax)) break;
    if (run.masked) {
      out += first_character(run.text);
      out += "…";
    } else {
      out += run.text;
    }
  }
  if (text.size() > 2 * kExcerptBytesMax) out += "…";
  return printable(out, kExcerptBytesMax);
}

std::string Redactor::hash(std::string_view text) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
             // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): what OpenSSL takes
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
             &size) != nullptr);
  return "hmac-sha256:" + hex(std::span(digest).first(size));
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  return hex(std::span(digest).first(size));
}

}  // namespace tocsin
