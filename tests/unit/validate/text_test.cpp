#include "detectors/validate/text.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/unit/catch.h"

namespace tocsin::validate {
namespace {

// splitmix64: the same tokens everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::string token(std::string_view alphabet, std::size_t size) {
    std::string out;
    for (std::size_t i = 0; i < size; ++i) out += alphabet[next() % alphabet.size()];
    return out;
  }

 private:
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
  }
  std::uint64_t state_;
};

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

TEST_CASE("entropy is Shannon's, in bits a byte") {
  CHECK(entropy("") == 0);
  CHECK(entropy("aaaaaaaa") == Approx(0).margin(1e-12));
  CHECK(entropy("abababab") == Approx(1));
  CHECK(entropy("abcdabcd") == Approx(2));
  CHECK(entropy("0123456789abcdef") == Approx(4));
  CHECK(entropy("aaab") == Approx(0.811278));
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  CHECK(entropy(bytes) == Approx(8));
  CHECK(entropy(std::string(kTextBytesMax, 'a') + bytes) == Approx(0).margin(1e-12));
}

TEST_CASE("character sets that occur") {
  CHECK(character_sets("") == 0);
  CHECK(character_sets("abc") == kLower);
  CHECK(character_sets("aB3") == (kLower | kUpper | kDigit));
  CHECK(character_sets("a-\xc3\xa9 \t") == (kLower | kSymbol));
}

TEST_CASE("what documentation prints is a placeholder") {
  for (const std::string_view text : {
           "",
           "<your-token>",
           "<API_KEY>",
           "${GITHUB_TOKEN}",
           "$API_KEY",
           "%API_KEY%",
           "{{ secrets.TOKEN }}",
           "process.env.API_KEY",
           "os.environ['KEY']",
           "getenv(\"KEY\")",
           "$(cat key)",
           "sk-...",
           "sk-proj-abc...xyz",
           "sk-\u2026",
           "********",
           "ab***cd",
           "gh\x70_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
           "XXXX-XXXX-XXXX",
           "0000000000000000",
           "\x41KIA0000000000000000",
           "A1A1A1A1A1A1A1A1",
           "abcabcabcabc",
           "deadbeefdeadbeef",
           "1234567890",
           "sk-1234567",
           "sk-abcdefghijklmnop",
           "zyxwvuts",
           "9876543210",
           "AKI\x41IOSFODNN7EXAMPLE",
           "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
           "my_sample_key_1",
           "changeme",
           "ChangeMe123",
           "YOUR_API_KEY",
           "your-token-2",
           "yourapikey1",
           "YourSecret99",
           "API_KEY_HERE_1",
           "insert-token-1",
           "REDACTED",
           "fake_key_81",
           "todo",
           "foobar12",
           "abc123",
           "qwerty12345",
           "xxx-yyy-1",
           "api_key",
           "my-secret-token",
           "clientSecret",
           "access_token",
           "dummy-8f3a",
       }) {
    CAPTURE(text);
    CHECK_FALSE(not_placeholder(text));
  }
}

TEST_CASE("what somebody uses is no placeholder") {
  for (const std::string_view text : {
           "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17",
           "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
           "d41d8cd98f00b204e9800998ecf8427e",
           "correct-horse-battery-staple",
           "P@ssw0rd!",
           "hunter2",
           "Passw0rd-2024",
           "s3cret",
           "xoxb-2048-attest-91ab",
           "AKI\x41QX7ZP3LMV5TNR2WD",
           "contest-demo-4711",
           "8a0000f3c1",
           "xxx9f8e7d6",
       }) {
    CAPTURE(text);
    CHECK(not_placeholder(text));
  }
}

TEST_CASE("random tokens pass as no placeholder") {
  struct Row {
    std::string_view what;
    std::string_view alphabet;
    std::size_t size;
  };
  const Row rows[] = {
      {"hexadecimal, 32", kHex, 32},         {"hexadecimal, 64", kHex, 64},
      {"base62, 20", kBase62, 20},           {"base62, 40", kBase62, 40},
      {"base64, 40", kBase64, 40},           {"base64url, 43", kBase64Url, 43},
      {"a card's digits", "0123456789", 16},
  };
  for (const Row& row : rows) {
    Random random(17);
    constexpr int kTokens = 30'000;
    int refused = 0;
    for (int i = 0; i < kTokens; ++i) {
      if (!not_placeholder(random.token(row.alphabet, row.size))) ++refused;
    }
    CAPTURE(row.what, refused);
    CHECK(refused <= kTokens / 5000);
  }
}

TEST_CASE("base64 is told from words by its length, alphabet and last bits") {
  struct Row {
    std::string_view text;
    bool valid;
  };
  const Row rows[] = {
      {"aGVsbG8=", true},   {"aGVsbG8", true},     {"aGVsbG8==", false},
      {"aGVsbG9=", false},  {"aGVsbA==", true},    {"aGVsbB==", false},
      {"aGVsb", false},     {"aGVs\nbG8=", true},  {"-_-_", true},
      {"+/+/", true},       {"+_+_", false},       {"aGV=sbG8", false},
      {"aGVs bG8=", false}, {"abc", false},        {"", false},
      {"====", false},      {"aGVsbG8===", false}, {"\xc3\xa9\xc3\xa9", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(base64(row.text) == row.valid);
  }
  CHECK(base64(std::string(kTextBytesMax + 1, 'A')));
}

}  // namespace
}  // namespace tocsin::validate
