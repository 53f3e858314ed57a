#include "daemon/allocator.h"

#include <malloc.h>

namespace tocsin {

void bound_allocator(std::size_t workers) {
#ifdef __GLIBC__
  // NOLINTBEGIN(concurrency-mt-unsafe): called before there is a second thread
  // One a worker, so that they do not wait for each other, and one for all that serves them.
  mallopt(M_ARENA_MAX, static_cast<int>(workers) + 1);
  // What brokers answer comes in pieces of up to fetch.message.max.bytes.  Without these two glibc
  // raises both thresholds as it sees such pieces come and go, and keeps what it has.
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  // NOLINTEND(concurrency-mt-unsafe)
#else
  static_cast<void>(workers);
#endif
}

}  // namespace tocsin
