// What should not have left: the system prompt, a canary in it, or what another tenant's session
// was shown.

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/text.h"
#include "detectors/detector.h"
#include "detectors/flow/memory.h"
#include "detectors/lexical/word_hash.h"
#include "detectors/validate/ascii_set.h"
#include "detectors/validate/checksums.h"
#include "detectors/validate/compact.h"

namespace tocsin {
namespace {

using validate::is_digit;
using validate::is_letter;
using validate::to_lower;

constexpr std::array<std::string_view, 4> kPromptTags = {"owasp:LLM07", "owasp:LLM02",
                                                         "atlas:AML.T0056", "nist:MS-2.7-001"};
constexpr std::array<std::string_view, 5> kTenantTags = {
    "owasp:LLM02", "owasp:ASI03", "atlas:AML.T0057", "cwe:CWE-359", "nist:MP-4.1-009"};
enum Rules : std::size_t { kSystemPrompt, kCanary, kCrossTenant };
constexpr std::array<DetectorRule, 3> kRules = {{
    {.id = "leak.system-prompt",
     .title = "A large part of the system prompt was given out word for word",
     .severity = Severity::kHigh,
     .category = Category::kPromptLeak,
     .tags = kPromptTags},
    {.id = "leak.canary",
     .title = "A canary token, which stands in the system prompt alone, was given out",
     .severity = Severity::kCritical,
     .category = Category::kPromptLeak,
     .tags = kPromptTags},
    {.id = "leak.cross-tenant",
     .title = "An identifier that another tenant's session was shown was given out in this one",
     .severity = Severity::kHigh,
     .category = Category::kExfiltration,
     .tags = kTenantTags},
}};

constexpr double kPercent = 100;

struct Options {
  std::size_t prompt_words_min = 60;      // in one piece, of a long prompt
  std::size_t prompt_share_percent = 60;  // in one piece, of a short one
  std::vector<std::uint64_t> canaries;    // hashes, sorted
};

// ---- The system prompt -------------------------------------------------------------------------

constexpr std::size_t kShingleWords = 6;
constexpr std::size_t kShinglesKept = 512;
constexpr std::size_t kShortPromptWords = 25;  // less in one piece is a phrase
// How far a word put in, left out or exchanged may move a copy against its original.
constexpr std::size_t kShiftMax = 3;
// Words between two matches that still are one piece, with every shingle kept.
constexpr std::size_t kGapWords = kShingleWords + kShiftMax;

// What stands between words; what is beyond ASCII is of them.
constexpr auto kBetweenWords =
    validate::AsciiSet::of([](char c) { return !is_letter(c) && !is_digit(c); });

// The first `size` bytes of a chunk, 0 to 8: ASCII letters in lower case, the others as they are.
std::uint64_t in_lower_case(std::uint64_t chunk, std::size_t size) {
  static constexpr auto kUsed = [] {
    std::array<std::uint64_t, lexical::kChunkBytes + 1> used{};
    for (std::size_t i = 1; i < used.size(); ++i) used[i] = (used[i - 1] << 8U) | 0xFFU;
    return used;
  }();
  return (chunk | (lexical::kLowerBits & ~((chunk & lexical::kHighBits) >> 2U))) & kUsed[size];
}

// Of letters and digits, in whatever case.
std::uint64_t word_hash(std::string_view text, std::size_t begin, std::size_t size) {
  constexpr std::size_t kChunk = lexical::kChunkBytes;
  std::uint64_t hash = 0;
  // Nearly all words are of two chunks, and how long each is cannot be foretold.
  if (size <= 2 * kChunk && text.size() - begin >= 2 * kChunk) {
    const std::size_t first = std::min(size, kChunk);
    const char* const word = text.data() + begin;
    hash = lexical::mix(hash, in_lower_case(lexical::load_chunk(word), first));
    return lexical::mix(hash, in_lower_case(lexical::load_chunk(word + kChunk), size - first));
  }
  for (std::size_t done = 0; done < std::max(size, 2 * kChunk); done += kChunk) {
    const std::size_t part = done < size ? std::min(size - done, kChunk) : 0;
    const std::uint64_t chunk = part > 0 ? lexical::load_padded(text, begin + done) : 0;
    hash = lexical::mix(hash, in_lower_case(chunk, part));
  }
  return hash;
}

// Calls `visit(number, hash)` with each run of kShingleWords words, whatever stands between them
// and in whatever case; returns the number of words.
template <typename Visit>
std::size_t each_shingle(std::string_view text, const Visit& visit) {
  constexpr std::uint64_t kPrime = lexical::kHashFactor;
  // Of the word that leaves: a sum in which each word's factor says its place.
  constexpr std::uint64_t kLeaves = [] {
    std::uint64_t factor = 1;
    for (std::size_t i = 0; i < kShingleWords; ++i) factor *= kPrime;
    return factor;
  }();
  std::array<std::uint64_t, kShingleWords> last{};
  std::size_t place = 0;  // words % kShingleWords
  std::uint64_t sum = 0;
  std::size_t words = 0;
  validate::each_run(text, kBetweenWords, [&](std::size_t begin, std::size_t size) {
    const std::uint64_t word = word_hash(text, begin, size);
    sum = sum * kPrime + word - std::exchange(last[place], word) * kLeaves;
    if (++place == kShingleWords) place = 0;
    ++words;
    if (words < kShingleWords) return;
    // Mixed twice: which shingles are kept is decided by a remainder, which needs all bits alike.
    std::uint64_t hash = (sum ^ (sum >> 32)) * kPrime;
    hash = (hash ^ (hash >> 29)) * kPrime;
    hash ^= hash >> 32;
    visit(words - kShingleWords, hash);
  });
  return words;
}

std::size_t words_of(std::string_view text) { return validate::count_runs(text, kBetweenWords); }

// A prompt as the hashes of its shingles: all of them, or of a long one those that a step divides,
// which are spread evenly and are the same in every copy.  Of one that is short as a phrase there
// are none.
class Prompt {
 public:
  Prompt(std::string_view text, std::size_t words)
      : words_(words), step_(1 + words / kShinglesKept) {
    if (words < kShortPromptWords) return;
    std::array<std::uint32_t, kShinglesKept> found;  // of which the first `count` are set
    std::size_t count = 0;
    each_shingle(text, [&](std::size_t number, std::uint64_t hash) {
      if ((step_ != 1 && hash % step_ != 0) || count == found.size()) return;
      found[count++] = key_of(hash) | static_cast<std::uint32_t>(number / step_);
    });
    sort_in({found.data(), count});
    for (const std::uint32_t shingle : shingles_) may_have_.set(bit_of(shingle));
  }

  [[nodiscard]] std::size_t words() const { return words_; }

  // The longest piece of it in the text, in words.
  [[nodiscard]] std::size_t longest_piece(std::string_view text) const {
    Piece piece;
    std::size_t longest = 0;
    each_shingle(text, [&](std::size_t number, std::uint64_t hash) {
      if (step_ != 1 && hash % step_ != 0) return;
      const std::optional<std::size_t> word = find(key_of(hash));
      if (!word) return;
      piece.extend(number, *word, step_);
      longest = std::max(longest, number - piece.first + kShingleWords);
    });
    return longest;
  }

  [[nodiscard]] std::size_t bytes() const { return shingles_.capacity() * sizeof(shingles_[0]); }

 private:
  // A shingle is the upper bits of its hash and, below, where it stands, counted in steps.  That
  // one which is not the prompt's is taken for it, once in 16,000 words, makes no piece: the next
  // would have to be the one that follows it there.
  static constexpr std::uint32_t kPlaces = kShinglesKept;  // words / step_ are fewer
  static_assert(std::has_single_bit(kPlaces));

  static std::uint32_t key_of(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash >> 32U) & ~(kPlaces - 1);
  }

  // Hashes are spread evenly, so the place of each can be told nearly, without comparing; what then
  // is out of order is so by little.
  void sort_in(std::span<const std::uint32_t> found) {
    const auto place_of = [&](std::uint32_t shingle) {
      return (std::uint64_t{shingle} * found.size()) >> 32U;
    };
    std::array<std::uint16_t, kShinglesKept + 1> ends{};  // of the places, behind the first
    for (const std::uint32_t shingle : found) ++ends[place_of(shingle) + 1];
    const auto last = ends.begin() + static_cast<std::ptrdiff_t>(found.size());
    std::partial_sum(ends.begin(), last, ends.begin());
    shingles_.resize(found.size());
    for (const std::uint32_t shingle : found) shingles_[ends[place_of(shingle)]++] = shingle;
    for (std::size_t i = 1; i < shingles_.size(); ++i) {
      for (std::size_t k = i; k > 0 && shingles_[k] < shingles_[k - 1]; --k) {
        std::swap(shingles_[k], shingles_[k - 1]);
      }
    }
  }

  // Most of what a model writes is not its prompt: a bit of each key answers for that.
  static constexpr std::size_t kFilterBits = 512;
  static std::size_t bit_of(std::uint32_t key) { return key / kPlaces % kFilterBits; }

  // At which word of the prompt the first with this key stands, to a step.  Hashes are spread
  // evenly, so where one is in the list can be told nearly: halving would go wrong at every other
  // step, for each word of what the model writes.
  [[nodiscard]] std::optional<std::size_t> find(std::uint32_t key) const {
    if (!may_have_.test(bit_of(key))) return std::nullopt;
    std::size_t at = (std::uint64_t{key} * shingles_.size()) >> 32U;
    while (at > 0 && shingles_[at - 1] >= key) --at;
    while (at < shingles_.size() && shingles_[at] < key) ++at;
    if (at == shingles_.size() || (shingles_[at] & ~(kPlaces - 1)) != key) return std::nullopt;
    return (shingles_[at] & (kPlaces - 1)) * step_;
  }

  // Words that follow each other in the text as they do in the prompt.
  struct Piece {
    std::size_t first = 0;
    std::size_t last = 0;
    std::size_t last_word = 0;  // in the prompt
    bool begun = false;

    void extend(std::size_t number, std::size_t word, std::size_t step) {
      const std::size_t gap_max = kGapWords * step;
      const std::size_t here = number - last;
      const std::size_t there = word - last_word;  // to a step; huge, when it goes back
      const bool goes_on = begun && here <= gap_max && there <= gap_max &&
                           std::max(here, there) - std::min(here, there) < kShiftMax + step;
      if (!goes_on) first = number;
      begun = true;
      last = number;
      last_word = word;
    }
  };

  std::vector<std::uint32_t> shingles_;  // sorted
  std::bitset<kFilterBits> may_have_;
  std::size_t words_;
  std::size_t step_;
};

// ---- Tokens and identifiers --------------------------------------------------------------------

constexpr bool is_token_byte(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; }

constexpr auto kTokenBytes = validate::AsciiSet::of(is_token_byte);

// Calls `visit(begin, token)` with each longest run of token bytes.
template <typename Visit>
void each_token(std::string_view text, const Visit& visit) {
  validate::each_run_of(text, kTokenBytes, [&](std::size_t begin, std::size_t size) {
    visit(begin, text.substr(begin, size));
  });
}

constexpr std::size_t kCanaryBytesMin = 8;
constexpr std::size_t kCanaryBytesMax = 128;
constexpr std::size_t kCanaryWordsAfter = 6;  // how far behind the word "canary" its token stands
constexpr std::size_t kDeclaredCanariesMax = 4;

bool may_be_canary(std::string_view token) {
  return token.size() >= kCanaryBytesMin && token.size() <= kCanaryBytesMax &&
         std::ranges::any_of(token, is_digit) && std::ranges::any_of(token, is_letter);
}

constexpr std::string_view kCanaryWord = "canary";

bool is_canary_word(std::string_view text) {
  return std::ranges::equal(text, kCanaryWord, {}, to_lower);
}

// Hardly any prompt speaks of canaries, and its words have few letters as rare as the last.
bool speaks_of_canaries(std::string_view text) {
  constexpr validate::AsciiSet kLast("yY");
  constexpr std::size_t kBefore = kCanaryWord.size() - 1;
  for (std::size_t at = 0; at < text.size(); at += validate::AsciiSet::kBlock) {
    for (std::uint64_t bits = kLast.in(text, at); bits != 0; bits &= bits - 1) {
      const std::size_t last = at + static_cast<std::size_t>(std::countr_zero(bits));
      if (last >= kBefore && is_canary_word(text.substr(last - kBefore, kCanaryWord.size()))) {
        return true;
      }
    }
  }
  return false;
}

// The tokens that a system message calls canaries.
std::vector<std::uint64_t> declared_canaries(std::string_view text) {
  if (!speaks_of_canaries(text)) return {};
  std::vector<std::uint64_t> out;
  std::size_t since = kCanaryWordsAfter;
  each_token(text, [&](std::size_t, std::string_view token) {
    const bool named = is_canary_word(token.substr(0, kCanaryWord.size()));
    const bool near = std::exchange(since, named ? 0 : since + 1) < kCanaryWordsAfter;
    if ((!named && !near) || !may_be_canary(token) || out.size() >= kDeclaredCanariesMax) return;
    out.push_back(hash64(token));
    since = kCanaryWordsAfter;
  });
  return out;
}

constexpr std::size_t kAccountBytesMin = 8;
constexpr std::size_t kAccountBytesMax = 40;
constexpr std::size_t kAccountDigitsMin = 4;
constexpr std::size_t kNumberDigitsMin = 9;  // of an account that is digits alone: no date
constexpr double kAccountDigitShare = 0.4;   // names of products and models have fewer

// An identifier that somebody was given: letters and many digits, or a long number.
bool is_account(std::string_view token) {
  if (token.size() < kAccountBytesMin || token.size() > kAccountBytesMax) return false;
  const auto digits = static_cast<std::size_t>(std::ranges::count_if(token, is_digit));
  if (digits == token.size()) return digits >= kNumberDigitsMin;
  return digits >= kAccountDigitsMin && std::ranges::any_of(token, is_letter) &&
         static_cast<double>(digits) >= kAccountDigitShare * static_cast<double>(token.size());
}

// The hash of an identifier, however it is grouped and in whatever case.
std::uint64_t identity(std::string_view text) {
  std::array<char, 256> plain{};
  std::size_t size = 0;
  for (const char c : text) {
    if (c == ' ' || c == '-') continue;
    if (size == plain.size()) break;
    plain[size++] = to_lower(c);
  }
  return hash64({plain.data(), size});
}

// The e-mail address around the @ at `at`; empty: there is none.
std::string_view address_around(std::string_view text, std::size_t at) {
  constexpr std::size_t kLocalBytesMax = 64;
  constexpr std::size_t kDomainBytesMax = 190;
  const auto is_local = [](char c) { return is_token_byte(c) || c == '.' || c == '+' || c == '%'; };
  const auto is_domain = [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '-'; };
  std::size_t begin = at;
  while (begin > 0 && at - begin < kLocalBytesMax && is_local(text[begin - 1])) --begin;
  std::size_t end = at + 1;
  while (end < text.size() && end - at < kDomainBytesMax && is_domain(text[end])) ++end;
  while (end > at + 1 && !is_letter(text[end - 1])) --end;
  const std::string_view domain = text.substr(at + 1, end - at - 1);
  if (begin == at || domain.find('.') == std::string_view::npos) return {};
  return text.substr(begin, end - begin);
}

// The card number or IBAN whose first group of characters begins at `begin`; empty: there is none.
std::string_view number_at(std::string_view text, std::size_t begin) {
  constexpr std::size_t kSpanMax = 44;  // an IBAN of 34 in groups of four
  std::string_view found;
  for (std::size_t end = begin; end < text.size() && end - begin <= kSpanMax;) {
    if (is_letter(text[end]) || is_digit(text[end])) {
      ++end;
      const bool group_ends = end == text.size() || !(is_letter(text[end]) || is_digit(text[end]));
      const std::string_view span = text.substr(begin, end - begin);
      if (group_ends && (validate::card(span) || validate::iban(span))) found = span;
    } else if (text[end] == ' ' || text[end] == '-') {
      ++end;
    } else {
      break;
    }
  }
  return found;
}

bool may_begin_number(std::string_view text, std::size_t at) {
  constexpr std::size_t kGroup = 4;
  if (at + kGroup > text.size()) return false;
  const std::string_view group = text.substr(at, kGroup);
  if (std::ranges::all_of(group, is_digit)) return true;
  return is_letter(group[0]) && is_letter(group[1]) && is_digit(group[2]) && is_digit(group[3]);
}

// Calls `visit(text, identity)` with each e-mail address, card number, IBAN and account in it.
template <typename Visit>
void each_identifier(std::string_view text, const Visit& visit) {
  for (std::size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    const std::string_view address = address_around(text, at);
    if (!address.empty()) visit(address, identity(address));
  }
  std::size_t behind = 0;  // the last card or IBAN
  each_token(text, [&](std::size_t begin, std::string_view token) {
    if (begin < behind) return;
    std::string_view found = may_begin_number(text, begin) ? number_at(text, begin) : "";
    if (found.empty() && is_account(token)) found = token;
    if (found.empty()) return;
    behind = begin + found.size();
    visit(found, identity(found));
  });
}

// ---- What is remembered ------------------------------------------------------------------------

class State : public DetectorState {
 public:
  static constexpr std::size_t kIdentifiersMax = 1024;

  std::optional<Prompt> prompt;
  bool prompt_is_known = false;  // the user has it
  bool prompt_said = false;
  std::vector<std::uint64_t> canaries;        // that prompts declared, the latest in front
  std::vector<std::uint64_t> known_canaries;  // the user wrote them

  // Once full nothing is remembered, and then every identifier counts as seen.
  void saw(std::uint64_t identifier) { seen_.insert(kept_of(identifier)); }
  [[nodiscard]] bool may_have_seen(std::uint64_t identifier) const {
    return full() || seen_.contains(kept_of(identifier));
  }
  [[nodiscard]] bool full() const { return seen_.size() >= kIdentifiersMax; }

  [[nodiscard]] std::size_t bytes() const override {
    return sizeof(*this) + seen_.bytes() + (prompt ? prompt->bytes() : 0) +
           (canaries.capacity() + known_canaries.capacity()) * sizeof(std::uint64_t);
  }

 private:
  // Never 0, which is a free place.
  static std::uint32_t kept_of(std::uint64_t identifier) {
    return static_cast<std::uint32_t>(identifier) | 1U;
  }

  flow::HashSet seen_{kIdentifiersMax};
};

// Which tenant was shown an identifier first, as long as it is the only one.
class System : public SystemState {
 public:
  static constexpr std::size_t kBuckets = 1024;
  static constexpr std::size_t kBucketSize = 4;
  static constexpr std::uint32_t kSeveral = std::numeric_limits<std::uint32_t>::max();

  void shown(std::uint64_t identifier, std::uint32_t tenant) {
    if (entries_.empty()) entries_.resize(kBuckets * kBucketSize);
    const std::span<Entry> bucket = bucket_of(identifier);
    const auto found = std::ranges::find(bucket, tag_of(identifier), &Entry::tag);
    if (found == bucket.end()) {
      // The one that is longest there goes.
      std::shift_right(bucket.begin(), bucket.end(), 1);
      bucket.front() = {.tag = tag_of(identifier), .tenant = tenant};
    } else if (found->tenant != tenant) {
      found->tenant = kSeveral;
    }
  }

  [[nodiscard]] bool is_others(std::uint64_t identifier, std::uint32_t tenant) {
    if (entries_.empty()) return false;
    const std::span<Entry> bucket = bucket_of(identifier);
    const auto found = std::ranges::find(bucket, tag_of(identifier), &Entry::tag);
    return found != bucket.end() && found->tenant != tenant && found->tenant != kSeveral;
  }

  [[nodiscard]] std::size_t bytes() const override {
    return sizeof(*this) + entries_.capacity() * sizeof(Entry);
  }

 private:
  struct Entry {
    std::uint32_t tag = 0;  // 0: free
    std::uint32_t tenant = 0;
  };

  static std::uint32_t tag_of(std::uint64_t identifier) {
    return static_cast<std::uint32_t>(identifier >> 32) | 1U;
  }
  std::span<Entry> bucket_of(std::uint64_t identifier) {
    return std::span(entries_).subspan(identifier % kBuckets * kBucketSize, kBucketSize);
  }

  std::vector<Entry> entries_;
};

// ---- The detector ------------------------------------------------------------------------------

// A text that goes out, and what the pipeline calls it.
struct Outgoing {
  std::string_view field;
  std::string_view text;
};

class Leak : public Detector {
 public:
  explicit Leak(Options options) : options_(std::move(options)) {}

  [[nodiscard]] std::unique_ptr<DetectorState> new_state() const override {
    return std::make_unique<State>();
  }
  [[nodiscard]] std::unique_ptr<SystemState> new_system_state() const override {
    return std::make_unique<System>();
  }

  void on_event(const Event& event, const EventContext& context, DetectorState& raw_state,
                Reporter& reporter) const override {
    auto& state = static_cast<State&>(raw_state);
    switch (event.type) {
      case EventType::kSystemMessage: learn_prompt(event, state); break;
      case EventType::kUserMessage: learn_from_user(event, state); break;
      case EventType::kToolResult: learn_result(event, context, state); break;
      case EventType::kModelOutput:
        check({.field = "text", .text = event.text}, event, context, state, reporter);
        break;
      case EventType::kToolCall:
        if (context.tool.effect != Effect::kEgress) break;
        for (const Leaf& leaf : event.tool.arguments) {
          check({.field = "tool.arguments", .text = leaf.text}, event, context, state, reporter);
        }
        break;
      default: break;
    }
  }

 private:
  // Only where a tenant is named, and some tool is declared to return private data.
  static std::uint32_t tenant_of(const Event& event, const EventContext& context) {
    if (event.tenant.empty() || context.profile == nullptr) return 0;
    // Neither 0 nor System::kSeveral.
    return (static_cast<std::uint32_t>(hash64(event.tenant)) & ~1U) | 2U;
  }

  static void see(std::string_view text, State& state) {
    if (state.full()) return;
    each_identifier(text, [&](std::string_view, std::uint64_t id) { state.saw(id); });
  }

  // Of several system messages the longest is the prompt; the others are asides of a framework.
  // The canaries of one that a longer one follows stay canaries.
  static void learn_prompt(const Event& event, State& state) {
    if (!event.tenant.empty()) see(event.text, state);
    const std::size_t words = words_of(event.text);
    if (state.prompt && state.prompt->words() >= words) return;
    state.prompt.emplace(event.text, words);
    std::vector<std::uint64_t> canaries = declared_canaries(event.text);
    canaries.insert(canaries.end(), state.canaries.begin(), state.canaries.end());
    canaries.resize(std::min(canaries.size(), kDeclaredCanariesMax));
    state.canaries = std::move(canaries);
  }

  // What the user has cannot leak to the user.
  void learn_from_user(const Event& event, State& state) const {
    if (!event.tenant.empty()) see(event.text, state);
    if (prompt_is_secret(state)) state.prompt_is_known = shows_prompt(event.text, state) != 0;
    if (options_.canaries.empty() && state.canaries.empty()) return;
    each_token(event.text, [&](std::size_t, std::string_view token) {
      if (is_canary(token, state) && state.known_canaries.size() < kDeclaredCanariesMax) {
        state.known_canaries.push_back(hash64(token));
      }
    });
  }

  static void learn_result(const Event& event, const EventContext& context, State& state) {
    const std::uint32_t tenant = tenant_of(event, context);
    if (tenant == 0) return;
    const ToolProfile* declared = context.tool.declared;
    const bool is_private = declared != nullptr && declared->returns.private_data;
    auto& system = static_cast<System&>(*context.system_state);
    for (const Leaf& leaf : event.tool.result) {
      each_identifier(leaf.text, [&](std::string_view, std::uint64_t id) {
        state.saw(id);
        if (is_private) system.shown(id, tenant);
      });
    }
    see(event.tool.error, state);
  }

  void check(const Outgoing& out, const Event& event, const EventContext& context, State& state,
             Reporter& reporter) const {
    check_prompt(out, state, reporter);
    check_canaries(out, state, reporter);
    if (const std::uint32_t tenant = tenant_of(event, context)) {
      check_tenants(out, tenant, static_cast<System&>(*context.system_state), state, reporter);
    }
  }

  // Returns the words of the longest piece when they are a leak, else 0.
  [[nodiscard]] std::size_t shows_prompt(std::string_view text, const State& state) const {
    if (!state.prompt || state.prompt->words() < kShortPromptWords) return 0;
    const Prompt& prompt = *state.prompt;
    const std::size_t words = prompt.longest_piece(text);
    const auto share = static_cast<double>(options_.prompt_share_percent) / kPercent;
    const bool most = words >= kShortPromptWords &&
                      static_cast<double>(words) >= share * static_cast<double>(prompt.words());
    return most || words >= options_.prompt_words_min ? words : 0;
  }

  // The user has not got it, neither beforehand nor by a leak that was told.
  static bool prompt_is_secret(const State& state) {
    return !state.prompt_is_known && !state.prompt_said;
  }

  void check_prompt(const Outgoing& out, State& state, Reporter& reporter) const {
    if (!prompt_is_secret(state)) return;
    const std::size_t words = shows_prompt(out.text, state);
    if (words == 0) return;
    state.prompt_said = true;
    const std::string text = std::to_string(words) + " of the prompt's " +
                             std::to_string(state.prompt->words()) + " words in one piece";
    const std::array<EvidenceView, 1> evidence = {{{.field = out.field, .text = text}}};
    reporter.report(kSystemPrompt, evidence);
  }

  [[nodiscard]] bool is_canary(std::string_view token, const State& state) const {
    if (token.size() < kCanaryBytesMin || token.size() > kCanaryBytesMax) return false;
    const std::uint64_t hash = hash64(token);
    return std::ranges::binary_search(options_.canaries, hash) ||
           std::ranges::find(state.canaries, hash) != state.canaries.end();
  }

  void check_canaries(const Outgoing& out, const State& state, Reporter& reporter) const {
    if (options_.canaries.empty() && state.canaries.empty()) return;
    each_token(out.text, [&](std::size_t, std::string_view token) {
      if (!is_canary(token, state)) return;
      const auto& known = state.known_canaries;
      if (std::ranges::find(known, hash64(token)) != known.end()) return;
      const std::array<EvidenceView, 1> evidence = {{{.field = out.field, .text = token}}};
      reporter.report(kCanary, evidence);
    });
  }

  static void check_tenants(const Outgoing& out, std::uint32_t tenant, System& system,
                            const State& state, Reporter& reporter) {
    each_identifier(out.text, [&](std::string_view text, std::uint64_t id) {
      if (!system.is_others(id, tenant) || state.may_have_seen(id)) return;
      const std::array<EvidenceView, 1> evidence = {{{.field = out.field, .text = text}}};
      reporter.report(kCrossTenant, evidence);
    });
  }

  Options options_;
};

void read_canaries(yaml::MapReader& reader, std::vector<std::uint64_t>& out) {
  std::vector<std::string> tokens;
  reader.strings("canaries", &tokens);
  for (const std::string& token : tokens) {
    if (token.size() >= kCanaryBytesMin && token.size() <= kCanaryBytesMax &&
        std::ranges::all_of(token, is_token_byte)) {
      out.push_back(hash64(token));
      continue;
    }
    const yaml::Node* node = reader.node("canaries");
    yaml::error_at(*node, "a canary is one word of 8 to 128 letters, digits, `_` and `-`",
                   "for example the output of `openssl rand -hex 12`",
                   reader.context().diagnostics);
  }
  std::ranges::sort(out);
}

std::unique_ptr<const Detector> make(yaml::MapReader& reader) {
  Options options;
  reader.number("prompt_words_min", kShortPromptWords, 10'000, &options.prompt_words_min);
  reader.number("prompt_share_percent", 1, 100, &options.prompt_share_percent);
  read_canaries(reader, options.canaries);
  return std::make_unique<Leak>(std::move(options));
}

}  // namespace

extern constinit const DetectorSpec leak_spec;
constinit const DetectorSpec leak_spec{.id = "leak", .rules = kRules, .make = &make};

}  // namespace tocsin
