// Which of 64 bytes are in a set of ASCII characters, as bits: where a text is looked through for
// something that it seldom has, a table asked byte by byte is most of what looking costs.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

namespace tocsin::validate {

class AsciiSet {
 public:
  static constexpr std::size_t kBlock = 64;

  // Bytes beyond ASCII are in none.
  constexpr explicit AsciiSet(std::string_view members) {
    for (const char c : members) add(static_cast<unsigned char>(c));
  }
  // Of the ASCII characters for which `is_member(char)` holds.
  template <typename IsMember>
  static constexpr AsciiSet of(const IsMember& is_member) {
    AsciiSet set("");
    for (unsigned char c = 0; c < 0x80; ++c) {
      if (is_member(static_cast<char>(c))) set.add(c);
    }
    return set;
  }
  constexpr void add(unsigned char c) {
    if (c < 0x80) rows_[c & 0xFU] |= static_cast<std::uint8_t>(1U << (c >> 4U));
  }
  [[nodiscard]] constexpr bool has(char c) const {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x80 && ((rows_[byte & 0xFU] >> (byte >> 4U)) & 1U) != 0;
  }

  // Bit i: the byte at `at` + i is in the set; of what is behind the text's end, none is.
  [[nodiscard]] std::uint64_t in(std::string_view text, std::size_t at) const {
    if (text.size() - at >= kBlock) return in_block(text.data() + at);
    std::array<char, kBlock> padded;
    padded.fill('\x80');
    std::memcpy(padded.data(), text.data() + at, text.size() - at);
    return in_block(padded.data());
  }

 private:
  // A character's row by its low half, its bit of the row by its high half.
  [[nodiscard]] std::uint64_t in_block(const char* bytes) const {
    std::uint64_t mask = 0;
#if defined(__SSSE3__)
    const __m128i rows = _mm_load_si128(reinterpret_cast<const __m128i*>(rows_.data()));
    const __m128i bits = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i low = _mm_set1_epi8(0xF);
    for (std::size_t i = 0; i < kBlock; i += sizeof(__m128i)) {
      const __m128i chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i));
      const __m128i row = _mm_shuffle_epi8(rows, _mm_and_si128(chunk, low));
      const __m128i bit = _mm_shuffle_epi8(bits, _mm_and_si128(_mm_srli_epi16(chunk, 4), low));
      const __m128i out = _mm_cmpeq_epi8(_mm_and_si128(row, bit), _mm_setzero_si128());
      mask |= std::uint64_t{~static_cast<unsigned>(_mm_movemask_epi8(out)) & 0xFFFFU} << i;
    }
#else
    for (std::size_t i = 0; i < kBlock; ++i) mask |= std::uint64_t{has(bytes[i])} << i;
#endif
    return mask;
  }

  alignas(16) std::array<std::uint8_t, 16> rows_{};
};

// Calls `visit(begin, size)` with each longest run of bytes of which `mask(at)`, for the 64 from
// `at` on, has the bits, in order.  Where runs end is read from the bits of a block, so that
// neither a load nor a branch waits for the end of the one before.
template <typename Mask, typename Visit>
void each_run_in(std::string_view text, const Mask& mask, const Visit& visit) {
  bool open = false;  // the run that began at `begin` goes on in this block
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); at += AsciiSet::kBlock) {
    const std::uint64_t in = mask(at);
    std::uint64_t edges = in ^ ((in << 1U) | (open ? 1U : 0U));
    const auto take = [&] {
      const auto edge = at + static_cast<std::size_t>(std::countr_zero(edges));
      edges &= edges - 1;
      return edge;
    };
    if (open && edges != 0) {
      visit(begin, take() - begin);
      open = false;
    }
    while (edges != 0) {
      begin = take();
      if (edges == 0) {
        open = true;
        break;
      }
      visit(begin, take() - begin);
    }
  }
  if (open) visit(begin, text.size() - begin);
}

// ... of bytes that `between` has not: words, when it has what parts them.  Bytes beyond ASCII are
// in runs.
template <typename Visit>
void each_run(std::string_view text, const AsciiSet& between, const Visit& visit) {
  const auto mask = [&](std::size_t at) {
    const std::uint64_t in = ~between.in(text, at);
    const std::size_t rest = text.size() - at;
    return rest < AsciiSet::kBlock ? in & ((std::uint64_t{1} << rest) - 1) : in;
  };
  each_run_in(text, mask, visit);
}

// How many there are.
inline std::size_t count_runs(std::string_view text, const AsciiSet& between) {
  std::size_t runs = 0;
  std::uint64_t open = 0;  // 1: the byte before the block is in a run
  for (std::size_t at = 0; at < text.size(); at += AsciiSet::kBlock) {
    std::uint64_t in = ~between.in(text, at);
    const std::size_t rest = text.size() - at;
    if (rest < AsciiSet::kBlock) in &= (std::uint64_t{1} << rest) - 1;
    runs += static_cast<std::size_t>(std::popcount(in & ~((in << 1U) | open)));
    open = in >> (AsciiSet::kBlock - 1);
  }
  return runs;
}

// ... of bytes that `members` has.
template <typename Visit>
void each_run_of(std::string_view text, const AsciiSet& members, const Visit& visit) {
  each_run_in(text, [&](std::size_t at) { return members.in(text, at); }, visit);
}

// Bit i: `count` bits of the mask from i on are set; 1 to 64.
constexpr std::uint64_t runs_of(std::uint64_t mask, std::size_t count) {
  for (std::size_t have = 1; have < count;) {
    const std::size_t more = have < count - have ? have : count - have;
    mask &= mask >> more;
    have += more;
  }
  return mask;
}

}  // namespace tocsin::validate
