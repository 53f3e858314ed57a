// The patterns that come with tocsin, on what their own examples hold, wherever that stands.
//
// Hyperscan reads 64 bytes at a time, and Vectorscan 5.4.9 finds at one offset what it misses at
// another.
#include <re2/stringpiece.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/policy.h"
#include "daemon/yaml/document.h"
#include "detectors/matcher/first_stage.h"
#include "tests/unit/catch.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

void collect(const yaml::Node& node, std::vector<std::string>& out) {
  if (node.kind == yaml::Node::Kind::kScalar) out.push_back(node.scalar);
  for (const yaml::Node& item : node.items) collect(item, out);
  for (const yaml::Entry& entry : node.entries) collect(entry.value, out);
}

// Whatever stands under `match` and `no_match`.
std::vector<std::string> example_texts() {
  std::vector<std::string> texts;
  Diagnostics diagnostics;
  for (const fs::path& file : policy_files({shipped_rules() / "packs"})) {
    const auto document = yaml::load(file, diagnostics);
    REQUIRE(document.has_value());
    const yaml::Node* rules = document->root->find("rules");
    if (rules == nullptr) continue;
    for (const yaml::Node& rule : rules->items) {
      for (const char* key : {"match", "no_match"}) {
        if (const yaml::Node* examples = rule.find(key)) collect(*examples, texts);
      }
    }
  }
  return texts;
}

bool finds(const re2::RE2& regex, const std::string& text) {
  return regex.Match(re2::StringPiece(text.data(), text.size()), 0, text.size(),
                     re2::RE2::UNANCHORED, nullptr, 0);
}

TEST_CASE("no shipped pattern is missed, wherever it stands") {
  Diagnostics diagnostics;
  const auto policy = Policy::load({.packs = {shipped_rules() / "packs"}}, diagnostics);
  REQUIRE(policy != nullptr);
  const PatternTable& table = policy->rules().patterns();
  std::vector<matcher::Pattern> patterns;
  std::vector<PatternId> ids;
  for (PatternId id = 0; id < table.size(); ++id) {
    if (table.kind(id) != PatternTable::Kind::kRegex || !table.scanned(id)) continue;
    patterns.push_back({.text = std::string(table.text(id))});
    ids.push_back(id);
  }
  const auto stage = matcher::FirstStage::compile(patterns, {}, 0);
  REQUIRE(stage.has_value());
  REQUIRE((*stage)->stats().always == 0);  // or nothing could be missed
  matcher::FirstStage::Scratch scratch;
  std::vector<std::uint32_t> candidates;
  std::size_t found = 0;
  for (const std::string& example : example_texts()) {
    for (const std::size_t padding : {0U, 1U, 15U, 33U, 62U, 130U}) {
      // A line of words before it keeps what begins a line there.
      const std::string value = std::string(padding, 'x') + (padding == 0 ? "" : "\n") + example +
                                "\n" + std::string(padding, ' ');
      candidates.clear();
      (*stage)->scan("\n" + value + "\n", 2, 1, scratch, candidates);
      std::ranges::sort(candidates);
      for (std::uint32_t i = 0; i < ids.size(); ++i) {
        if (std::ranges::binary_search(candidates, i)) continue;
        CAPTURE(patterns[i].text, value);
        REQUIRE_FALSE(finds(table.compiled(ids[i]), value));
      }
      found += candidates.size();
    }
  }
  CHECK(found > 1000);
}

}  // namespace
}  // namespace tocsin
