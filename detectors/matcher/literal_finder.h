// Which of many literals stand in a text, and where.
//
// Of each literal the rarest three bytes are hashed into a table.  A text's bytes are hashed at
// every offset; where the table says so, the literals with that hash are compared.  (Four bytes
// tell more, but the literals of three need a pass of their own then, and the pass costs more than
// what is compared in vain.)
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::matcher {

// A copy of a text with the letters of ASCII in lower case, and what `LiteralFinder` reads beyond
// its end.
class LowerText {
 public:
  void assign(std::string_view text);
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }

  static constexpr std::size_t kBeyond = 8;

 private:
  std::string bytes_;
  std::size_t size_ = 0;
};

// Immutable; thread-safe.
class LiteralFinder {
 public:
  static constexpr std::size_t kLiteralMin = 3;  // bytes
  static constexpr std::size_t kLiteralMax = 65'535;

  LiteralFinder() = default;
  // Each is of `kLiteralMin` to `kLiteralMax` bytes, the letters of ASCII in lower case.  The same
  // literal may be there twice.
  explicit LiteralFinder(std::span<const std::string> literals);

  // Calls found(literal, offset) for every place of every literal: of one literal in the order of
  // offsets, which are below 4 GiB.
  template <typename Found>
  void find(const LowerText& text, Found&& found) const {
    const std::string_view bytes = text.view();
    if (literals_.empty() || bytes.size() < kWindow) return;
    const std::size_t end = bytes.size() - kWindow + 1;
    std::uint32_t maybe[kBlock];
    for (std::size_t block = 0; block < end; block += kBlock) {
      const std::size_t count = sift(bytes, block, std::min(end, block + kBlock), maybe);
      for (std::size_t i = 0; i < count; ++i) look(bytes, maybe[i], found);
    }
  }

 private:
  static constexpr std::size_t kWindow = kLiteralMin;  // bytes
  static constexpr std::size_t kBlock = 512;  // offsets that are hashed before any is looked at

  struct Entry {
    std::uint64_t head = 0;  // the literal's first eight bytes, as they are read from a text
    std::uint64_t mask = 0;  // ... those it has
    std::uint32_t literal = 0;
    std::uint16_t offset = 0;  // of the window in the literal
    bool has_more = false;
  };

  // Of the window at `at`.  Reads four bytes: `LowerText` has them.
  static std::uint32_t hash(const char* at, unsigned shift) {
    constexpr std::uint32_t kMask = 0x00FF'FFFF;
    std::uint32_t window = 0;
    std::memcpy(&window, at, sizeof window);
    if constexpr (std::endian::native == std::endian::big) window = std::byteswap(window);
    return ((window & kMask) * 0x9E3779B1U) >> shift;  // Knuth's: 2^32 / phi
  }

  // The offsets in [begin, end) whose hash some literal has, into `maybe`; how many.
  std::size_t sift(std::string_view text, std::size_t begin, std::size_t end,
                   std::uint32_t* maybe) const {
    // In registers: for all the compiler knows, what is written to `maybe` is ours.
    const std::uint8_t* const is_hash = is_hash_.data();
    const char* const bytes = text.data();
    const unsigned shift = shift_;
    std::size_t count = 0;
    const auto take = [&](std::size_t at) {
      maybe[count] = static_cast<std::uint32_t>(at);
      count += is_hash[hash(bytes + at, shift)];  // no branch to mispredict
    };
    std::size_t at = begin;
    for (; at + 4 <= end; at += 4) {
      take(at);
      take(at + 1);
      take(at + 2);
      take(at + 3);
    }
    for (; at < end; ++at) take(at);
    return count;
  }

  template <typename Found>
  void look(std::string_view text, std::uint32_t at, Found& found) const {
    const std::uint32_t bucket = hash(text.data() + at, shift_) >> bucket_shift_;
    const std::uint32_t end = buckets_[bucket + 1];
    for (std::uint32_t i = buckets_[bucket]; i < end; ++i) {
      const Entry& entry = entries_[i];
      if (entry.offset > at) continue;
      const std::uint32_t start = at - entry.offset;
      std::uint64_t head = 0;
      std::memcpy(&head, text.data() + start, sizeof head);
      if (((head ^ entry.head) & entry.mask) != 0) continue;
      if (entry.has_more && !text.substr(start).starts_with(literals_[entry.literal])) continue;
      found(entry.literal, start);
    }
  }

  std::vector<std::string> literals_;
  unsigned shift_ = 0;
  unsigned bucket_shift_ = 0;
  std::vector<std::uint8_t> is_hash_;   // by hash: 1 when a literal has it
  std::vector<Entry> entries_;          // by bucket
  std::vector<std::uint32_t> buckets_;  // where each bucket's entries begin; and the end
};

}  // namespace tocsin::matcher
