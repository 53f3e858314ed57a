// Letters of other scripts that look like an ASCII letter.
#pragma once

namespace tocsin::decoding {

// The ASCII letter `c` is taken for; 0 when for none.
char lookalike(char32_t c);

}  // namespace tocsin::decoding
