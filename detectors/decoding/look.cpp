#include "detectors/decoding/look.h"

#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

#include <array>
#include <bit>
#include <cstring>

namespace tocsin::decoding {
namespace {

constexpr std::size_t kBlock = 64;

// A byte's classes are one bit each, and chosen so that each is a set of rows (high nibble) times a
// set of columns (low nibble): the classes of 16 bytes are then two table look-ups and an AND.
constexpr std::uint8_t kDigits = 1;       // row 3
constexpr std::uint8_t kLettersAtoO = 2;  // rows 4, 6
constexpr std::uint8_t kLettersPtoZ = 4;  // rows 5, 7
constexpr std::uint8_t kDashSlash = 8;    // row 2
constexpr std::uint8_t kUnderscore = 16;  // row 5
constexpr std::uint8_t kReferences = 32;  // row 2: % &
constexpr std::uint8_t kBackslash = 64;   // row 5
constexpr std::uint8_t kPlus = 128;       // row 2
constexpr std::uint8_t kLetterOrDigit = kDigits | kLettersAtoO | kLettersPtoZ;
constexpr std::uint8_t kBase64Alphabet = kLetterOrDigit | kDashSlash | kUnderscore | kPlus;

constexpr auto kRows = [] {
  std::array<std::uint8_t, 16> rows{};
  rows[2] = kDashSlash | kReferences | kPlus;
  rows[3] = kDigits;
  rows[4] = rows[6] = kLettersAtoO;
  rows[5] = kLettersPtoZ | kUnderscore | kBackslash;
  rows[7] = kLettersPtoZ;
  return rows;
}();

constexpr auto kColumns = [] {
  std::array<std::uint8_t, 16> columns{};
  for (unsigned i = 0; i <= 9; ++i) columns[i] |= kDigits;
  for (unsigned i = 1; i <= 15; ++i) columns[i] |= kLettersAtoO;
  for (unsigned i = 0; i <= 10; ++i) columns[i] |= kLettersPtoZ;
  columns[0xD] |= kDashSlash;
  columns[0xF] |= kDashSlash | kUnderscore;
  columns[5] |= kReferences;
  columns[6] |= kReferences;
  columns[0xC] |= kBackslash;
  columns[0xB] |= kPlus;
  return columns;
}();

// Bit i of a mask is byte i of the block.
struct Masks {
  std::uint64_t alnum = 0;
  std::uint64_t base64 = 0;
  std::uint64_t x = 0;
};

// What any byte so far was.
struct Seen {
#if defined(__SSSE3__)
  __m128i classes = _mm_setzero_si128();
  __m128i bytes = _mm_setzero_si128();

  [[nodiscard]] std::uint8_t any_class() const {
    alignas(16) std::array<std::uint8_t, 16> lanes{};
    _mm_store_si128(reinterpret_cast<__m128i*>(lanes.data()), classes);
    std::uint8_t all = 0;
    for (const std::uint8_t lane : lanes) all |= lane;
    return all;
  }
  [[nodiscard]] bool any_non_ascii() const { return _mm_movemask_epi8(bytes) != 0; }
#else
  std::uint8_t classes = 0;
  std::uint8_t bytes = 0;

  [[nodiscard]] std::uint8_t any_class() const { return classes; }
  [[nodiscard]] bool any_non_ascii() const { return bytes >= 0x80; }
#endif
};

#if defined(__SSSE3__)

// Of 16 bytes: bit i is byte i.
struct Bits {
  std::uint64_t not_alnum;
  std::uint64_t not_base64;
  std::uint64_t x;
};

// Four calls are too many for the compiler to inline by itself, which halves the time.
[[gnu::always_inline]] inline Bits classify16(const char* at, Seen& seen) {
  const __m128i rows = _mm_loadu_si128(reinterpret_cast<const __m128i*>(kRows.data()));
  const __m128i columns = _mm_loadu_si128(reinterpret_cast<const __m128i*>(kColumns.data()));
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0x0F));
  // A shuffle gives 0 where the index has its high bit set: a non-ASCII byte is in no class.
  const __m128i classes =
      _mm_and_si128(_mm_shuffle_epi8(columns, bytes), _mm_shuffle_epi8(rows, high));
  seen.classes = _mm_or_si128(seen.classes, classes);
  seen.bytes = _mm_or_si128(seen.bytes, bytes);
  const auto bits_of = [](__m128i lanes) -> std::uint64_t {
    return static_cast<unsigned>(_mm_movemask_epi8(lanes));
  };
  const auto none_of = [&](std::uint8_t wanted) {
    const __m128i these = _mm_and_si128(classes, _mm_set1_epi8(static_cast<char>(wanted)));
    return bits_of(_mm_cmpeq_epi8(these, _mm_setzero_si128()));
  };
  return {.not_alnum = none_of(kLetterOrDigit),
          .not_base64 = none_of(kBase64Alphabet),
          .x = bits_of(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('x')))};
}

[[gnu::always_inline]] inline Masks classify(const char* block, Seen& seen) {
  const Bits a = classify16(block, seen);
  const Bits b = classify16(block + 16, seen);
  const Bits c = classify16(block + 32, seen);
  const Bits d = classify16(block + 48, seen);
  const auto join = [&](std::uint64_t Bits::* bits) {
    return a.*bits | b.*bits << 16U | c.*bits << 32U | d.*bits << 48U;
  };
  return {
      .alnum = ~join(&Bits::not_alnum), .base64 = ~join(&Bits::not_base64), .x = join(&Bits::x)};
}

#else

[[gnu::always_inline]] inline Masks classify(const char* block, Seen& seen) {
  Masks masks;
  for (unsigned i = 0; i < kBlock; ++i) {
    const auto byte = static_cast<unsigned char>(block[i]);
    const std::uint8_t classes = byte < 0x80 ? kRows[byte >> 4U] & kColumns[byte & 15U] : 0;
    seen.classes |= classes;
    seen.bytes |= byte;
    masks.alnum |= std::uint64_t{(classes & kLetterOrDigit) != 0} << i;
    masks.base64 |= std::uint64_t{(classes & kBase64Alphabet) != 0} << i;
    masks.x |= std::uint64_t{byte == 'x'} << i;
  }
  return masks;
}

#endif

// Bit i: 16 ones from bit i on.
std::uint64_t runs_of_16(std::uint64_t mask) {
  static_assert(kRunCharsMin == 16);
  mask &= mask >> 1U;
  mask &= mask >> 2U;
  mask &= mask >> 4U;
  return mask & (mask >> 8U);
}

// The following look at one block, at whose borders a pattern may be cut in two: what is outside of
// it counts as neither letter nor digit, and half of the pattern suffices.

// Three of the five single letters.
bool has_spaced(std::uint64_t alnum) {
  const std::uint64_t single = alnum & ~(alnum << 1U) & ~(alnum >> 1U);
  return (single & (single >> 2U) & (single >> 4U)) != 0;
}

// Eight pairs, or four at a border; three of the eight 0x.. with one or two characters between
// them.
bool has_pairs(const Masks& masks) {
  // The first of four pairs is there when they, or half a pair beyond, touch a border.
  constexpr std::uint64_t kAtBorder = std::uint64_t{7} | std::uint64_t{7} << (kBlock - 13);
  const std::uint64_t alnum = masks.alnum;
  const std::uint64_t pair = alnum & (alnum >> 1U) & ~(alnum >> 2U) & ~(alnum << 1U);
  const std::uint64_t two = pair & (pair >> 3U);
  const std::uint64_t four = two & (two >> 6U);
  const std::uint64_t eight = four & (four >> 12U);
  const std::uint64_t x = masks.x;
  const std::uint64_t listed = (x & (x >> 5U) & (x >> 10U)) | (x & (x >> 6U) & (x >> 12U));
  return (eight | (four & kAtBorder) | listed) != 0;
}

}  // namespace

void look_at(std::string_view text, Look& look) {
  look.spots.clear();
  Seen seen;
  std::uint64_t before = 0;  // base64 of the block before
  std::array<char, kBlock> last{};
  for (std::size_t offset = 0; offset < text.size(); offset += kBlock) {
    const char* block = text.data() + offset;
    if (text.size() - offset < kBlock) {
      std::memcpy(last.data(), block, text.size() - offset);
      block = last.data();
    }
    const Masks masks = classify(block, seen);
    Spot spot{.offset = static_cast<std::uint32_t>(offset),
              .pairs = has_pairs(masks),
              .spaced = has_spaced(masks.alnum),
              .runs = runs_of_16(masks.base64)};
    const int run_before = std::countl_one(before);
    const int run_here = std::countr_one(masks.base64);
    if (run_before != 0 && run_here != 0 && run_before + run_here >= int{kRunCharsMin}) {
      spot.run_before = static_cast<std::uint8_t>(run_before);
    }
    before = masks.base64;
    if (spot.pairs || spot.spaced || spot.has_run()) look.spots.push_back(spot);
  }
  const std::uint8_t classes = seen.any_class();
  look.non_ascii = seen.any_non_ascii();
  look.reference = (classes & kReferences) != 0;
  look.backslash = (classes & kBackslash) != 0;
  look.plus = (classes & kPlus) != 0;
}

}  // namespace tocsin::decoding
