//===- Memory.cpp - owned memory from the caller's allocator --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <cstdlib>
#include <sys/mman.h>

using namespace llmc::runtime;

/// From this size on a block is mapped: an arena or cache, not bookkeeping.
static constexpr size_t mappedBytes = size_t{1} << 20;
static constexpr size_t hugePageBytes = size_t{2} << 20;

static void *mapAligned(size_t sizeBytes) {
  size_t reserved;
  if (__builtin_add_overflow(sizeBytes, hugePageBytes, &reserved))
    return nullptr;
  // NORESERVE: caches are sized for the longest sequences, rarely all used.
  void *raw = mmap(nullptr, reserved, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED)
    return nullptr;
  uintptr_t begin = reinterpret_cast<uintptr_t>(raw);
  uintptr_t aligned = (begin + hugePageBytes - 1) & ~(hugePageBytes - 1);
  // Give back both ends, so that freeing needs only the aligned part. The tail
  // starts at the page after the block.
  uintptr_t end = (aligned + sizeBytes + 4095) & ~uintptr_t{4095};
  if (aligned != begin)
    munmap(raw, aligned - begin);
  if (end < begin + reserved)
    munmap(reinterpret_cast<void *>(end), begin + reserved - end);
  void *block = reinterpret_cast<void *>(aligned);
  madvise(block, sizeBytes, MADV_HUGEPAGE);
  return block;
}

static void *defaultAllocate(void *, size_t sizeBytes, size_t alignment) {
  if (sizeBytes >= mappedBytes && alignment <= hugePageBytes)
    return mapAligned(sizeBytes);
  void *block = nullptr;
  return posix_memalign(&block, alignment, sizeBytes) == 0 ? block : nullptr;
}

static void defaultDeallocate(void *, void *memory, size_t sizeBytes, size_t alignment) {
  if (sizeBytes >= mappedBytes && alignment <= hugePageBytes)
    munmap(memory, sizeBytes);
  else
    std::free(memory);
}

llmc_allocator_t llmc::runtime::defaultAllocator() {
  return {nullptr, defaultAllocate, defaultDeallocate};
}

bool Memory::allocate(const llmc_allocator_t &from, size_t sizeBytes, size_t alignment) {
  release();
  if (sizeBytes == 0)
    return true;
  void *fresh = from.allocate(from.user, sizeBytes, alignment);
  if (!fresh)
    return false;
  allocator = from;
  block = fresh;
  blockBytes = sizeBytes;
  blockAlignment = alignment;
  return true;
}

void Memory::release() {
  if (block)
    allocator.deallocate(allocator.user, block, blockBytes, blockAlignment);
  block = nullptr;
  blockBytes = 0;
}
