// tocsin_train: labelled corpora in, detectors/lexical/model.bin out.  The same corpora give the
// same bytes.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "detectors/lexical/train/evaluate.h"
#include "detectors/lexical/train/samples.h"

namespace tocsin::lexical::train {
namespace {

// How much honest text that it was not trained on a head may flag: a ticket each.  Users write one
// text a session and some mean to sound like attackers; an agent reads many results a session.
constexpr std::array<double, kChannelCount> kHonestShares = {0.003, 0.0005};
constexpr std::array<const char*, kChannelCount> kNames = {"user message", "tool result"};

struct Options {
  std::string corpora;
  std::string out;
  bool cross_validate = false;
  bool explain = false;
};

struct Trained {
  Quantised weights;
  std::int32_t threshold = 0;
};

void print_reports(const Options& options, const std::string& name,
                   const std::vector<const Sample*>& samples, const Vocabulary& vocabulary,
                   const Weights& weights, const Scores& parts, double chosen) {
  if (options.cross_validate) {
    std::vector<double> thresholds;
    for (const double share : kReportShares) {
      thresholds.push_back(threshold_at(samples, parts, share));
    }
    thresholds.push_back(chosen);
    print_report(name + ": each corpus left out in turn (kinds never seen)", samples,
                 without_own_corpus(samples, vocabulary), thresholds);
    print_report(name + ": in five parts (known kinds, new texts)", samples, parts, thresholds);
    Scores plain;
    for (const Sample* sample : samples) plain.push_back(score(weights, *sample));
    print_report(name + ": trained on the very texts (flattering)", samples, plain, thresholds);
    if (samples.front()->channel == Channel::kToolResult)
      print_left_out_groups(samples, vocabulary, chosen);
  }
  if (options.explain) print_heaviest(weights, vocabulary, samples);
}

Trained train_head(const Options& options, Channel channel, const Samples& loaded) {
  std::vector<const Sample*> samples;
  for (const Sample& sample : loaded.all) {
    if (sample.channel == channel) samples.push_back(&sample);
  }
  const auto index = static_cast<std::size_t>(channel);
  const Vocabulary& vocabulary = loaded.vocabulary[index];
  const Scores parts = without_own_part(samples, vocabulary);
  const double chosen = threshold_at(samples, parts, kHonestShares[index]);
  const Weights weights = learn(samples, vocabulary);
  Trained trained{.weights = quantise(weights, vocabulary)};
  trained.threshold = static_cast<std::int32_t>(std::lround(chosen / trained.weights.step));
  fmt::print("{}: {} texts, {} features, threshold {:.2f}, bias {:.2f}\n", kNames[index],
             samples.size(), vocabulary.ids.size(), chosen, weights.bias);
  print_reports(options, kNames[index], samples, vocabulary, weights, parts, chosen);
  return trained;
}

int run(const Options& options) {
  const auto samples = load_samples(options.corpora);
  if (!samples) {
    fmt::print(stderr, "tocsin_train: {}\n", samples.error());
    return 2;
  }
  std::array<Trained, kChannelCount> trained;
  std::array<Head, kChannelCount> heads;
  for (std::size_t i = 0; i < kChannelCount; ++i) {
    trained[i] = train_head(options, static_cast<Channel>(i), *samples);
    heads[i] = {.window = kWindowWords[i],
                .bias = trained[i].weights.bias,
                .threshold = trained[i].threshold,
                .table = trained[i].weights.table};
  }
  if (options.out.empty()) return 0;
  const std::vector<unsigned char> bytes = serialise(heads);
  std::ofstream file(options.out, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) {
    fmt::print(stderr, "tocsin_train: cannot write {}\n", options.out);
    return 1;
  }
  fmt::print("{}: {} bytes\n", options.out, bytes.size());
  return 0;
}

}  // namespace
}  // namespace tocsin::lexical::train

int main(int argc, char** argv) {
  tocsin::lexical::train::Options options;
  CLI::App app("Trains the lexical models of tocsin");
  app.add_option("corpora", options.corpora, "folder of corpora")
      ->required()
      ->check(CLI::ExistingDirectory);
  app.add_option("--out", options.out, "the model file to write");
  app.add_flag("--cross-validate", options.cross_validate, "print what held-out text shows");
  app.add_flag("--explain", options.explain, "print the heaviest features");
  CLI11_PARSE(app, argc, argv);
  return tocsin::lexical::train::run(options);
}
