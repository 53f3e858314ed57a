// Bytes that came out of a decoding, made UTF-8; and whether they are text at all.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::decoding {

// U+FFFD for what is no character (surrogates, beyond U+10FFFF).
void append_code_point(std::string& out, char32_t c);

// A byte that is not UTF-8 becomes U+FFFD.  Two-byte forms of ASCII (C0 AF for '/') are read as
// careless decoders read them: they are how paths were smuggled past filters.
void append_bytes(std::string& out, std::string_view bytes);

// Puts `bytes` into `text` as UTF-8 when they are text, in UTF-8 or UTF-16LE: printable all of them
// up to 32 bytes, seven of eight when longer.  Random bytes pass once in 3000 with 8 bytes, in 10^5
// with 12.
bool to_text(std::string_view bytes, std::string& text);

}  // namespace tocsin::decoding
