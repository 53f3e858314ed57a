#include "detectors/validate/checksums.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "tests/unit/catch.h"
#include "tests/unit/validate/mutations.h"

namespace tocsin::validate {
namespace {

// The networks' and payment providers' published test numbers.
constexpr std::string_view kCards[] = {
    "4111111111111111", "4012888888881881", "4222222222222",    "5555555555554444",
    "5105105105105100", "2223003122003222", "378282246310005",  "371449635398431",
    "6011111111111117", "6011000990139424", "30569309025904",   "38520000023237",
    "36227206271667",   "3530111333300000", "3566002020360505", "6200000000000005",
    "6759649826438453",
};

TEST_CASE("every wrong digit and every swap but 09 breaks Luhn") {
  for (const std::string_view number : kCards) {
    CAPTURE(number);
    CHECK(luhn(number));
    for (const std::string& wrong : wrong_digits(number)) {
      CAPTURE(wrong);
      CHECK_FALSE(luhn(wrong));
    }
    for (const std::string& swapped : swapped_digits(number, 9)) {
      CAPTURE(swapped);
      CHECK_FALSE(luhn(swapped));
    }
  }
}

TEST_CASE("a card has an issuer's prefix, its length and Luhn") {
  for (const std::string_view number : kCards) {
    CAPTURE(number);
    CHECK(card(number));
  }
  struct Row {
    std::string_view what;
    std::string_view number;
    bool valid;
  };
  const Row rows[] = {
      {"grouped", "4111 1111 1111 1111", true},
      {"dashed", "3782-822463-10005", true},
      {"dots are no card's grouping", "4111.1111.1111.1111", false},
      {"Visa of 19 digits", "4111111111111111110", true},
      {"Visa of 15 digits, though Luhn holds", "411111111111116", false},
      {"Mastercard's first new number", "2221000000000009", true},
      {"one below its range, Luhn holds", "2220990000000003", false},
      {"one above its range, Luhn holds", "2721000000000004", false},
      {"no issuer, Luhn holds", "1234567812345670", false},
      {"Luhn fails", "4111111111111112", false},
      {"zeros", "0000000000000000", false},
      {"letters", "4111a11111111111", false},
      {"nothing", "", false},
      {"separators only", " - - ", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what, row.number);
    CHECK(card(row.number) == row.valid);
  }
  CHECK_FALSE(card(std::string(300, '4')));
}

// The examples of the IBAN registry.
constexpr std::string_view kIbans[] = {
    "AD1200012030200359100100",
    "AE070331234567890123456",
    "AL47212110090000000235698741",
    "AT611904300234573201",
    "AZ21NABZ00000000137010001944",
    "BA391290079401028494",
    "BE68539007547034",
    "BG80BNBG96611020345678",
    "BH67BMAG00001299123456",
    "BR1800360305000010009795493C1",
    "BY13NBRB3600900000002Z00AB00",
    "CH9300762011623852957",
    "CR05015202001026284066",
    "CY17002001280000001200527600",
    "CZ6508000000192000145399",
    "DE89370400440532013000",
    "DK5000400440116243",
    "DO28BAGR00000001212453611324",
    "EE382200221020145685",
    "EG380019000500000000263180002",
    "ES9121000418450200051332",
    "FI2112345600000785",
    "FO6264600001631634",
    "FR1420041010050500013M02606",
    "GB29NWBK60161331926819",
    "GE29NB0000000101904917",
    "GI75NWBK000000007099453",
    "GL8964710001000206",
    "GR1601101250000000012300695",
    "GT82TRAJ01020000001210029690",
    "HR1210010051863000160",
    "HU42117730161111101800000000",
    "IE29AIBK93115212345678",
    "IL620108000000099999999",
    "IQ98NBIQ850123456789012",
    "IS140159260076545510730339",
    "IT60X0542811101000000123456",
    "JO94CBJO0010000000000131000302",
    "KW81CBKU0000000000001234560101",
    "KZ86125KZT5004100100",
    "LB62099900000001001901229114",
    "LC55HEMM000100010012001200023015",
    "LI21088100002324013AA",
    "LT121000011101001000",
    "LU280019400644750000",
    "LV80BANK0000435195001",
    "MC5811222000010123456789030",
    "MD24AG000225100013104168",
    "ME25505000012345678951",
    "MK07250120000058984",
    "MR1300020001010000123456753",
    "MT84MALT011000012345MTLCAST001S",
    "MU17BOMM0101101030300200000MUR",
    "NL91ABNA0417164300",
    "NO9386011117947",
    "PK36SCBL0000001123456702",
    "PL61109010140000071219812874",
    "PS92PALS000000000400123456702",
    "PT50000201231234567890154",
    "QA58DOHB00001234567890ABCDEFG",
    "RO49AAAA1B31007593840000",
    "RS35260005601001611379",
    "SA0380000000608010167519",
    "SC18SSCB11010000000000001497USD",
    "SE4550000000058398257466",
    "SI56263300012039086",
    "SK3112000000198742637541",
    "SM86U0322509800000000270100",
    "ST23000100010051845310146",
    "SV62CENR00000000000000700025",
    "TL380080012345678910157",
    "TN5910006035183598478831",
    "TR330006100519786457841326",
    "UA213223130000026007233566001",
    "VA59001123000012345678",
    "VG96VPVG0000012345678901",
    "XK051212012345678906",
};

TEST_CASE("the registry's example of each country is an IBAN, and no neighbour of it") {
  for (const std::string_view number : kIbans) {
    CAPTURE(number);
    CHECK(iban(number));
    for (const std::string& wrong : wrong_digits(number)) {
      CAPTURE(wrong);
      CHECK_FALSE(iban(wrong));
    }
    for (const std::string& swapped : swapped_digits(number)) {
      CAPTURE(swapped);
      CHECK_FALSE(iban(swapped));
    }
    CHECK_FALSE(iban(std::string(number) + "0"));
    CHECK_FALSE(iban(number.substr(0, number.size() - 1)));
  }
}

TEST_CASE("IBANs as people write them, and what only looks like one") {
  CHECK(iban("GB29 NWBK 6016 1331 9268 19"));
  CHECK(iban("gb29-nwbk-6016-1331-9268-19"));
  CHECK_FALSE(iban("ZZ29NWBK60161331926819"));  // no such country
  CHECK_FALSE(iban("GB2"));
  CHECK_FALSE(iban("DE00000000000000000000"));
  CHECK_FALSE(iban("GB29_NWBK_6016_1331_9268_19"));
  CHECK_FALSE(iban(""));
}

TEST_CASE("bank routing numbers") {
  for (const std::string_view number : {"021000021", "011401533", "091000019", "122105155"}) {
    CAPTURE(number);
    CHECK(aba_routing(number));
    for (const std::string& wrong : wrong_digits(number)) CHECK_FALSE(aba_routing(wrong));
    for (const std::string& wrong : swapped_digits(number, 5)) CHECK_FALSE(aba_routing(wrong));
  }
  CHECK(aba_routing("0210-0002-1"));
  CHECK_FALSE(aba_routing("500000005"));  // the sum holds, the prefix is not in use
  CHECK_FALSE(aba_routing("000000000"));
  CHECK_FALSE(aba_routing("02100002"));
}

TEST_CASE("device and vehicle numbers") {
  for (const std::string_view number : {"490154203237518", "352099001761481"}) {
    CAPTURE(number);
    CHECK(imei(number));
    for (const std::string& wrong : wrong_digits(number)) CHECK_FALSE(imei(wrong));
    for (const std::string& wrong : swapped_digits(number, 9)) CHECK_FALSE(imei(wrong));
  }
  CHECK(imei("35-209900-176148-1"));
  CHECK_FALSE(imei("4901542032375"));

  for (const std::string_view number : {"1M8GDM9AXKP042788", "5GZCZ43D13S812715"}) {
    CAPTURE(number);
    CHECK(vin(number));
    for (const std::string& wrong : wrong_digits(number)) CHECK_FALSE(vin(wrong));
    for (const std::string& wrong : swapped_digits(number)) CHECK_FALSE(vin(wrong));
  }
  CHECK(vin("1m8gdm9axkp042788"));
  CHECK_FALSE(vin("1M8GDM9AXKPO42788"));  // an O
  CHECK_FALSE(vin("11111111111111111"));
  CHECK_FALSE(vin("1M8GDM9AXKP04278"));
}

}  // namespace
}  // namespace tocsin::validate
