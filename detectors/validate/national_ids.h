// Numbers that states give to people.  Pure functions of the capture: no allocation, time bounded
// by Compact::kCaptureMax bytes.  A number that holds is well formed, not necessarily given to
// anyone; one repeated digit is refused by all.
#pragma once

#include <string_view>

namespace tocsin::validate {

// USA, social security number: 9 digits in the ranges the SSA gives (area not 000, 666 or 9xx,
// group not 00, serial not 0000); the numbers that advertisements made famous are refused.  No
// checksum exists.  Spaces, dashes, dots skipped.
bool us_ssn(std::string_view capture);

// United Kingdom, NHS number: 10 digits, weights 10 to 2, mod 11 (NHS data dictionary).
// Spaces and dashes skipped.
bool nhs(std::string_view capture);

// United Kingdom, national insurance number: prefix rules and suffix A-D (HMRC, NIM39110).  No
// checksum exists.  Spaces and dashes skipped.
bool nino_uk(std::string_view capture);

// India, Aadhaar: 12 digits, the first 2-9, Verhoeff (UIDAI).  Spaces and dashes skipped.
bool aadhaar(std::string_view capture);

// Brazil, people: 11 digits, two check digits mod 11 (Receita Federal).  Spaces, dashes, dots
// skipped.
bool cpf(std::string_view capture);

// Brazil, companies: 14 characters, two check digits mod 11; since 2026 the first twelve may be
// letters (Receita Federal, IN RFB 2229/2024).  Spaces, dashes, dots, slashes skipped.
bool cnpj(std::string_view capture);

// Spain, DNI (8 digits) and NIE (X, Y or Z and 7 digits) with the letter mod 23 (Ministerio del
// Interior).  Spaces, dashes, dots skipped.
bool dni(std::string_view capture);

// Italy: 16 characters, month letter, day, check letter (decree of 23 December 1976; letters in
// place of digits, given to people whose codes would be equal, are understood).  Spaces and dashes
// skipped.
bool codice_fiscale(std::string_view capture);

// France: 13 characters and 97 minus their remainder (INSEE); Corsica's 2A and 2B.
// Spaces, dashes, dots skipped.
bool nir(std::string_view capture);

// Germany, tax id: 11 digits, ISO 7064 MOD 11,10; of the first ten digits one occurs twice or
// thrice, the others at most once (Bundeszentralamt für Steuern).  Some swaps of neighbours go
// unseen.  Spaces, dashes, dots, slashes skipped.
bool steuer_id(std::string_view capture);

// Poland: 11 digits, weights 1 3 7 9, a birth date (Dz.U. 2010 nr 217 poz. 1427).
// Spaces and dashes skipped.
bool pesel(std::string_view capture);

// Netherlands: 9 digits, the "eleven test" with weights 9 to 2 and -1 (Logisch Ontwerp BSN).
// Spaces, dashes, dots skipped.
bool bsn(std::string_view capture);

// Canada, social insurance number: 9 digits, Luhn, the first not 0 or 8 (ESDC).
// Spaces and dashes skipped.
bool sin_ca(std::string_view capture);

// Australia, tax file number: 9 digits, weights 1 4 3 7 5 8 6 9 10, mod 11 (ATO).
// Spaces and dashes skipped.
bool tfn_au(std::string_view capture);

// Australia, Medicare card: 10 digits, or 11 with the person's place on the card; the first 2-6,
// weights 1 3 7 9, mod 10 (Services Australia; METeOR 270101).  Spaces, dashes, slashes skipped.
// Does not catch a swap of digits that differ by five, nor of the check digit and the one before.
bool medicare_au(std::string_view capture);

// China, resident identity: 18 characters, ISO 7064 MOD 11-2 (GB 11643-1999), province and birth
// date.  Spaces and dashes skipped.
bool cn_id(std::string_view capture);

}  // namespace tocsin::validate
