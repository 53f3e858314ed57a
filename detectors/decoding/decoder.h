// Decode before match: the views of a value in which something may be hidden.
//
// A rule is tried on a value as it came and on each of its views, and a finding says through which
// decodings it was seen.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::decoding {

enum class Step : std::uint8_t {
  kUnicode,  // NFKD without marks; invisible characters out; look-alikes of Latin letters in
  kTags,     // text written in tag characters or variation selectors, which nobody sees
  kSpacing,  // l e t t e r s  s e t  a p a r t
  kUrl,      // %41, %u0041
  kHtml,     // &lt; &#65; &#x41;
  kEscape,   // \x41 \u0041 \u{41} \101 \n \" of programming languages and JSON
  kBase64,   // one run of it, standard or URL alphabet, that decodes to text (UTF-16LE too)
  kHex,      // one run of it that decodes to text
};
inline constexpr std::size_t kStepCount = 8;
std::span<const std::string_view> step_names();
std::optional<Step> step_named(std::string_view name);

// The steps that led to a view, in order.
class Chain {
 public:
  static constexpr std::size_t kStepsMax = 4;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool contains(Step step) const;
  [[nodiscard]] Chain with(Step step) const;    // itself when it is full
  [[nodiscard]] std::string to_string() const;  // "base64+url"

 private:
  std::array<Step, kStepsMax> steps_{};
  std::uint8_t size_ = 0;
};

struct View {
  std::string_view text;  // valid UTF-8
  Chain chain;
};

struct Limits {
  std::size_t depth_max = Chain::kStepsMax;        // steps behind one another
  std::size_t bytes_max = std::size_t{256} << 10;  // of all views of an event
  std::size_t views_max = 64;                      // of an event
};

// One a worker; not thread-safe.  Linear in the text for each step, so at most
// (text + bytes_max) x steps for an event; a plain ASCII text costs a look.
class Decoder {
 public:
  Decoder() = default;
  explicit Decoder(Limits limits) : limits_(limits) {}

  // The views of the last event end here; the budget is whole again.
  void begin_event();
  // Appends the views of `text` (valid UTF-8), and theirs, never `text` itself nor one text twice.
  void decode(std::string_view text, std::vector<View>& out);
  // A limit was reached in this event: not every view was made.
  [[nodiscard]] bool exhausted() const { return exhausted_; }

 private:
  void decode(std::string_view text, const Chain& chain, std::vector<View>& out);
  // A buffer to decode into; null when the budget is used up.
  std::string* buffer();
  // The text in the buffer given last becomes a view, and is looked through in turn.
  void accept(Step step, const Chain& chain, std::string_view source, std::vector<View>& out);

  Limits limits_;
  std::vector<std::unique_ptr<std::string>> buffers_;  // stable; reused
  std::size_t used_ = 0;
  std::size_t bytes_ = 0;
  std::vector<std::uint64_t> seen_;  // hashes of the views of the value in hand
  bool exhausted_ = false;
};

}  // namespace tocsin::decoding
