#include "detectors/lexical/train/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "daemon/text.h"

namespace tocsin::lexical::train {
namespace {

constexpr std::size_t kParts = 5;
constexpr std::array<std::size_t, 3> kLengths = {200, 1000, 4000};  // bytes: short, medium, long
constexpr std::size_t kHeaviest = 60;
constexpr double kCorpusTexts = 400;  // beyond this many, a corpus's texts count less

using Selection = std::vector<const Sample*>;

// Trains on those not `left_out` and scores those that are.
template <typename LeftOut>
void score_left_out(std::span<const Sample* const> samples, const Vocabulary& vocabulary,
                    const LeftOut& left_out, Scores& scores) {
  Selection rest;
  std::size_t out = 0;
  for (const Sample* sample : samples) {
    if (left_out(*sample)) {
      ++out;
    } else {
      rest.push_back(sample);
    }
  }
  if (out == 0) return;
  const Weights weights = learn(rest, vocabulary);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (left_out(*samples[i])) scores[i] = score(weights, *samples[i]);
  }
}

std::size_t part_of(const Sample& sample) {
  const bool grouped = sample.attack && !sample.group.empty() && sample.corpus != "grammar";
  const std::uint64_t hash = grouped ? hash64(sample.group) : hash64(sample.texts[0]);
  return hash % kParts;
}

struct Count {
  std::size_t flagged = 0;
  std::size_t texts = 0;
  void add(bool flag) {
    flagged += flag ? 1 : 0;
    ++texts;
  }
};

// Wilson's interval, 95 %.
std::string share(const Count& count) {
  if (count.texts == 0) return "-";
  constexpr double kZ = 1.96;
  const auto n = static_cast<double>(count.texts);
  const double p = static_cast<double>(count.flagged) / n;
  const double middle = (p + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n)) / (1 + kZ * kZ / n);
  return fmt::format("{:.1f} [{:.1f} {:.1f}]", 100 * p, 100 * std::max(0.0, middle - half),
                     100 * std::min(1.0, middle + half));
}

std::string length_of(const Sample& sample) {
  const char* const names[] = {"< 200 B", "< 1 kB", "< 4 kB", ">= 4 kB"};
  std::size_t i = 0;
  while (i < kLengths.size() && sample.bytes >= kLengths[i]) ++i;
  return names[i];
}

void print_rows(std::span<const Sample* const> samples, const Scores& scores,
                const std::vector<double>& thresholds) {
  std::map<std::string, std::vector<Count>> rows;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = *samples[i];
    const std::string kind = sample.attack ? "attack " : "honest ";
    for (const std::string& row :
         {kind + sample.corpus, sample.corpus == "grammar"
                                    ? kind + "grammar " + sample.group
                                    : kind + "length " + length_of(sample)}) {
      auto& counts = rows[row];
      counts.resize(thresholds.size());
      for (std::size_t j = 0; j < thresholds.size(); ++j) {
        counts[j].add(scores[i] >= thresholds[j]);
      }
    }
  }
  for (const auto& [row, counts] : rows) {
    fmt::print("  {:34} {:6}", row, counts[0].texts);
    for (const Count& count : counts) fmt::print(" {:>20}", share(count));
    fmt::print("\n");
  }
}

}  // namespace

Scores without_own_corpus(std::span<const Sample* const> samples, const Vocabulary& vocabulary) {
  Scores scores(samples.size());
  std::set<std::string> corpora;
  for (const Sample* sample : samples) corpora.insert(sample->corpus);
  for (const std::string& corpus : corpora) {
    score_left_out(
        samples, vocabulary, [&](const Sample& s) { return s.corpus == corpus; }, scores);
  }
  return scores;
}

Scores without_own_part(std::span<const Sample* const> samples, const Vocabulary& vocabulary) {
  Scores scores(samples.size());
  for (std::size_t part = 0; part < kParts; ++part) {
    score_left_out(
        samples, vocabulary, [&](const Sample& s) { return part_of(s) == part; }, scores);
  }
  return scores;
}

double threshold_at(std::span<const Sample* const> samples, const Scores& scores, double share) {
  std::map<std::string, double> texts;
  for (const Sample* s : samples) texts[s->corpus] += s->attack ? 0 : 1;
  std::vector<std::pair<double, double>> honest;  // score, weight
  double total = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples[i]->attack || samples[i]->corpus == "grammar") continue;
    const double weight = std::min(1.0, kCorpusTexts / texts[samples[i]->corpus]);
    honest.emplace_back(scores[i], weight);
    total += weight;
  }
  std::ranges::sort(honest, std::greater<>());
  double flagged = 0;
  for (const auto& [value, weight] : honest) {
    flagged += weight;
    if (flagged > share * total) return value + 1e-9;
  }
  return 0;
}

void print_report(const std::string& title, std::span<const Sample* const> samples,
                  const Scores& scores, const std::vector<double>& thresholds) {
  fmt::print("\n{}\n  {:34} {:>6}", title, "% flagged [95 % interval]", "texts");
  for (const double share : kReportShares) fmt::print(" {:>19}%", share * 100);
  fmt::print(" {:>20}\n  {:41}", "as shipped", "score");
  for (const double threshold : thresholds) fmt::print(" {:20.2f}", threshold);
  fmt::print("\n");
  print_rows(samples, scores, thresholds);
}

void print_left_out_groups(std::span<const Sample* const> samples, const Vocabulary& vocabulary,
                           double chosen) {
  // "suite/attack/task"
  const auto piece = [](const Sample& s, std::size_t n) {
    std::size_t begin = 0;
    for (; n > 0; --n) {
      const std::size_t slash = s.group.find('/', begin);
      if (slash == std::string::npos) return std::string();
      begin = slash + 1;
    }
    return s.group.substr(begin, s.group.find('/', begin) - begin);
  };
  fmt::print("\nagentdojo, one suite or one attack left out: % found at the shipped threshold\n");
  for (const std::size_t n : {0U, 1U}) {
    std::set<std::string> names;
    for (const Sample* s : samples) {
      if (s->corpus == "agentdojo" && s->attack) names.insert(piece(*s, n));
    }
    for (const std::string& name : names) {
      Scores scores(samples.size());
      const auto left_out = [&](const Sample& s) {
        return s.corpus == "agentdojo" && piece(s, n) == name && (s.attack || n == 0);
      };
      score_left_out(samples, vocabulary, left_out, scores);
      Count attacks;
      Count honest;
      for (std::size_t i = 0; i < samples.size(); ++i) {
        if (left_out(*samples[i])) {
          (samples[i]->attack ? attacks : honest).add(scores[i] >= chosen);
        }
      }
      fmt::print("  {:34} attacks {:>20}  honest {:>20}\n", name, share(attacks), share(honest));
    }
  }
}

void print_heaviest(const Weights& weights, const Vocabulary& vocabulary,
                    std::span<const Sample* const> samples) {
  std::vector<std::size_t> order(weights.of_feature.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](std::size_t i) { return weights.of_feature[i]; });
  order.resize(std::min(order.size(), kHeaviest));
  struct Row {
    std::map<std::string, std::set<const Sample*>> texts;
    std::map<std::string, std::size_t> grams;
  };
  std::map<FeatureId, Row> rows;
  for (const std::size_t place : order) rows[vocabulary.ids[place]];
  for (const Sample* sample : samples) {
    if (!sample->attack) continue;
    for (const std::string& text : sample->texts) {
      Features features(kWindowWords[static_cast<std::size_t>(sample->channel)]);
      WordReader reader(text);
      Word word;
      std::array<std::uint32_t, 2> begins{};
      while (reader.next(word)) {
        const std::string gram = text.substr(begins[0], word.end - begins[0]);
        features.add(word, [&](FeatureId id) {
          const auto row = rows.find(id);
          if (row == rows.end()) return;
          row->second.texts[sample->corpus].insert(sample);
          ++row->second.grams[gram];
        });
        begins = {begins[1], word.begin};
      }
    }
  }
  fmt::print("\nthe heaviest features towards an attack, their most frequent endings\n");
  for (const std::size_t place : order) {
    const Row& row = rows[vocabulary.ids[place]];
    fmt::print("  {:5.2f}", weights.of_feature[place]);
    for (const auto& [corpus, texts] : row.texts) fmt::print(" {} {}", corpus, texts.size());
    std::vector<std::pair<std::size_t, std::string>> grams;
    for (const auto& [gram, count] : row.grams) grams.emplace_back(count, gram);
    std::ranges::stable_sort(grams, std::greater<>(), [](const auto& g) { return g.first; });
    for (std::size_t i = 0; i < std::min<std::size_t>(3, grams.size()); ++i) {
      fmt::print(" | {}", printable(grams[i].second, 48));
    }
    fmt::print("\n");
  }
}

}  // namespace tocsin::lexical::train
