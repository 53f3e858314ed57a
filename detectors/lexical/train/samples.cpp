#include "detectors/lexical/train/samples.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "daemon/text.h"
#include "detectors/lexical/train/corpora.h"
#include "detectors/lexical/train/grammar.h"

namespace tocsin::lexical::train {
namespace {

constexpr std::uint64_t kGrammarSeed = 20'260'105;
constexpr std::size_t kSameGroupMax = 6;  // attacks of one group of a corpus of agent runs
constexpr std::size_t kCodeParts = 12;
constexpr std::size_t kPastedDocuments = 400;  // clean results that a user pastes
constexpr double kCorpusShare = 400;    // texts of a corpus that count in full; more count less
constexpr std::uint32_t kTextsMin = 3;  // that have a feature, or it is not learned from
constexpr std::size_t kRunWords = 4;    // words in a row that make a text a copy of a clean one

std::string filled(std::string frame, const std::string& text) {
  const std::size_t at = frame.find('%');
  return at == std::string::npos ? text : frame.replace(at, 1, text);
}

// The text in what results look like: mail, JSON, YAML, a page, a comment.
std::string wrapped(const std::string& text, bool attack, Random& random) {
  static const std::vector<std::string> frames = [] {
    std::vector<std::string> names;
    for (const auto& [name, alternatives] : phrases().rules()) {
      if (name.starts_with("wrap_")) names.push_back(name);
    }
    return names;
  }();
  std::string inner = text;
  if (attack) {
    // What the attacker wrote stands alone, behind, before or between ordinary words.
    const std::size_t place = random.below(5);
    if (place == 1 || place == 3) inner = phrases().expand("short_filler", random) + " " + inner;
    if (place == 2 || place == 3) inner += " " + phrases().expand("short_filler", random);
  }
  if (random.below(4) == 0) return inner;
  return filled(phrases().expand(frames[random.below(frames.size())], random), inner);
}

void add_grammar(std::vector<Sample>& out) {
  for (const Family& family : families()) {
    Random random(kGrammarSeed ^ hash64(family.rule));
    for (std::size_t i = 0; i < family.texts; ++i) {
      Sample sample{.channel = family.channel, .attack = family.attack, .corpus = "grammar"};
      sample.group = family.rule;
      std::string text = phrases().expand(family.rule, random);
      if (family.channel == Channel::kToolResult) text = wrapped(text, family.attack, random);
      sample.texts = {std::move(text)};
      out.push_back(std::move(sample));
    }
  }
}

// What tools were called with, a dozen together: files of commands and code, to be read or pasted.
void join_code(std::vector<Sample>& samples) {
  std::vector<Sample> made;
  std::size_t parts = 0;
  for (const Sample& sample : samples) {
    if (sample.group != kCodeGroup) continue;
    if (made.empty() || parts == kCodeParts || made.back().corpus != sample.corpus) {
      made.push_back(sample);
      parts = 1;
    } else {
      made.back().texts[0] += sample.texts[0];
      ++parts;
    }
  }
  std::erase_if(samples, [](const Sample& sample) { return sample.group == kCodeGroup; });
  for (Sample& sample : made) {
    samples.push_back(sample);
    sample.channel = Channel::kToolResult;
    samples.push_back(std::move(sample));
  }
}

// Clean results as what a user asks to be summarised: long texts in a chat are mostly that.
void add_pasted(std::vector<Sample>& out) {
  Random random(kGrammarSeed);
  std::vector<Sample> made;
  std::set<std::uint64_t> seen;
  for (const Sample& sample : out) {
    if (sample.attack || sample.channel != Channel::kToolResult || sample.texts.empty()) continue;
    if (sample.corpus == "grammar" || sample.texts[0].size() < 400) continue;
    if (!seen.insert(hash64(sample.texts[0])).second) continue;
    Sample pasted{.channel = Channel::kUserMessage, .corpus = sample.corpus, .group = "pasted"};
    pasted.texts = {phrases().expand("paste_ask", random) + "\n" + sample.texts[0]};
    made.push_back(std::move(pasted));
  }
  const std::size_t step = std::max<std::size_t>(1, made.size() / kPastedDocuments);
  for (std::size_t i = 0; i < made.size(); i += step) out.push_back(std::move(made[i]));
}

// Agents run again and again over the same pages: a text counts once, and so does an attack whose
// surroundings alone differ, up to a few.
void drop_doubles(std::vector<Sample>& samples) {
  std::set<std::tuple<Channel, bool, std::uint64_t>> seen;
  std::map<std::pair<std::string, std::string>, std::size_t> of_group;
  std::erase_if(samples, [&](const Sample& sample) {
    std::uint64_t hash = 0;
    std::size_t bytes = 0;
    for (const std::string& text : sample.texts) {
      hash = hash64(text, hash);
      bytes += text.size();
    }
    if (bytes == 0 || !seen.insert({sample.channel, sample.attack, hash}).second) return true;
    if (!sample.attack || sample.corpus != "agentdojo") return false;
    return ++of_group[{sample.corpus, sample.group}] > kSameGroupMax;
  });
}

// Runs of words of clean results, by corpus.
using Runs = std::map<std::string, std::set<std::uint64_t>, std::less<>>;

template <typename Each>
void for_each_run(const std::string& text, const Each& each) {
  WordReader reader(text);
  Word word;
  std::uint64_t before[kRunWords] = {};
  for (std::size_t i = 0; reader.next(word); ++i) {
    before[i % kRunWords] = word.hash;
    std::uint64_t run = 0;
    for (std::size_t j = 0; j < kRunWords; ++j) {
      run = hash64({reinterpret_cast<const char*>(&before[(i + 1 + j) % kRunWords]), 8}, run);
    }
    each(run);
  }
}

Runs clean_runs(const std::vector<Sample>& samples) {
  Runs runs;
  for (const Sample& sample : samples) {
    if (sample.attack || sample.channel != Channel::kToolResult || sample.corpus == "grammar") {
      continue;
    }
    auto& known = runs[sample.corpus];
    for (const std::string& text : sample.texts) {
      for_each_run(text, [&](std::uint64_t run) { known.insert(run); });
    }
  }
  return runs;
}

Encoded encode(const std::string& text, Channel channel) {
  Encoded out;
  Features features(kWindowWords[static_cast<std::size_t>(channel)]);
  WordReader reader(text);
  Word word;
  while (reader.next(word)) {
    features.add(word, [&](FeatureId id) { out.features.push_back(id); });
    out.ends.push_back(static_cast<std::uint32_t>(out.features.size()));
  }
  return out;
}

void encode_all(std::vector<Sample>& samples) {
  const Runs runs = clean_runs(samples);
  for (Sample& sample : samples) {
    const auto known = runs.find(sample.corpus);
    for (const std::string& text : sample.texts) {
      sample.bytes += text.size();
      Encoded& encoded = sample.encoded.emplace_back(encode(text, sample.channel));
      if (!sample.attack || sample.channel != Channel::kToolResult || known == runs.end()) continue;
      std::uint32_t fresh = 0;
      for_each_run(text, [&](std::uint64_t run) {
        fresh += known->second.contains(run) ? 0 : 1;
        encoded.fresh.push_back(fresh);
      });
    }
    std::erase_if(sample.encoded, [](const Encoded& e) { return e.words() == 0; });
  }
  std::erase_if(samples, [](const Sample& sample) { return sample.encoded.empty(); });
}

Vocabulary learn_vocabulary(const std::vector<Sample>& samples, Channel channel) {
  std::unordered_map<FeatureId, std::uint32_t> texts;
  for (const Sample& sample : samples) {
    if (sample.channel != channel) continue;
    std::set<FeatureId> own;
    for (const Encoded& text : sample.encoded)
      own.insert(text.features.begin(), text.features.end());
    for (const FeatureId id : own) ++texts[id];
  }
  Vocabulary out;
  for (const auto& [id, count] : texts) {
    if (count >= kTextsMin) out.ids.push_back(id);
  }
  std::ranges::sort(out.ids);
  for (const FeatureId id : out.ids) out.texts.push_back(texts[id]);
  return out;
}

// Features become their places in the vocabulary; those without one go.
void keep_known(Encoded& text, const std::unordered_map<FeatureId, std::uint32_t>& places) {
  std::size_t from = 0;
  std::vector<std::uint32_t> kept;
  for (std::uint32_t& end : text.ends) {
    for (; from < end; ++from) {
      if (const auto found = places.find(text.features[from]); found != places.end()) {
        kept.push_back(found->second);
      }
    }
    end = static_cast<std::uint32_t>(kept.size());
  }
  text.features = std::move(kept);
}

void apply_vocabulary(std::vector<Sample>& samples, Channel channel, const Vocabulary& known) {
  std::unordered_map<FeatureId, std::uint32_t> places;
  for (std::size_t i = 0; i < known.ids.size(); ++i) {
    places[known.ids[i]] = static_cast<std::uint32_t>(i);
  }
  for (Sample& sample : samples) {
    if (sample.channel != channel) continue;
    for (Encoded& text : sample.encoded) keep_known(text, places);
  }
}

void weigh(std::vector<Sample>& samples) {
  std::map<std::tuple<Channel, bool, std::string>, double> count;
  for (const Sample& s : samples) ++count[{s.channel, s.attack, s.corpus}];
  for (Sample& s : samples) {
    const double texts = count[{s.channel, s.attack, s.corpus}];
    if (s.corpus != "grammar") s.weight = std::min(1.0, std::sqrt(kCorpusShare / texts));
  }
}

}  // namespace

std::expected<Samples, std::string> load_samples(const std::filesystem::path& corpora) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(corpora)) {
    if (std::filesystem::exists(entry.path() / "labels.jsonl.gz")) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  if (folders.empty()) return std::unexpected("no corpora in " + corpora.string());
  Samples out;
  std::vector<Sample>& samples = out.all;
  for (const auto& folder : folders) {
    if (auto read = read_corpus(folder, samples); !read) return std::unexpected(read.error());
  }
  join_code(samples);
  add_pasted(samples);
  add_grammar(samples);
  drop_doubles(samples);
  encode_all(samples);
  for (const Channel channel : {Channel::kUserMessage, Channel::kToolResult}) {
    Vocabulary& vocabulary = out.vocabulary[static_cast<std::size_t>(channel)];
    vocabulary = learn_vocabulary(samples, channel);
    apply_vocabulary(samples, channel, vocabulary);
  }
  weigh(samples);
  return out;
}

}  // namespace tocsin::lexical::train
