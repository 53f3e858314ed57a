#include "detectors/matcher/first_stage.h"

#include <fmt/format.h>
#include <hs/hs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <utility>

#include "daemon/check.h"
#include "detectors/matcher/database_cache.h"
#include "detectors/matcher/gate.h"
#include "detectors/matcher/regex_node.h"
#include "detectors/matcher/widen.h"

namespace tocsin::matcher {
namespace {

// Expressions are of bytes, with everything that could be read in two ways written out (widen.h).
constexpr unsigned kFlags = HS_FLAG_SINGLEMATCH;
// How much of a pattern's counting is kept: as much as Hyperscan can bear.
constexpr std::array<Limits, 3> kLimits = {{
    {.run_min = 32, .run_max = 64, .group_positions = 32},
    {.run_min = 16, .run_max = 32, .group_positions = 16},
    {.run_min = 1, .run_max = 0, .group_positions = 1},
}};
// A pattern that has its words is compiled while an event waits: what is looser compiles faster.
constexpr std::size_t kLimitsAlone = 1;
constexpr std::size_t kLimitsAloneLong = 2;
constexpr std::size_t kLongPattern = 1000;  // bytes
// Never where it takes tenths of a second.
constexpr std::size_t kAloneBytesMax = 4000;
// Patterns that only fail when all are compiled together (too large) are made simpler, or taken
// out, one at a time.
constexpr std::size_t kRefusalsMax = 200;

std::atomic<std::uint64_t> next_id{1};  // NOLINT(*-avoid-non-const-global-variables)

std::string literal_expression(std::string_view text) {
  std::string expression;
  for (const char c : text) {
    expression += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return expression;
}

// RE2's (?i) takes two code points beyond ASCII for letters of ASCII: the long s and the Kelvin
// sign.  Were they alternatives of every s and k, no word with one in it would be a literal any
// more; so the text is rewritten instead, which hardly ever has one.
constexpr std::string_view kLongSBytes = "\xC5\xBF";
constexpr std::string_view kKelvinBytes = "\xE2\x84\xAA";

bool folds_beyond_ascii(std::string_view text) {
  return text.find(kLongSBytes) != std::string_view::npos ||
         text.find(kKelvinBytes) != std::string_view::npos;
}

std::string folded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (rest.starts_with(kLongSBytes)) {
      out += 's';
      i += kLongSBytes.size() - 1;
    } else if (rest.starts_with(kKelvinBytes)) {
      out += 'k';
      i += kKelvinBytes.size() - 1;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct Refusal {
  int pattern = -1;  // -1: none in particular
  std::string why;
};

hs_database_t* compile_one(const std::string& expression, unsigned flags) {
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  const hs_error_t status =
      hs_compile(expression.c_str(), flags, HS_MODE_BLOCK, nullptr, &database, &error);
  hs_free_compile_error(error);
  return status == HS_SUCCESS ? database : nullptr;
}

bool accepts(const std::string& expression, unsigned flags) {
  hs_expr_info_t* info = nullptr;
  hs_compile_error_t* error = nullptr;
  const hs_error_t status = hs_expression_info(expression.c_str(), flags, &info, &error);
  free(info);  // NOLINT(cppcoreguidelines-no-malloc): from Hyperscan's allocator, which is malloc
  hs_free_compile_error(error);
  return status == HS_SUCCESS;
}

// A pattern as Hyperscan is given it.
struct Translated {
  std::string text;
  unsigned flags = 0;
  std::size_t limits = 0;  // position in kLimits
};

// As exact as Hyperscan takes it, from `limits` on; nothing: in no form.  `alone`: it is only run
// where its words are.
std::optional<Translated> translate(const Node& tree, std::size_t limits, bool alone) {
  for (; limits < kLimits.size(); ++limits) {
    Node wide = widen(tree, kLimits[limits]);
    if (!alone) wide = without_broad_front(std::move(wide));
    if (may_be_empty(wide)) return std::nullopt;
    Expression expression = to_expression(wide);
    const unsigned flags = kFlags | (expression.caseless ? HS_FLAG_CASELESS : 0U);
    if (accepts(expression.text, flags)) {
      return Translated{.text = std::move(expression.text), .flags = flags, .limits = limits};
    }
  }
  return std::nullopt;
}

// Each pattern and key once, however often it matches.
struct Hits {
  std::vector<std::uint32_t>& hits;
  std::vector<std::uint32_t>& seen;
  std::uint32_t scan;
};

int on_match(unsigned id, unsigned long long, unsigned long long, unsigned, void* context) {
  const Hits& found = *static_cast<const Hits*>(context);
  if (found.seen[id] == found.scan) return 0;
  found.seen[id] = found.scan;
  found.hits.push_back(id);
  return 0;
}

int on_first_match(unsigned, unsigned long long, unsigned long long, unsigned, void* context) {
  *static_cast<bool*>(context) = true;
  return 1;  // enough
}

// Whether the library finds what it must, at every offset: some builds do not on some processors.
bool finds_everything() {
  constexpr std::array<const char*, 3> kExpressions = {
      "a", "a.*b.*c", "=\\s{0,2}[\"'].*import.*[\"'].*base64.*>\\s{0,2}[\"']?\\$"};
  constexpr std::size_t kOffsets = 200;
  for (const char* expression : kExpressions) {
    hs_database_t* database = compile_one(expression, kFlags);
    if (database == nullptr) return false;
    hs_scratch_t* scratch = nullptr;
    CHECK(hs_alloc_scratch(database, &scratch) == HS_SUCCESS);
    bool all = true;
    for (std::size_t offset = 0; offset < kOffsets && all; ++offset) {
      const std::string text =
          std::string(offset, ' ') + "d=\"import x\" base64 >\"$f\" a, b and c";
      bool found = false;
      hs_scan(database, text.data(), static_cast<unsigned>(text.size()), 0, scratch,
              &on_first_match, &found);
      all = found;
    }
    hs_free_scratch(scratch);
    hs_free_database(database);
    if (!all) return false;
  }
  return true;
}

bool trusted() {
  static const bool answer = finds_everything();
  return answer;
}

}  // namespace

// The expressions of one database.
class FirstStage::Expressions {
 public:
  // `pattern` null: there is no simpler form.
  void add(std::uint32_t id, const Pattern* pattern, Translated translated) {
    entries_.push_back({.id = id, .pattern = pattern, .translated = std::move(translated)});
  }
  void add_literal(std::uint32_t id, std::string_view literal) {
    add(id, nullptr,
        {.text = literal_expression(literal), .flags = kFlags | HS_FLAG_CASELESS, .limits = 0});
  }

  // The expression at `at` was too large.  False: it cannot be made simpler.
  bool simplify(std::size_t at) {
    Entry& entry = entries_[at];
    const auto tree = entry.pattern == nullptr ? std::nullopt : parse_re2(entry.pattern->text);
    auto simpler = tree ? translate(*tree, entry.translated.limits + 1, false) : std::nullopt;
    if (!simpler) return false;
    entry.translated = std::move(*simpler);
    return true;
  }

  std::uint32_t take_out(std::size_t at) {
    const std::uint32_t id = entries_[at].id;
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(at));
    return id;
  }

  // Null, and `refusal` filled, when it failed.
  hs_database_t* compile(Refusal& refusal) const {
    std::vector<const char*> texts;
    std::vector<unsigned> flags;
    std::vector<unsigned> ids;
    for (const Entry& entry : entries_) {
      texts.push_back(entry.translated.text.c_str());
      flags.push_back(entry.translated.flags);
      ids.push_back(entry.id);
    }
    hs_database_t* database = nullptr;
    hs_compile_error_t* error = nullptr;
    const hs_error_t status = hs_compile_multi(texts.data(), flags.data(), ids.data(),
                                               static_cast<unsigned>(texts.size()), HS_MODE_BLOCK,
                                               nullptr, &database, &error);
    if (status == HS_SUCCESS) return database;
    refusal = {.pattern = error == nullptr ? -1 : error->expression,
               .why = error == nullptr ? "out of memory" : error->message};
    hs_free_compile_error(error);
    return nullptr;
  }

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  // Everything that the compiled database depends on.
  [[nodiscard]] std::string identity() const {
    std::string all;
    for (const Entry& entry : entries_) {
      all +=
          fmt::format("{} {} {}:", entry.id, entry.translated.flags, entry.translated.text.size());
      all += entry.translated.text;
    }
    return all;
  }

 private:
  struct Entry {
    std::uint32_t id = 0;
    const Pattern* pattern = nullptr;
    Translated translated;
  };

  std::vector<Entry> entries_;
};

// Sorts patterns by how they are looked for.
class FirstStage::Builder {
 public:
  Builder(FirstStage& stage, std::span<const Pattern> patterns, std::uint32_t openings_before)
      : stage_(stage), openings_before_(openings_before) {
    stage_.patterns_ = patterns.size();
    for (const Pattern& pattern : patterns) stage_.texts_of_.push_back(pattern.texts);
    stage_.gated_.resize(patterns.size());
    for (std::uint32_t i = 0; i < patterns.size(); ++i) add(i, patterns[i]);
  }

  // By the kinds of texts they are for.
  std::map<std::uint16_t, Expressions> take() { return std::move(expressions_); }

 private:
  void add(std::uint32_t id, const Pattern& pattern) {
    if (pattern.kind == Pattern::Kind::kLiteral) {
      keys().add_literal(id, folded(pattern.text));
      ++stage_.stats_.scanned;
      return;
    }
    const auto tree = parse_re2(pattern.text);
    const Gate gate = tree ? gate_of(*tree) : Gate{};
    if (gate.open()) {
      auto translated = tree ? translate(*tree, 0, false) : std::nullopt;
      if (!translated) {
        stage_.always_.push_back(id);
        return;
      }
      expressions_[pattern.texts].add(id, &pattern, std::move(*translated));
      ++stage_.stats_.scanned;
      return;
    }
    Gated& gated = stage_.gated_[id];
    gated.single = std::make_unique<const Single>(pattern.text, openings_before_);
    // The rarest group comes first.
    for (const LiteralGroup& group : gate.groups) {
      const bool opens = &group == &gate.groups.front();
      if (!opens) gated.others.emplace_back();
      for (const std::string& literal : group) {
        const std::uint32_t at = key(literal, "");
        (opens ? stage_.opened_by_[at] : gated.others.back()).push_back(opens ? id : at);
      }
    }
    if (!gate.expression.empty()) stage_.opened_by_[key("", gate.expression)].push_back(id);
    ++stage_.stats_.gated;
  }

  std::uint32_t key(const std::string& literal, const std::string& expression) {
    const auto [at, is_new] =
        known_.try_emplace({literal, expression}, static_cast<std::uint32_t>(known_.size()));
    if (!is_new) return at->second;
    stage_.opened_by_.emplace_back();
    const auto id = static_cast<std::uint32_t>(stage_.patterns_ + at->second);
    if (expression.empty()) {
      keys().add_literal(id, literal);
    } else {
      keys().add(id, nullptr, {.text = expression, .flags = kFlags, .limits = 0});
    }
    return at->second;
  }

  // Words are looked for in all texts: one more costs next to nothing.
  Expressions& keys() { return expressions_[kAllTexts]; }

  static constexpr std::uint16_t kAllTexts = 0xFFFF;

  FirstStage& stage_;
  std::uint32_t openings_before_;
  std::map<std::uint16_t, Expressions> expressions_;
  std::map<std::pair<std::string, std::string>, std::uint32_t> known_;  // keys
};

FirstStage::FirstStage() : id_(next_id.fetch_add(1)) {}

FirstStage::~FirstStage() {
  for (const Database& each : databases_) hs_free_database(each.database);
}

FirstStage::Single::~Single() { hs_free_database(database_.load()); }

const hs_database* FirstStage::Single::get() const {
  hs_database* known = database_.load(std::memory_order_acquire);
  if (known != nullptr) return known;
  if (openings_.fetch_add(1, std::memory_order_relaxed) != openings_before_) return nullptr;
  const auto tree = parse_re2(pattern_);
  const std::size_t limits = pattern_.size() > kLongPattern ? kLimitsAloneLong : kLimitsAlone;
  const auto translated = tree ? translate(*tree, limits, true) : std::nullopt;
  if (!translated || translated->text.size() > kAloneBytesMax) return nullptr;
  hs_database* made = compile_one(translated->text, translated->flags);
  if (made == nullptr) return nullptr;
  if (database_.compare_exchange_strong(known, made, std::memory_order_acq_rel)) return made;
  hs_free_database(made);  // another thread was first
  return known;
}

std::expected<std::unique_ptr<const FirstStage>, std::string> FirstStage::compile(
    std::span<const Pattern> patterns, const std::filesystem::path& cache,
    std::uint32_t openings_before) {
  if (hs_valid_platform() != HS_SUCCESS) {
    return std::unexpected("this processor lacks what Hyperscan needs (x86-64: SSE4.2)");
  }
  std::unique_ptr<FirstStage> stage(new FirstStage);
  if (!trusted()) {
    stage->stats_.trusted = false;
    stage->stats_.always = patterns.size();
    stage->patterns_ = patterns.size();
    for (std::uint32_t i = 0; i < patterns.size(); ++i) stage->always_.push_back(i);
    return stage;
  }
  auto by_texts = Builder(*stage, patterns, openings_before).take();
  stage->stats_.from_cache = true;
  for (auto& [texts, expressions] : by_texts) {
    const auto compiled = stage->compile_database(texts, expressions, cache);
    if (!compiled) return std::unexpected(compiled.error());
  }
  std::ranges::sort(stage->always_);
  stage->stats_.always = stage->always_.size();
  return stage;
}

std::expected<void, std::string> FirstStage::compile_database(std::uint16_t texts,
                                                              Expressions& expressions,
                                                              const std::filesystem::path& cache) {
  const DatabaseCache cached(cache, expressions.identity());
  std::vector<std::uint32_t> left_out;
  hs_database_t* database = nullptr;
  if (auto kept = cached.load()) {
    database = kept->database;
    left_out = std::move(kept->left_out);
  } else {
    stats_.from_cache = false;
  }
  const bool fresh = database == nullptr;
  std::size_t refusals = 0;
  while (database == nullptr && !expressions.empty()) {
    Refusal refusal;
    database = expressions.compile(refusal);
    if (database != nullptr) break;
    const bool one =
        refusal.pattern >= 0 && static_cast<std::size_t>(refusal.pattern) < expressions.size();
    if (!one || ++refusals > kRefusalsMax) {
      return std::unexpected(fmt::format("Hyperscan cannot compile the patterns: {}", refusal.why));
    }
    if (expressions.simplify(static_cast<std::size_t>(refusal.pattern))) continue;
    const std::uint32_t id = expressions.take_out(static_cast<std::size_t>(refusal.pattern));
    CHECK(id < patterns_);  // words and runs of digits are never too large
    left_out.push_back(id);
  }
  stats_.scanned -= std::min(stats_.scanned, left_out.size());
  always_.insert(always_.end(), left_out.begin(), left_out.end());
  if (database == nullptr) return {};
  if (fresh) cached.store(database, left_out);
  databases_.push_back({.texts = texts, .database = database});
  std::size_t bytes = 0;
  CHECK(hs_database_size(database, &bytes) == HS_SUCCESS);
  stats_.database_bytes += bytes;
  return {};
}

void FirstStage::prepare(Scratch& scratch) const {
  if (scratch.owner_ != id_) {
    for (const Database& each : databases_) {
      CHECK(hs_alloc_scratch(each.database, &scratch.memory_) == HS_SUCCESS);
    }
    scratch.owner_ = id_;
    scratch.ready_.assign(patterns_, false);
    scratch.seen_.assign(patterns_ + opened_by_.size(), 0);
    scratch.tried_.assign(patterns_, 0);
    scratch.scan_ = 0;
  }
  if (++scratch.scan_ == 0) {  // after four billion the stamps mean nothing any more
    std::ranges::fill(scratch.seen_, 0);
    std::ranges::fill(scratch.tried_, 0);
    scratch.scan_ = 1;
  }
}

void FirstStage::scan(std::string_view text, std::uint16_t kind, Scratch& scratch,
                      std::vector<std::uint32_t>& candidates) const {
  candidates.insert(candidates.end(), always_.begin(), always_.end());
  if (text.empty()) return;
  prepare(scratch);
  std::string as_ascii;
  if (folds_beyond_ascii(text)) {
    as_ascii = folded(text);
    text = as_ascii;
  }
  scratch.hits_.clear();
  Hits hits{.hits = scratch.hits_, .seen = scratch.seen_, .scan = scratch.scan_};
  for (const Database& each : databases_) {
    if ((each.texts & kind) == 0) continue;
    CHECK(hs_scan(each.database, text.data(), static_cast<unsigned>(text.size()), 0,
                  scratch.memory_, &on_match, &hits) == HS_SUCCESS);
  }
  for (const std::uint32_t hit : scratch.hits_) {
    if (hit < patterns_) {
      candidates.push_back(hit);
      continue;
    }
    for (const std::uint32_t pattern : opened_by_[hit - patterns_]) {
      if ((texts_of_[pattern] & kind) == 0 || scratch.tried_[pattern] == scratch.scan_) continue;
      scratch.tried_[pattern] = scratch.scan_;
      if (is_open(pattern, scratch) && found_alone(pattern, text, scratch)) {
        candidates.push_back(pattern);
      }
    }
  }
}

bool FirstStage::is_open(std::uint32_t pattern, const Scratch& scratch) const {
  return std::ranges::all_of(gated_[pattern].others, [&](const auto& keys) {
    return std::ranges::any_of(
        keys, [&](std::uint32_t key) { return scratch.seen_[patterns_ + key] == scratch.scan_; });
  });
}

bool FirstStage::found_alone(std::uint32_t pattern, std::string_view text, Scratch& scratch) const {
  const hs_database* database = gated_[pattern].single->get();
  if (database == nullptr) return true;
  if (!scratch.ready_[pattern]) {
    CHECK(hs_alloc_scratch(database, &scratch.memory_) == HS_SUCCESS);
    scratch.ready_[pattern] = true;
  }
  bool found = false;
  const hs_error_t status = hs_scan(database, text.data(), static_cast<unsigned>(text.size()), 0,
                                    scratch.memory_, &on_first_match, &found);
  const bool scanned = status == HS_SUCCESS || status == HS_SCAN_TERMINATED;
  CHECK(scanned);
  return found;
}

FirstStage::Scratch::Scratch(Scratch&& other) noexcept { *this = std::move(other); }

FirstStage::Scratch& FirstStage::Scratch::operator=(Scratch&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(owner_, other.owner_);
  ready_.swap(other.ready_);
  hits_.swap(other.hits_);
  seen_.swap(other.seen_);
  tried_.swap(other.tried_);
  std::swap(scan_, other.scan_);
  return *this;
}

FirstStage::Scratch::~Scratch() { hs_free_scratch(memory_); }

}  // namespace tocsin::matcher
