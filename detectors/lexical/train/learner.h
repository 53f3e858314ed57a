// Regularised logistic regression on the best window of each text.
//
// A text is as suspicious as its most suspicious window, in training as in use: each step looks for
// the window that the weights so far like most and moves the weights on that one.  So honest texts
// teach with what comes nearest to an attack in them, and attacks with what gives them away.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "detectors/lexical/train/samples.h"

namespace tocsin::lexical::train {

struct Weights {
  std::vector<float> of_feature;  // by place in the vocabulary
  double bias = 0;
};

// All of one channel.  The same samples in the same order give the same weights.  Of the features
// of one bucket only the weightiest keeps its weight, as in the file.
Weights learn(std::span<const Sample* const> samples, const Vocabulary& vocabulary);

// Of the best window of all texts, the cost of their length taken off.
double score(const Weights& weights, const Sample& sample);

// Rounded to the steps of a file's int8.
struct Quantised {
  std::vector<unsigned char> table;
  std::int32_t bias = 0;
  double step = 0;  // what 1 stands for
};
Quantised quantise(const Weights& weights, const Vocabulary& vocabulary);

}  // namespace tocsin::lexical::train
