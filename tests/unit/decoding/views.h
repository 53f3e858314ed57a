// What the tests of the decoder share: a row is a value and the view it must have.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detectors/decoding/decoder.h"

namespace tocsin::decoding {

// The views of a value, by themselves: chain, text.
using Views = std::vector<std::pair<std::string, std::string>>;

inline Views views_of(std::string_view value, Limits limits = {}) {
  Decoder decoder(limits);
  decoder.begin_event();
  std::vector<View> views;
  decoder.decode(value, views);
  Views out;
  for (const View& view : views) out.emplace_back(view.chain.to_string(), view.text);
  return out;
}

// The last view with this chain; "(none)" when there is none.
inline std::string seen_through(std::string_view value, std::string_view chain) {
  std::string seen = "(none)";
  for (const auto& [name, text] : views_of(value)) {
    if (name == chain) seen = text;
  }
  return seen;
}

struct Row {
  std::string_view what;
  std::string_view value;
  std::string_view view;  // through the one step the test is about
};

std::string base64_of(std::string_view bytes);
std::string hex_of(std::string_view bytes);
// U+E0000 + each character: nobody sees them.
std::string tags_of(std::string_view ascii);
// `text`, again and again, at least `size` bytes.
std::string repeated(std::string_view text, std::size_t size);

}  // namespace tocsin::decoding
