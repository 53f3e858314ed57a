#include "detectors/validate/national_ids.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/validate/mutations.h"

namespace tocsin::validate {
namespace {

struct Checked {
  std::string_view name;
  bool (*test)(std::string_view);
  std::vector<std::string_view> valid;
  int blind = 0;           // neighbours so far apart may swap unseen; -1: some others too
  std::size_t count = 64;  // characters that the checksum covers
};

// Numbers that the issuers, or the encyclopaedias that describe them, print as examples.
const std::vector<Checked>& checked() {
  static const std::vector<Checked> kAll = {
      {"nhs", nhs, {"9434765919", "4010232137"}},
      {"aadhaar", aadhaar, {"999941057058", "999971658847"}},
      {"cpf", cpf, {"52998224725", "11144477735"}},
      {"cnpj", cnpj, {"11222333000181", "12ABC34501DE35"}},
      {"dni", dni, {"12345678Z", "X1234567L", "Y1234567X", "Z1234567R"}},
      {"codice_fiscale", codice_fiscale, {"RSSMRA85T10A562S", "MRTMTT25D09F205Z"}, -1},
      {"nir", nir, {"255081416802538", "184127645108946"}},
      {"steuer_id", steuer_id, {"86095742719", "47036892816", "65929970489"}, -1},
      {"pesel", pesel, {"44051401359", "02070803628"}, 5},
      {"bsn", bsn, {"111222333", "123456782"}},
      {"sin_ca", sin_ca, {"130692544"}, 9},
      {"tfn_au", tfn_au, {"123456782"}},
      {"medicare_au", medicare_au, {"2123456701", "21234567011"}, 5, 8},
      {"cn_id", cn_id, {"11010519491231002X", "440524188001010014"}},
  };
  return kAll;
}

TEST_CASE("published examples hold, and every wrong digit or swap its checksum sees does not") {
  for (const Checked& id : checked()) {
    CAPTURE(id.name);
    for (const std::string_view valid : id.valid) {
      CAPTURE(valid);
      CHECK(id.test(valid));
      for (const std::string& wrong : wrong_digits(valid, id.count)) {
        CAPTURE(wrong);
        CHECK_FALSE(id.test(wrong));
      }
      if (id.blind < 0) continue;
      for (const std::string& swapped : swapped_digits(valid, id.blind, id.count)) {
        CAPTURE(swapped);
        CHECK_FALSE(id.test(swapped));
      }
    }
  }
}

TEST_CASE("no identity number is empty, too short, too long, a filler or a sentence") {
  for (const Checked& id : checked()) {
    CAPTURE(id.name);
    for (const std::string_view bad :
         {"", " ", "0", "000000000", "0000000000", "00000000000", "000000000000", "00000000000000",
          "111111111", "11111111111", "the quick brown fox", "\xff\xfe\xfd"}) {
      CAPTURE(bad);
      CHECK_FALSE(id.test(bad));
    }
    for (const std::string_view valid : id.valid) {
      CHECK_FALSE(id.test(valid.substr(1)));
      if (id.name != "medicare_au") CHECK_FALSE(id.test(std::string(valid) + "1"));
      CHECK_FALSE(id.test(std::string(valid) + std::string(300, ' ')));  // beyond the bound
      CHECK_FALSE(id.test("_" + std::string(valid)));
    }
  }
}

TEST_CASE("numbers as people write them") {
  CHECK(nhs("943 476 5919"));
  CHECK(aadhaar("9999 4105 7058"));
  CHECK(cpf("529.982.247-25"));
  CHECK(cnpj("11.222.333/0001-81"));
  CHECK(cnpj("12.abc.345/01de-35"));
  CHECK(dni("12.345.678-z"));
  CHECK(codice_fiscale("RSS MRA 85T10 A562S"));
  CHECK(nir("2 55 08 14 168 025 38"));
  CHECK(steuer_id("86 095 742 719"));
  CHECK(bsn("1112.22.333"));
  CHECK(sin_ca("130 692 544"));
  CHECK(tfn_au("123 456 782"));
  CHECK(medicare_au("2123 45670 1/1"));
  CHECK(us_ssn("536-90-4399"));
  CHECK(nino_uk("AB 12 34 56 C"));
}

TEST_CASE("ranges, where there is no checksum") {
  struct Row {
    bool (*test)(std::string_view);
    std::string_view number;
    bool valid;
  };
  const Row rows[] = {
      {us_ssn, "536904399", true},    {us_ssn, "000904399", false},  {us_ssn, "666904399", false},
      {us_ssn, "900904399", false},   {us_ssn, "899904399", true},   {us_ssn, "536004399", false},
      {us_ssn, "536900000", false},   {us_ssn, "078051120", false},  {us_ssn, "219-09-9999", false},
      {us_ssn, "123-45-6789", false}, {us_ssn, "555555555", false},  {us_ssn, "53690439", false},
      {nino_uk, "AB123456C", true},   {nino_uk, "AB123456E", false}, {nino_uk, "QQ123456C", false},
      {nino_uk, "AO123456C", false},  {nino_uk, "GB123456C", false}, {nino_uk, "ZZ123456C", false},
      {nino_uk, "AB12345C", false},   {nino_uk, "A1123456C", false}, {nino_uk, "AB1234567", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.number);
    CHECK(row.test(row.number) == row.valid);
  }
}

TEST_CASE("what a checksum alone would let through") {
  CHECK_FALSE(aadhaar("123456789010"));       // Aadhaar never begins with 0 or 1
  CHECK_FALSE(sin_ca("046454286"));           // fictitious, as the first digit says
  CHECK_FALSE(pesel("44133101359"));          // no thirteenth month
  CHECK_FALSE(cn_id("11010519490231002X"));   // no 31 February
  CHECK_FALSE(nir("255131416802538"));        // no thirteenth month
  CHECK_FALSE(steuer_id("12345678903"));      // the checksum holds, but no digit occurs twice
  CHECK(nir("1 85 05 2A 004 012 70"));        // Corsica
  CHECK_FALSE(medicare_au("2123456711"));     // nine digits are covered, one is the check
  CHECK_FALSE(nir("1 85 05 2C 004 012 53"));  // no such department
}

}  // namespace
}  // namespace tocsin::validate
