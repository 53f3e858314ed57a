// The frameworks that a tag may name, and which of their ids exist.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace tocsin {

// Tags are `namespace:id`:
//   owasp:LLM01 .. LLM10 (Top 10 for LLM Applications 2025), owasp:ASI01 .. ASI10 (Agentic
//     Applications 2026); `LLM01:2025` and `ASI01:2026` likewise
//   atlas:AML.T0051.001, atlas:AML.M0020 (MITRE ATLAS 5.6.0: the ids that concern agents)
//   nist:MS-2.7-001 (AI 600-1, July 2024: the form and the subcategory), nist:MS-2.7 (AI RMF 1.0)
//   cwe:CWE-78, attack:T1059.004: the form
// The error names what is wrong and the nearest id there is.
std::expected<void, std::string> check_tag(std::string_view tag);

}  // namespace tocsin
