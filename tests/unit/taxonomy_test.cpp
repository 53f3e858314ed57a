#include "detectors/rules/taxonomy.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

std::string complaint(std::string_view tag) {
  const auto checked = check_tag(tag);
  return checked ? "" : checked.error();
}

TEST_CASE("tags of every taxonomy") {
  for (const std::string_view tag :
       {"owasp:LLM01",         "owasp:LLM10",         "owasp:LLM01:2025", "owasp:ASI01",
        "owasp:ASI10",         "owasp:ASI05:2026",    "atlas:AML.T0000",  "atlas:AML.T0051",
        "atlas:AML.T0051.000", "atlas:AML.T0051.002", "atlas:AML.T0134",  "atlas:AML.T0112.001",
        "atlas:AML.T0104",     "atlas:AML.T0115.002", "atlas:AML.M0000",  "atlas:AML.M0039",
        "atlas:AML.TA0015",    "nist:MS-2.7-001",     "nist:GV-4.3-001",  "nist:GV-6.1-010",
        "nist:MS-2.13-001",    "nist:MG-4.3-003",     "nist:MP-5.2-002",  "nist:MS-2.7",
        "nist:MG-2.1",         "nist:GV-5.2",         "cwe:CWE-22",       "cwe:CWE-1427",
        "attack:T1059",        "attack:T1059.004"}) {
    CAPTURE(tag);
    CHECK(complaint(tag).empty());
  }
}

TEST_CASE("tags that do not exist are named, with the nearest that does") {
  struct Row {
    std::string_view tag;
    std::string_view complaint;
  };
  const Row rows[] = {
      {"owasp:LLM11", "the tag `owasp:LLM11` does not exist; the nearest is `owasp:LLM01`"},
      {"owasp:LLM1", "the tag `owasp:LLM1` does not exist; the nearest is `owasp:LLM01`"},
      {"owasp:LLM01:2023", "the tag `owasp:LLM01:2023` names another edition than 2025"},
      {"owasp:ASI01:2025", "the tag `owasp:ASI01:2025` names another edition than 2026"},
      {"owasp:A01", "the tag `owasp:A01` does not exist"},
      {"atlas:AML.T0051.003",
       "the tag `atlas:AML.T0051.003` does not exist; the nearest is `atlas:AML.T0051.000`"},
      {"atlas:AML.T0009",
       "the tag `atlas:AML.T0009` does not exist; the nearest is `atlas:AML.T0000`"},
      {"atlas:T0051", "the tag `atlas:T0051` does not exist"},
      {"atlas:aml.t0051",
       "the tag `atlas:aml.t0051` does not exist; the nearest is `atlas:AML.T0051`"},
      {"nist:MS-2.7-010",
       "the tag `nist:MS-2.7-010` does not exist; the nearest is `nist:MS-2.7-001`"},
      {"nist:MS-2.7-000",
       "the tag `nist:MS-2.7-000` does not exist; the nearest is `nist:MS-2.7-001`"},
      {"nist:banana", "the tag `nist:banana` does not exist"},
      {"cwe:89", "the tag `cwe:89` has the wrong form; write cwe:CWE-89"},
      {"cwe:CWE-0", "the tag `cwe:CWE-0` has the wrong form; write cwe:CWE-89"},
      {"cwe:CWE-089", "the tag `cwe:CWE-089` has the wrong form; write cwe:CWE-89"},
      {"cwe:CWE-9999", "the tag `cwe:CWE-9999` has the wrong form; write cwe:CWE-89"},
      {"attack:T59",
       "the tag `attack:T59` has the wrong form; write attack:T1059 or attack:T1059.004"},
      {"attack:T1059.4",
       "the tag `attack:T1059.4` has the wrong form; write attack:T1059 or attack:T1059.004"},
      {"attack:T1059.000",
       "the tag `attack:T1059.000` has the wrong form; write attack:T1059 or attack:T1059.004"},
      {"mitre:T1059",
       "the tag `mitre:T1059` is not namespace:id, for example owasp:ASI05; namespaces are owasp, "
       "atlas, nist, cwe or attack"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.tag);
    CHECK(complaint(row.tag) == row.complaint);
  }
  for (const std::string_view tag : {"", ":", "owasp", "owasp:", "LLM01"}) {
    CAPTURE(tag);
    CHECK(complaint(tag).find("is not namespace:id") != std::string::npos);
  }
  CHECK(complaint("nist:" + std::string(10'000, 'x')).size() < 200);
}

// Each list is as long as its publisher says.
TEST_CASE("the lists are complete") {
  const auto count = [](const std::string& prefix, int digits, int limit) {
    int found = 0;
    for (int i = 0; i < limit; ++i) {
      std::string number = std::to_string(i);
      number.insert(0, static_cast<std::size_t>(digits) - number.size(), '0');
      if (check_tag(prefix + number)) ++found;
    }
    return found;
  };
  CHECK(count("owasp:LLM", 2, 100) == 10);
  CHECK(count("owasp:ASI", 2, 100) == 10);
  CHECK(count("atlas:AML.T", 4, 300) == 120 + 3);
  CHECK(count("atlas:AML.M", 4, 300) == 40);
  CHECK(count("atlas:AML.TA", 4, 100) == 16);
  int subtechniques = 0;
  for (int i = 0; i < 200; ++i) {
    std::string number = std::to_string(i);
    number.insert(0, 4 - number.size(), '0');
    subtechniques += count("atlas:AML.T" + number + ".", 3, 10);
  }
  CHECK(subtechniques == 88);
  int subcategories = 0;
  int actions = 0;
  for (const std::string function : {"GV", "MP", "MS", "MG"}) {
    for (int i = 1; i <= 7; ++i) {
      for (int j = 1; j <= 14; ++j) {
        const std::string id =
            "nist:" + function + "-" + std::to_string(i) + "." + std::to_string(j);
        if (!check_tag(id)) continue;
        ++subcategories;
        actions += count(id + "-", 3, 20);
      }
    }
  }
  CHECK(subcategories == 72);
  CHECK(actions == 212);
}

TEST_CASE("every tag of the packs exists") {
  std::size_t tags = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(TOCSIN_SOURCE_DIR) + "/rules/packs")) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      const std::size_t at = line.find("tags: [");
      if (at == std::string::npos) continue;
      for (std::size_t begin = at + 7; begin < line.size();) {
        const std::size_t end = std::min(line.find_first_of(",]", begin), line.size());
        CAPTURE(entry.path().string(), line);
        CHECK(complaint(std::string_view(line).substr(begin, end - begin)).empty());
        ++tags;
        begin = line.find_first_not_of(", ]", end);
      }
    }
  }
  CHECK(tags > 50);
}

TEST_CASE("titles of tags") {
  CHECK(owasp_tags().size() == 20);
  for (const std::string_view tag : owasp_tags()) {
    CAPTURE(tag);
    CHECK(complaint(tag).empty());
    CHECK_FALSE(title_of_tag(tag).empty());
  }
  CHECK(title_of_tag("owasp:LLM01:2025") == "Prompt Injection");
  CHECK(title_of_tag("atlas:AML.T0053") == "AI Agent Tool Invocation");
  CHECK(title_of_tag("cwe:CWE-1").empty());
  CHECK(canonical_tag("owasp:ASI05:2026") == "owasp:ASI05");
  CHECK(canonical_tag("nist:MS-2.7") == "nist:MS-2.7");
}

}  // namespace
}  // namespace tocsin
