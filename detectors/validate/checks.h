// The checks behind the names.  Blanks, dashes and dots between digits are skipped where people
// write them; anything else that is no digit fails.
#pragma once

#include <string_view>

namespace tocsin::validate {

// checksums.cpp
bool luhn(std::string_view text);
bool card(std::string_view text);
bool iban(std::string_view text);
bool aba_routing(std::string_view text);
bool imei(std::string_view text);
bool vin(std::string_view text);

// national_ids.cpp
bool us_ssn(std::string_view text);
bool nhs(std::string_view text);
bool nino_uk(std::string_view text);
bool aadhaar(std::string_view text);
bool cpf(std::string_view text);
bool cnpj(std::string_view text);
bool dni(std::string_view text);
bool codice_fiscale(std::string_view text);
bool nir(std::string_view text);
bool steuer_id(std::string_view text);
bool pesel(std::string_view text);
bool bsn(std::string_view text);
bool sin_ca(std::string_view text);
bool tfn_au(std::string_view text);
bool medicare_au(std::string_view text);
bool cn_id(std::string_view text);

// tokens.cpp
bool github_checksum(std::string_view text);
bool npm_checksum(std::string_view text);
bool jwt(std::string_view text);
bool base64(std::string_view text);
bool btc_address(std::string_view text);
bool not_placeholder(std::string_view text);

}  // namespace tocsin::validate
