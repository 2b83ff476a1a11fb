//===- ZstdFrame.h - the wall around libzstd --------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_ZSTDFRAME_H
#define LLMC_RUNTIME_CORE_ZSTDFRAME_H

#include <cstddef>
#include <cstdint>

namespace llmc::runtime {

/// False where the runtime was built without libzstd (LLMC_RUNTIME_ZSTD=OFF).
bool hasZstd();

/// Decompresses frames, each on the thread that asks.
class ZstdDecoder {
public:
  ZstdDecoder();
  ~ZstdDecoder();
  ZstdDecoder(const ZstdDecoder &) = delete;
  ZstdDecoder &operator=(const ZstdDecoder &) = delete;

  /// Fills exactly `targetBytes`. Null on success, else what is wrong: a constant text.
  const char *decode(const uint8_t *frame, size_t frameBytes, uint8_t *target, size_t targetBytes);

private:
  void *context;
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_ZSTDFRAME_H
