// Runs of base64 or hex digits: where they are, and over how many lines.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "detectors/decoding/chars.h"
#include "detectors/decoding/hex.h"
#include "detectors/decoding/steps.h"
#include "detectors/decoding/utf8.h"

namespace tocsin::decoding {
namespace {

constexpr std::uint8_t kNotBase64 = 64;

constexpr auto kSextets = [] {
  std::array<std::uint8_t, 256> sextets{};
  sextets.fill(kNotBase64);
  std::uint8_t next = 0;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) sextets[c] = next++;
  for (unsigned char c = 'a'; c <= 'z'; ++c) sextets[c] = next++;
  for (unsigned char c = '0'; c <= '9'; ++c) sextets[c] = next++;
  sextets['+'] = sextets['-'] = 62;
  sextets['/'] = sextets['_'] = 63;
  return sextets;
}();

// What may stand between two digits is skipped: line breaks.
bool decode_base64(std::string_view digits, Scratch& scratch) {
  scratch.bytes.resize(digits.size() / 4 * 3 + 3);
  char* to = scratch.bytes.data();
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : digits) {
    const std::uint8_t sextet = kSextets[static_cast<unsigned char>(c)];
    if (sextet == kNotBase64) continue;
    bits = bits << 6U | sextet;
    if (++count % 4 != 0) continue;
    *to++ = static_cast<char>(bits >> 16U);
    *to++ = static_cast<char>(bits >> 8U);
    *to++ = static_cast<char>(bits);
  }
  // Two digits are a byte more, three are two; one is none.
  if (count % 4 == 2) *to++ = static_cast<char>(bits >> 4U);
  if (count % 4 == 3) {
    *to++ = static_cast<char>(bits >> 10U);
    *to++ = static_cast<char>(bits >> 2U);
  }
  scratch.bytes.resize(static_cast<std::size_t>(to - scratch.bytes.data()));
  return to_text(scratch.bytes, scratch.text);
}

class RunFinder {
 public:
  RunFinder(std::string_view text, Scratch& scratch, const OnHidden& on_hidden)
      : text_(text), scratch_(scratch), on_hidden_(on_hidden) {}

  void look_at_spot(const Spot& spot) {
    if (spot.run_before != 0) look_at_run_with(spot.offset - spot.run_before);
    std::uint64_t runs = spot.runs;
    while (runs != 0) {
      look_at_run_with(spot.offset + static_cast<unsigned>(std::countr_zero(runs)));
      // Those within the run just seen are done.
      const std::size_t done = done_ > spot.offset ? done_ - spot.offset : 0;
      runs = done < 64 ? runs & ~std::uint64_t{0} << done : 0;
    }
  }

 private:
  struct Run {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::uint8_t all = 0xFF;  // kinds every character is of
    std::uint8_t any = 0;     // kinds some character is of
  };

  // The run a character is part of, unless that was already looked at.
  void look_at_run_with(std::size_t inside) {
    if (inside < done_) return;
    while (inside > done_ && is_any(text_[inside - 1], kBase64Char)) --inside;
    const Run run = run_at(inside);
    done_ = run.end;
    if (run.end - run.begin >= kRunCharsMin) look_at_run(run);
  }

  [[nodiscard]] Run run_at(std::size_t begin) const {
    Run run{.begin = begin, .end = begin};
    for (; run.end < text_.size(); ++run.end) {
      const std::uint8_t kinds = char_kinds(text_[run.end]);
      if ((kinds & kBase64Char) == 0) break;
      run.all &= kinds;
      run.any |= kinds;
    }
    return run;
  }

  // Where the run's line ends; npos when there is more on it, or padding: then the code ends, too.
  [[nodiscard]] std::size_t line_end(std::size_t end) const {
    if (end < text_.size() && text_[end] == '\r') ++end;
    return end < text_.size() && text_[end] == '\n' ? end : std::string_view::npos;
  }

  // Decodes the run with the lines below it that are nothing but such characters; when that gives
  // no text, line by line.
  void look_at_run(const Run& first) {
    Run all = first;
    std::size_t newline = line_end(first.end);
    while (newline != std::string_view::npos) {
      const Run line = run_at(newline + 1);
      newline = line_end(line.end);
      const bool last = newline == std::string_view::npos;
      // The last line may be followed by a quote or bracket, but not by more words.
      const bool more =
          last && line.end < text_.size() && (text_[line.end] == ' ' || text_[line.end] == ':');
      if (line.begin == line.end || more) break;
      all = {.begin = all.begin,
             .end = line.end,
             .all = static_cast<std::uint8_t>(all.all & line.all),
             .any = static_cast<std::uint8_t>(all.any | line.any)};
    }
    done_ = all.end;
    if (decode(all)) return;
    if (all.end == first.end) return look_at_parts(first);
    for (std::size_t begin = first.begin; begin < all.end;) {
      const Run line = run_at(begin);
      if (line.end - line.begin >= kRunCharsMin && !decode(line)) look_at_parts(line);
      begin = line.end;
      while (begin < all.end && !is_any(text_[begin], kBase64Char)) ++begin;
    }
  }

  // "files/aWdub3Jl..", "payload-69676e6f..": between the characters a name may have, too.
  void look_at_parts(const Run& run) {
    if ((run.any & kBase64Mark) == 0) return;
    for (std::size_t begin = run.begin; begin < run.end;) {
      Run part{.begin = begin, .end = begin};
      for (; part.end < run.end && is_any(text_[part.end], kAlnum); ++part.end) {
        part.all &= char_kinds(text_[part.end]);
        part.any |= char_kinds(text_[part.end]);
      }
      if (part.end - part.begin >= kRunCharsMin && part.end - part.begin < run.end - run.begin) {
        decode(part);
      }
      begin = part.end + 1;
    }
  }

  bool decode(const Run& run) {
    std::string_view digits = text_.substr(run.begin, run.end - run.begin);
    const bool prefixed = digits.starts_with("0x") || digits.starts_with("0X");
    if (prefixed) digits.remove_prefix(2);
    const bool hex =
        prefixed ? std::ranges::all_of(digits, is_hex_or_break) : (run.all & kHexDigit) != 0;
    if (hex) return decode_hex(digits, scratch_) && told(Step::kHex);
    // Text in base64 has both; paths and names mostly have not.
    const bool base64 = (run.any & kUpper) != 0 && (run.any & kLower) != 0;
    return base64 && decode_base64(digits, scratch_) && told(Step::kBase64);
  }

  static bool is_hex_or_break(char c) { return is_any(c, kHexDigit) || c == '\n' || c == '\r'; }

  bool told(Step step) {
    on_hidden_(step, scratch_.text);
    return true;
  }

  std::string_view text_;
  Scratch& scratch_;
  const OnHidden& on_hidden_;
  std::size_t done_ = 0;
};

}  // namespace

void find_runs(std::string_view text, std::span<const Spot> spots, Scratch& scratch,
               const OnHidden& on_hidden) {
  RunFinder finder(text, scratch, on_hidden);
  for (const Spot& spot : spots) {
    if (spot.has_run()) finder.look_at_spot(spot);
  }
}

}  // namespace tocsin::decoding
