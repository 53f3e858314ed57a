// A linear model over the words of a text, one head a channel, and the scan that applies it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/lexical/features.h"

namespace tocsin::lexical {

// The same sentence is ordinary from a user and telling in a tool's result.
enum class Channel : std::uint8_t { kUserMessage, kToolResult };
inline constexpr std::size_t kChannelCount = 2;

// Words of a window.
inline constexpr std::array<std::uint32_t, kChannelCount> kWindowWords = {40, 32};
inline constexpr std::uint32_t kWindowWordsMax = 64;

struct Head {
  std::uint32_t window = 0;              // words
  std::int32_t bias = 0;                 // a window's score is this and its features' weights
  std::int32_t threshold = 0;            // a text is flagged from this score on
  std::span<const unsigned char> table;  // kBuckets of two bytes: weight (signed), tag

  [[nodiscard]] std::int32_t weight(FeatureId id) const {
    const unsigned char* entry = table.data() + 2 * bucket_of(id);
    // Whether a word is known cannot be foretold: no branch.
    const std::int32_t known = -static_cast<std::int32_t>(entry[1] == tag_of(id));
    return static_cast<std::int8_t>(entry[0]) & known;
  }
};

// A long text has more windows, one of which may score by chance: each doubling of the windows a
// text has room for takes this from its score.
inline constexpr std::int32_t kLengthStep = 50;
std::int32_t length_cost(std::size_t words, std::uint32_t window);

// The window with the highest score: the first of equals.  The cost of length is taken off.
struct Window {
  std::int32_t score = 0;
  std::uint32_t words = 0;  // 0: the text has none
  std::uint32_t begin = 0;  // bytes of the text
  std::uint32_t end = 0;
};

// Of a longer value, the first three quarters of this and the last quarter are looked at.
inline constexpr std::size_t kValueBytesMax = std::size_t{256} << 10;

// Looks at one text after the other.  5 KiB, no allocation; not thread-safe.
class Scanner {
 public:
  // The head's table must outlive it.
  explicit Scanner(const Head& head) : head_(head), features_(head.window) {}

  // `text`: valid UTF-8.  Linear, the same for the same text whatever came before it.
  Window best_window(std::string_view text);

 private:
  // What a word adds to the score, and where it stands.
  struct Entry {
    std::int32_t weight = 0;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };
  std::uint32_t scan(std::string_view text, std::size_t from, std::size_t to, Window& best);

  Head head_;
  Features features_;
  std::array<Entry, kWindowWordsMax> ring_;  // the last words; those of this text are read alone
};
// Of one text.
Window best_window(const Head& head, std::string_view text);

// The part of a window that speaks for its score: the words with the highest sum.
std::string_view telling_part(const Head& head, std::string_view text, const Window& window);

// The file: "tocsin lexical model 2\n", a fingerprint of the features it was trained with (8
// bytes), then for each channel bias and threshold (4 bytes each, signed) and the table.  Little
// endian.
class Model {
 public:
  static constexpr std::size_t kFileBytesMax = std::size_t{512} << 10;

  // `bytes` must outlive the model.
  static std::expected<Model, std::string> parse(std::span<const unsigned char> bytes);
  // The one in the program (model.bin), checked when first asked for.
  static const Model& embedded();

  [[nodiscard]] const Head& head(Channel channel) const {
    return heads_[static_cast<std::size_t>(channel)];
  }

 private:
  std::array<Head, kChannelCount> heads_;
};

// The file of these heads.
std::vector<unsigned char> serialise(const std::array<Head, kChannelCount>& heads);

// A hash over the features of a fixed text, the classes of words and the invisible characters: a
// model is worth nothing with others than those it was trained with.
std::uint64_t feature_fingerprint();

// model.bin, put into the program by CMakeLists.txt.
std::span<const unsigned char> embedded_file();

}  // namespace tocsin::lexical
