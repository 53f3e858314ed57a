// The titles of the ids that rules are tagged with most.
#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "detectors/rules/taxonomy.h"

namespace tocsin {
namespace {

using Title = std::pair<std::string_view, std::string_view>;

// OWASP Top 10 for LLM Applications 2025, OWASP Top 10 for Agentic Applications 2026.
constexpr auto kOwasp = std::to_array<Title>({
    {"owasp:LLM01", "Prompt Injection"},
    {"owasp:LLM02", "Sensitive Information Disclosure"},
    {"owasp:LLM03", "Supply Chain"},
    {"owasp:LLM04", "Data and Model Poisoning"},
    {"owasp:LLM05", "Improper Output Handling"},
    {"owasp:LLM06", "Excessive Agency"},
    {"owasp:LLM07", "System Prompt Leakage"},
    {"owasp:LLM08", "Vector and Embedding Weaknesses"},
    {"owasp:LLM09", "Misinformation"},
    {"owasp:LLM10", "Unbounded Consumption"},
    {"owasp:ASI01", "Agent Goal Hijack"},
    {"owasp:ASI02", "Tool Misuse and Exploitation"},
    {"owasp:ASI03", "Identity and Privilege Abuse"},
    {"owasp:ASI04", "Agentic Supply Chain Vulnerabilities"},
    {"owasp:ASI05", "Unexpected Code Execution (RCE)"},
    {"owasp:ASI06", "Memory & Context Poisoning"},
    {"owasp:ASI07", "Insecure Inter-Agent Communication"},
    {"owasp:ASI08", "Cascading Failures"},
    {"owasp:ASI09", "Human-Agent Trust Exploitation"},
    {"owasp:ASI10", "Rogue Agents"},
});

// MITRE ATLAS, CWE, ATT&CK, NIST AI 600-1 (shortened): those that the shipped packs use.
constexpr auto kOthers = std::to_array<Title>({
    {"atlas:AML.T0010", "AI Supply Chain Compromise"},
    {"atlas:AML.T0011.002", "User Execution: Poisoned AI Agent Tool"},
    {"atlas:AML.T0024", "Exfiltration via AI Inference API"},
    {"atlas:AML.T0025", "Exfiltration via Cyber Means"},
    {"atlas:AML.T0029", "Denial of AI Service"},
    {"atlas:AML.T0034", "Cost Harvesting"},
    {"atlas:AML.T0046", "Spamming AI System with Chaff Data"},
    {"atlas:AML.T0050", "Command and Scripting Interpreter"},
    {"atlas:AML.T0051", "LLM Prompt Injection"},
    {"atlas:AML.T0051.000", "LLM Prompt Injection: Direct"},
    {"atlas:AML.T0051.001", "LLM Prompt Injection: Indirect"},
    {"atlas:AML.T0051.002", "LLM Prompt Injection: Triggered"},
    {"atlas:AML.T0053", "AI Agent Tool Invocation"},
    {"atlas:AML.T0054", "LLM Jailbreak"},
    {"atlas:AML.T0055", "Unsecured Credentials"},
    {"atlas:AML.T0056", "Extract LLM System Prompt"},
    {"atlas:AML.T0057", "LLM Data Leakage"},
    {"atlas:AML.T0061", "LLM Prompt Self-Replication"},
    {"atlas:AML.T0065", "LLM Prompt Crafting"},
    {"atlas:AML.T0067", "LLM Trusted Output Components Manipulation"},
    {"atlas:AML.T0068", "LLM Prompt Obfuscation"},
    {"atlas:AML.T0069", "Discover LLM System Information"},
    {"atlas:AML.T0070", "RAG Poisoning"},
    {"atlas:AML.T0071", "False RAG Entry Injection"},
    {"atlas:AML.T0073", "Impersonation"},
    {"atlas:AML.T0077", "LLM Response Rendering"},
    {"atlas:AML.T0080", "AI Agent Context Poisoning"},
    {"atlas:AML.T0081", "Modify AI Agent Configuration"},
    {"atlas:AML.T0082", "RAG Credential Harvesting"},
    {"atlas:AML.T0083", "Credentials from AI Agent Configuration"},
    {"atlas:AML.T0084", "Discover AI Agent Configuration"},
    {"atlas:AML.T0086", "Exfiltration via AI Agent Tool Invocation"},
    {"atlas:AML.T0090", "OS Credential Dumping"},
    {"atlas:AML.T0092", "Manipulate User LLM Chat History"},
    {"atlas:AML.T0093", "Prompt Infiltration via Public-Facing Application"},
    {"atlas:AML.T0094", "Delay Execution of LLM Instructions"},
    {"atlas:AML.T0098", "AI Agent Tool Credential Harvesting"},
    {"atlas:AML.T0099", "AI Agent Tool Data Poisoning"},
    {"atlas:AML.T0100", "AI Agent Clickbait"},
    {"atlas:AML.T0101", "Data Destruction via AI Agent Tool Invocation"},
    {"atlas:AML.T0102", "Generate Malicious Commands"},
    {"atlas:AML.T0103", "Deploy AI Agent"},
    {"atlas:AML.T0105", "Escape to Host"},
    {"atlas:AML.T0106", "Exploitation for Credential Access"},
    {"atlas:AML.T0108", "AI Agent (command and control)"},
    {"atlas:AML.T0110", "AI Agent Tool Poisoning"},
    {"cwe:CWE-22", "Path Traversal"},
    {"cwe:CWE-78", "OS Command Injection"},
    {"cwe:CWE-89", "SQL Injection"},
    {"cwe:CWE-94", "Code Injection"},
    {"cwe:CWE-200", "Exposure of Sensitive Information to an Unauthorized Actor"},
    {"cwe:CWE-201", "Insertion of Sensitive Information Into Sent Data"},
    {"cwe:CWE-250", "Execution with Unnecessary Privileges"},
    {"cwe:CWE-321", "Use of Hard-coded Cryptographic Key"},
    {"cwe:CWE-359", "Exposure of Private Personal Information to an Unauthorized Actor"},
    {"cwe:CWE-494", "Download of Code Without Integrity Check"},
    {"cwe:CWE-506", "Embedded Malicious Code"},
    {"cwe:CWE-522", "Insufficiently Protected Credentials"},
    {"cwe:CWE-552", "Files or Directories Accessible to External Parties"},
    {"cwe:CWE-732", "Incorrect Permission Assignment for Critical Resource"},
    {"cwe:CWE-778", "Insufficient Logging"},
    {"cwe:CWE-798", "Use of Hard-coded Credentials"},
    {"cwe:CWE-912", "Hidden Functionality"},
    {"cwe:CWE-918", "Server-Side Request Forgery"},
    {"cwe:CWE-1427", "Improper Neutralization of Input Used for LLM Prompting"},
    {"attack:T1059", "Command and Scripting Interpreter"},
    {"attack:T1059.004", "Command and Scripting Interpreter: Unix Shell"},
    {"attack:T1548.001", "Abuse Elevation Control Mechanism: Setuid and Setgid"},
    {"nist:MP-4.1-009", "Detect PII or sensitive data in output"},
    {"nist:MS-2.6-007", "Evaluate circumvention of safety measures"},
    {"nist:MS-2.7-001", "Apply security measures, also to autonomous agents"},
    {"nist:MS-2.7-007", "AI red-teaming, prompt injection among it"},
    {"nist:MS-2.7-009", "Verify that measures remain effective and uncompromised"},
});

}  // namespace

std::string_view canonical_tag(std::string_view tag) {
  // owasp:LLM01:2025 is owasp:LLM01.
  const std::size_t colon = tag.find(':');
  const std::size_t edition = colon == std::string_view::npos ? colon : tag.find(':', colon + 1);
  return tag.substr(0, edition);
}

std::string_view title_of_tag(std::string_view tag) {
  tag = canonical_tag(tag);
  const auto* owasp = std::ranges::find(kOwasp, tag, &Title::first);
  if (owasp != kOwasp.end()) return owasp->second;
  const auto* other = std::ranges::find(kOthers, tag, &Title::first);
  return other == kOthers.end() ? std::string_view{} : other->second;
}

std::vector<std::string_view> owasp_tags() {
  std::vector<std::string_view> tags;
  std::ranges::transform(kOwasp, std::back_inserter(tags), &Title::first);
  return tags;
}

}  // namespace tocsin
