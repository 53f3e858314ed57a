// What a head finds of texts it was not trained on, and which n-grams it goes by.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "detectors/lexical/train/learner.h"
#include "detectors/lexical/train/samples.h"

namespace tocsin::lexical::train {

// One held-out score a sample, in the order of `samples`.
using Scores = std::vector<double>;

// Each corpus scored by a model that was trained without it.  The grammar is always trained on.
Scores without_own_corpus(std::span<const Sample* const> samples, const Vocabulary& vocabulary);
// In five parts, texts of one group of an attack's in the same: for texts of a known kind.
Scores without_own_part(std::span<const Sample* const> samples, const Vocabulary& vocabulary);

// The score that `share` of the honest texts reach, every corpus counting the same up to
// its number of texts.
double threshold_at(std::span<const Sample* const> samples, const Scores& scores, double share);

// The shares of honest text flagged that are reported on.
inline constexpr std::array<double, 3> kReportShares = {0.001, 0.005, 0.01};

// Prints what is found and what honest text is flagged by corpus and by length, at the thresholds
// of kReportShares and at the chosen one, which comes last.
void print_report(const std::string& title, std::span<const Sample* const> samples,
                  const Scores& scores, const std::vector<double>& thresholds);

// Leaves out attacks and suites of agent runs one by one.
void print_left_out_groups(std::span<const Sample* const> samples, const Vocabulary& vocabulary,
                           double chosen);

// The heaviest features, an n-gram for each, and the texts of each corpus that have it.
void print_heaviest(const Weights& weights, const Vocabulary& vocabulary,
                    std::span<const Sample* const> samples);

}  // namespace tocsin::lexical::train
