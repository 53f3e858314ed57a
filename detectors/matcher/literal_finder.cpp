#include "detectors/matcher/literal_finder.h"

#include <array>
#include <cstring>
#include <numeric>
#include <utility>

#include "daemon/check.h"

namespace tocsin::matcher {
namespace {

// So many hashes for every literal, at least: most windows of a text then have no literal's.
constexpr std::size_t kHashesPerLiteral = 32;
constexpr unsigned kHashBitsMin = 12;
constexpr unsigned kHashBitsMax = 22;

// How telling a byte is: English letters from the most frequent to the least, then digits and
// marks, then what is hardly ever there.
constexpr std::string_view kByFrequency = " etaoinsrhldcumfpg\"wyb,.vk:-/_0123xjqz";

constexpr std::array<std::uint8_t, 256> kRarity = [] {
  std::array<std::uint8_t, 256> rarity{};
  rarity.fill(static_cast<std::uint8_t>(kByFrequency.size()));
  for (std::size_t i = 0; i < kByFrequency.size(); ++i) {
    rarity[static_cast<unsigned char>(kByFrequency[i])] = static_cast<std::uint8_t>(i);
  }
  return rarity;
}();

// Where the rarest `bytes` bytes of a literal are.
std::size_t rarest_window(std::string_view literal, std::size_t bytes) {
  std::size_t best = 0;
  unsigned best_rarity = 0;
  for (std::size_t at = 0; at + bytes <= literal.size(); ++at) {
    unsigned rarity = 0;
    for (const char c : literal.substr(at, bytes)) rarity += kRarity[static_cast<unsigned char>(c)];
    if (rarity > best_rarity) {
      best = at;
      best_rarity = rarity;
    }
  }
  return best;
}

}  // namespace

void LowerText::assign(std::string_view text) {
  size_ = text.size();
  bytes_.resize(size_ + kBeyond);
  std::ranges::transform(text, bytes_.begin(), [](char c) {
    return static_cast<char>(c | (static_cast<unsigned char>(c - 'A') < 26 ? 0x20 : 0));
  });
  std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(size_), bytes_.end(), '\0');
}

LiteralFinder::LiteralFinder(std::span<const std::string> literals)
    : literals_(literals.begin(), literals.end()) {
  if (literals_.empty()) return;
  const auto wanted = static_cast<unsigned>(std::bit_width(literals_.size() * kHashesPerLiteral));
  const unsigned hash_bits = std::clamp(wanted, kHashBitsMin, kHashBitsMax);
  const unsigned bucket_bits =
      std::min(hash_bits, static_cast<unsigned>(std::bit_width(literals_.size())) + 2);
  shift_ = 32 - hash_bits;
  bucket_shift_ = hash_bits - bucket_bits;
  is_hash_.resize(std::size_t{1} << hash_bits);

  std::vector<std::pair<std::uint32_t, Entry>> by_hash;
  for (std::uint32_t i = 0; i < literals_.size(); ++i) {
    const std::string& literal = literals_[i];
    const bool is_in_bounds = literal.size() >= kLiteralMin && literal.size() <= kLiteralMax;
    CHECK(is_in_bounds);
    const std::size_t at = rarest_window(literal, kWindow);
    Entry entry{.literal = i,
                .offset = static_cast<std::uint16_t>(at),
                .has_more = literal.size() > sizeof(Entry::head)};
    const std::size_t known = std::min(literal.size(), sizeof entry.head);
    std::memcpy(&entry.head, literal.data(), known);
    std::memset(&entry.mask, 0xFF, known);
    LowerText padded;
    padded.assign(literal);
    by_hash.emplace_back(hash(padded.view().data() + at, shift_), entry);
  }
  std::ranges::stable_sort(by_hash, {}, &std::pair<std::uint32_t, Entry>::first);
  buckets_.resize((std::size_t{1} << bucket_bits) + 1);
  for (const auto& [hash, entry] : by_hash) {
    is_hash_[hash] = 1;
    ++buckets_[(hash >> bucket_shift_) + 1];
    entries_.push_back(entry);
  }
  std::partial_sum(buckets_.begin(), buckets_.end(), buckets_.begin());
}

}  // namespace tocsin::matcher
