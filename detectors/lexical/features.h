// What a linear model sees of a word and of those before it, as numbers.
//
// Words, stems, pairs, pairs with a gap, words that open a sentence, shapes and punctuation, and
// the classes of words (`WordClass`) alone, in pairs and threes over a few words' distance.  What
// repeats within a window counts once, so that a table's column or a flood of one word adds up to
// nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "detectors/lexical/words.h"

namespace tocsin::lexical {

// A feature is a bucket of a head's table and a tag.  The tag is compared: words that training has
// never seen, most of a text of an unknown kind, must not add up by chance.
inline constexpr unsigned kBucketBits = 16;
inline constexpr unsigned kTagBits = 8;
inline constexpr std::size_t kBuckets = std::size_t{1} << kBucketBits;

using FeatureId = std::uint32_t;  // kBucketBits + kTagBits of a hash
constexpr std::size_t bucket_of(FeatureId id) { return id >> kTagBits; }
constexpr std::uint8_t tag_of(FeatureId id) { return static_cast<std::uint8_t>(id); }

// Follows one text after the other; 4 KiB on the stack of its caller, no allocation.
class Features {
 public:
  // At most this many for a word.
  static constexpr std::size_t kPerWordMax = 16;

  // `window`: words within which repetition does not count.
  explicit Features(std::uint32_t window) : window_(window) {}

  // Another text begins, as with a new object: most values of a result are a few words long, and
  // clearing what was seen would cost more than reading them.
  void restart() {
    constexpr std::uint32_t kPositionMax = std::uint32_t{1} << 31U;
    if (position_ > kPositionMax) {
      *this = Features(window_);
      return;
    }
    position_ += window_;  // beyond the reach of all that was seen
    class_at_ = 0;
    last_shape_ = 0;
    before_ = {};
    classes_ = {};
  }

  // Calls `sink(id)` for each feature that ends with this word.
  template <typename Sink>
  void add(const Word& word, const Sink& sink) {
    ++position_;
    if (is_new(word.hash)) {
      emit(sink, kWord, word.hash);
      if (word.stem != 0) emit(sink, kStem, word.stem);
    }
    const std::uint64_t pair = join(before_[0], word.hash);
    if (is_new(join(kPair, pair))) {
      emit(sink, kPair, pair);
      emit(sink, kGap, join(before_[1], word.hash));
      if (word.opens) emit(sink, kOpening, word.hash);
      add_classes(word, sink);
      add_form(word, sink);
    }
    before_[1] = before_[0];
    before_[0] = word.hash;
  }

 private:
  enum Kind : std::uint64_t {
    kWord = 1,
    kStem,
    kPair,
    kGap,
    kOpening,
    kClass,
    kClassPair,
    kClassThree,
    kClassWord,
    kOpeningClass,
    kMarks,
    kShapes,
    kHiddenClass,
  };
  struct Seen {
    std::uint64_t hash = 0;
    std::uint32_t position = 0;
  };
  static constexpr std::size_t kSeenSlots = 256;
  static constexpr std::uint32_t kClassReach = 6;  // words between two classes of a pair
  static constexpr std::uint64_t kFactor = 0xD6E8'FEB8'6659'FD93;

  static constexpr std::uint64_t join(std::uint64_t a, std::uint64_t b) {
    return (a * kFactor) ^ (b + (a >> 31U));
  }

  template <typename Sink>
  static void emit(const Sink& sink, Kind kind, std::uint64_t what) {
    const std::uint64_t hash = (what ^ (kind * 0x9E37'79B9'7F4A'7C15)) * kFactor;
    sink(static_cast<FeatureId>((hash ^ (hash << 23U)) >> (64U - kBucketBits - kTagBits)));
  }

  // Forms and classes are few and recur: each counts once a window, or code and tables, which are
  // full of marks and capitals, would be told by their number alone.
  template <typename Sink>
  void emit_new(const Sink& sink, Kind kind, std::uint64_t what) {
    if (is_new(join(kind, what))) emit(sink, kind, what);
  }

  // Not seen in the last `window_` words; a slot that another hash took in between forgets.
  bool is_new(std::uint64_t hash) {
    Seen& seen = seen_[(hash ^ (hash >> 17U)) % kSeenSlots];
    const bool repeated =
        seen.hash == hash && seen.position != 0 && position_ - seen.position < window_;
    seen = {.hash = hash, .position = position_};
    return !repeated;
  }

  template <typename Sink>
  void add_classes(const Word& word, const Sink& sink) {
    const auto c = static_cast<std::uint64_t>(word.word_class);
    const bool near = classes_[0] != 0 && position_ - class_at_ <= kClassReach;
    if (near) emit(sink, kClassWord, join(classes_[0], word.hash));
    if (c == 0) {
      if (word.opens) emit_new(sink, kOpeningClass, static_cast<std::uint64_t>(word.shape) + 64);
      return;
    }
    emit_new(sink, kClass, c);
    if (word.opens) emit_new(sink, kOpeningClass, c);
    if (near) {
      emit_new(sink, kClassPair, classes_[0] * 64 + c);
      if (classes_[1] != 0) emit_new(sink, kClassThree, (classes_[1] * 64 + classes_[0]) * 64 + c);
    }
    classes_[1] = near ? classes_[0] : 0;
    classes_[0] = c;
    class_at_ = position_;
  }

  template <typename Sink>
  void add_form(const Word& word, const Sink& sink) {
    const auto shape = static_cast<std::uint64_t>(word.shape);
    if (word.marks != 0) {
      emit_new(sink, kMarks, (std::uint64_t{word.marks} * 16 + shape) * 2 + (word.opens ? 1 : 0));
    }
    if (shape != 0) emit_new(sink, kShapes, last_shape_ * 16 + shape);
    if ((word.marks & kHidden) != 0) emit_new(sink, kHiddenClass, shape);
    last_shape_ = shape;
  }

  std::uint32_t window_;
  std::uint32_t position_ = 0;
  std::uint32_t class_at_ = 0;
  std::uint64_t last_shape_ = 0;
  std::array<std::uint64_t, 2> before_{};   // hashes of the words before, the nearest first
  std::array<std::uint64_t, 2> classes_{};  // the last two classes, the nearest first
  std::array<Seen, kSeenSlots> seen_{};
};

}  // namespace tocsin::lexical
