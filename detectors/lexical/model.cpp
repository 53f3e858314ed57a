#include "detectors/lexical/model.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "daemon/check.h"
#include "daemon/invisible.h"
#include "daemon/text.h"
#include "detectors/lexical/word_hash.h"

namespace tocsin::lexical {
namespace {

constexpr std::string_view kMagic = "tocsin lexical model 2\n";
constexpr std::size_t kHeadBytes = 2 * sizeof(std::int32_t) + 2 * kBuckets;
constexpr std::size_t kFileBytes =
    kMagic.size() + sizeof(std::uint64_t) + kChannelCount * kHeadBytes;
static_assert(kFileBytes <= Model::kFileBytesMax);

std::uint64_t read_number(std::span<const unsigned char> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = (value << 8U) | bytes[i];
  return value;
}

std::int32_t read_int32(std::span<const unsigned char> bytes) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(read_number(bytes.first(4))));
}

void append_number(std::vector<unsigned char>& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    out.push_back(static_cast<unsigned char>(value >> (8 * i)));
  }
}

std::int32_t weigh(const Head& head, Features& features, const Word& word) {
  std::int32_t weight = 0;
  features.add(word, [&](FeatureId id) { weight += head.weight(id); });
  return weight;
}

}  // namespace

std::int32_t length_cost(std::size_t words, std::uint32_t window) {
  const std::size_t windows = std::max<std::size_t>(1, words / window);
  return kLengthStep * (static_cast<std::int32_t>(std::bit_width(windows)) - 1);
}

// Scans text[from, to) and keeps the best window in `best`; how many words it has.
std::uint32_t Scanner::scan(std::string_view text, std::size_t from, std::size_t to, Window& best) {
  const Head head = head_;  // a copy, of which is known that nothing else writes to it
  features_.restart();
  WordReader reader(text.substr(from, to - from));
  Word word;
  std::int32_t sum = head.bias;
  std::uint32_t words = 0;
  std::uint32_t at = 0;  // words % window
  while (reader.next(word)) {
    Entry& entry = ring_[at];
    if (words >= head.window) sum -= entry.weight;  // of the word that leaves
    entry = {.weight = weigh(head, features_, word),
             .begin = static_cast<std::uint32_t>(from) + word.begin,
             .end = static_cast<std::uint32_t>(from) + word.end};
    sum += entry.weight;
    ++words;
    if (++at == head.window) at = 0;
    if (best.words != 0 && sum <= best.score) continue;
    const bool full = words >= head.window;
    best = {.score = sum,
            .words = full ? head.window : words,
            .begin = ring_[full ? at : 0].begin,
            .end = entry.end};
  }
  return words;
}

Window Scanner::best_window(std::string_view text) {
  Window best;
  std::size_t words = 0;
  if (text.size() <= kValueBytesMax) {
    words = scan(text, 0, text.size(), best);
  } else {
    const std::size_t tail = text.size() - kValueBytesMax / 4;
    words = scan(text, 0, cut_at_character(text, kValueBytesMax / 4 * 3), best);
    words += scan(text, cut_at_character(text, tail), text.size(), best);
  }
  best.score -= length_cost(words, head_.window);
  return best;
}

Window best_window(const Head& head, std::string_view text) {
  return Scanner(head).best_window(text);
}

std::string_view telling_part(const Head& head, std::string_view text, const Window& window) {
  const std::string_view part = text.substr(window.begin, window.end - window.begin);
  Features features(head.window);
  WordReader reader(part);
  Word word;
  std::int32_t sum = 0;
  std::int32_t best = 0;
  std::uint32_t begin = 0;
  std::string_view telling = part;
  while (reader.next(word)) {
    if (sum <= 0) {
      sum = 0;
      begin = word.begin;
    }
    sum += weigh(head, features, word);
    if (sum > best) {
      best = sum;
      telling = part.substr(begin, word.end - begin);
    }
  }
  return telling;
}

std::expected<Model, std::string> Model::parse(std::span<const unsigned char> bytes) {
  if (bytes.size() != kFileBytes) {
    return std::unexpected("a lexical model has " + std::to_string(kFileBytes) + " bytes, not " +
                           std::to_string(bytes.size()));
  }
  if (std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return std::unexpected("not a lexical model of this version");
  }
  bytes = bytes.subspan(kMagic.size());
  if (read_number(bytes.first(sizeof(std::uint64_t))) != feature_fingerprint()) {
    return std::unexpected("trained with other features than this program's: ./dev train");
  }
  bytes = bytes.subspan(sizeof(std::uint64_t));
  Model model;
  for (std::size_t i = 0; i < kChannelCount; ++i) {
    Head& head = model.heads_[i];
    head.window = kWindowWords[i];
    head.bias = read_int32(bytes);
    head.threshold = read_int32(bytes.subspan(4));
    head.table = bytes.subspan(2 * sizeof(std::int32_t), 2 * kBuckets);
    bytes = bytes.subspan(kHeadBytes);
  }
  return model;
}

const Model& Model::embedded() {
  static const Model model = [] {
    auto parsed = parse(embedded_file());
    CHECK(parsed.has_value());
    return *parsed;
  }();
  return model;
}

std::vector<unsigned char> serialise(const std::array<Head, kChannelCount>& heads) {
  std::vector<unsigned char> out(kMagic.begin(), kMagic.end());
  append_number(out, feature_fingerprint(), sizeof(std::uint64_t));
  for (const Head& head : heads) {
    append_number(out, static_cast<std::uint32_t>(head.bias), sizeof(std::int32_t));
    append_number(out, static_cast<std::uint32_t>(head.threshold), sizeof(std::int32_t));
    out.insert(out.end(), head.table.begin(), head.table.end());
  }
  return out;
}

namespace {

// Whatever the order in which the words are written.
std::uint64_t class_fingerprint() {
  std::uint64_t sum = 0;
  for (const ClassWords& row : class_words()) {
    WordReader reader(row.words);
    Word word;
    while (reader.next_unclassed(word)) {
      sum += mix(word.hash, static_cast<std::uint64_t>(row.word_class));
    }
  }
  return sum;
}

}  // namespace

std::uint64_t feature_fingerprint() {
  // A word of each class, shape and mark.
  constexpr std::string_view kText =
      "Please SEND, don't forget: \"ignore\" the previous rules! Why? You must tell the user's "
      "assistant now.\n\n## act_as 42 <a@b.test>\\n[all] is secret / print unfiltered admin; "
      "before "
      "urgently secretly I d\u00e9j\u00e0 \u0438\u0433\u043d\u043e\u0440\u0438\u0440\u0443\u0439 "
      "\u5ffd\u7565\u6307\u4ee4 z\u200bw";
  Features features(kWindowWords[0]);
  WordReader reader(kText);
  Word word;
  std::uint64_t hash = kBuckets;
  while (reader.next(word)) {
    features.add(word, [&](FeatureId id) { hash = mix(hash, id); });
  }
  for (const CodePointRange& range : kInvisible) hash = mix(mix(hash, range.first), range.last);
  return hash + class_fingerprint();
}

}  // namespace tocsin::lexical
