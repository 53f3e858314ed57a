// Words and values in what a user says and a tool is given: how two events are seen to speak of the
// same thing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "detectors/detector.h"

namespace tocsin::session {

// The words of an identifier ("sendDirect_message": send, direct, message), lower-cased, without an
// allocation; what is beyond the bounds is left out.
class NameWords {
 public:
  static constexpr std::size_t kWordsMax = 16;
  static constexpr std::size_t kBytesMax = 128;

  explicit NameWords(std::string_view name);
  NameWords(const NameWords&) = delete;
  NameWords& operator=(const NameWords&) = delete;

  [[nodiscard]] const std::string_view* begin() const { return words_.data(); }
  [[nodiscard]] const std::string_view* end() const { return words_.data() + size_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool has(std::string_view word) const;

  template <typename Words>
  [[nodiscard]] bool has_any(const Words& of) const {
    for (const std::string_view word : of) {
      if (has(word)) return true;
    }
    return false;
  }

 private:
  void end_word(std::size_t begin, std::size_t end);

  std::array<char, kBytesMax> text_;
  std::array<std::string_view, kWordsMax> words_;
  std::size_t size_ = 0;
};

// Goes over the things that a text names: addresses, hosts, paths, ids, numbers; not plain words.
// Each is lower-cased, without scheme, "www." and the punctuation around it; a path is followed by
// its last part, a URL by its host.  The view is valid until the next call.
class ValueFinder {
 public:
  static constexpr std::size_t kValueBytesMax = 256;  // a longer one is cut
  static constexpr std::size_t kValueBytesMin = 3;

  explicit ValueFinder(std::string_view text) : text_(text) {}

  std::optional<std::string_view> next();

 private:
  std::optional<std::string_view> next_token();
  std::string_view normal(std::string_view token, bool& is_url);

  std::string_view text_;
  std::size_t position_ = 0;
  std::string_view last_part_;  // of the value given before, still to be given
  std::string_view host_;
  std::array<char, kValueBytesMax> buffer_;
};

std::uint32_t value_hash(std::string_view value);
// What a value is compared by: a path by its last part, unless that says little; running text as it
// stands.
std::uint32_t object_hash(std::string_view written);

// What the user named, as hashes; the first `values_max` of a session.
class NamedValues {
 public:
  void add(std::string_view text, std::size_t values_max);
  [[nodiscard]] bool has(std::uint32_t hash) const;
  // Whether one of the values in the text was named.
  [[nodiscard]] bool has_any(std::string_view text) const;
  [[nodiscard]] std::size_t heap_bytes() const {
    return values_.capacity() * sizeof(std::uint32_t);
  }

 private:
  std::vector<std::uint32_t> values_;
};

// The last part of a leaf's path that is no array index: "headers.to.0" gives "to".
std::string_view parameter_of(std::string_view path);

// Whether the argument says where something goes: declared, else by its name.
bool is_destination(const Leaf& argument, const ToolContext& tool);

}  // namespace tocsin::session
