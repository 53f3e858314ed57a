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
#include "detectors/matcher/sign.h"
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

// Each pattern once, however often it matches.
struct Matches {
  std::vector<std::uint32_t>& candidates;
  std::vector<std::uint32_t>& seen;
  std::uint32_t scan;
};

int on_match(unsigned id, unsigned long long, unsigned long long, unsigned, void* context) {
  const Matches& found = *static_cast<const Matches*>(context);
  if (found.seen[id] == found.scan) return 0;
  found.seen[id] = found.scan;
  found.candidates.push_back(id);
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
  Expressions(std::uint16_t texts, const Sign& sign) : texts_(texts), sign_(sign) {}

  [[nodiscard]] std::uint16_t texts() const { return texts_; }
  [[nodiscard]] const Sign& sign() const { return sign_; }

  void add(std::uint32_t id, const Pattern* pattern, Translated translated) {
    entries_.push_back({.id = id, .pattern = pattern, .translated = std::move(translated)});
  }

  // The expression at `at` was too large.  False: it cannot be made simpler.
  bool simplify(std::size_t at) {
    Entry& entry = entries_[at];
    const auto tree = parse_re2(entry.pattern->text);
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

  std::uint16_t texts_;
  Sign sign_;
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
    std::vector<std::string> literals(stage_.keys_.size());
    for (const auto& [literal, key] : known_) literals[key] = literal;
    for (const std::string& literal : literals) {
      stage_.key_bytes_.push_back(static_cast<std::uint32_t>(literal.size()));
    }
    stage_.finder_ = LiteralFinder(literals);
  }

  // Of the patterns that have no gate.
  std::vector<Expressions> take() { return std::move(expressions_); }

 private:
  void add(std::uint32_t id, const Pattern& pattern) {
    if (pattern.kind == Pattern::Kind::kLiteral) {
      add_literal(id, pattern);
      return;
    }
    const auto tree = parse_re2(pattern.text);
    Gate gate = tree ? gate_of(*tree) : Gate{};
    if (gate.groups.empty()) {
      auto translated = tree ? translate(*tree, 0, false) : std::nullopt;
      if (!translated) {
        stage_.always_.push_back(id);
        return;
      }
      expressions(pattern.texts, sign_of(*tree)).add(id, &pattern, std::move(*translated));
      ++stage_.stats_.scanned;
      return;
    }
    Gated& gated = stage_.gated_[id];
    gated.single = std::make_unique<const Single>(pattern.text, openings_before_);
    gated.marks = std::move(gate.marks);
    gated.reach = static_cast<std::uint32_t>(longest_match(*tree).value_or(0));
    add_groups(id, gate.groups);
    ++stage_.stats_.gated;
  }

  void add_literal(std::uint32_t id, const Pattern& pattern) {
    LowerText lower;
    lower.assign(folded(pattern.text));
    const std::string literal(lower.view());
    if (literal.empty() || literal.size() > LiteralFinder::kLiteralMax) {
      stage_.always_.push_back(id);
      return;
    }
    ++stage_.stats_.scanned;
    if (literal.size() >= LiteralFinder::kLiteralMin) {
      key(literal).is.push_back(id);
      return;
    }
    std::string expression;
    for (const char c : literal) {
      expression += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    expressions(pattern.texts, {})
        .add(id, &pattern,
             {.text = std::move(expression),
              .flags = kFlags | HS_FLAG_CASELESS,
              .limits = kLimits.size()});
  }

  void add_groups(std::uint32_t id, const std::vector<LiteralGroup>& groups) {
    for (const LiteralGroup& group : groups) {
      const bool is_rarest = &group == &groups.front();
      std::vector<std::uint32_t>& keys = stage_.gated_[id].groups.emplace_back();
      for (const std::string& literal : group) {
        Key& one = key(literal);
        if (is_rarest) one.opens.push_back(id);
        keys.push_back(static_cast<std::uint32_t>(&one - stage_.keys_.data()));
      }
    }
  }

  Expressions& expressions(std::uint16_t texts, const Sign& sign) {
    const auto same = std::ranges::find_if(expressions_, [&](const Expressions& each) {
      return each.texts() == texts && each.sign() == sign;
    });
    return same != expressions_.end() ? *same : expressions_.emplace_back(texts, sign);
  }

  Key& key(const std::string& literal) {
    const auto [at, is_new] =
        known_.try_emplace(literal, static_cast<std::uint32_t>(stage_.keys_.size()));
    if (is_new) stage_.keys_.emplace_back();
    return stage_.keys_[at->second];
  }

  FirstStage& stage_;
  std::uint32_t openings_before_;
  std::vector<Expressions> expressions_;
  std::map<std::string, std::uint32_t> known_;  // literals
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
  auto all = Builder(*stage, patterns, openings_before).take();
  stage->stats_.from_cache = true;
  for (Expressions& expressions : all) {
    const auto compiled = stage->compile_database(expressions, cache);
    if (!compiled) return std::unexpected(compiled.error());
  }
  std::ranges::sort(stage->always_);
  stage->stats_.always = stage->always_.size();
  return stage;
}

std::expected<void, std::string> FirstStage::compile_database(Expressions& expressions,
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
    left_out.push_back(expressions.take_out(static_cast<std::size_t>(refusal.pattern)));
  }
  stats_.scanned -= std::min(stats_.scanned, left_out.size());
  always_.insert(always_.end(), left_out.begin(), left_out.end());
  if (database == nullptr) return {};
  if (fresh) cached.store(database, left_out);
  databases_.push_back(
      {.texts = expressions.texts(), .sign = expressions.sign(), .database = database});
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
    scratch.places_.assign(keys_.size(), {});
    scratch.seen_.assign(patterns_, 0);
    scratch.tried_.assign(patterns_, 0);
    scratch.scan_ = 0;
  }
  if (++scratch.scan_ == 0) {  // after four billion the stamps mean nothing any more
    std::ranges::fill(scratch.places_, Scratch::Places{});
    std::ranges::fill(scratch.seen_, 0);
    std::ranges::fill(scratch.tried_, 0);
    scratch.scan_ = 1;
  }
}

void FirstStage::scan(std::string_view text, std::size_t separators, std::uint16_t kind,
                      Scratch& scratch, std::vector<std::uint32_t>& candidates) const {
  candidates.insert(candidates.end(), always_.begin(), always_.end());
  if (text.empty()) return;
  prepare(scratch);
  std::string as_ascii;
  if (folds_beyond_ascii(text)) {
    as_ascii = folded(text);
    text = as_ascii;
  }
  TextSigns signs(text, separators);
  run_databases(text, signs, kind, scratch, candidates);
  const auto try_pattern = [&](std::uint32_t pattern) {
    if ((texts_of_[pattern] & kind) == 0 || scratch.tried_[pattern] == scratch.scan_) return;
    scratch.tried_[pattern] = scratch.scan_;
    const auto is_there = [&signs](Marks marks) { return signs.has_one_of(marks); };
    if (!std::ranges::all_of(gated_[pattern].marks, is_there)) return;
    const auto range = where(pattern, text.size(), scratch);
    if (!range) return;
    const std::string_view part = text.substr(range->begin, range->end - range->begin);
    if (found_alone(pattern, part, scratch)) candidates.push_back(pattern);
  };
  find_keys(text, scratch);
  for (const std::uint32_t hit : scratch.hits_) {
    const Key& key = keys_[hit];
    candidates.insert(candidates.end(), key.is.begin(), key.is.end());
    std::ranges::for_each(key.opens, try_pattern);
  }
}

void FirstStage::find_keys(std::string_view text, Scratch& scratch) const {
  scratch.lower_.assign(text);
  scratch.hits_.clear();
  finder_.find(scratch.lower_, [&](std::uint32_t key, std::uint32_t begin) {
    Scratch::Places& places = scratch.places_[key];
    const std::uint32_t end = begin + key_bytes_[key];
    if (places.scan == scratch.scan_) {
      places.end = end;  // of one literal the places come in order
      return;
    }
    places = {.scan = scratch.scan_, .begin = begin, .end = end};
    scratch.hits_.push_back(key);
  });
}

void FirstStage::run_databases(std::string_view text, TextSigns& signs, std::uint16_t kind,
                               Scratch& scratch, std::vector<std::uint32_t>& candidates) const {
  Matches matches{.candidates = candidates, .seen = scratch.seen_, .scan = scratch.scan_};
  for (const Database& each : databases_) {
    if ((each.texts & kind) == 0 || !signs.has(each.sign)) continue;
    CHECK(hs_scan(each.database, text.data(), static_cast<unsigned>(text.size()), 0,
                  scratch.memory_, &on_match, &matches) == HS_SUCCESS);
  }
}

std::optional<FirstStage::Range> FirstStage::where(std::uint32_t pattern, std::size_t bytes,
                                                   const Scratch& scratch) const {
  // What stands before and behind decides about a word's boundary: one character more.
  constexpr std::size_t kAround = 4;
  Range range{.begin = 0, .end = bytes};
  const Gated& gated = gated_[pattern];
  for (const std::vector<std::uint32_t>& group : gated.groups) {
    Range hull{.begin = bytes, .end = 0};
    for (const std::uint32_t key : group) {
      const Scratch::Places& places = scratch.places_[key];
      if (places.scan != scratch.scan_) continue;
      hull.begin = std::min<std::size_t>(hull.begin, places.begin);
      hull.end = std::max<std::size_t>(hull.end, places.end);
    }
    if (hull.end == 0) return std::nullopt;
    if (gated.reach == 0) continue;
    const std::size_t reach = gated.reach + kAround;
    range.begin = std::max(range.begin, hull.begin - std::min(hull.begin, reach));
    range.end = std::min(range.end, hull.end + reach);
  }
  if (range.begin >= range.end) return std::nullopt;  // too far from each other
  return range;
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
  std::swap(lower_, other.lower_);
  hits_.swap(other.hits_);
  places_.swap(other.places_);
  seen_.swap(other.seen_);
  tried_.swap(other.tried_);
  std::swap(scan_, other.scan_);
  return *this;
}

FirstStage::Scratch::~Scratch() { hs_free_scratch(memory_); }

}  // namespace tocsin::matcher
