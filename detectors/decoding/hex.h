// Hex digits: what runs.cpp needs of them.
#pragma once

#include <string>
#include <string_view>

#include "detectors/decoding/steps.h"

namespace tocsin::decoding {

// Decodes the hex digits of `digits` (others are skipped) into `scratch.text`; false when that is
// not text, or half a byte is left.
bool decode_hex(std::string_view digits, Scratch& scratch);

// Whether bytes written in hex are a text, and puts it into `text`.  Without a digit above 9 they
// must be mostly letters: long decimal numbers are often printable.
bool hex_to_text(std::string_view bytes, bool has_letters, std::string& text);

}  // namespace tocsin::decoding
