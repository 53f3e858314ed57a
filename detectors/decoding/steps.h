// The steps themselves.  None of them holds state between two texts; all are linear in the text.
//
// Some rewrite a whole text: true when something changed, and `out` is then the new text.  The
// others find texts hidden in a part of one, and hand each of them over by itself.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "detectors/decoding/chain.h"
#include "detectors/decoding/look.h"
#include "detectors/decoding/rewrite.h"

namespace tocsin::decoding {

// Percent encoding: %XX as bytes of UTF-8, %uXXXX as UTF-16.  '+' is a blank in a word (what stands
// between blanks and quotes) with percent encoding, or behind `=` of a query when it stands between
// letters or digits at least twice: "?q=ignore+all+rules", but not "x=a+b" or "C++".
bool decode_url(std::string_view text, Rewrite& out);

// Character references: decimal and hexadecimal ones with or without ';', the names that stand for
// ASCII or hide something, with ';' (`lt`, `gt`, `amp` and `quot` also
// without, unless a query's: "&gtm=2").
bool decode_html(std::string_view text, Rewrite& out);

// Backslash escapes of C, JavaScript, Python, JSON and shells' $'..': \n \t \r \a \b \f \v \e \0,
// \xNN and \NNN (three octal digits) as bytes of UTF-8, \uNNNN (UTF-16), \u{N..}, \UNNNNNNNN,
// and \\ \/ \" \' \` and \ before a blank; a backslash at a line's end joins the
// next line, without its indentation.  Any other backslash stays.  The $ and quotes stay, too.
bool decode_escapes(std::string_view text, Rewrite& out);

// What a reader takes for ASCII made ASCII.  See unicode.cpp.
bool decode_unicode(std::string_view text, Rewrite& out);

// "i g n o r e   a l l", "i.g.n.o.r.e", "r-m": single letters with the same character between them,
// kSpacedLettersMin at least, are joined; a wider gap becomes one blank.
bool decode_spacing(std::string_view text, std::span<const Spot> spots, Rewrite& out);

// Told of a hidden text, valid UTF-8, gone when the call returns.
using OnHidden = std::function<void(Step, std::string_view)>;

// Memory the steps below use while they work.
struct Scratch {
  std::string bytes;
  std::string text;
};

// Tag characters (U+E0020..E007E, each an ASCII character nobody sees), all of a text as one;
// and runs of variation selectors, each of which is a byte (U+FE00.. 0 to 15, U+E0100.. 16 to 255).
void find_tags(std::string_view text, Scratch& scratch, const OnHidden& on_hidden);

// Runs of base64 (both alphabets, padding or none, over line breaks) and of hex digits, when they
// are kRunCharsMin long and what they decode to is text (utf8.h).
void find_runs(std::string_view text, std::span<const Spot> spots, Scratch& scratch,
               const OnHidden& on_hidden);

// Lists of bytes in hex: "69 67 6e", "69:67:6e", "0x69, 0x67, 0x6e".
void find_hex_lists(std::string_view text, std::span<const Spot> spots, Scratch& scratch,
                    const OnHidden& on_hidden);

}  // namespace tocsin::decoding
