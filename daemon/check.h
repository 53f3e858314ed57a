// CHECK: our own bugs.  Always on; aborts before anything wrong can be committed.
#pragma once

#include <cstdio>
#include <cstdlib>

#define CHECK(condition)                                                                     \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      std::fprintf(stderr, "%s:%d: tocsin bug, please report: CHECK(%s) failed\n", __FILE__, \
                   __LINE__, #condition);                                                    \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
