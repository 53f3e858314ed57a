// Letters of other scripts that look like Latin ones.
#pragma once

namespace tocsin::decoding {

// The ASCII letter that `code` is mistaken for; 0: none.  Cyrillic, Greek, Armenian, Cherokee and
// phonetic letters; what compatibility decomposition maps by itself (full width, mathematical,
// enclosed) is not here.
char latin_look_alike(char32_t code);

}  // namespace tocsin::decoding
