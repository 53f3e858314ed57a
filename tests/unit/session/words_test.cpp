#include "detectors/session/words.h"

#include <string>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin::session {
namespace {

using Strings = std::vector<std::string>;

Strings words_of(std::string_view name) {
  const NameWords words(name);
  return {words.begin(), words.end()};
}

Strings values_of(std::string_view text) {
  ValueFinder finder(text);
  Strings out;
  while (const auto value = finder.next()) out.emplace_back(*value);
  return out;
}

TEST_CASE("the words of a name") {
  struct Row {
    const char* name;
    Strings words;
  };
  for (const Row& row :
       {Row{"send_email", {"send", "email"}},
        Row{"sendDirect_Message2", {"send", "direct", "message"}}, Row{"HTTPGet", {"http", "get"}},
        Row{"mcp__a-b.c", {"mcp", "a", "b", "c"}}, Row{"", {}}, Row{"42", {}}}) {
    CAPTURE(row.name);
    CHECK(words_of(row.name) == row.words);
  }
  CHECK(NameWords(std::string(10'000, 'a')).size() == 1);
  std::string many;
  for (int i = 0; i < 100; ++i) many += "a_";
  CHECK(NameWords(many).size() == NameWords::kWordsMax);
}

TEST_CASE("the things a text names") {
  struct Row {
    const char* text;
    Strings values;
  };
  for (const Row& row :
       {Row{"Please mail it to Ada.", {}}, Row{"Mail <Ada@X.test>, please.", {"ada@x.test"}},
        Row{"see https://www.X.test/a/b/", {"x.test/a/b", "x.test"}},
        Row{"open '/srv/data/ledger.csv'!", {"/srv/data/ledger.csv", "ledger.csv"}},
        Row{"cat .env; -F file=@out.log", {".env", "out.log"}}, Row{"no 17 but 1700", {"1700"}}}) {
    CAPTURE(row.text);
    CHECK(values_of(row.text) == row.values);
  }
}

TEST_CASE("two ways to write one object") {
  CHECK(object_hash("/srv/data/ledger.csv") == object_hash("ledger.csv"));
  CHECK(object_hash("'./Ledger.csv'") == object_hash("ledger.csv"));
  CHECK(object_hash("bob") == object_hash("Bob"));
  CHECK(object_hash("/srv/a.c") != object_hash("/opt/a.c"));  // too short to say much
  CHECK(object_hash("see ledger.csv") != object_hash("ledger.csv"));
}

TEST_CASE("what the user named is known again, up to a bound") {
  NamedValues named;
  named.add("Send report.pdf to ada@x.test", 3);
  CHECK(named.has_any("/home/me/report.pdf"));
  CHECK(named.has_any("To: ADA@x.test"));
  CHECK_FALSE(named.has_any("eve@x.test"));
  named.add("a1.b c1.d e1.f", 3);
  CHECK(named.has_any("a1.b"));
  CHECK_FALSE(named.has_any("c1.d"));
}

TEST_CASE("where something goes, by the name of the parameter or as declared") {
  const ToolContext unknown;
  for (const char* path : {"to", "recipients.0", "mail.cc", "receiver_id", "webhookUrl", "host"}) {
    CAPTURE(path);
    CHECK(is_destination({.path = path, .text = "x"}, unknown));
  }
  for (const char* path : {"body", "email_id", "total", "file", ""}) {
    CAPTURE(path);
    CHECK_FALSE(is_destination({.path = path, .text = "x"}, unknown));
  }
  const ToolProfile tool{.name = "t", .destination = {"room"}};
  const ToolContext declared{.declared = &tool};
  CHECK(is_destination({.path = "room", .text = "x"}, declared));
  CHECK_FALSE(is_destination({.path = "to", .text = "x"}, declared));
}

}  // namespace
}  // namespace tocsin::session
