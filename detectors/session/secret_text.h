// Secrets in what a tool returned, seen well enough to know them again; the rules of the secrets
// packs say what they are.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tocsin::session {

// Goes over the words of a text a secret could be: runs of letters, digits and the marks that keys
// and passwords are made of.
class TokenFinder {
 public:
  static constexpr std::size_t kTokenBytesMin = 8;
  static constexpr std::size_t kTokenBytesMax = 512;  // a longer one is data, not a secret

  explicit TokenFinder(std::string_view text) : text_(text) {}

  std::optional<std::string_view> next();
  // Of the latest: the text before it on its line, its label perhaps.
  [[nodiscard]] std::string_view before() const;

 private:
  std::string_view text_;
  std::size_t position_ = 0;
  std::size_t begin_ = 0;
};

// A token that is a secret by its own shape or by its label: `label` is the text before it, or the
// name of the member that holds it.
bool is_secret(std::string_view token, std::string_view label);

// A token that could be one when it comes out of a store of credentials.
bool may_be_secret(std::string_view token);

// The text before a token, or the name of its parameter, says that it is presented as a credential:
// used to be let in, not told.
bool is_presented(std::string_view before, std::string_view parameter);

}  // namespace tocsin::session
