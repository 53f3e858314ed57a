#include "detectors/rules/pattern_table.h"

#include <re2/stringpiece.h>

#include <array>

#include "daemon/check.h"

namespace tocsin {
namespace {

// RE2's budget for a pattern's program and its lazily built automata: the smallest that does.
constexpr std::array<std::int64_t, 2> kBudgets = {std::int64_t{4} << 20, std::int64_t{8} << 20};

}  // namespace

std::unique_ptr<const re2::RE2> LazyRegex::compile(std::string_view pattern, std::string* error) {
  std::unique_ptr<const re2::RE2> compiled;
  for (const std::int64_t bytes : kBudgets) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(bytes);
    compiled =
        std::make_unique<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
    if (compiled->ok()) return compiled;
    if (compiled->error_code() != re2::RE2::ErrorPatternTooLarge) break;
  }
  if (error != nullptr) *error = compiled->error();
  return nullptr;
}

const re2::RE2& LazyRegex::get() const {
  const re2::RE2* compiled = compiled_.load(std::memory_order_acquire);
  if (compiled != nullptr) return *compiled;
  std::unique_ptr<const re2::RE2> made = compile(pattern_, nullptr);
  CHECK(made != nullptr);  // it did when it was loaded
  if (compiled_.compare_exchange_strong(compiled, made.get(), std::memory_order_acq_rel)) {
    return *made.release();
  }
  return *compiled;  // another thread was first
}

void PatternTable::release_compiled() {
  for (Entry& entry : entries_) {
    if (entry.regex != nullptr) entry.regex->release();
  }
}

PatternId PatternTable::regex(std::string_view pattern, bool scanned,
                              std::unique_ptr<const re2::RE2> compiled) {
  if (const auto found = regexes_.find(pattern); found != regexes_.end()) {
    Entry& entry = entries_[found->second];
    entry.scanned = entry.scanned || scanned;
    return found->second;
  }
  const auto id = static_cast<PatternId>(entries_.size());
  Entry& entry = entries_.emplace_back();
  entry.scanned = scanned;
  entry.regex = std::make_unique<LazyRegex>(std::string(pattern), std::move(compiled));
  bytes_ += pattern.size();
  regexes_.emplace(entry.text(), id);
  return id;
}

PatternId PatternTable::literal(std::string_view text) {
  if (const auto found = literals_.find(text); found != literals_.end()) return found->second;
  const auto id = static_cast<PatternId>(entries_.size());
  Entry& entry = entries_.emplace_back();
  entry.kind = Kind::kLiteral;
  entry.scanned = true;
  entry.literal = text;
  bytes_ += text.size();
  literals_.emplace(entry.text(), id);
  return id;
}

}  // namespace tocsin
