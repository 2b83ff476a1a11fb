//===- CountingMalloc.h - a malloc that counts ----------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Included once by a test program of its own, because it replaces malloc. Sanitizers
// replace it too: not for builds with them.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_UNITTESTS_RUNTIME_COUNTINGMALLOC_H
#define LLMC_UNITTESTS_RUNTIME_COUNTINGMALLOC_H

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

static std::atomic<bool> isCounting{false};
static std::atomic<uint64_t> numAllocations{0};

static void count() {
  if (isCounting.load(std::memory_order_relaxed))
    ++numAllocations;
}

// glibc's own entry points, behind the names that are replaced here.
extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t size) {
  count();
  return __libc_malloc(size);
}
void *calloc(size_t number, size_t size) {
  count();
  return __libc_calloc(number, size);
}
void *realloc(void *memory, size_t size) {
  count();
  return __libc_realloc(memory, size);
}
void *memalign(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **memory, size_t alignment, size_t size) {
  count();
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}
}

#endif // LLMC_UNITTESTS_RUNTIME_COUNTINGMALLOC_H
