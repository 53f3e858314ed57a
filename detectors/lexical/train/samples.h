// What the heads are trained on: texts of labelled corpora, and those of the grammar.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "detectors/lexical/model.h"

namespace tocsin::lexical::train {

// A text as the features of its words.
struct Encoded {
  std::vector<std::uint32_t> features;  // places in the vocabulary
  std::vector<std::uint32_t> ends;      // of each word's, in `features`
  std::vector<std::uint32_t> fresh;     // of an attack: how many words up to each are of its own

  [[nodiscard]] std::size_t words() const { return ends.size(); }
};

struct Sample {
  Channel channel = Channel::kUserMessage;
  bool attack = false;
  std::string corpus;              // what is left out as one: "deepset_pi"; the grammar is one, too
  std::string group;               // a finer one: an attack's name, a suite
  std::vector<std::string> texts;  // a value each, as the detector sees them
  std::vector<Encoded> encoded;
  std::size_t bytes = 0;
  double weight = 1;
};

// The features of a channel that several texts have; others are not learned from.
struct Vocabulary {
  std::vector<FeatureId> ids;        // ascending
  std::vector<std::uint32_t> texts;  // that have it
};

struct Samples {
  std::vector<Sample> all;
  std::array<Vocabulary, kChannelCount> vocabulary;
};

// Every sample of a folder of corpora (`<name>/events.jsonl.gz`, `labels.jsonl.gz`) and of the
// grammar, in a fixed order, without doubles, weighed so that no corpus dominates a head.
std::expected<Samples, std::string> load_samples(const std::filesystem::path& corpora);

}  // namespace tocsin::lexical::train
