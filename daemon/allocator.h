// glibc's allocator, told to give memory back.
#pragma once

#include <cstddef>

namespace tocsin {

// To be called before any thread is started.  librdkafka has a dozen threads a client that fill
// buffers which others free; with an arena each, and arenas of up to 64 MiB, what is free at one
// place is never used at another.
void bound_allocator(std::size_t workers);

}  // namespace tocsin
