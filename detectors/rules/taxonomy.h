// The tags a rule may carry: which ids exist in the taxonomies that findings are reported by.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin {

// `tag` is namespace:id.  Known namespaces and what is checked:
//   owasp:LLM01 to LLM10 (Top 10 for LLM Applications 2025), ASI01 to ASI10 (Top 10 for Agentic
//     Applications 2026); the edition may follow: LLM01:2025, ASI01:2026
//   atlas:AML.T0051, AML.T0051.001, AML.M0020 and AML.TA0002: those of MITRE ATLAS 2026.09, and the
//     three that it retired in 2026.07 (AML.T0019, AML.T0058, AML.T0104)
//   nist:MS-2.7-001: one of the 212 actions of AI 600-1 (July 2024; the PDF prints GV-4.3-001 as
//   GV4.3--001);
//     nist:MS-2.7: one of the 72 subcategories of AI RMF 1.0
//   cwe:CWE-89: the form, and a number that MITRE has reached (1 to 1500)
//   attack:T1059, T1059.004: the form, and a number in ATT&CK's range (1001 to 1999)
// The error names the tag, what is wrong, and the nearest id that exists.
std::expected<void, std::string> check_tag(std::string_view tag);

// In the order above.
std::span<const std::string_view> tag_namespaces();

// Without the edition: owasp:LLM01:2025 is owasp:LLM01.
std::string_view canonical_tag(std::string_view tag);
// What the id is called; empty where this is not known (the titles of what the shipped packs use
// are).
std::string_view title_of_tag(std::string_view tag);
// The twenty of OWASP, in order: owasp:LLM01 ... owasp:ASI10.
std::vector<std::string_view> owasp_tags();

}  // namespace tocsin
