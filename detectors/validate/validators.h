// What a rule can ask of a match beyond its pattern, by name: `validate: [luhn, {entropy: 3.5}]`.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "detectors/validate/address.h"

namespace tocsin::validate {

// What stands behind the name in a rule: nothing, a number, or a list of words.
using Argument = std::variant<std::monostate, double, std::vector<std::string>>;

// A test on the text that a pattern captured.  Immutable, cheap to copy, usable from all threads at
// once.  Never throws; allocates nothing but, for tokens, one parser a thread; linear in the
// capture and bounded (see the headers of the families: checksums.h, national_ids.h, tokens.h,
// text.h).
class Validator {
 public:
  bool operator()(std::string_view capture) const;
  // As a rule writes it.
  [[nodiscard]] std::string_view name() const { return name_; }

 private:
  friend std::expected<Validator, std::string> make(std::string_view, const Argument&);
  using Test = bool (*)(std::string_view);

  Validator() = default;

  std::string_view name_;                        // static storage
  Test test_ = nullptr;                          // when it takes no argument; else one of:
  double bits_ = -1;                             // entropy: at least so many bits a character
  std::uint8_t sets_ = 0;                        // charset: all of these sets occur
  std::shared_ptr<const AddressSet> addresses_;  // address: the capture, as a host, is in the set
};

// The validator of that name.  Arguments: `entropy` takes a number above 0, at most 8; `charset` a
// list of lower, upper, digit, symbol; `address` a list of classes and networks
// (AddressSet::parse); the others none.  The error names what was wrong and what is allowed.
std::expected<Validator, std::string> make(std::string_view name, const Argument& argument = {});

// Every name, in alphabetical order.
std::span<const std::string_view> names();

}  // namespace tocsin::validate
