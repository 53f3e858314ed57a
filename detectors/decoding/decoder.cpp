#include "detectors/decoding/decoder.h"

#include <algorithm>

#include "daemon/text.h"
#include "detectors/decoding/steps.h"

namespace tocsin::decoding {
namespace {

constexpr std::array<std::string_view, kStepCount> kNames = {"unicode", "tags",   "spacing", "url",
                                                             "html",    "escape", "base64",  "hex"};
constexpr std::size_t kTextBytesMin = 6;            // shorter ones hold nothing worth hiding
constexpr std::size_t kBufferBytesKept = 64 << 10;  // a larger buffer is given back

}  // namespace

std::span<const std::string_view> step_names() { return kNames; }

std::optional<Step> step_named(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Step>(found - kNames.begin());
}

bool Chain::contains(Step step) const {
  return std::find(steps_.begin(), steps_.begin() + size_, step) != steps_.begin() + size_;
}

Chain Chain::with(Step step) const {
  Chain longer = *this;
  if (longer.size_ < kStepsMax) longer.steps_[longer.size_++] = step;
  return longer;
}

std::string Chain::to_string() const {
  std::string text;
  for (std::size_t i = 0; i < size_; ++i) {
    if (i > 0) text += '+';
    text += kNames[static_cast<std::size_t>(steps_[i])];
  }
  return text;
}

void Decoder::begin_event() {
  for (std::size_t i = 0; i < used_; ++i) {
    if (buffers_[i]->capacity() > kBufferBytesKept) *buffers_[i] = std::string();
  }
  used_ = 0;
  bytes_ = 0;
  exhausted_ = false;
}

std::string* Decoder::buffer() {
  if (used_ >= limits_.views_max || bytes_ >= limits_.bytes_max) {
    exhausted_ = true;
    return nullptr;
  }
  if (used_ == buffers_.size()) buffers_.push_back(std::make_unique<std::string>());
  buffers_[used_]->clear();
  return buffers_[used_].get();
}

void Decoder::accept(Step step, const Chain& chain, std::string_view source,
                     std::vector<View>& out) {
  const std::string& text = *buffers_[used_];
  if (text.size() < kTextBytesMin || text == source) return;
  const std::uint64_t hash = hash64(text);
  if (std::ranges::find(seen_, hash) != seen_.end()) return;
  seen_.push_back(hash);
  ++used_;
  bytes_ += text.size();
  if (bytes_ >= limits_.bytes_max) exhausted_ = true;
  const Chain longer = chain.with(step);
  out.push_back({.text = text, .chain = longer});
  decode(text, longer, out);
}

void Decoder::decode(std::string_view text, std::vector<View>& out) {
  seen_.clear();
  decode(text, {}, out);
}

void Decoder::decode(std::string_view text, const Chain& chain, std::vector<View>& out) {
  if (text.size() < kTextBytesMin) return;
  const Marks marks = look(text);
  const bool deep_enough = chain.size() >= std::min(limits_.depth_max, Chain::kStepsMax);
  const auto whole = [&](Step step, auto decode_step) {
    if (deep_enough) {
      exhausted_ = true;
      return;
    }
    std::string* into = buffer();
    if (into == nullptr) return;
    if (decode_step(text, limits_.bytes_max - bytes_, *into)) accept(step, chain, text, out);
  };
  if (marks.non_ascii) {
    whole(Step::kTags, decode_tags);
    whole(Step::kUnicode, decode_unicode);
  }
  if (marks.percent) whole(Step::kUrl, decode_url);
  if (marks.ampersand) whole(Step::kHtml, decode_html);
  if (marks.backslash) whole(Step::kEscape, decode_escapes);
  if (marks.spaced && !deep_enough) {
    std::string* into = buffer();
    if (into != nullptr && decode_spacing(text, limits_.bytes_max - bytes_, *into)) {
      accept(Step::kSpacing, chain, text, out);
    }
  }
  const auto runs = [&](auto next, bool spaced) {
    for (Run run = next(text, 0); run.end > run.begin; run = next(text, run.end)) {
      const std::string_view encoded = text.substr(run.begin, run.end - run.begin);
      if (deep_enough) return;
      std::string* into = buffer();
      if (into == nullptr) return;
      const std::size_t left = limits_.bytes_max - bytes_;
      if ((run.hex || spaced) && decode_hex(encoded, left, *into)) {
        accept(Step::kHex, chain, text, out);
      } else if (!spaced && decode_base64(encoded, left, *into)) {
        accept(Step::kBase64, chain, text, out);
      }
    }
  };
  if (marks.run) runs(next_run, false);
  if (marks.spaced) runs(next_spaced_hex, true);
}

}  // namespace tocsin::decoding
