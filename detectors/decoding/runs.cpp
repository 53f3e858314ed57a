// Runs of base64 and hex inside a text, and letters set apart.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "daemon/text.h"
#include "detectors/decoding/steps.h"

namespace tocsin::decoding {
namespace {

constexpr std::size_t kRunMin = 16;       // characters of base64 or hex
constexpr std::size_t kTextMin = 6;       // of what they decode to
constexpr std::size_t kProbeBytes = 12;   // decoded first, to see whether it is text at all
constexpr std::size_t kMimeLineMin = 60;  // a run may go on behind a line break after so many
constexpr std::size_t kSpacedPairsMin = 6;

constexpr std::uint8_t kNoDigit = 0xFF;

constexpr std::array<std::uint8_t, 256> base64_table() {
  std::array<std::uint8_t, 256> table{};
  table.fill(kNoDigit);
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  table['-'] = 62;
  table['_'] = 63;
  return table;
}
constexpr std::array<std::uint8_t, 256> hex_table() {
  std::array<std::uint8_t, 256> table{};
  table.fill(kNoDigit);
  for (std::uint8_t i = 0; i < 10; ++i) table['0' + i] = i;
  for (std::uint8_t i = 0; i < 6; ++i) {
    table['a' + i] = static_cast<std::uint8_t>(10 + i);
    table['A' + i] = static_cast<std::uint8_t>(10 + i);
  }
  return table;
}
constexpr auto kBase64 = base64_table();
constexpr auto kHex = hex_table();

std::uint8_t base64_of(char c) { return kBase64[static_cast<unsigned char>(c)]; }
std::uint8_t hex_of(char c) { return kHex[static_cast<unsigned char>(c)]; }
bool is_base64(char c) { return base64_of(c) != kNoDigit; }
bool is_hex(char c) { return hex_of(c) != kNoDigit; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_line_break(char c) { return c == '\n' || c == '\r'; }

constexpr std::uint64_t kHighs = 0x8080808080808080ULL;

// The high bit of each of eight bytes that is below `limit`; exact as long as all are ASCII.
std::uint64_t bytes_below(std::uint64_t word, char limit) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  return ~((word | kHighs) - kOnes * static_cast<unsigned char>(limit)) & ~word & kHighs;
}

std::uint64_t eight_bytes(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// Whether a byte below '+' (a blank, a quote, a bracket ...) is among these eight: then they are
// not inside a run.
bool breaks_a_run(const char* eight) { return bytes_below(eight_bytes(eight), '+') != 0; }

bool printable(unsigned char c) { return c >= 0x20 || c == '\t' || c == '\n' || c == '\r'; }

bool looks_like_text(std::string_view bytes) {
  return std::ranges::all_of(bytes,
                             [](char c) { return printable(static_cast<unsigned char>(c)); });
}

// UTF-16LE of mostly ASCII, as PowerShell takes it: every second byte is zero.
bool from_utf16(std::string& bytes) {
  if (bytes.size() < 2 * kTextMin) return false;
  std::string text;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    const auto low = static_cast<unsigned char>(bytes[i]);
    const auto high = static_cast<unsigned char>(bytes[i + 1]);
    if (high == 0 && !printable(low)) return false;
    append_code_point(static_cast<char32_t>(high << 8U | low), text);
  }
  bytes = std::move(text);
  return true;
}

// Bytes that somebody meant to be read: `out` is then valid UTF-8.
bool make_text(std::string& out) {
  drop_partial_character(out);
  if (out.size() >= kTextMin && looks_like_text(out) && is_valid_utf8(out)) return true;
  const bool wide = out.size() >= 4 && out[1] == 0 && out[3] == 0;
  return wide && from_utf16(out) && looks_like_text(out);
}

void base64_bytes(std::string_view run, std::size_t bytes_max, std::string& out) {
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : run) {
    if (is_line_break(c)) continue;
    const std::uint8_t value = base64_of(c);
    if (value == kNoDigit || out.size() >= bytes_max) return;
    bits = bits << 6U | value;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> static_cast<unsigned>(held) & 0xFFU);
  }
}

// Blanks, dots, dashes ... as every second byte, twice over.
bool every_second(std::uint64_t word) {
  const std::uint64_t apart = bytes_below(word, '0');
  const std::uint64_t seconds = apart & apart >> 16U & ~(apart >> 8U);
  return (seconds & (seconds - 1)) != 0;
}

// ... as every third.
std::uint64_t every_third(std::uint64_t word) {
  const std::uint64_t apart = bytes_below(word, '0');
  return apart & apart >> 24U & ~(apart >> 8U) & ~(apart >> 16U);
}

}  // namespace

Marks look(std::string_view text) {
  const auto has = [&](char c) { return std::memchr(text.data(), c, text.size()) != nullptr; };
  Marks marks{.percent = has('%'), .ampersand = has('&'), .backslash = has('\\')};
  std::uint64_t all = 0;
  std::uint64_t thirds_before = 0;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    const std::uint64_t word = eight_bytes(text.data() + i);
    all |= word;
    marks.run = marks.run || bytes_below(word, '+') == 0;
    const std::uint64_t thirds = every_third(word);
    marks.spaced = marks.spaced || every_second(word) || (thirds != 0 && thirds_before != 0);
    thirds_before = thirds;
  }
  for (; i < text.size(); ++i) all |= static_cast<unsigned char>(text[i]) & 0x80U;
  marks.non_ascii = (all & kHighs) != 0;
  return marks;
}

Run next_run(std::string_view text, std::size_t from) {
  // A run of 16 covers an aligned eight whole: only those are looked at.
  for (std::size_t at = (from + 7) / 8 * 8; at + 8 <= text.size(); at += 8) {
    const char* const eight = text.data() + at;
    if (breaks_a_run(eight) || !std::all_of(eight, eight + 8, is_base64)) continue;
    std::size_t begin = at;
    std::size_t end = at + 8;
    while (begin > from && is_base64(text[begin - 1])) --begin;
    std::size_t line = begin;
    while (end < text.size()) {
      if (is_base64(text[end])) {
        ++end;
        continue;
      }
      std::size_t next = end;
      while (next < text.size() && is_line_break(text[next])) ++next;
      const bool goes_on =
          next > end && next < text.size() && end - line >= kMimeLineMin && is_base64(text[next]);
      if (!goes_on) break;
      end = line = next;
    }
    if (end - begin < kRunMin) {
      at = end / 8 * 8;
      continue;
    }
    const std::string_view run = text.substr(begin, end - begin);
    return {.begin = begin, .end = end, .hex = std::ranges::all_of(run, is_hex)};
  }
  return {};
}

Run next_spaced_hex(std::string_view text, std::size_t from) {
  const auto pair_at = [&](std::size_t i) {
    return i + 1 < text.size() && is_hex(text[i]) && is_hex(text[i + 1]);
  };
  for (std::size_t at = (from + 7) / 8 * 8; at + 8 <= text.size(); at += 8) {
    if (every_third(eight_bytes(text.data() + at)) == 0) continue;
    std::size_t first = at;
    while (first < at + 4 && !(pair_at(first) && !is_hex(text[first + 2]))) ++first;
    if (first == at + 4 || first + 2 >= text.size()) continue;
    const std::size_t second_min = first + 3;
    std::size_t step = 0;  // from one pair to the next: "72 6d" is 3, "72, 6d" 4, "0x72,0x6d" 5
    for (std::size_t distance = 3; distance <= 6 && step == 0; ++distance) {
      const bool apart = second_min <= first + distance && !is_hex(text[first + 2]);
      if (apart && pair_at(first + distance) && pair_at(first + 2 * distance)) step = distance;
    }
    if (step == 0) continue;
    const std::string_view separator = text.substr(first + 2, step - 2);
    std::size_t begin = first;
    while (begin >= from + step && pair_at(begin - step) &&
           text.substr(begin - step + 2, step - 2) == separator) {
      begin -= step;
    }
    std::size_t end = first + 2;
    std::size_t pairs = 1 + (first - begin) / step;
    while (text.substr(end, step - 2) == separator && pair_at(end + step - 2)) {
      end += step;
      ++pairs;
    }
    if (pairs >= kSpacedPairsMin) return {.begin = begin, .end = end, .hex = true};
  }
  return {};
}

bool decode_base64(std::string_view run, std::size_t bytes_max, std::string& out) {
  // Text in base64 has both cases: long words and paths mostly do not.
  const bool mixed = std::ranges::any_of(run, [](char c) { return c >= 'a' && c <= 'z'; }) &&
                     std::ranges::any_of(run, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!mixed) return false;
  // What stands in front of it may belong to the same alphabet ("key/aGVs..."): try each phase.
  for (std::size_t phase = 0; phase < 4 && phase < run.size(); ++phase) {
    out.clear();
    base64_bytes(run.substr(phase, kProbeBytes / 3 * 4), kProbeBytes, out);
    const std::size_t odd = out.size() >= 4 && out[1] == 0 && out[3] == 0;
    if (odd == 0 && !looks_like_text(out)) continue;
    out.clear();
    base64_bytes(run.substr(phase), bytes_max, out);
    if (make_text(out)) return true;
  }
  return false;
}

bool decode_hex(std::string_view run, std::size_t bytes_max, std::string& out) {
  std::uint8_t high = kNoDigit;
  for (std::size_t i = 0; i < run.size() && out.size() < bytes_max; ++i) {
    const std::uint8_t value = hex_of(run[i]);
    const bool prefix =
        value == 0 && i + 1 < run.size() && (run[i + 1] == 'x' || run[i + 1] == 'X');
    if (value == kNoDigit || prefix) {
      high = kNoDigit;
    } else if (high == kNoDigit) {
      high = value;
    } else {
      out += static_cast<char>(high << 4U | value);
      high = kNoDigit;
    }
  }
  return make_text(out);
}

bool decode_spacing(std::string_view text, std::size_t bytes_max, std::string& out) {
  constexpr std::size_t kLettersMin = 7;
  const auto separator = [](char c) {
    return c == ' ' || c == '.' || c == '-' || c == '*' || c == ',' || c == '/';
  };
  // Whether letter, separator, letter, the same separator stand at `i`.
  const auto apart_at = [&](std::size_t i) {
    return i + 3 < text.size() && is_letter(text[i]) && separator(text[i + 1]) &&
           is_letter(text[i + 2]) && text[i + 3] == text[i + 1];
  };
  std::size_t copied = 0;
  // Seven letters and their separators cover every phase of an eight.
  for (std::size_t at = 0; at + 8 <= text.size(); at += 8) {
    if (!every_second(eight_bytes(text.data() + at))) continue;
    const std::size_t start = apart_at(at) ? at : at + 1;
    if (!apart_at(start)) continue;
    const char between = text[start + 1];
    std::size_t begin = start;
    while (begin >= copied + 2 && text[begin - 1] == between && is_letter(text[begin - 2])) {
      begin -= 2;
    }
    if (begin > 0 && is_letter(text[begin - 1])) begin += 2;  // the end of an ordinary word
    std::string word;
    std::size_t i = begin;
    std::size_t letters = 0;
    // A wider gap is the end of a word.
    while (i < text.size() && is_letter(text[i]) &&
           (i + 1 >= text.size() || !is_letter(text[i + 1]))) {
      word += text[i++];
      ++letters;
      const std::size_t gap = i;
      while (i < text.size() && text[i] == between) ++i;
      if (i == gap) break;
      if (i - gap > 1) word += ' ';
    }
    at = std::max(at, i / 8 * 8);  // whatever comes of it, not again
    if (letters < kLettersMin || out.size() + (i - copied) > bytes_max) continue;
    out += text.substr(copied, begin - copied);
    out += word;
    if (i < text.size() && text[i - 1] == between) out += between;
    copied = i;
  }
  if (copied == 0) return false;
  out += text.substr(
      copied, cut_at_character(text.substr(copied), bytes_max - std::min(bytes_max, out.size())));
  return true;
}

}  // namespace tocsin::decoding
