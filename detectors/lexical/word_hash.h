// The hash of a word: of at most 48 bytes, eight at a time, the same at compile time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tocsin::lexical {

inline constexpr std::uint64_t kHashFactor = 0x9E37'79B9'7F4A'7C15;
inline constexpr std::size_t kChunkBytes = 8;
inline constexpr std::uint64_t kLowerBits = 0x2020'2020'2020'2020;  // or-ed: letters in lower case
inline constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080;   // of bytes beyond ASCII

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t chunk) {
  hash = (hash ^ chunk) * kHashFactor;
  return hash ^ (hash >> 29U);
}

// Up to eight bytes, the first lowest.
constexpr std::uint64_t load_bytes(const char* bytes, std::size_t size) {
  std::uint64_t chunk = 0;
  for (std::size_t i = 0; i < size; ++i) {
    chunk |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return chunk;
}

// Eight bytes, as one load where the machine's order is ours.
inline std::uint64_t load_chunk(const char* bytes) {
  if constexpr (std::endian::native != std::endian::little) return load_bytes(bytes, kChunkBytes);
  std::uint64_t chunk = 0;
  std::memcpy(&chunk, bytes, kChunkBytes);
  return chunk;
}

// The eight bytes from `at` on; of what is behind the text's end, zeros.  `at` is within the text.
inline std::uint64_t load_padded(std::string_view text, std::size_t at) {
  const std::size_t rest = text.size() - at;
  if (rest >= kChunkBytes) return load_chunk(text.data() + at);
  if (text.size() < kChunkBytes) return load_bytes(text.data() + at, rest);
  return load_chunk(text.data() + text.size() - kChunkBytes) >> (8 * (kChunkBytes - rest));
}

// How many of a chunk's eight bytes are ASCII letters before the first that is none.
constexpr std::size_t letters_in_front(std::uint64_t chunk) {
  constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
  // Without the highest bits nothing carries from one byte into the next.
  const std::uint64_t low = (chunk | kLowerBits) & ~kHighBits;
  const std::uint64_t from_a = low + (0x80 - 'a') * kOnes;
  const std::uint64_t beyond_z = low + (0x7F - 'z') * kOnes;
  const std::uint64_t letters = from_a & ~beyond_z & ~chunk & kHighBits;
  return static_cast<std::size_t>(std::countr_zero(letters ^ kHighBits)) / 8;
}

constexpr std::uint64_t hash_bytes(std::string_view bytes) {
  std::uint64_t hash = bytes.size();
  for (std::size_t i = 0; i < bytes.size(); i += kChunkBytes) {
    if consteval {
      const std::size_t rest = bytes.size() - i;
      hash = mix(hash, load_bytes(bytes.data() + i, rest < kChunkBytes ? rest : kChunkBytes));
    } else {
      hash = mix(hash, load_padded(bytes, i));
    }
  }
  return hash;
}

}  // namespace tocsin::lexical
