#include "detectors/decoding/decoder.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "daemon/check.h"
#include "daemon/text.h"

namespace tocsin::decoding {
namespace {

// Transport first, what a reader makes of it last: a space may be written as an entity.
constexpr std::array kLine = {Step::kHtml, Step::kUrl, Step::kEscape, Step::kUnicode,
                              Step::kSpacing};

}  // namespace

Decoder::Decoder(Limits limits) : limits_(limits) { CHECK(limits.depth_max <= Chain::kStepsMax); }

void Decoder::begin_event() {
  arena_used_ = 0;
  views_ = 0;
  exhausted_ = false;
}

void Decoder::decode(std::string_view text, std::vector<View>& out) {
  if (text.size() > limits_.value_bytes_max) {
    text = text.substr(0, cut_at_character(text, limits_.value_bytes_max));
    exhausted_ = true;
  }
  look_at(text, look_);
  if (look_.nothing()) return;
  Views views{.text = text, .out = out, .first = out.size()};
  follow_line(text, {}, views);
  for (std::size_t i = views.first; i < out.size(); ++i) {
    const View view = out[i];
    const Step last = view.chain.back();
    if (last != Step::kBase64 && last != Step::kHex && last != Step::kTags) continue;
    look_at(view.text, look_);
    follow_line(view.text, view.chain, views);
  }
}

// `look_` must be of `text`.
void Decoder::follow_line(std::string_view text, Chain chain, Views& views) {
  find_hidden(text, chain, views);
  std::size_t unchanged = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; unchanged < kLine.size(); i = (i + 1) % kLine.size()) {
    if (!apply(kLine[i], text, rewrites_[next])) {
      ++unchanged;
      continue;
    }
    unchanged = 0;
    if (full()) return;
    if (chain.size() == limits_.depth_max) {
      exhausted_ = true;
      return;
    }
    chain = chain.then(kLine[i]);
    add_rewrite(rewrites_[next], chain, views);
    text = rewrites_[next].text();
    next = 1 - next;
    look_at(text, look_);
    find_hidden(text, chain, views);
  }
}

// Whether the step changes the text, `look_` being of it; `out` is then the new one.
bool Decoder::apply(Step step, std::string_view text, Rewrite& out) {
  switch (step) {
    case Step::kHtml: return look_.reference && decode_html(text, out);
    case Step::kUrl: return (look_.reference || look_.plus) && decode_url(text, out);
    case Step::kEscape: return look_.backslash && decode_escapes(text, out);
    case Step::kUnicode: return look_.non_ascii && decode_unicode(text, out);
    case Step::kSpacing: return !look_.spots.empty() && decode_spacing(text, look_.spots, out);
    case Step::kTags:
    case Step::kBase64:
    case Step::kHex: break;  // find_hidden
  }
  return false;
}

void Decoder::find_hidden(std::string_view text, Chain chain, Views& views) {
  if (look_.spots.empty() && !look_.non_ascii) return;
  const OnHidden add_hidden = [&](Step step, std::string_view hidden) {
    if (full()) return;
    if (chain.size() == limits_.depth_max) {
      exhausted_ = true;
      return;
    }
    add_text(hidden, chain.then(step), views);
  };
  if (look_.non_ascii) find_tags(text, scratch_, add_hidden);
  find_runs(text, look_.spots, scratch_, add_hidden);
  find_hex_lists(text, look_.spots, scratch_, add_hidden);
}

// Whether there is no room for a view; asked only where there would be one.
bool Decoder::full() {
  const bool full = views_ >= limits_.views_max || arena_used_ >= limits_.bytes_max;
  exhausted_ = exhausted_ || full;
  return full;
}

void Decoder::add_text(std::string_view text, Chain chain, Views& views) {
  if (!arena_) arena_ = std::make_unique_for_overwrite<char[]>(limits_.bytes_max);
  const std::size_t size = cut_at_character(text, limits_.bytes_max - arena_used_);
  exhausted_ = exhausted_ || size < text.size();
  if (size > 0) std::memcpy(arena_.get() + arena_used_, text.data(), size);
  add(size, chain, views);
}

void Decoder::add_rewrite(const Rewrite& rewrite, Chain chain, Views& views) {
  if (!arena_) arena_ = std::make_unique_for_overwrite<char[]>(limits_.bytes_max);
  const std::span<char> free(arena_.get() + arena_used_, limits_.bytes_max - arena_used_);
  const Rewrite::Excerpt excerpt = rewrite.write_excerpt(free);
  exhausted_ = exhausted_ || excerpt.cut;
  add(excerpt.size, chain, views);
}

// The view is what was written behind the others.  At most views_max comparisons, most of them
// of sizes.
void Decoder::add(std::size_t size, Chain chain, Views& views) {
  const std::string_view text(arena_.get() + arena_used_, size);
  const auto same = [&](const View& view) { return view.text == text; };
  if (text.empty() || text == views.text ||
      std::ranges::any_of(std::span(views.out).subspan(views.first), same)) {
    return;
  }
  views.out.push_back({.text = text, .chain = chain});
  arena_used_ += size;
  ++views_;
}

}  // namespace tocsin::decoding
