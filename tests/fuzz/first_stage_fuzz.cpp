// A pattern and a text: where RE2 finds the pattern, it is a candidate of the first stage.
//
// The input is "<pattern>\n<text>"; the text is tried at several offsets, for Hyperscan reads
// blocks.
#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/check.h"
#include "daemon/text.h"
#include "detectors/decoding/utf8.h"
#include "detectors/matcher/first_stage.h"

namespace tocsin::matcher {
namespace {

constexpr std::size_t kPatternBytesMax = 120;
constexpr std::int64_t kRegexBytesMax = 1 << 20;

void run(std::string_view pattern, std::string_view text) {
  if (pattern.size() > kPatternBytesMax || !is_valid_utf8(pattern)) return;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kRegexBytesMax);
  const re2::RE2 regex(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex.ok()) return;
  std::string value;
  decoding::append_bytes(value, text);

  // Twice: with a second, harmless one beside it, so that ids are not all 0.
  const std::vector<Pattern> patterns = {{.text = "harmless"}, {.text = std::string(pattern)}};
  const auto stage = FirstStage::compile(patterns, {}, 0);
  CHECK(stage.has_value());
  CHECK((*stage)->stats().trusted);
  FirstStage::Scratch scratch;
  for (const std::size_t padding : {0U, 7U, 40U}) {
    const std::string padded = std::string(padding, ' ') + value;
    if (!regex.Match(re2::StringPiece(padded.data(), padded.size()), 0, padded.size(),
                     re2::RE2::UNANCHORED, nullptr, 0)) {
      continue;
    }
    std::vector<std::uint32_t> candidates;
    (*stage)->scan("\nother\n" + padded + "\nharm\n", 4, 1, scratch, candidates);
    bool found = false;
    for (const std::uint32_t candidate : candidates) found = found || candidate == 1;
    CHECK(found);
  }
}

}  // namespace
}  // namespace tocsin::matcher

// The name and the type are libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t line = bytes.find('\n');
  if (line == std::string_view::npos) return 0;
  tocsin::matcher::run(bytes.substr(0, line), bytes.substr(line + 1));
  return 0;
}
