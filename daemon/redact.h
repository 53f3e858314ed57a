// Evidence that may leave: enough for a person to recognise what happened, never a secret or
// personal datum in clear.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/finding.h"

namespace tocsin {

// Immutable after construction; thread-safe.
class Redactor {
 public:
  static constexpr std::size_t kExcerptBytesMax = 120;
  using Key = std::array<std::uint8_t, 32>;

  // A key that nobody knows makes hashes comparable within this process only; a key shared by a
  // fleet (and kept out of its consumers' hands) makes them comparable everywhere.
  explicit Redactor(const Key& key) : key_(key) {}
  static Key random_key();
  static Key key_from_secret(std::string_view secret);  // any length; hashed

  // Secrets and personal data: the first character or few, and the length.  Everything else: words
  // stay, and within them is masked what looks like an identifier: e-mail addresses, digit groups,
  // tokens, what follows "password=".
  [[nodiscard]] std::string excerpt(std::string_view text, Category category) const;

  // "hmac-sha256:" and 64 hex digits.
  [[nodiscard]] std::string hash(std::string_view text) const;

 private:
  Key key_;
};

// SHA-256 in lower-case hex: for ids and content digests, not for redaction.
std::string sha256_hex(std::string_view bytes);

}  // namespace tocsin
