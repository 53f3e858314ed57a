#include "detectors/matcher/first_stage.h"

#include <fmt/format.h>
#include <hs/hs.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "daemon/check.h"
#include "detectors/matcher/database_cache.h"
#include "detectors/matcher/dialect.h"

namespace tocsin::matcher {
namespace {

constexpr unsigned kRegexFlags =
    HS_FLAG_SINGLEMATCH | HS_FLAG_MULTILINE | HS_FLAG_UTF8 | HS_FLAG_ALLOWEMPTY;
constexpr unsigned kLiteralFlags = HS_FLAG_SINGLEMATCH | HS_FLAG_CASELESS;
// Patterns that only fail when all are compiled together (too large) are taken out one at a time.
constexpr std::size_t kRefusalsMax = 200;

std::atomic<std::uint64_t> next_id{1};  // NOLINT(*-avoid-non-const-global-variables)

std::string literal_expression(std::string_view text) {
  std::string expression;
  for (const char c : text) {
    expression += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return expression;
}

struct Refusal {
  int pattern = -1;  // -1: none in particular
  std::string why;
};

// What is given to Vectorscan.
class Expressions {
 public:
  // False: Vectorscan takes it in no form.
  bool add(std::uint32_t id, const Pattern& pattern, FirstStage::Stats& stats) {
    const bool literal = pattern.kind == Pattern::Kind::kLiteral;
    std::string expression =
        literal ? literal_expression(pattern.text) : to_vectorscan(pattern.text);
    unsigned flags = literal ? kLiteralFlags : kRegexFlags;
    if (!literal && !accepts(expression, flags)) {
      flags |= HS_FLAG_PREFILTER;
      if (!accepts(expression, flags)) return false;
      ++stats.loosened;
    } else {
      ++stats.exact;
    }
    texts_.push_back(std::move(expression));
    flags_.push_back(flags);
    ids_.push_back(id);
    patterns_.push_back(&pattern);
    return true;
  }

  // The expression at `at` was too large: without counting it mostly is not.  False: it is that
  // already.
  bool simplify(std::size_t at) {
    if (patterns_[at]->kind == Pattern::Kind::kLiteral) return false;
    std::string simpler = to_vectorscan(patterns_[at]->text, false);
    if (simpler == texts_[at]) return false;
    texts_[at] = std::move(simpler);
    return true;
  }

  std::uint32_t take_out(std::size_t at) {
    const std::uint32_t id = ids_[at];
    const auto offset = static_cast<std::ptrdiff_t>(at);
    texts_.erase(texts_.begin() + offset);
    flags_.erase(flags_.begin() + offset);
    ids_.erase(ids_.begin() + offset);
    patterns_.erase(patterns_.begin() + offset);
    return id;
  }

  // Null, and `refusal` filled, when it failed.
  hs_database_t* compile(Refusal& refusal) const {
    std::vector<const char*> pointers;
    pointers.reserve(texts_.size());
    for (const std::string& text : texts_) pointers.push_back(text.c_str());
    hs_database_t* database = nullptr;
    hs_compile_error_t* error = nullptr;
    const hs_error_t status = hs_compile_multi(pointers.data(), flags_.data(), ids_.data(),
                                               static_cast<unsigned>(pointers.size()),
                                               HS_MODE_BLOCK, nullptr, &database, &error);
    if (status == HS_SUCCESS) return database;
    refusal = {.pattern = error == nullptr ? -1 : error->expression,
               .why = error == nullptr ? "out of memory" : error->message};
    hs_free_compile_error(error);
    return nullptr;
  }

  [[nodiscard]] bool empty() const { return texts_.empty(); }
  [[nodiscard]] std::size_t size() const { return texts_.size(); }

  // Everything that the compiled database depends on.
  [[nodiscard]] std::string identity() const {
    std::string all;
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      all += fmt::format("{} {} {}:", ids_[i], flags_[i], texts_[i].size());
      all += texts_[i];
    }
    return all;
  }

 private:
  static bool accepts(const std::string& expression, unsigned flags) {
    hs_expr_info_t* info = nullptr;
    hs_compile_error_t* error = nullptr;
    const hs_error_t status = hs_expression_info(expression.c_str(), flags, &info, &error);
    free(
        info);  // NOLINT(cppcoreguidelines-no-malloc): from Vectorscan's allocator, which is malloc
    hs_free_compile_error(error);
    return status == HS_SUCCESS;
  }

  std::vector<std::string> texts_;
  std::vector<unsigned> flags_;
  std::vector<unsigned> ids_;
  std::vector<const Pattern*> patterns_;
};

int on_match(unsigned id, unsigned long long, unsigned long long, unsigned, void* context) {
  static_cast<std::vector<std::uint32_t>*>(context)->push_back(id);
  return 0;
}

}  // namespace

FirstStage::FirstStage() : id_(next_id.fetch_add(1)) {}

FirstStage::~FirstStage() { hs_free_database(database_); }

std::expected<std::unique_ptr<const FirstStage>, std::string> FirstStage::compile(
    std::span<const Pattern> patterns, const std::filesystem::path& cache) {
  if (hs_valid_platform() != HS_SUCCESS) {
    return std::unexpected("this processor lacks what Vectorscan needs (x86-64: SSE4.2)");
  }
  std::unique_ptr<FirstStage> stage(new FirstStage);
  Expressions expressions;
  for (std::uint32_t i = 0; i < patterns.size(); ++i) {
    if (!expressions.add(i, patterns[i], stage->stats_)) stage->always_.push_back(i);
  }
  const DatabaseCache cached(cache, expressions.identity());
  if (auto kept = cached.load()) {
    stage->database_ = kept->database;
    stage->always_.insert(stage->always_.end(), kept->left_out.begin(), kept->left_out.end());
    stage->stats_.exact -= std::min(stage->stats_.exact, kept->left_out.size());
    stage->stats_.from_cache = true;
  }
  std::vector<std::uint32_t> left_out;
  std::size_t refusals = 0;
  while (stage->database_ == nullptr && !expressions.empty()) {
    Refusal refusal;
    stage->database_ = expressions.compile(refusal);
    if (stage->database_ != nullptr) break;
    const bool one =
        refusal.pattern >= 0 && static_cast<std::size_t>(refusal.pattern) < expressions.size();
    if (!one || ++refusals > kRefusalsMax) {
      return std::unexpected(
          fmt::format("Vectorscan cannot compile the patterns: {}", refusal.why));
    }
    if (expressions.simplify(static_cast<std::size_t>(refusal.pattern))) continue;
    left_out.push_back(expressions.take_out(static_cast<std::size_t>(refusal.pattern)));
    stage->stats_.exact -= stage->stats_.exact > 0 ? 1 : 0;
  }
  if (!stage->stats_.from_cache && stage->database_ != nullptr) {
    stage->always_.insert(stage->always_.end(), left_out.begin(), left_out.end());
    cached.store(stage->database_, left_out);
  }
  std::ranges::sort(stage->always_);
  stage->stats_.always = stage->always_.size();
  if (stage->database_ != nullptr) {
    CHECK(hs_database_size(stage->database_, &stage->stats_.database_bytes) == HS_SUCCESS);
  }
  return stage;
}

void FirstStage::scan(std::string_view text, Scratch& scratch,
                      std::vector<std::uint32_t>& candidates) const {
  candidates.insert(candidates.end(), always_.begin(), always_.end());
  if (database_ == nullptr || text.empty()) return;
  if (scratch.owner_ != id_) {
    CHECK(hs_alloc_scratch(database_, &scratch.memory_) == HS_SUCCESS);
    scratch.owner_ = id_;
  }
  const hs_error_t status = hs_scan(database_, text.data(), static_cast<unsigned>(text.size()), 0,
                                    scratch.memory_, &on_match, &candidates);
  CHECK(status == HS_SUCCESS);
}

FirstStage::Scratch::Scratch(Scratch&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), owner_(std::exchange(other.owner_, 0)) {}

FirstStage::Scratch& FirstStage::Scratch::operator=(Scratch&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(owner_, other.owner_);
  return *this;
}

FirstStage::Scratch::~Scratch() { hs_free_scratch(memory_); }

}  // namespace tocsin::matcher
