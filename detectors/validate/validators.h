// What a match can be asked beyond its shape.  Pure, linear, without allocation on the checking
// side; each formula's source stands with it in the .cpp files.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/validate/address.h"

namespace tocsin::validate {

// What stands behind a validator's name: {entropy: 3.5}, {charset: [upper, digit]}.
struct Argument {
  std::vector<std::string> words;
};

// Immutable and cheap to copy.
class Validator {
 public:
  using Check = bool (*)(std::string_view capture);

  bool operator()(std::string_view capture) const;

 private:
  friend std::expected<Validator, std::string> make(std::string_view, const Argument&);
  enum class Kind : std::uint8_t { kCheck, kEntropy, kCharset, kAddress };

  Kind kind_ = Kind::kCheck;
  Check check_ = nullptr;
  double bits_ = 0;               // kEntropy
  unsigned classes_ = 0;          // kCharset: bits, lower 1, upper 2, digit 4, symbol 8
  AddressClasses addresses_ = 0;  // kAddress
};

// The error says what is wrong and what is allowed.
std::expected<Validator, std::string> make(std::string_view name, const Argument& argument);
std::span<const std::string_view> names();

// Shannon entropy of the bytes, in bits a byte; 0 for an empty text.
double entropy(std::string_view text);

}  // namespace tocsin::validate
