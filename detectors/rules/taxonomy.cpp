#include "detectors/rules/taxonomy.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include "daemon/diagnostics.h"

namespace tocsin {
namespace {

constexpr std::string_view kNamespaces[] = {"owasp", "atlas", "nist", "cwe", "attack"};
constexpr std::size_t kTagBytesShown = 64;

// MITRE ATLAS 2026.09: a technique and how many sub-techniques it has, numbered from .000.
struct Technique {
  std::uint16_t number;
  std::uint8_t subtechniques;
};
constexpr Technique kTechniques[] = {
    {0, 4},   {1, 0},   {2, 3},   {3, 0},   {4, 0},   {5, 3},   {6, 4},   {7, 0},   {8, 6},
    {10, 6},  {11, 4},  {12, 0},  {13, 0},  {14, 0},  {15, 0},  {16, 5},  {17, 3},  {18, 4},
    {19, 0},  {20, 0},  {21, 0},  {24, 3},  {25, 0},  {29, 0},  {31, 0},  {34, 3},  {35, 0},
    {36, 0},  {37, 0},  {40, 0},  {41, 0},  {42, 0},  {43, 5},  {44, 0},  {46, 0},  {47, 0},
    {48, 5},  {49, 0},  {50, 0},  {51, 3},  {52, 2},  {53, 0},  {54, 0},  {55, 0},  {56, 0},
    {57, 0},  {58, 0},  {59, 0},  {60, 0},  {61, 0},  {62, 0},  {63, 0},  {64, 0},  {65, 0},
    {66, 0},  {67, 1},  {68, 0},  {69, 3},  {70, 0},  {71, 0},  {72, 0},  {73, 0},  {74, 0},
    {75, 0},  {76, 0},  {77, 0},  {78, 0},  {79, 0},  {80, 2},  {81, 0},  {82, 0},  {83, 0},
    {84, 4},  {85, 2},  {86, 0},  {87, 0},  {88, 0},  {89, 0},  {90, 0},  {91, 2},  {92, 0},
    {93, 0},  {94, 0},  {95, 1},  {96, 0},  {97, 0},  {98, 0},  {99, 0},  {100, 0}, {101, 0},
    {102, 0}, {103, 0}, {104, 0}, {105, 0}, {106, 0}, {107, 0}, {108, 0}, {109, 0}, {110, 3},
    {111, 0}, {112, 2}, {113, 0}, {114, 0}, {115, 3}, {116, 0}, {117, 0}, {118, 2}, {119, 0},
    {120, 0}, {121, 0}, {122, 0}, {123, 0}, {124, 0}, {125, 0}, {126, 0}, {127, 0}, {128, 0},
    {129, 0}, {130, 0}, {131, 0}, {132, 0}, {133, 0}, {134, 0},
};
constexpr unsigned kMitigations = 40;
constexpr unsigned kTactics = 16;

// A subcategory of AI RMF 1.0 (NIST AI 100-1) and how many actions AI 600-1 gives it, numbered from
// 001.
struct Subcategory {
  std::string_view id;
  std::uint8_t actions;
};
constexpr Subcategory kSubcategories[] = {
    {"GV-1.1", 1}, {"GV-1.2", 2},  {"GV-1.3", 7},  {"GV-1.4", 2},  {"GV-1.5", 3},  {"GV-1.6", 3},
    {"GV-1.7", 2}, {"GV-2.1", 5},  {"GV-2.2", 0},  {"GV-2.3", 0},  {"GV-3.1", 0},  {"GV-3.2", 5},
    {"GV-4.1", 3}, {"GV-4.2", 3},  {"GV-4.3", 3},  {"GV-5.1", 2},  {"GV-5.2", 0},  {"GV-6.1", 10},
    {"GV-6.2", 7}, {"MP-1.1", 4},  {"MP-1.2", 2},  {"MP-1.3", 0},  {"MP-1.4", 0},  {"MP-1.5", 0},
    {"MP-1.6", 0}, {"MP-2.1", 2},  {"MP-2.2", 2},  {"MP-2.3", 5},  {"MP-3.1", 0},  {"MP-3.2", 0},
    {"MP-3.3", 0}, {"MP-3.4", 6},  {"MP-3.5", 0},  {"MP-4.1", 10}, {"MP-4.2", 0},  {"MP-5.1", 6},
    {"MP-5.2", 2}, {"MS-1.1", 9},  {"MS-1.2", 0},  {"MS-1.3", 3},  {"MS-2.1", 0},  {"MS-2.2", 4},
    {"MS-2.3", 4}, {"MS-2.4", 0},  {"MS-2.5", 6},  {"MS-2.6", 7},  {"MS-2.7", 9},  {"MS-2.8", 4},
    {"MS-2.9", 2}, {"MS-2.10", 3}, {"MS-2.11", 5}, {"MS-2.12", 4}, {"MS-2.13", 1}, {"MS-3.1", 0},
    {"MS-3.2", 1}, {"MS-3.3", 5},  {"MS-4.1", 0},  {"MS-4.2", 5},  {"MS-4.3", 0},  {"MG-1.1", 0},
    {"MG-1.2", 0}, {"MG-1.3", 2},  {"MG-1.4", 0},  {"MG-2.1", 0},  {"MG-2.2", 9},  {"MG-2.3", 1},
    {"MG-2.4", 4}, {"MG-3.1", 5},  {"MG-3.2", 9},  {"MG-4.1", 7},  {"MG-4.2", 3},  {"MG-4.3", 3},
};

std::vector<std::string> owasp_ids() {
  std::vector<std::string> out;
  for (int i = 1; i <= 10; ++i) out.push_back(fmt::format("LLM{:02}", i));
  for (int i = 1; i <= 10; ++i) out.push_back(fmt::format("ASI{:02}", i));
  return out;
}

std::vector<std::string> atlas_ids() {
  std::vector<std::string> out;
  for (const Technique& technique : kTechniques) {
    out.push_back(fmt::format("AML.T{:04}", technique.number));
    for (int i = 0; i < technique.subtechniques; ++i) {
      out.push_back(fmt::format("AML.T{:04}.{:03}", technique.number, i));
    }
  }
  for (unsigned i = 0; i < kMitigations; ++i) out.push_back(fmt::format("AML.M{:04}", i));
  for (unsigned i = 0; i < kTactics; ++i) out.push_back(fmt::format("AML.TA{:04}", i));
  return out;
}

std::vector<std::string> nist_ids() {
  std::vector<std::string> out;
  for (const Subcategory& subcategory : kSubcategories) {
    out.emplace_back(subcategory.id);
    for (int i = 1; i <= subcategory.actions; ++i) {
      out.push_back(fmt::format("{}-{:03}", subcategory.id, i));
    }
  }
  return out;
}

// Digits only, and a value in [low, high].
bool is_number_in(std::string_view digits, unsigned low, unsigned high) {
  unsigned value = 0;
  const char* const end = digits.data() + digits.size();
  const std::from_chars_result read = std::from_chars(digits.data(), end, value);
  return !digits.empty() && read.ec == std::errc{} && read.ptr == end && value >= low &&
         value <= high;
}

bool is_cwe(std::string_view id) {
  return id.starts_with("CWE-") && id.size() > 4 && id[4] != '0' &&
         is_number_in(id.substr(4), 1, 1500);
}

bool is_attack(std::string_view id) {
  if (!id.starts_with('T') || !is_number_in(id.substr(1, 4), 1001, 1999)) return false;
  if (id.size() == 5) return true;
  return id.size() == 9 && id[5] == '.' && is_number_in(id.substr(6), 1, 999);
}

std::expected<void, std::string> check_listed(std::string_view tag, std::string_view id,
                                              const std::vector<std::string>& ids) {
  if (std::ranges::find(ids, id) != ids.end()) return {};
  // A slip is likeliest in the last part: T0051.003 means another T0051, not T0011.003.
  const std::string_view stem = id.substr(0, id.find_last_of(".-") + 1);
  std::vector<std::string_view> views;
  std::ranges::copy_if(ids, std::back_inserter(views),
                       [&](const std::string& known) { return known.starts_with(stem); });
  if (views.empty()) views.assign(ids.begin(), ids.end());
  const std::string_view near = nearest(id, views);
  const std::string_view shown = tag.substr(0, kTagBytesShown);
  if (near.empty()) return std::unexpected(fmt::format("the tag `{}` does not exist", shown));
  return std::unexpected(fmt::format("the tag `{}` does not exist; the nearest is `{}:{}`", shown,
                                     tag.substr(0, tag.find(':')), near));
}

std::expected<void, std::string> check_owasp(std::string_view tag, std::string_view id) {
  static const std::vector<std::string> kIds = owasp_ids();
  const std::size_t colon = id.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view edition = id.starts_with("LLM") ? "2025" : "2026";
    if (id.substr(colon + 1) != edition) {
      return std::unexpected(fmt::format("the tag `{}` names another edition than {}",
                                         tag.substr(0, kTagBytesShown), edition));
    }
  }
  return check_listed(tag, id.substr(0, colon), kIds);
}

}  // namespace

std::expected<void, std::string> check_tag(std::string_view tag) {
  const std::size_t colon = tag.find(':');
  const std::string_view name = tag.substr(0, colon);
  const std::string_view id = colon == std::string_view::npos ? "" : tag.substr(colon + 1);
  const std::string_view shown = tag.substr(0, kTagBytesShown);
  if (id.empty() || std::ranges::find(kNamespaces, name) == std::end(kNamespaces)) {
    return std::unexpected(
        fmt::format("the tag `{}` is not namespace:id, for example owasp:ASI05; "
                    "namespaces are {}",
                    shown, one_of(kNamespaces)));
  }
  if (name == "owasp") return check_owasp(tag, id);
  if (name == "atlas") {
    static const std::vector<std::string> kIds = atlas_ids();
    return check_listed(tag, id, kIds);
  }
  if (name == "nist") {
    static const std::vector<std::string> kIds = nist_ids();
    return check_listed(tag, id, kIds);
  }
  if (name == "cwe" ? is_cwe(id) : is_attack(id)) return {};
  return std::unexpected(
      fmt::format("the tag `{}` has the wrong form; write {}", shown,
                  name == "cwe" ? "cwe:CWE-89" : "attack:T1059 or attack:T1059.004"));
}

std::span<const std::string_view> tag_namespaces() { return kNamespaces; }

}  // namespace tocsin
