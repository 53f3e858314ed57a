#include "detectors/lexical/train/learner.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "daemon/check.h"
#include "detectors/lexical/train/grammar.h"

namespace tocsin::lexical::train {
namespace {

constexpr int kEpochs = 14;
constexpr int kBlindEpochs = 2;  // any window, before the weights mean something
constexpr double kRate = 0.12;
constexpr double kDecay = 2e-4;  // of the weights touched, a step
constexpr double kWeightMax = 1.2;
constexpr double kLonelyMax = 0.3;      // of a weight towards an attack that one corpus alone knows
constexpr std::size_t kKnownTexts = 3;  // texts that make a corpus know a feature
constexpr double kAttackWeight = 1.5;
constexpr double kStep = kWeightMax / 127;
constexpr std::uint64_t kSeed = 7;

// The exponential of the C library may differ by machine in the last bit; this one does not.
double exponential(double x) {
  constexpr double kLn2 = 0.693147180559945309;
  x = std::clamp(x, -40.0, 40.0);
  const double power = std::floor(x / kLn2 + 0.5);
  const double rest = x - power * kLn2;
  double term = 1;
  double sum = 1;
  for (int i = 1; i <= 14; ++i) {
    term *= rest / i;
    sum += term;
  }
  return std::ldexp(sum, static_cast<int>(power));
}

double logistic(double x) { return 1 / (1 + exponential(-x)); }

struct Place {
  const Encoded* text = nullptr;
  std::size_t begin = 0;  // words
  std::size_t end = 0;
  double score = 0;
};

// Which windows may be chosen.
struct Choice {
  Random* random = nullptr;  // not null: every other window, by chance
  bool blind = false;        // any of them, whatever it scores
  bool fresh = false;        // those that hold the attacker's words
};

std::uint32_t fresh_words(const Encoded& text, std::size_t begin, std::size_t end) {
  return text.fresh[end - 1] - (begin == 0 ? 0 : text.fresh[begin - 1]);
}

std::uint32_t most_fresh(const Encoded& text, std::size_t window) {
  std::uint32_t most = 0;
  for (std::size_t end = 1; end <= text.words(); ++end) {
    most = std::max(most, fresh_words(text, end < window ? 0 : end - window, end));
  }
  return most;
}

class Chooser {
 public:
  Place best(const Weights& weights, std::span<const Encoded> texts, std::size_t window,
             const Choice& choice) {
    Place best;
    for (const Encoded& text : texts) {
      sum_up(weights, text);
      const bool by_fresh = choice.fresh && text.fresh.size() == text.words();
      const std::uint32_t fresh_min = by_fresh ? (most_fresh(text, window) + 1) / 2 : 0;
      for (std::size_t end = 1; end <= text.words(); ++end) {
        const std::size_t begin = end < window ? 0 : end - window;
        if (by_fresh && fresh_words(text, begin, end) < fresh_min) continue;
        // Chance must not leave nothing.
        if (choice.random != nullptr && best.text != nullptr && choice.random->below(2) == 0) {
          continue;
        }
        double value = weights.bias + sums_[end] - sums_[begin];
        if (choice.blind) value = static_cast<double>(choice.random->next() >> 12U);
        if (best.text == nullptr || value > best.score) best = {&text, begin, end, value};
      }
    }
    if (choice.blind && best.text != nullptr) best.score = value_of(weights, best);
    return best;
  }

 private:
  void sum_up(const Weights& weights, const Encoded& text) {
    sums_.resize(text.words() + 1);
    sums_[0] = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < text.words(); ++i) {
      double sum = sums_[i];
      for (; at < text.ends[i]; ++at) sum += weights.of_feature[text.features[at]];
      sums_[i + 1] = sum;
    }
  }

  static double value_of(const Weights& weights, const Place& place) {
    double value = weights.bias;
    const std::size_t from = place.begin == 0 ? 0 : place.text->ends[place.begin - 1];
    for (std::size_t i = from; i < place.text->ends[place.end - 1]; ++i) {
      value += weights.of_feature[place.text->features[i]];
    }
    return value;
  }

  std::vector<double> sums_;
};

// How far each weight may go towards an attack: what one corpus alone knows may be its habit.
std::vector<float> limits(std::span<const Sample* const> samples, std::size_t features) {
  std::map<std::string, std::vector<std::uint32_t>> texts;
  for (const Sample* sample : samples) {
    if (!sample->attack) continue;
    auto& counts = texts[sample->corpus];
    counts.resize(features);
    std::set<std::uint32_t> own;
    for (const Encoded& text : sample->encoded)
      own.insert(text.features.begin(), text.features.end());
    for (const std::uint32_t feature : own) ++counts[feature];
  }
  std::vector<float> out(features, static_cast<float>(kLonelyMax));
  for (std::size_t feature = 0; feature < features; ++feature) {
    const auto known = std::ranges::count_if(
        texts, [&](const auto& corpus) { return corpus.second[feature] >= kKnownTexts; });
    if (known > 1) out[feature] = static_cast<float>(kWeightMax);
  }
  return out;
}

// A bucket holds one feature: the one whose weight is in most texts.
void keep_weightiest(Weights& weights, const Vocabulary& vocabulary) {
  const auto worth = [&](std::size_t i) {
    return std::abs(weights.of_feature[i]) * std::sqrt(static_cast<double>(vocabulary.texts[i]));
  };
  // The ids ascend, so those of one bucket stand together.
  for (std::size_t i = 0, best = 0; i < vocabulary.ids.size(); ++i) {
    if (i == 0 || bucket_of(vocabulary.ids[i]) != bucket_of(vocabulary.ids[best])) {
      best = i;
      continue;
    }
    const std::size_t loser = worth(i) > worth(best) ? best : i;
    weights.of_feature[loser] = 0;
    if (loser == best) best = i;
  }
}

class Learner {
 public:
  Learner(std::span<const Sample* const> samples, std::size_t features)
      : samples_(samples.begin(), samples.end()), limits_(limits(samples, features)) {
    weights_.of_feature.assign(features, 0);
    squares_.assign(features, 0);
  }

  Weights run() {
    for (int epoch = 0; epoch < kEpochs; ++epoch) {
      shuffle();
      const double rate = kRate * (1 - 0.9 * epoch / kEpochs);
      for (const Sample* sample : samples_) step(*sample, epoch < kBlindEpochs, rate);
    }
    return std::move(weights_);
  }

 private:
  void shuffle() {
    for (std::size_t i = samples_.size(); i > 1; --i) {
      std::swap(samples_[i - 1], samples_[random_.below(i)]);
    }
  }

  void step(const Sample& sample, bool blind, double rate) {
    const Choice choice = {.random = blind || sample.attack ? &random_ : nullptr,
                           .blind = blind,
                           .fresh = sample.attack};
    const std::size_t window = kWindowWords[static_cast<std::size_t>(sample.channel)];
    const Place place = chooser_.best(weights_, sample.encoded, window, choice);
    if (place.text == nullptr) return;
    const double target = sample.attack ? 1 : 0;
    const double weight = sample.weight * (sample.attack ? kAttackWeight : 1);
    const double gradient = (logistic(place.score) - target) * weight;
    const std::size_t from = place.begin == 0 ? 0 : place.text->ends[place.begin - 1];
    for (std::size_t i = from; i < place.text->ends[place.end - 1]; ++i) {
      move(place.text->features[i], gradient, rate);
    }
    bias_squares_ += gradient * gradient;
    weights_.bias -= rate * gradient / std::sqrt(1 + bias_squares_);
  }

  void move(std::uint32_t feature, double gradient, double rate) {
    squares_[feature] += gradient * gradient;
    double weight = weights_.of_feature[feature];
    weight -= rate * (gradient / std::sqrt(1 + squares_[feature]) + kDecay * weight);
    weight = std::clamp(weight, -kWeightMax, static_cast<double>(limits_[feature]));
    weights_.of_feature[feature] = static_cast<float>(weight);
  }

  std::vector<const Sample*> samples_;
  std::vector<float> limits_;
  std::vector<double> squares_;
  double bias_squares_ = 0;
  Weights weights_;
  Chooser chooser_;
  Random random_{kSeed};
};

}  // namespace

Weights learn(std::span<const Sample* const> samples, const Vocabulary& vocabulary) {
  Weights weights = Learner(samples, vocabulary.ids.size()).run();
  keep_weightiest(weights, vocabulary);
  return weights;
}

double score(const Weights& weights, const Sample& sample) {
  const std::uint32_t window = kWindowWords[static_cast<std::size_t>(sample.channel)];
  Chooser chooser;
  double best = 0;
  for (const Encoded& text : sample.encoded) {
    const double value = chooser.best(weights, std::span(&text, 1), window, {}).score -
                         kStep * length_cost(text.words(), window);
    if (&text == sample.encoded.data() || value > best) best = value;
  }
  return best;
}

Quantised quantise(const Weights& weights, const Vocabulary& vocabulary) {
  Quantised out;
  out.step = kStep;
  out.table.resize(2 * kBuckets);
  for (std::size_t i = 0; i < weights.of_feature.size(); ++i) {
    const auto weight = static_cast<std::int8_t>(std::lround(weights.of_feature[i] / kStep));
    if (weight == 0) continue;
    unsigned char* entry = out.table.data() + 2 * bucket_of(vocabulary.ids[i]);
    entry[0] = static_cast<unsigned char>(weight);
    entry[1] = tag_of(vocabulary.ids[i]);
  }
  out.bias = static_cast<std::int32_t>(std::lround(weights.bias / kStep));
  return out;
}

}  // namespace tocsin::lexical::train
