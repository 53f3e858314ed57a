// Numbers of cards, accounts, devices and vehicles.  Pure functions of the capture: no allocation,
// time bounded by Compact::kCaptureMax bytes.  Separators that are skipped are named at each.
#pragma once

#include <string_view>

namespace tocsin::validate {

// Luhn's check digit (ISO/IEC 7812-1 annex B) over 2 to 64 digits; spaces, dashes, dots skipped.
// Catches every wrong digit and every swap of neighbours except 09 and 90.
bool luhn(std::string_view capture);

// A payment card number: an issuer's prefix with one of its lengths, and Luhn.  Spaces and dashes
// skipped.  Prefixes and lengths as the networks publish them (ISO/IEC 7812 issuer identification
// numbers): Visa, Mastercard, American Express, Discover, Diners Club, JCB, UnionPay, Maestro, Mir.
bool card(std::string_view capture);

// An IBAN (ISO 13616): a country of SWIFT's IBAN registry (2025), its length, and mod 97 = 1
// (ISO 7064 MOD 97-10).  Spaces and dashes skipped; letters in either case.
bool iban(std::string_view capture);

// A US bank's routing number: nine digits, a prefix in use (00-12, 21-32, 61-72, 80), weights 3 7 1
// (the American Bankers Association's key to routing numbers).  Spaces and dashes skipped.
// Does not catch a swap of digits that differ by five.
bool aba_routing(std::string_view capture);

// A device's IMEI: fifteen digits and Luhn (3GPP TS 23.003 annex B).  Spaces, dashes, slashes
// skipped.
bool imei(std::string_view capture);

// A vehicle identification number: 17 characters without I, O and Q, and the check character in the
// ninth place (49 CFR 565.15; North America and China require it, much of Europe does not, so
// European numbers are refused).  Spaces and dashes skipped.
bool vin(std::string_view capture);

// The arithmetic, over characters that are digits.
bool luhn_holds(std::string_view digits);
bool verhoeff_holds(std::string_view digits);  // J. Verhoeff, 1969: the dihedral group D5
// Remainder by 97 of digits and upper-case letters (A = 10 ... Z = 35).
int mod_97(std::string_view characters, int remainder = 0);

}  // namespace tocsin::validate
