#include "detectors/rules/taxonomy.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <algorithm>
#include <array>
#include <span>

#include "daemon/diagnostics.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, 5> kNamespaces = {"owasp", "atlas", "nist", "cwe", "attack"};
constexpr std::array<std::string_view, 20> kOwasp = {
    "LLM01", "LLM02", "LLM03", "LLM04", "LLM05", "LLM06", "LLM07", "LLM08", "LLM09", "LLM10",
    "ASI01", "ASI02", "ASI03", "ASI04", "ASI05", "ASI06", "ASI07", "ASI08", "ASI09", "ASI10"};
constexpr std::array<std::string_view, 89> kAtlas = {
    "AML.M0015",     "AML.M0020",     "AML.M0024",     "AML.M0026",     "AML.M0027",
    "AML.M0028",     "AML.M0029",     "AML.M0030",     "AML.M0032",     "AML.M0033",
    "AML.T0010",     "AML.T0010.005", "AML.T0011",     "AML.T0011.002", "AML.T0016",
    "AML.T0017",     "AML.T0018",     "AML.T0020",     "AML.T0024",     "AML.T0024.000",
    "AML.T0024.001", "AML.T0024.002", "AML.T0025",     "AML.T0029",     "AML.T0031",
    "AML.T0034",     "AML.T0034.002", "AML.T0040",     "AML.T0043",     "AML.T0044",
    "AML.T0046",     "AML.T0047",     "AML.T0048",     "AML.T0049",     "AML.T0050",
    "AML.T0051",     "AML.T0051.000", "AML.T0051.001", "AML.T0051.002", "AML.T0052",
    "AML.T0053",     "AML.T0054",     "AML.T0055",     "AML.T0056",     "AML.T0057",
    "AML.T0061",     "AML.T0065",     "AML.T0066",     "AML.T0067",     "AML.T0068",
    "AML.T0069",     "AML.T0070",     "AML.T0071",     "AML.T0072",     "AML.T0073",
    "AML.T0077",     "AML.T0080",     "AML.T0080.000", "AML.T0080.001", "AML.T0081",
    "AML.T0082",     "AML.T0083",     "AML.T0084",     "AML.T0084.000", "AML.T0084.001",
    "AML.T0084.002", "AML.T0084.003", "AML.T0085",     "AML.T0085.000", "AML.T0085.001",
    "AML.T0086",     "AML.T0090",     "AML.T0092",     "AML.T0093",     "AML.T0094",
    "AML.T0098",     "AML.T0099",     "AML.T0100",     "AML.T0101",     "AML.T0102",
    "AML.T0103",     "AML.T0104",     "AML.T0105",     "AML.T0106",     "AML.T0108",
    "AML.T0109",     "AML.T0110",     "AML.T0112",     "AML.T0112.000"};
// Functions and subcategories of the AI RMF; AI 600-1 numbers its actions within them.
constexpr std::array<std::string_view, 72> kNist = {
    "GV-1.1", "GV-1.2", "GV-1.3", "GV-1.4", "GV-1.5",  "GV-1.6",  "GV-1.7",  "GV-2.1",  "GV-2.2",
    "GV-2.3", "GV-3.1", "GV-3.2", "GV-4.1", "GV-4.2",  "GV-4.3",  "GV-5.1",  "GV-5.2",  "GV-6.1",
    "GV-6.2", "MP-1.1", "MP-1.2", "MP-1.3", "MP-1.4",  "MP-1.5",  "MP-1.6",  "MP-2.1",  "MP-2.2",
    "MP-2.3", "MP-3.1", "MP-3.2", "MP-3.3", "MP-3.4",  "MP-3.5",  "MP-4.1",  "MP-4.2",  "MP-5.1",
    "MP-5.2", "MS-1.1", "MS-1.2", "MS-1.3", "MS-2.1",  "MS-2.2",  "MS-2.3",  "MS-2.4",  "MS-2.5",
    "MS-2.6", "MS-2.7", "MS-2.8", "MS-2.9", "MS-2.10", "MS-2.11", "MS-2.12", "MS-2.13", "MS-3.1",
    "MS-3.2", "MS-3.3", "MS-4.1", "MS-4.2", "MS-4.3",  "MG-1.1",  "MG-1.2",  "MG-1.3",  "MG-1.4",
    "MG-2.1", "MG-2.2", "MG-2.3", "MG-2.4", "MG-3.1",  "MG-3.2",  "MG-4.1",  "MG-4.2",  "MG-4.3"};

bool has_form(std::string_view text, const re2::RE2& form) {
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), form);
}

std::expected<void, std::string> one_of_these(std::string_view tag, std::string_view id,
                                              std::span<const std::string_view> known) {
  if (std::ranges::find(known, id) != known.end()) return {};
  const std::string_view near = nearest(id, known);
  return std::unexpected(near.empty() ? fmt::format("`{}` is in no taxonomy", tag)
                                      : fmt::format("`{}` is in no taxonomy; `{}` is", tag, near));
}

}  // namespace

std::expected<void, std::string> check_tag(std::string_view tag) {
  static const re2::RE2 kCwe(R"(CWE-[1-9][0-9]{0,3})");
  static const re2::RE2 kAttack(R"(T[0-9]{4}(\.[0-9]{3})?|TA[0-9]{4})");
  static const re2::RE2 kAction(R"([A-Z]{2}-[1-6]\.[0-9]{1,2}-0[0-9]{2})");
  const std::size_t colon = tag.find(':');
  const std::string_view space = tag.substr(0, colon);
  std::string_view id =
      colon == std::string_view::npos ? std::string_view{} : tag.substr(colon + 1);
  if (space == "owasp") {
    const std::string_view year = id.starts_with("LLM") ? ":2025" : ":2026";
    if (id.ends_with(year)) id.remove_suffix(year.size());
    return one_of_these(tag, id, kOwasp);
  }
  if (space == "atlas") return one_of_these(tag, id, kAtlas);
  if (space == "nist") {
    if (has_form(id, kAction)) id = id.substr(0, id.rfind('-'));
    return one_of_these(tag, id, kNist);
  }
  if ((space == "cwe" && has_form(id, kCwe)) || (space == "attack" && has_form(id, kAttack)))
    return {};
  if (std::ranges::find(kNamespaces, space) != kNamespaces.end() && !id.empty()) {
    return std::unexpected(fmt::format("`{}` is in no taxonomy", tag));
  }
  return std::unexpected(fmt::format("`{}` is not a tag", tag));
}

}  // namespace tocsin
