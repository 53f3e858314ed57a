// The single decodings, each a pure function.  Input is valid UTF-8, output too, and at most
// `bytes_max` long (decoding stops there).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tocsin::decoding {

// What a text has in it that some step might decode; cheap.
struct Marks {
  bool percent = false;
  bool ampersand = false;
  bool backslash = false;
  bool non_ascii = false;
  bool run = false;     // eight characters behind one another that may be base64 or hex
  bool spaced = false;  // every second character, or every third, sets the others apart
};
Marks look(std::string_view text);

// Whole texts: `out` gets the decoded text; false when nothing was decoded.
bool decode_url(std::string_view text, std::size_t bytes_max, std::string& out);
bool decode_html(std::string_view text, std::size_t bytes_max, std::string& out);
bool decode_escapes(std::string_view text, std::size_t bytes_max, std::string& out);
bool decode_unicode(std::string_view text, std::size_t bytes_max, std::string& out);
bool decode_spacing(std::string_view text, std::size_t bytes_max, std::string& out);
// The hidden text alone.
bool decode_tags(std::string_view text, std::size_t bytes_max, std::string& out);

// The next run of characters at or after `from` that may be base64 or hex.
struct Run {
  std::size_t begin = 0;
  std::size_t end = 0;  // == begin: there is none
  bool hex = false;     // hex digits only
};
Run next_run(std::string_view text, std::size_t from);
// The next run of hex pairs with separators ("72 6d 20", "0x72,0x6d") at or after `from`.
Run next_spaced_hex(std::string_view text, std::size_t from);
// One run.  False unless it decodes to text.
bool decode_base64(std::string_view run, std::size_t bytes_max, std::string& out);
bool decode_hex(std::string_view run, std::size_t bytes_max, std::string& out);

// U+0000 and what cannot stand in UTF-8 become U+FFFD.
void append_code_point(char32_t code, std::string& out);
// Takes off what is left of a character that was cut.
void drop_partial_character(std::string& text);

}  // namespace tocsin::decoding
