//===- Memory.h - owned memory from the caller's allocator ------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything a session allocates comes from one llmc_allocator_t, at creation.
// Failure is a return value: nothing here throws.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_MEMORY_H
#define LLMC_RUNTIME_CORE_MEMORY_H

#include "llmc-c/Runtime.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace llmc::runtime {

/// Small blocks from the C library; large ones straight from the system, which
/// makes them resident only as they are touched, aligned for huge pages.
llmc_allocator_t defaultAllocator();

/// One owned block. Empty (null) for zero bytes.
class Memory {
public:
  Memory() = default;
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;
  ~Memory() { release(); }

  /// False if there is no memory. Drops what was held before.
  [[nodiscard]] bool allocate(const llmc_allocator_t &from, size_t sizeBytes,
                              size_t alignment = 64);
  void release();

  void *data() const { return block; }
  size_t size() const { return blockBytes; }

private:
  llmc_allocator_t allocator = {};
  void *block = nullptr;
  size_t blockBytes = 0;
  size_t blockAlignment = 0;
};

/// A fixed number of zeroed plain values.
template <typename T> class Array {
  static_assert(std::is_trivially_destructible_v<T>);

public:
  [[nodiscard]] bool allocate(const llmc_allocator_t &from, size_t count) {
    size_t bytes;
    if (__builtin_mul_overflow(count, sizeof(T), &bytes) || !memory.allocate(from, bytes))
      return false;
    if (bytes)
      __builtin_memset(memory.data(), 0, bytes);
    length = count;
    return true;
  }

  T *data() const { return static_cast<T *>(memory.data()); }
  size_t size() const { return length; }
  T &operator[](size_t index) const { return data()[index]; }
  T *begin() const { return data(); }
  T *end() const { return data() + length; }

private:
  Memory memory;
  size_t length = 0;
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_MEMORY_H
